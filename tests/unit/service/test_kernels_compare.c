/* Comparison and selection: fast equals plain for every type, step and odd length; and what is true
 * of NaN, zeros and small formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/service/kernel_inputs.h"

static struct {
    struct memory a, b, fast, plain;
    uint8_t conditions[COUNT_MAX];
} bench;

/* Many equal pairs: half of b is a. */
static void
fill_pairs(enum dtype dtype, uint32_t *seed)
{
    const uint32_t size = dtype_size(dtype);

    if (dtype_is_number(dtype)) {
        fill(dtype, seed, false, &bench.a, COUNT_MAX);
        fill(dtype, seed, false, &bench.b, COUNT_MAX);
    } else {
        uint8_t mask = dtype == DTYPE_BOOL ? 1 : 0xFF;

        for (uint32_t i = 0; i < COUNT_MAX * size; i++) {
            bench.a.bytes[i] = (uint8_t)(next_word(seed) >> 8) & mask;
            bench.b.bytes[i] = (uint8_t)(next_word(seed) >> 8) & mask;
        }
    }
    for (uint32_t i = 0; i < COUNT_MAX; i++)
        if ((next_word(seed) >> 8 & 1) != 0)
            memcpy(bench.b.bytes + i * size, bench.a.bytes + i * size, size);
}

static void
compare_fast_and_plain(enum kernel_compare op, enum dtype dtype, uint32_t steps, uint64_t count)
{
    const struct kernel_operand x = {&bench.a, steps & 1}, y = {&bench.b, steps >> 1};

    memset(&bench.fast, 0x5A, count + 1);
    memset(&bench.plain, 0x5A, count + 1);
    kernel_compare(op, dtype, x, y, bench.fast.bytes, count);
    kernel_compare_plain(op, dtype, x, y, bench.plain.bytes, count);
    for (uint64_t i = 0; i <= count; i++)
        if (bench.fast.bytes[i] != bench.plain.bytes[i])
            fail_msg("%s, comparison %d, steps %u: element %llu is %d, the plain kernel has %d",
                     dtype_name(dtype), (int)op, steps, (unsigned long long)i, bench.fast.bytes[i],
                     bench.plain.bytes[i]);
}

static void
fast_equals_plain_for_every_comparison_type_step_and_length(void **state)
{
    uint32_t seed = 21, compared = 0;

    (void)state;
    for (unsigned dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (dtype == DTYPE_STRING)
            continue;
        fill_pairs((enum dtype)dtype, &seed);
        for (unsigned op = 0; op < KERNEL_COMPARE_COUNT; op++) {
            if (!kernel_compare_known((enum kernel_compare)op, (enum dtype)dtype))
                continue;
            for (uint32_t steps = 0; steps < 4; steps++)
                for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
                    compare_fast_and_plain((enum kernel_compare)op, (enum dtype)dtype, steps,
                                           counts[i]);
            compared++;
        }
    }
    /* 12 types with an order; bool, 2 complex, 5 quantized and 2 small floats without. */
    assert_int_equal(compared, 12 * 6 + 10 * 2);
}

static void
comparisons_are_known_for_the_types_that_have_them(void **state)
{
    (void)state;
    for (unsigned d = 0; d < DTYPE_COUNT; d++) {
        enum dtype dtype = (enum dtype)d;

        assert_int_equal(kernel_compare_known(KERNEL_EQUAL, dtype), dtype != DTYPE_STRING);
        assert_int_equal(kernel_compare_known(KERNEL_LESS, dtype),
                         dtype_is_integer(dtype) || dtype_is_float(dtype));
        assert_false(kernel_compare_known(KERNEL_COMPARE_COUNT, dtype));
    }
    assert_false(kernel_compare_known(KERNEL_EQUAL, DTYPE_UNSET));
}

static uint8_t
of_floats(enum kernel_compare op, float a, float b)
{
    uint8_t out = 99;

    kernel_compare(op, DTYPE_FLOAT32, (struct kernel_operand){&a, 0},
                   (struct kernel_operand){&b, 0}, &out, 1);
    return out;
}

static void
nan_is_unequal_to_everything_and_the_zeros_are_equal(void **state)
{
    const float nan = __builtin_nanf("");
    const uint8_t small[4] = {0x80, 0x7F, 0xFF, 0x7C}, other[4] = {0x00, 0x7F, 0xFF, 0x7C};
    const struct kernel_operand a = {small, 1}, b = {other, 1};
    uint8_t out[4];

    (void)state;
    assert_int_equal(of_floats(KERNEL_EQUAL, nan, nan), 0);
    assert_int_equal(of_floats(KERNEL_NOT_EQUAL, nan, nan), 1);
    assert_int_equal(of_floats(KERNEL_LESS_EQUAL, nan, 1), 0);
    assert_int_equal(of_floats(KERNEL_GREATER, nan, 1), 0);
    assert_int_equal(of_floats(KERNEL_EQUAL, 0.0f, -0.0f), 1);
    assert_int_equal(of_floats(KERNEL_LESS, -0.0f, 0.0f), 0);
    assert_int_equal(of_floats(KERNEL_GREATER_EQUAL, 2, 1), 1);
    kernel_compare(KERNEL_EQUAL, DTYPE_FLOAT8_E4M3FN, a, b, out, 4);
    assert_true(out[0] == 1 && out[1] == 0 && out[2] == 0 && out[3] == 1);
    kernel_compare(KERNEL_NOT_EQUAL, DTYPE_FLOAT8_E5M2, a, b, out, 4);
    assert_true(out[0] == 0 && out[1] == 1 && out[2] == 1 && out[3] == 0);
}

/* --- selection ----------------------------------------------------------------------------- */

/* in_place: 0 neither operand, 1 a, 2 b is the result's memory. */
static void
select_fast_and_plain(uint32_t size, uint32_t steps, uint32_t in_place, uint64_t count)
{
    const struct kernel_operand condition = {bench.conditions, steps & 1};
    struct kernel_operand a = {&bench.a, steps >> 1 & 1}, b = {&bench.b, steps >> 2};
    struct kernel_operand *own = in_place == 1 ? &a : &b;

    memset(&bench.fast, 0x5A, (count + 1) * size);
    memset(&bench.plain, 0x5A, (count + 1) * size);
    kernel_select_plain(size, condition, a, b, &bench.plain, count);
    if (in_place != 0) {
        memcpy(&bench.fast, own->data, count * size);
        own->data = &bench.fast;
    }
    kernel_select(size, condition, a, b, &bench.fast, count);
    assert_memory_equal(&bench.fast, &bench.plain, (count + 1) * size);
}

static void
selection_equals_the_plain_one_for_every_size_step_and_length(void **state)
{
    static const uint32_t sizes[] = {1, 2, 4, 8, 16};
    uint32_t seed = 31;

    (void)state;
    for (uint32_t i = 0; i < sizeof bench.a.bytes; i++) {
        bench.a.bytes[i] = (uint8_t)(next_word(&seed) >> 8);
        bench.b.bytes[i] = (uint8_t)(next_word(&seed) >> 8);
    }
    for (uint32_t first = 0; first < 2; first++)
        for (uint32_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
            for (uint32_t steps = 0; steps < 8; steps++)
                for (uint32_t in_place = 0; in_place < 3; in_place++)
                    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
                        for (uint32_t k = 0; k < COUNT_MAX; k++)
                            bench.conditions[k] =
                                k == 0 ? (uint8_t)first : (uint8_t)(next_word(&seed) >> 8 & 1);
                        select_fast_and_plain(sizes[s], steps, in_place, counts[i]);
                    }
}

static void
selection_takes_from_the_first_where_the_condition_holds(void **state)
{
    const uint8_t conditions[3] = {1, 0, 1};
    const int32_t a[3] = {1, 2, 3}, b[1] = {-9}, expected[3] = {1, -9, 3};
    int32_t out[3];

    (void)state;
    kernel_select(4, (struct kernel_operand){conditions, 1}, (struct kernel_operand){a, 1},
                  (struct kernel_operand){b, 0}, out, 3);
    assert_memory_equal(out, expected, sizeof expected);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_equals_plain_for_every_comparison_type_step_and_length),
        cmocka_unit_test(comparisons_are_known_for_the_types_that_have_them),
        cmocka_unit_test(nan_is_unequal_to_everything_and_the_zeros_are_equal),
        cmocka_unit_test(selection_equals_the_plain_one_for_every_size_step_and_length),
        cmocka_unit_test(selection_takes_from_the_first_where_the_condition_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
