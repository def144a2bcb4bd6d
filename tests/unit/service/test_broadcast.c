/* Broadcasting as runs, against the definition: the source element of a result element is found by
 * its coordinates, those of dimensions of 1 taken as 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/expr/op_helpers.h"
#include "service/expr/op_layout.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

enum { ROUNDS = 400, RANK_MAX = 5, DIM_MAX = 4 };

static uint32_t random_state = 12345;

static uint32_t
next_random(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 16) % below;
}

static uint64_t
naive_source(const struct shape *from, const struct shape *to, uint64_t element)
{
    uint64_t source = 0, stride = 1;

    for (uint32_t i = 0; i < to->rank; i++) {
        uint64_t size = to->dims[to->rank - 1 - i], at = element % size;
        uint64_t own = i < from->rank ? from->dims[from->rank - 1 - i] : 1;

        element /= size;
        if (own != 1)
            source += at * stride;
        stride *= own;
    }
    return source;
}

/* A result shape without zeros, and one that broadcasts to it. */
static void
random_shapes(struct shape *from, struct shape *to)
{
    uint32_t cut;

    *to = (struct shape){.rank = next_random(RANK_MAX + 1)};
    for (uint32_t i = 0; i < to->rank; i++)
        to->dims[i] = 1 + next_random(DIM_MAX);
    cut = next_random(to->rank + 1);
    *from = (struct shape){.rank = to->rank - cut};
    for (uint32_t i = 0; i < from->rank; i++)
        from->dims[i] = next_random(2) == 0 ? 1 : to->dims[i + cut];
}

static void
every_element_comes_from_where_its_coordinates_say(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct shape from, to;
        struct op_layout layout;
        struct op_layout_walk walk;
        uint64_t total, first;

        random_shapes(&from, &to);
        total = shape_count(&to);
        first = next_random((uint32_t)total);
        op_layout_broadcast(&layout, &from, &to);
        op_layout_start(&layout, first, &walk);
        while (first < total) {
            struct op_layout_run run = op_layout_next(&walk, 1 + next_random(7));

            assert_true(run.count > 0 && run.count <= total - first);
            for (uint64_t i = 0; i < run.count; i++)
                assert_int_equal(run.source + i * run.step, naive_source(&from, &to, first + i));
            first += run.count;
        }
    }
}

static void
dimensions_that_behave_alike_are_one(void **state)
{
    struct shape from = exprs_shape(4, 1, 3, 1, 5), to = exprs_shape(5, 2, 7, 3, 1, 5);
    struct op_layout layout;

    (void)state;
    op_layout_broadcast(&layout, &from, &to);
    assert_int_equal(layout.rank, 2);
    assert_int_equal(layout.sizes[0], 15);
    assert_int_equal(layout.strides[0], 1);
    assert_int_equal(layout.sizes[1], 14);
    assert_int_equal(layout.strides[1], 0);
}

static void
a_scalar_is_one_run(void **state)
{
    struct shape from = exprs_shape(0), to = exprs_shape(3, 2, 3, 4);
    struct op_layout layout;
    struct op_layout_walk walk;
    struct op_layout_run run;

    (void)state;
    op_layout_broadcast(&layout, &from, &to);
    op_layout_start(&layout, 5, &walk);
    run = op_layout_next(&walk, 1000);
    assert_int_equal(run.count, 19);
    assert_int_equal(run.step, 0);
    assert_int_equal(run.source, 0);
}

/* --- through the evaluator ----------------------------------------------------------------- */

static int32_t *
counted(uint64_t count, int32_t start)
{
    int32_t *data = malloc((count + 1) * sizeof *data);

    assert_non_null(data);
    for (uint64_t i = 0; i < count; i++)
        data[i] = start + (int32_t)i;
    return data;
}

/* a * 10000 + b for shapes that both broadcast to one; in ranges of odd lengths. */
static void
check_sum(struct shape a, struct shape b, bool as_variables)
{
    AUTO(expr_tree) tree = {0};
    int32_t *a_data = counted(shape_count(&a), 1), *b_data = counted(shape_count(&b), 100);
    struct exprs_value named[] = {
        {"a", {.type = {DTYPE_INT32, a}, .data = (uint8_t *)a_data, .size = shape_count(&a) * 4}},
        {"b", {.type = {DTYPE_INT32, b}, .data = (uint8_t *)b_data, .size = shape_count(&b) * 4}},
    };
    struct exprs_values values = {.values = named, .count = 2};
    struct expr_source source = exprs_source(&values);
    struct expr *x, *y;
    struct evaluator *e = NULL;
    struct shape to;
    int32_t *out;
    uint64_t total;

    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    x = as_variables ? exprs_variable(&tree, "a", false)
                     : exprs_literal(&tree, DTYPE_INT32, a, a_data);
    y = as_variables ? exprs_variable(&tree, "b", false)
                     : exprs_literal(&tree, DTYPE_INT32, b, b_data);
    x = exprs_op(&tree, "multiply", 2, x, exprs_weak_int(&tree, 10000));
    exprs_op(&tree, "add", 2, x, y);
    assert_int_equal(expr_infer(&tree, &source, DTYPE_UNSET, NULL), OK);
    assert_int_equal(shape_broadcast(&a, &b, &to, NULL), OK);
    assert_true(shape_equal(&tree.root->type.shape, &to));
    assert_int_equal(evaluator_open(&tree, &source, &exprs_options, &e, NULL), OK);
    total = shape_count(&to);
    out = counted(total, 0);
    for (uint64_t first = 0; first < total;) {
        uint64_t count = 1 + next_random((uint32_t)(total / 2 + 1));

        count = count < total - first ? count : total - first;
        assert_int_equal(evaluator_read(e, first, count, out + first, NULL), OK);
        first += count;
    }
    for (uint64_t i = 0; i < total; i++)
        assert_int_equal(out[i], (int32_t)((uint32_t)a_data[naive_source(&a, &to, i)] * 10000u +
                                           (uint32_t)b_data[naive_source(&b, &to, i)]));
    evaluator_drop(e);
    free(out);
    free(a_data);
    free(b_data);
}

static void
evaluated_broadcasts_equal_the_definition(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct shape to, a, b;

        random_shapes(&a, &to);
        random_shapes(&b, &to);
        random_shapes(&a, &to);
        b = to;
        for (uint32_t i = 0; i < b.rank; i++)
            if (next_random(3) == 0)
                b.dims[i] = 1;
        check_sum(a, b, next_random(2) == 0);
        check_sum(b, a, next_random(2) == 0);
    }
}

static void
arguments_past_a_tile_are_broadcast_through_windows(void **state)
{
    (void)state;
    check_sum(exprs_shape(2, 5000, 1), exprs_shape(2, 1, 3), true);
    check_sum(exprs_shape(1, 5000), exprs_shape(2, 4, 1), true);
    check_sum(exprs_shape(3, 2, 1, 4099), exprs_shape(3, 1, 3, 1), true);
    check_sum(exprs_shape(4, 3, 1, 2000, 1), exprs_shape(4, 1, 2, 1, 3), true);
    check_sum(exprs_shape(4, 3, 1, 2000, 1), exprs_shape(4, 1, 2, 1, 3), false);
}

static void
a_zero_dimension_broadcasts_to_nothing(void **state)
{
    (void)state;
    check_sum(exprs_shape(2, 0, 3), exprs_shape(1, 3), true);
    check_sum(exprs_shape(2, 2, 1), exprs_shape(2, 1, 0), false);
}

/* A bias is read once, however many rows it is added to. */
static void
a_small_broadcast_argument_is_read_once(void **state)
{
    enum { ROWS = 1000, COLUMNS = 17 };
    static float big[ROWS * COLUMNS], bias[COLUMNS], out[ROWS * COLUMNS];
    struct exprs_value named[] = {
        {"bias",
         {.type = {DTYPE_FLOAT32, exprs_shape(1, COLUMNS)},
          .data = (uint8_t *)bias,
          .size = sizeof bias}},
    };
    struct exprs_values values = {.values = named, .count = 1};
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) tree = {0};
    struct evaluator *e = NULL;

    (void)state;
    bias[3] = 0.5f;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    exprs_op(&tree, "add", 2, exprs_float32(&tree, exprs_shape(2, ROWS, COLUMNS), big),
             exprs_variable(&tree, "bias", false));
    assert_int_equal(expr_infer(&tree, &source, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_open(&tree, &source, &exprs_options, &e, NULL), OK);
    assert_int_equal(evaluator_read(e, 0, (uint64_t)ROWS * COLUMNS, out, NULL), OK);
    evaluator_drop(e);
    assert_true(out[(ROWS - 1) * COLUMNS + 3] == 0.5f);
    assert_int_equal(values.reads, 1);
    assert_int_equal(values.bytes_read, sizeof bias);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_comes_from_where_its_coordinates_say),
        cmocka_unit_test(dimensions_that_behave_alike_are_one),
        cmocka_unit_test(a_scalar_is_one_run),
        cmocka_unit_test(evaluated_broadcasts_equal_the_definition),
        cmocka_unit_test(arguments_past_a_tile_are_broadcast_through_windows),
        cmocka_unit_test(a_zero_dimension_broadcasts_to_nothing),
        cmocka_unit_test(a_small_broadcast_argument_is_read_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
