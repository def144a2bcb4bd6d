/* Scatter kernels: the fast path equals the plain one, bit for bit, for every operation and type,
 * with rows that repeat; plus what is known by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/tensor/scatter.h"
#include "tests/unit/service/kernel_inputs.h"

enum { ROWS = 7, NAMED = 19 };

static struct {
    struct memory before, updates, fast, plain;
} bench;

typedef void change_row(enum kernel_scatter op, enum dtype dtype, void *target,
                        struct kernel_operand update, uint64_t count);

/* Rows one after the other, as the verbs have it; with updates.step 0 each by that one element. */
static void
change_rows(change_row *change, enum kernel_scatter op, enum dtype dtype, void *target,
            uint64_t width, const uint64_t *rows, uint64_t count, struct kernel_operand updates)
{
    const uint64_t row_bytes = width * dtype_size(dtype);
    const uint8_t *from = updates.data;

    for (uint64_t i = 0; i < count; i++)
        change(op, dtype, (uint8_t *)target + rows[i] * row_bytes,
               (struct kernel_operand){from + i * updates.step * row_bytes, updates.step}, width);
}

static void
compare_one(enum kernel_scatter op, enum dtype dtype, uint64_t width, uint32_t step, uint32_t *seed)
{
    const struct kernel_operand updates = {&bench.updates, step};
    const uint64_t guard = ROWS * width;
    const uint32_t size = dtype_size(dtype);
    uint64_t rows[NAMED];

    for (int i = 0; i < NAMED; i++)
        rows[i] = next_word(seed) % ROWS;
    memcpy(&bench.fast, &bench.before, (guard + 1) * size);
    memcpy(&bench.plain, &bench.before, (guard + 1) * size);
    change_rows(kernel_scatter_row, op, dtype, &bench.fast, width, rows, NAMED, updates);
    change_rows(kernel_scatter_row_plain, op, dtype, &bench.plain, width, rows, NAMED, updates);
    if (dtype_is_number(dtype))
        same_numbers(dtype, bench.fast.bytes, bench.plain.bytes, guard);
    else
        assert_memory_equal(&bench.fast, &bench.plain, guard * size);
    assert_memory_equal(bench.fast.bytes + guard * size, bench.before.bytes + guard * size, size);
}

static void
fast_equals_plain_for_every_operation_type_and_width(void **state)
{
    static const uint64_t widths[] = {0, 1, 2, 3, 8, 17, 33};
    uint32_t seed = 1, compared = 0;

    (void)state;
    for (unsigned d = 0; d < DTYPE_COUNT; d++) {
        enum dtype dtype = (enum dtype)d;

        if (dtype == DTYPE_STRING)
            continue;
        if (dtype_is_number(dtype) || dtype == DTYPE_BOOL) {
            fill(dtype, &seed, false, &bench.before, COUNT_MAX);
            fill(dtype, &seed, true, &bench.updates, COUNT_MAX);
        } else {
            fill(DTYPE_UINT32, &seed, false, &bench.before, COUNT_MAX);
            fill(DTYPE_UINT32, &seed, false, &bench.updates, COUNT_MAX);
        }
        for (unsigned op = 0; op < KERNEL_SCATTER_COUNT; op++) {
            if (!kernel_scatter_known((enum kernel_scatter)op, dtype))
                continue;
            for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
                for (uint32_t step = 0; step < 2; step++)
                    compare_one((enum kernel_scatter)op, dtype, widths[i], step, &seed);
            compared++;
        }
    }
    /* 8 integers and 4 floats of 7; 2 complex of 5; bool and 7 opaque types of 1. */
    assert_int_equal(compared, 12 * 7 + 2 * 5 + 1 + 7);
}

static void
operations_are_known_for_the_types_that_have_them(void **state)
{
    (void)state;
    for (unsigned d = 0; d < DTYPE_COUNT; d++) {
        enum dtype dtype = (enum dtype)d;
        bool number = dtype_is_number(dtype);

        assert_int_equal(kernel_scatter_known(KERNEL_SCATTER_UPDATE, dtype), dtype != DTYPE_STRING);
        assert_int_equal(kernel_scatter_known(KERNEL_SCATTER_ADD, dtype), number);
        assert_int_equal(kernel_scatter_known(KERNEL_SCATTER_DIVIDE, dtype), number);
        assert_int_equal(kernel_scatter_known(KERNEL_SCATTER_MINIMUM, dtype),
                         number && !dtype_is_complex(dtype));
        assert_int_equal(kernel_scatter_known(KERNEL_SCATTER_MAXIMUM, dtype),
                         number && !dtype_is_complex(dtype));
        assert_false(kernel_scatter_known(KERNEL_SCATTER_COUNT, dtype));
    }
    assert_false(kernel_scatter_known(KERNEL_SCATTER_UPDATE, DTYPE_UNSET));
}

static void
scatter_int32(enum kernel_scatter op, const int32_t updates[6], const int32_t expected[3])
{
    static const uint64_t rows[6] = {1, 0, 1, 1, 0, 2};
    int32_t target[3] = {-7, 100, INT32_MIN};

    change_rows(kernel_scatter_row, op, DTYPE_INT32, target, 1, rows, 6,
                (struct kernel_operand){updates, 1});
    assert_memory_equal(target, expected, sizeof target);
}

static void
duplicates_are_done_one_after_the_other(void **state)
{
    static const int32_t updates[6] = {3, 2, 5, 2, -2, -1};

    (void)state;
    scatter_int32(KERNEL_SCATTER_UPDATE, updates, (const int32_t[3]){-2, 2, -1});
    scatter_int32(KERNEL_SCATTER_ADD, updates, (const int32_t[3]){-7, 110, INT32_MAX});
    scatter_int32(KERNEL_SCATTER_SUBTRACT, updates, (const int32_t[3]){-7, 90, INT32_MIN + 1});
    scatter_int32(KERNEL_SCATTER_MULTIPLY, updates, (const int32_t[3]){28, 3000, INT32_MIN});
    scatter_int32(KERNEL_SCATTER_MINIMUM, updates, (const int32_t[3]){-7, 2, INT32_MIN});
    scatter_int32(KERNEL_SCATTER_MAXIMUM, updates, (const int32_t[3]){2, 100, -1});
}

/* -7 / 2 = -3, -3 / -2 = 1; 100 / 3 / 5 / 2 = 3; the minimum divided by -1 is itself. */
static void
integer_quotients_are_cut_off_towards_zero_and_wrap(void **state)
{
    (void)state;
    scatter_int32(KERNEL_SCATTER_DIVIDE, (const int32_t[6]){3, 2, 5, 2, -2, -1},
                  (const int32_t[3]){1, 3, INT32_MIN});
}

static void
a_zero_is_found_where_integers_would_be_divided_by_it(void **state)
{
    const int16_t integers[4] = {1, -1, 0, 0}, none[2] = {256, -256};
    const float floats[2] = {0, 0};

    (void)state;
    assert_int_equal(kernel_scatter_zero(KERNEL_SCATTER_DIVIDE, DTYPE_INT16, integers, 4), 2);
    assert_int_equal(kernel_scatter_zero(KERNEL_SCATTER_DIVIDE, DTYPE_INT16, integers, 2), 2);
    assert_int_equal(kernel_scatter_zero(KERNEL_SCATTER_DIVIDE, DTYPE_INT16, none, 2), 2);
    assert_int_equal(kernel_scatter_zero(KERNEL_SCATTER_MULTIPLY, DTYPE_INT16, integers, 4), 4);
    assert_int_equal(kernel_scatter_zero(KERNEL_SCATTER_DIVIDE, DTYPE_FLOAT32, floats, 2), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_equals_plain_for_every_operation_type_and_width),
        cmocka_unit_test(operations_are_known_for_the_types_that_have_them),
        cmocka_unit_test(duplicates_are_done_one_after_the_other),
        cmocka_unit_test(integer_quotients_are_cut_off_towards_zero_and_wrap),
        cmocka_unit_test(a_zero_is_found_where_integers_would_be_divided_by_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
