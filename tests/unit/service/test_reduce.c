/* Reductions: the fast paths against their plain twins, whatever the pieces; what no elements give,
 * what NaN does, what does not get lost in long sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "service/tensor/convert.h"
#include "service/tensor/reduce.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { ELEMENTS_MAX = 6000, BYTES_MAX = ELEMENTS_MAX * 16 };

static const enum dtype dtypes[] = {
    DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32, DTYPE_FLOAT64,   DTYPE_INT8,
    DTYPE_INT16,   DTYPE_INT32,    DTYPE_INT64,   DTYPE_UINT8,     DTYPE_UINT16,
    DTYPE_UINT32,  DTYPE_UINT64,   DTYPE_BOOL,    DTYPE_COMPLEX64, DTYPE_COMPLEX128,
};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

static const struct shape shapes[] = {
    {.rank = 0},
    {.rank = 1, .dims = {0}},
    {.rank = 1, .dims = {1}},
    {.rank = 1, .dims = {15}},
    {.rank = 1, .dims = {16}},
    {.rank = 1, .dims = {4099}},
    {.rank = 2, .dims = {5, 33}},
    {.rank = 2, .dims = {700, 3}},
    {.rank = 3, .dims = {3, 1, 40}},
    {.rank = 3, .dims = {2, 0, 3}},
    {.rank = 4, .dims = {3, 2, 17, 5}},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* Under a tool that makes everything many times slower. */
static bool
is_slow(void)
{
    return getenv("TENSORKEEP_TEST_SLOW_TOOL") != NULL;
}

static uint32_t
next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* Numbers around zero, with digits enough that the order of additions shows. */
static void
fill(enum dtype dtype, uint64_t count, uint8_t *out)
{
    uint32_t state = 7, size = dtype_size(dtype);
    uint64_t bits[2];

    for (uint64_t i = 0; i < count; i++) {
        double value = ((double)next(&state) - 8388608.0) / 4194304.0 + 1e-9 * next(&state);
        double pair[2] = {value, (double)next(&state) / 1e7};

        bits[0] = (uint64_t)next(&state) << 40 ^ (uint64_t)next(&state) << 20 ^ next(&state);
        if (dtype == DTYPE_BOOL)
            out[i] = next(&state) % 8 != 0;
        else if (dtype_is_integer(dtype))
            memcpy(out + i * size, bits, size);
        else
            tensor_cast(DTYPE_COMPLEX128, pair, dtype, out + i * size, 1);
    }
}

static void
check_reduction(enum kernel_reduce kind, enum kernel_reduce_map map, const struct tensor_type *type,
                uint32_t axes, const uint8_t *elements)
{
    static const uint64_t pieces[] = {1, 7, 1030, UINT64_MAX};
    static uint8_t expected[BYTES_MAX + 16];
    uint64_t count = shape_count(&type->shape);

    kernel_reduce_plain(kind, map, type, axes, elements, expected);
    for (size_t i = is_slow() ? 2 : 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        AUTO(kernel_reduction) r = {0};

        assert_int_equal(kernel_reduction_init(&r, kind, map, type, axes, NULL), OK);
        for (uint64_t first = 0; first < count;) {
            uint64_t left = count - first, step = left < pieces[i] ? left : pieces[i];

            kernel_reduction_feed(&r, elements + first * dtype_size(type->dtype), step);
            first += step;
        }
        if (memcmp(r.results, expected, (size_t)r.result_count * dtype_size(r.wide)) != 0)
            fail_msg("%s, kind %d, map %d, axes %x, rank %u, pieces of %d", dtype_name(type->dtype),
                     (int)kind, (int)map, axes, (unsigned)type->shape.rank, (int)pieces[i]);
    }
}

static void
every_reduction_equals_its_plain_twin_in_any_pieces(void **state)
{
    static uint8_t elements[BYTES_MAX];

    (void)state;
    for (size_t d = 0; d < DTYPES; d += is_slow() ? 3 : 1) {
        bool complex = dtype_info(dtypes[d])->kind == DTYPE_KIND_COMPLEX;
        bool maps = complex || dtype_is_float(dtypes[d]);

        fill(dtypes[d], ELEMENTS_MAX, elements);
        for (size_t i = 0; i < SHAPES; i++) {
            struct tensor_type type = {dtypes[d], shapes[i]};

            for (uint32_t axes = 0; axes < 1u << shapes[i].rank; axes++) {
                for (int kind = 0; kind < KERNEL_REDUCE_COUNT; kind++)
                    if (!complex || kind == KERNEL_REDUCE_SUM || kind == KERNEL_REDUCE_PROD)
                        check_reduction((enum kernel_reduce)kind, KERNEL_REDUCE_PLAIN, &type, axes,
                                        elements);
                if (!maps)
                    continue;
                check_reduction(KERNEL_REDUCE_SUM, KERNEL_REDUCE_ABS, &type, axes, elements);
                check_reduction(KERNEL_REDUCE_MAX, KERNEL_REDUCE_ABS, &type, axes, elements);
                check_reduction(KERNEL_REDUCE_SUM, KERNEL_REDUCE_SQUARE, &type, axes, elements);
            }
        }
    }
}

static void
check_arg(bool least, const struct tensor_type *type, uint32_t axis, const uint8_t *elements,
          uint64_t piece)
{
    static int64_t expected[ELEMENTS_MAX], out[ELEMENTS_MAX];
    uint64_t count = shape_count(&type->shape), results = count / type->shape.dims[axis];
    AUTO(kernel_argminmax) arg = {0};

    kernel_argminmax_plain(least, type, axis, elements, expected);
    memset(out, 0xFF, sizeof out);
    assert_int_equal(kernel_argminmax_init(&arg, least, type, axis, out, NULL), OK);
    for (uint64_t first = 0; first < count;) {
        uint64_t left = count - first, step = left < piece ? left : piece;

        kernel_argminmax_feed(&arg, elements + first * dtype_size(type->dtype), step);
        first += step;
    }
    assert_memory_equal(out, expected, results * sizeof out[0]);
}

static void
argmin_and_argmax_equal_their_plain_twin(void **state)
{
    static uint8_t elements[BYTES_MAX];

    (void)state;
    for (size_t d = 0; d < DTYPES; d++) {
        if (dtype_info(dtypes[d])->kind == DTYPE_KIND_COMPLEX || dtypes[d] == DTYPE_BOOL)
            continue;
        fill(dtypes[d], ELEMENTS_MAX, elements);
        for (size_t i = 0; i < SHAPES; i++) {
            struct tensor_type type = {dtypes[d], shapes[i]};

            for (uint32_t axis = 0; axis < shapes[i].rank; axis++)
                for (int least = 0; least < 2; least++) {
                    if (shapes[i].dims[axis] == 0)
                        continue;
                    check_arg(least == 1, &type, axis, elements, 1);
                    check_arg(least == 1, &type, axis, elements, 11);
                    check_arg(least == 1, &type, axis, elements, UINT64_MAX);
                }
        }
    }
}

/* Known results, so that the twins are not wrong together. */
static void
small_reductions_give_what_one_can_add_up(void **state)
{
    static const int32_t x[] = {1, 2, 3, 4, 5, 6};
    static const int32_t rows[] = {6, 15}, columns[] = {4, 10, 18};
    struct tensor_type type = {DTYPE_INT32, {.rank = 2, .dims = {2, 3}}};
    AUTO(kernel_reduction) sum = {0};
    AUTO(kernel_reduction) product = {0};
    int32_t out[3];

    (void)state;
    assert_int_equal(
        kernel_reduction_init(&sum, KERNEL_REDUCE_SUM, KERNEL_REDUCE_PLAIN, &type, 2, NULL), OK);
    kernel_reduction_feed(&sum, x, 6);
    assert_int_equal(sum.result_count, 2);
    kernel_reduction_finish(&sum, DTYPE_INT32, out);
    assert_memory_equal(out, rows, sizeof rows);
    assert_int_equal(
        kernel_reduction_init(&product, KERNEL_REDUCE_PROD, KERNEL_REDUCE_PLAIN, &type, 1, NULL),
        OK);
    kernel_reduction_feed(&product, x, 6);
    kernel_reduction_finish(&product, DTYPE_INT32, out);
    assert_memory_equal(out, columns, sizeof columns);
}

static double
result_of_none(enum kernel_reduce kind, enum dtype dtype)
{
    struct tensor_type type = {dtype, {.rank = 1}};
    _Alignas(16) uint8_t element[16] = {0};
    AUTO(kernel_reduction) r = {0};

    assert_int_equal(kernel_reduction_init(&r, kind, KERNEL_REDUCE_PLAIN, &type, 1, NULL), OK);
    kernel_reduction_finish(&r, dtype, element);
    return tensor_element_as_double(dtype, element);
}

static void
no_elements_give_the_start_of_each_reduction(void **state)
{
    (void)state;
    for (size_t d = 0; d + 2 < DTYPES; d++) {
        assert_true(result_of_none(KERNEL_REDUCE_SUM, dtypes[d]) == 0);
        assert_true(result_of_none(KERNEL_REDUCE_PROD, dtypes[d]) == 1);
    }
    assert_true(result_of_none(KERNEL_REDUCE_MIN, DTYPE_FLOAT16) == HUGE_VAL);
    assert_true(result_of_none(KERNEL_REDUCE_MAX, DTYPE_FLOAT32) == -HUGE_VAL);
    assert_true(result_of_none(KERNEL_REDUCE_MIN, DTYPE_INT8) == 127);
    assert_true(result_of_none(KERNEL_REDUCE_MAX, DTYPE_INT8) == -128);
    assert_true(result_of_none(KERNEL_REDUCE_MIN, DTYPE_INT32) == 2147483647.0);
    assert_true(result_of_none(KERNEL_REDUCE_MAX, DTYPE_INT64) == -0x1p63);
    assert_true(result_of_none(KERNEL_REDUCE_MIN, DTYPE_UINT16) == 65535);
    assert_true(result_of_none(KERNEL_REDUCE_MAX, DTYPE_UINT64) == 0);
    assert_true(result_of_none(KERNEL_REDUCE_MIN, DTYPE_BOOL) == 1);
    assert_true(result_of_none(KERNEL_REDUCE_MAX, DTYPE_BOOL) == 0);
}

static float
reduce_floats(enum kernel_reduce kind, const float *x, uint64_t count)
{
    struct tensor_type type = {DTYPE_FLOAT32, {.rank = 1, .dims = {count}}};
    AUTO(kernel_reduction) r = {0};
    float out = 0;

    assert_int_equal(kernel_reduction_init(&r, kind, KERNEL_REDUCE_PLAIN, &type, 1, NULL), OK);
    kernel_reduction_feed(&r, x, count);
    kernel_reduction_finish(&r, DTYPE_FLOAT32, &out);
    return out;
}

static void
extremes_are_nan_where_an_element_is(void **state)
{
    float x[40];

    (void)state;
    for (uint64_t nan = 0; nan < 40; nan++) {
        for (uint64_t i = 0; i < 40; i++)
            x[i] = (float)i;
        x[nan] = NAN;
        assert_true(isnan(reduce_floats(KERNEL_REDUCE_MIN, x, 40)));
        assert_true(isnan(reduce_floats(KERNEL_REDUCE_MAX, x, 40)));
        assert_true(isnan(reduce_floats(KERNEL_REDUCE_MAX, x, nan + 1)));
    }
}

static void
places_pass_nan_over_and_prefer_the_first(void **state)
{
    static const float x[] = {NAN, -INFINITY, 3, NAN, 3, 1};
    struct tensor_type type = {DTYPE_FLOAT32, {.rank = 1, .dims = {6}}};
    AUTO(kernel_argminmax) greatest = {0};
    AUTO(kernel_argminmax) lonely = {0};
    int64_t out = -1;

    (void)state;
    assert_int_equal(kernel_argminmax_init(&greatest, false, &type, 0, &out, NULL), OK);
    kernel_argminmax_feed(&greatest, x, 6);
    assert_int_equal(out, 2);
    type.shape.dims[0] = 1;
    assert_int_equal(kernel_argminmax_init(&lonely, true, &type, 0, &out, NULL), OK);
    kernel_argminmax_feed(&lonely, x, 1);
    assert_int_equal(out, 0);
}

/* A float32 that counts by ones stands still at 2^24. */
static void
long_sums_of_float32_do_not_stand_still(void **state)
{
    enum { COUNT = 18 * 1000 * 1000, PIECE = 100 * 1000 };
    struct tensor_type type = {DTYPE_FLOAT32, {.rank = 1, .dims = {COUNT}}};
    AUTO(kernel_reduction) r = {0};
    static float ones[PIECE];
    float out = 0;

    (void)state;
    if (is_slow())
        skip();
    for (size_t i = 0; i < PIECE; i++)
        ones[i] = 1;
    assert_int_equal(
        kernel_reduction_init(&r, KERNEL_REDUCE_SUM, KERNEL_REDUCE_PLAIN, &type, 1, NULL), OK);
    for (size_t i = 0; i < COUNT / PIECE; i++)
        kernel_reduction_feed(&r, ones, PIECE);
    kernel_reduction_finish(&r, DTYPE_FLOAT32, &out);
    assert_true(out == COUNT);
}

static void
short_memory_is_an_error(void **state)
{
    struct tensor_type type = {DTYPE_FLOAT32, {.rank = 1, .dims = {9}}};
    int64_t out = 0;

    (void)state;
    for (uint64_t nth = 1; nth <= 2; nth++) {
        AUTO(kernel_reduction) r = {0};
        AUTO(kernel_argminmax) arg = {0};

        mem_fail_at(nth, 0);
        assert_int_equal(
            kernel_reduction_init(&r, KERNEL_REDUCE_SUM, KERNEL_REDUCE_PLAIN, &type, 1, NULL),
            ERR_NO_MEMORY);
        mem_fail_at(nth, 0);
        assert_int_equal(kernel_argminmax_init(&arg, true, &type, 0, &out, NULL), ERR_NO_MEMORY);
        mem_fail_at(0, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reduction_equals_its_plain_twin_in_any_pieces),
        cmocka_unit_test(argmin_and_argmax_equal_their_plain_twin),
        cmocka_unit_test(small_reductions_give_what_one_can_add_up),
        cmocka_unit_test(no_elements_give_the_start_of_each_reduction),
        cmocka_unit_test(extremes_are_nan_where_an_element_is),
        cmocka_unit_test(places_pass_nan_over_and_prefer_the_first),
        cmocka_unit_test(long_sums_of_float32_do_not_stand_still),
        cmocka_unit_test(short_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
