/* Differences of runs: the fast path gives the bits of the plain twin, and both give what one can
 * work out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/tensor/difference.h"
#include "tests/unit/service/kernel_inputs.h"

static bool
same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void
must_be_same(enum dtype dtype, uint64_t count, const struct kernel_difference *fast,
             const struct kernel_difference *plain)
{
    if (fast->changed != plain->changed || fast->nonfinite != plain->nonfinite ||
        !same_double(fast->max_abs, plain->max_abs) ||
        !same_double(fast->squares, plain->squares) ||
        !same_double(fast->a_squares, plain->a_squares) ||
        !same_double(fast->b_squares, plain->b_squares) ||
        !same_double(fast->products, plain->products))
        fail_msg("%s, %llu elements: %llu changed, max %.17g, squares %.17g; plain: %llu, %.17g, "
                 "%.17g",
                 dtype_name(dtype), (unsigned long long)count, (unsigned long long)fast->changed,
                 fast->max_abs, fast->squares, (unsigned long long)plain->changed, plain->max_abs,
                 plain->squares);
}

/* float8 is opaque to the other kernels: any bits are a number. */
static void
fill_any(enum dtype dtype, uint32_t *seed, struct memory *out, uint64_t count)
{
    if (dtype_info(dtype)->kind != DTYPE_KIND_OPAQUE) {
        fill(dtype, seed, false, out, count);
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        out->bytes[i] = (uint8_t)(next_word(seed) >> 8);
}

/* b is a, but for about one element of `every`; in its place there is one of c. */
static void
mix(uint32_t size, uint32_t *seed, uint32_t every, const struct memory *a, const struct memory *c,
    struct memory *b, uint64_t count)
{
    *b = *a;
    for (uint64_t i = 0; i < count; i++)
        if (next_word(seed) >> 8 < (UINT32_MAX / every) >> 8)
            memcpy(b->bytes + i * size, c->bytes + i * size, size);
}

static void
differences_equal_their_plain_twin(void **state)
{
    static struct memory a, b, c;
    uint32_t seed = 7;

    (void)state;
    for (int d = 0; d < (int)DTYPE_COUNT; d++) {
        enum dtype dtype = (enum dtype)d;

        if (!kernel_difference_known(dtype))
            continue;
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
            for (uint32_t every = 1; every <= 64; every *= 8) {
                struct kernel_difference fast, plain;

                fill_any(dtype, &seed, &a, counts[i]);
                fill_any(dtype, &seed, &c, counts[i]);
                mix(dtype_size(dtype), &seed, every, &a, &c, &b, counts[i]);
                kernel_difference(dtype, a.bytes, b.bytes, counts[i], &fast);
                kernel_difference_plain(dtype, a.bytes, b.bytes, counts[i], &plain);
                must_be_same(dtype, counts[i], &fast, &plain);
                kernel_difference(dtype, b.bytes, b.bytes, counts[i], &fast);
                kernel_difference_plain(dtype, b.bytes, b.bytes, counts[i], &plain);
                must_be_same(dtype, counts[i], &fast, &plain);
                kernel_difference(dtype, a.bytes, b.bytes, counts[i], &fast);
                assert_int_equal(fast.changed,
                                 kernel_changed(dtype_size(dtype), a.bytes, b.bytes, counts[i]));
            }
    }
}

static void
numbers_have_differences_and_others_only_changes(void **state)
{
    (void)state;
    assert_true(kernel_difference_known(DTYPE_BFLOAT16));
    assert_true(kernel_difference_known(DTYPE_UINT64));
    assert_true(kernel_difference_known(DTYPE_COMPLEX128));
    assert_true(kernel_difference_known(DTYPE_FLOAT8_E5M2));
    assert_false(kernel_difference_known(DTYPE_BOOL));
    assert_false(kernel_difference_known(DTYPE_QINT32));
    assert_false(kernel_difference_known(DTYPE_STRING));
}

static void
what_has_the_same_bits_differs_by_nothing(void **state)
{
    static const float x[] = {INFINITY, -INFINITY, NAN, -0.0F, 1, 2, 3, 4, 5};
    struct kernel_difference found;

    (void)state;
    kernel_difference(DTYPE_FLOAT32, x, x, 9, &found);
    assert_int_equal(found.changed, 0);
    assert_int_equal(found.nonfinite, 0);
    assert_true(found.max_abs == 0 && found.squares == 0);
    assert_true(isnan(found.a_squares) && isnan(found.products));
}

static void
small_differences_are_what_one_can_add_up(void **state)
{
    static const float a[] = {1, 2, 3, 4}, b[] = {1, 2.5F, 1, 4};
    static const int8_t m[] = {-128, 5}, n[] = {127, 5};
    struct kernel_difference found;

    (void)state;
    kernel_difference(DTYPE_FLOAT32, a, b, 4, &found);
    assert_int_equal(found.changed, 2);
    assert_true(found.max_abs == 2 && found.squares == 4.25);
    assert_true(found.a_squares == 30 && found.b_squares == 24.25 && found.products == 25);
    kernel_difference(DTYPE_INT8, m, n, 2, &found);
    assert_int_equal(found.changed, 1);
    assert_true(found.max_abs == 255 && found.squares == 65025);
}

static void
zeros_of_two_signs_have_changed_by_nothing(void **state)
{
    static const double a[] = {0.0, 1}, b[] = {-0.0, 1};
    struct kernel_difference found;

    (void)state;
    kernel_difference(DTYPE_FLOAT64, a, b, 2, &found);
    assert_int_equal(found.changed, 1);
    assert_true(found.max_abs == 0 && found.squares == 0);
}

/* Two that float32 and float64 alike hold as the same quiet NaN. */
static void
not_a_number_is_told_apart_by_its_bits(void **state)
{
    static const uint16_t a[] = {0x7D00, 0x3C00}, b[] = {0x7F00, 0x3C00};
    struct kernel_difference found;

    (void)state;
    kernel_difference(DTYPE_FLOAT16, a, b, 2, &found);
    assert_int_equal(found.changed, 1);
    assert_int_equal(found.nonfinite, 1);
    assert_true(isnan(found.max_abs) && isnan(found.squares));
    kernel_difference(DTYPE_FLOAT16, a, a, 2, &found);
    assert_true(found.changed == 0 && found.max_abs == 0 && found.squares == 0);
}

static void
infinite_differences_are_counted_and_are_the_greatest(void **state)
{
    static const float a[] = {1, INFINITY, 0, 0, 0, 0, 0, 0, 0, NAN},
                       b[] = {2, 0, 0, 0, 0, 0, 0, 0, -INFINITY, NAN};
    struct kernel_difference found;

    (void)state;
    kernel_difference(DTYPE_FLOAT32, a, b, 10, &found);
    assert_int_equal(found.changed, 3);
    assert_int_equal(found.nonfinite, 2);
    assert_true(isinf(found.max_abs) && isinf(found.squares));
}

/* Beyond 2^53, and where a subtraction of int64 would overflow. */
static void
integers_are_subtracted_exactly(void **state)
{
    static const int64_t a[] = {INT64_MIN, (1LL << 62) + 1}, b[] = {INT64_MAX, 1LL << 62};
    static const uint64_t x[] = {UINT64_MAX}, y[] = {UINT64_MAX - 1};
    struct kernel_difference found;

    (void)state;
    kernel_difference(DTYPE_INT64, a + 1, b + 1, 1, &found);
    assert_true(found.max_abs == 1 && found.squares == 1 && found.changed == 1);
    kernel_difference(DTYPE_INT64, a, b, 2, &found);
    assert_true(found.max_abs == 0x1p64);
    kernel_difference(DTYPE_UINT64, x, y, 1, &found);
    assert_true(found.max_abs == 1);
}

static void
complex_numbers_are_one_element_of_two_parts(void **state)
{
    static const float a[] = {1, 2, 0, INFINITY}, b[] = {4, 6, 1, INFINITY};
    struct kernel_difference found;

    (void)state;
    kernel_difference(DTYPE_COMPLEX64, a, b, 2, &found);
    assert_int_equal(found.changed, 2);
    assert_int_equal(found.nonfinite, 0);
    assert_true(found.max_abs == 5 && found.squares == 26);
}

static void
float8_is_read_as_it_is_written(void **state)
{
    static const struct {
        uint8_t bits;
        float e4m3fn, e5m2;
    } known[] = {
        {0x00, 0, 0},
        {0x01, 0x1p-9F, 0x1p-16F},
        {0x38, 1, 0.5F},
        {0x3C, 1.5F, 1},
        {0x7E, 448, NAN},
        {0xFE, -448, NAN},
        {0x7B, 352, 57344},
        {0x7C, 384, INFINITY},
        {0x7F, NAN, NAN},
        {0x08, 0x1p-6F, 0x1p-13F},
        {0x87, -7 * 0x1p-9F, -0x1.cp-14F},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        float x = tensor_float_of_e4m3fn(known[i].bits), y = tensor_float_of_e5m2(known[i].bits);

        assert_true(x == known[i].e4m3fn || (isnan(x) && isnan(known[i].e4m3fn)));
        assert_true(y == known[i].e5m2 || (isnan(y) && isnan(known[i].e5m2)));
    }
    assert_true(signbit(tensor_float_of_e4m3fn(0x80)) && tensor_float_of_e4m3fn(0x80) == 0);
}

static void
runs_are_added_in_order(void **state)
{
    static const float a[] = {1, 2, 3, 4}, b[] = {1, 5, 3, NAN};
    struct kernel_difference all = {0}, part;

    (void)state;
    for (int i = 3; i >= 0; i--) {
        kernel_difference(DTYPE_FLOAT32, a + i, b + i, 1, &part);
        kernel_difference_add(&all, &part);
    }
    assert_int_equal(all.changed, 2);
    assert_int_equal(all.nonfinite, 1);
    assert_true(isnan(all.max_abs) && isnan(all.squares));
    assert_true(all.a_squares == 30);
    all = (struct kernel_difference){0};
    for (int i = 0; i < 3; i++) {
        kernel_difference(DTYPE_FLOAT32, a + i, b + i, 1, &part);
        kernel_difference_add(&all, &part);
    }
    assert_true(all.max_abs == 3 && all.squares == 9 && all.b_squares == 35);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_equal_their_plain_twin),
        cmocka_unit_test(numbers_have_differences_and_others_only_changes),
        cmocka_unit_test(what_has_the_same_bits_differs_by_nothing),
        cmocka_unit_test(small_differences_are_what_one_can_add_up),
        cmocka_unit_test(zeros_of_two_signs_have_changed_by_nothing),
        cmocka_unit_test(not_a_number_is_told_apart_by_its_bits),
        cmocka_unit_test(infinite_differences_are_counted_and_are_the_greatest),
        cmocka_unit_test(integers_are_subtracted_exactly),
        cmocka_unit_test(complex_numbers_are_one_element_of_two_parts),
        cmocka_unit_test(float8_is_read_as_it_is_written),
        cmocka_unit_test(runs_are_added_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
