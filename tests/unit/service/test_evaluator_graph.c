/* Nodes that are read more than once: the values are those of a tree, what is computed is bounded,
 * and what does not fit is refused before it starts. */
#include <stdio.h>

#include "service/expr/evaluation.h"
#include "service/parallel.h"
#include "store/base/alloc.h"
#include "tests/unit/service/ops_checks.h"

enum { LONG = 3 * OP_TILE_ELEMENTS + 5 };

static float long_data[LONG];

/* A variable "v" of floats 0, 1, 2 … */
static struct exprs_values
floats(struct exprs_value *value, struct shape shape)
{
    for (int i = 0; i < LONG; i++)
        long_data[i] = (float)i;
    *value = (struct exprs_value){"v",
                                  {.type = {DTYPE_FLOAT32, shape},
                                   .data = (const uint8_t *)long_data,
                                   .size = shape_count(&shape) * sizeof(float)}};
    return (struct exprs_values){.values = value, .count = 1};
}

static enum plan_kind
kind_of(const struct expr_tree *tree, const struct expr *node)
{
    struct plan plan;
    enum plan_kind kind;

    assert_int_equal(plan_make(tree, &exprs_options, &plan, NULL), OK);
    kind = plan.nodes[node->index].kind;
    plan_drop(&plan);
    return kind;
}

static float
float_at(const struct tensor *tensor, uint64_t index)
{
    float value;

    memcpy(&value, tensor->data + index * sizeof value, sizeof value);
    return value;
}

static void
readers_side_by_side_share_a_tile(void **state)
{
    struct exprs_value value;
    struct exprs_values values = floats(&value, exprs_shape(1, LONG));
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *x, *squared;

    (void)state;
    init(&tree);
    x = exprs_op(&tree, "add", 2, exprs_variable(&tree, "v", false), exprs_weak_int(&tree, 1));
    squared = exprs_op(&tree, "multiply", 2, x, x);
    exprs_op(&tree, "subtract", 2, squared, exprs_op(&tree, "identity", 1, x));
    assert_int_equal(exprs_evaluate(&tree, &source, &out, NULL), OK);
    for (uint64_t i = 0; i < LONG; i += 97) {
        float v = (float)i + 1;

        assert_true(float_at(&out, i) == v * v - v);
    }
    assert_int_equal(kind_of(&tree, x), PLAN_CACHED);
    assert_int_equal(values.bytes_read, LONG * sizeof(float)); /* once */
}

static void
readers_in_different_order_share_what_is_kept(void **state)
{
    struct exprs_value value;
    struct exprs_values values = floats(&value, exprs_shape(1, 5));
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *x, *column, *row;

    (void)state;
    init(&tree);
    x = exprs_op(&tree, "negative", 1, exprs_variable(&tree, "v", false));
    column = exprs_set_dims(exprs_op(&tree, "reshape", 1, x), "shape", 2, 5, 1);
    row = exprs_set_dims(exprs_op(&tree, "reshape", 1, x), "shape", 2, 1, 5);
    exprs_op(&tree, "multiply", 2, column, row);
    assert_int_equal(exprs_evaluate(&tree, &source, &out, NULL), OK);
    for (uint64_t i = 0; i < 25; i++)
        assert_true(float_at(&out, i) == (float)(i / 5) * (float)(i % 5));
    assert_int_equal(kind_of(&tree, x), PLAN_KEPT);
    assert_int_equal(values.bytes_read, 5 * sizeof(float));
}

static void
a_shared_variable_is_read_once(void **state)
{
    struct exprs_value value;
    struct exprs_values values = floats(&value, exprs_shape(1, LONG));
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *v;

    (void)state;
    init(&tree);
    v = exprs_variable(&tree, "v", false);
    exprs_op(&tree, "add", 2, exprs_op(&tree, "multiply", 2, v, v), v);
    assert_int_equal(exprs_evaluate(&tree, &source, &out, NULL), OK);
    for (uint64_t i = 0; i < LONG; i += 97)
        assert_true(float_at(&out, i) == (float)i * (float)i + (float)i);
    assert_int_equal(kind_of(&tree, v), PLAN_CACHED);
    assert_int_equal(values.bytes_read, LONG * sizeof(float));
}

static void
a_variable_is_used_where_it_lies_if_it_can_be(void **state)
{
    static _Alignas(8) uint8_t bytes[LONG * sizeof(float) + 8];

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        struct exprs_value value;
        struct exprs_values values = floats(&value, exprs_shape(1, LONG));
        struct expr_source source = exprs_source(&values);
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};
        struct expr *v;

        memcpy(bytes + shift, long_data, sizeof long_data);
        value.value.data = bytes + shift;
        values.lends = true;
        init(&tree);
        v = exprs_variable(&tree, "v", false);
        exprs_op(&tree, "add", 2, exprs_op(&tree, "multiply", 2, v, v), v);
        assert_int_equal(exprs_evaluate(&tree, &source, &out, NULL), OK);
        for (uint64_t i = 0; i < LONG; i += 97)
            assert_true(float_at(&out, i) == (float)i * (float)i + (float)i);
        /* Floats cannot be used at an odd address: those are copied. */
        assert_int_equal(values.bytes_read, shift == 0 ? 0 : LONG * sizeof(float));
    }
}

/* A shared draw is one draw, whoever reads it and in whatever order. */
static void
a_shared_draw_is_the_same_for_all_readers(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *x;

    (void)state;
    init(&tree);
    x = exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", exprs_shape(1, LONG));
    exprs_op(&tree, "subtract", 2, x, x);
    assert_int_equal(exprs_evaluate(&tree, NULL, &out, NULL), OK);
    for (uint64_t i = 0; i < LONG; i++)
        assert_true(float_at(&out, i) == 0);
}

/* Each level reads the one below twice: computing again would double the work 47 times. */
static void
sharing_within_sharing_does_not_double(void **state)
{
    struct exprs_value value;
    struct exprs_values values = floats(&value, exprs_shape(1, 3));
    struct expr_source source = exprs_source(&values);

    (void)state;
    for (int mixed = 0; mixed < 2; mixed++) {
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};
        struct expr *x;

        init(&tree);
        x = exprs_variable(&tree, "v", false);
        for (int i = 2; i < EXPR_DEPTH_MAX / 2; i++) {
            struct expr *other = x;

            if (mixed) /* read as [3,1] by one and as [3] by the other: no more side by side */
                other = exprs_set_dims(exprs_op(&tree, "reshape", 1, x), "shape", 1, 3);
            x = exprs_op(&tree, "add", 2, x, other);
        }
        assert_int_equal(exprs_evaluate(&tree, &source, &out, NULL), OK);
        assert_true(float_at(&out, 2) == 2.0f * (float)(1 << (EXPR_DEPTH_MAX / 2 - 2)));
    }
}

static void
what_does_not_fit_is_refused_before_anything_is_read(void **state)
{
    const struct evaluator_options tight = {.bytes_max = 19, .operations_max = 1};
    struct exprs_value value;
    struct exprs_values values = floats(&value, exprs_shape(1, 5));
    struct expr_source source = exprs_source(&values);
    struct evaluator *e = NULL;
    AUTO(expr_tree) tree = {0};
    struct err err = ERR_INIT;
    struct expr *x;

    (void)state;
    init(&tree);
    x = exprs_op(&tree, "negative", 1, exprs_variable(&tree, "v", false));
    exprs_op(&tree, "multiply", 2,
             exprs_set_dims(exprs_op(&tree, "reshape", 1, x), "shape", 2, 5, 1), x);
    assert_int_equal(expr_infer(&tree, &source, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_check(&tree, &tight, &err), ERR_PAYLOAD_TOO_LARGE);
    assert_non_null(strstr(err.text, "20 bytes"));
    assert_non_null(strstr(err.text, "19 (expression_max_bytes)"));
    assert_int_equal(evaluator_open(&tree, &source, &tight, &e, NULL), ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(values.reads, 0);
    assert_int_equal(evaluator_check(&tree, &exprs_options, NULL), OK);
}

/* The same bits for one thread and for several; odd places, parts of parts. */
static void
threads_do_not_change_the_result(void **state)
{
    enum { COUNT = 20 * OP_TILE_ELEMENTS + 17, THREADS = 3 };
    static float alone[COUNT], together[COUNT];
    static const float bias[] = {1, 2, 3, 4, 5, 6, 7};
    struct evaluator_options options = exprs_options;
    struct expr_draw draw = {.has_model_seed = true, .model_seed = 3, .variable_name = "w"};
    AUTO(expr_tree) tree = {0};
    struct evaluator *e = NULL;
    struct expr *x;

    (void)state;
    init(&tree);
    x = exprs_set_shape(exprs_op(&tree, "truncated_normal", 0), "shape",
                        exprs_shape(2, COUNT / 7 + 1, 7));
    x = exprs_op(&tree, "add", 2, x, exprs_float32(&tree, exprs_shape(1, 7), bias));
    exprs_op(&tree, "multiply", 2, x, x);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(expr_draw(&tree, &draw, NULL), OK);
    assert_int_equal(evaluator_open(&tree, NULL, &options, &e, NULL), OK);
    assert_int_equal(evaluator_read(e, 3, COUNT, alone, NULL), OK);
    evaluator_drop(e);
    assert_int_equal(parallel_open(THREADS, &options.parallel, NULL), OK);
    assert_int_equal(evaluator_open(&tree, NULL, &options, &e, NULL), OK);
    assert_int_equal(evaluator_read(e, 3, COUNT, together, NULL), OK);
    assert_memory_equal(alone, together, sizeof alone);
    assert_int_equal(evaluator_read(e, 3 + 100, COUNT - 100, together, NULL), OK);
    assert_memory_equal(alone + 100, together, sizeof alone - 100 * sizeof(float));
    evaluator_drop(e);
    parallel_close(options.parallel);
}

static void
short_memory_is_an_error_with_kept_nodes_too(void **state)
{
    struct exprs_value value;
    struct exprs_values values = floats(&value, exprs_shape(1, 5));
    struct expr_source source = exprs_source(&values);
    enum err_code code = ERR_NO_MEMORY;

    (void)state;
    for (uint64_t nth = 1; code != OK; nth++) {
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};
        struct expr *x, *y;

        init(&tree);
        x = exprs_op(&tree, "negative", 1, exprs_variable(&tree, "v", false));
        y = exprs_set_dims(exprs_op(&tree, "reshape", 1, x), "shape", 2, 5, 1);
        exprs_op(&tree, "multiply", 2, y, x);
        mem_fail_at(nth, 0);
        code = exprs_evaluate(&tree, &source, &out, NULL);
        mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        assert_true(nth < 200);
    }
}

/* The place of a shared node is where it stands first in written order, also for its seed. */
static void
the_path_of_a_shared_node_is_where_it_stands_first(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct expr *x, *y;

    (void)state;
    init(&tree);
    x = exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(1, 2));
    y = exprs_op(&tree, "negative", 1, x);
    exprs_op(&tree, "add", 2, y, exprs_op(&tree, "add", 2, x, y));
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_string_equal(y->path, "0");
    assert_string_equal(x->path, "0.0");
    assert_int_equal(x->depth, 4); /* by the longest way */
    assert_int_equal(x->uses, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_side_by_side_share_a_tile),
        cmocka_unit_test(readers_in_different_order_share_what_is_kept),
        cmocka_unit_test(a_shared_variable_is_read_once),
        cmocka_unit_test(a_variable_is_used_where_it_lies_if_it_can_be),
        cmocka_unit_test(a_shared_draw_is_the_same_for_all_readers),
        cmocka_unit_test(sharing_within_sharing_does_not_double),
        cmocka_unit_test(what_does_not_fit_is_refused_before_anything_is_read),
        cmocka_unit_test(threads_do_not_change_the_result),
        cmocka_unit_test(short_memory_is_an_error_with_kept_nodes_too),
        cmocka_unit_test(the_path_of_a_shared_node_is_where_it_stands_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
