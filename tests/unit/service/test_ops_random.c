/* Random ops: TensorFlow's bits after scaling, through the evaluator, in every run of an op and
 * under every portable profile; any range at any time; bounds and their errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/service/draw_cases.h"
#include "tests/unit/service/random_ops.h"

/* --- known answers ------------------------------------------------------------------------- */

static struct shape
length(uint64_t count)
{
    return (struct shape){.rank = 1, .dims = {count}};
}

static void
set_integer_bounds(struct expr_tree *tree, struct expr *node, int64_t low, int64_t high)
{
    exprs_set_tensor(node, "minval", exprs_weak_int(tree, low));
    exprs_set_tensor(node, "maxval", exprs_weak_int(tree, high));
    tree->root = node;
}

static struct expr *
case_node(struct expr_tree *tree, const struct draw_case *c)
{
    static const char *const ops[] = {"random_uniform", "random_normal", "truncated_normal"};
    const int64_t seed = c->has_op_seed ? c->op_seed : c->default_op_seed;
    struct expr *node = random_node(tree, ops[c->kind], length(c->count), c->dtype, seed);

    if (c->kind != RANDOM_UNIFORM) {
        exprs_set_f64(node, "mean", c->offset);
        exprs_set_f64(node, "stddev", c->scale);
    } else if (dtype_is_integer(c->dtype)) {
        set_integer_bounds(tree, node, c->low, c->high);
    } else {
        exprs_set_tensor(node, "minval", exprs_weak_float(tree, c->offset));
        exprs_set_tensor(node, "maxval", exprs_weak_float(tree, c->top));
    }
    tree->root = node;
    return node;
}

static void
check_case(const struct draw_case *c)
{
    static uint8_t result[DRAW_BYTES_MAX];
    const struct expr_draw draw = {.has_model_seed = c->has_graph_seed,
                                   .model_seed = c->graph_seed,
                                   .variable_name = "w",
                                   .profile = c->profile};
    const uint64_t run_bytes = c->count * dtype_size(c->dtype);

    assert_true(run_bytes * c->runs <= DRAW_BYTES_MAX);
    for (uint64_t run = 0; run < c->runs; run++) {
        AUTO(expr_tree) tree = {0};
        uint8_t *out;

        assert_int_equal(expr_tree_init(&tree, NULL), OK);
        set_i64(case_node(&tree, c), "run", (int64_t)(c->first_run + run));
        out = evaluate(&tree, &draw);
        memcpy(result + run * run_bytes, out, run_bytes);
        free(out);
    }
    draw_check(c, result, run_bytes * c->runs);
}

/* A key and a counter are no seeds; test_random.c draws those. */
static void
ops_give_tensorflows_numbers_in_every_run_and_profile(void **state)
{
    size_t checked = 0, later_runs = 0;

    (void)state;
    for (size_t i = 0; i < DRAW_CASES; i++) {
        if (draw_cases[i].skip != NULL || draw_cases[i].has_key)
            continue;
        check_case(&draw_cases[i]);
        checked++;
        later_runs += draw_cases[i].first_run + draw_cases[i].runs > 1;
    }
    assert_true(checked >= 60);
    assert_true(later_runs >= 14);
}

/* Printed by TensorFlow 1.x: tf.random_uniform([2, 3], 5, 10, seed=7). */
static void
integer_bounds_serve_a_float_dtype(void **state)
{
    static const float printed[] = {7.41970491f, 7.5310154f,  6.27571869f,
                                    5.62371159f, 9.66505051f, 8.32304668f};
    AUTO(expr_tree) tree = {0};
    struct expr_draw draw = {.variable_name = "w"};
    uint8_t *out;
    float value;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    set_integer_bounds(&tree, random_node(&tree, "random_uniform", length(6), DTYPE_FLOAT32, 7), 5,
                       10);
    out = evaluate(&tree, &draw);
    for (size_t i = 0; i < 6; i++) {
        memcpy(&value, out + i * sizeof value, sizeof value);
        assert_true(value == printed[i]);
    }
    free(out);
}

/* tf.random_uniform([10], -2, 15, seed=17) of either integer type. */
static void
integers_are_low_plus_word_modulo_range(void **state)
{
    static const int32_t narrow[10] = {1, 11, 0, 7, 11, 5, 2, 2, 13, 0};
    static const int64_t wide[10] = {14, 9, 1, 6, -2, 12, 10, 6, 3, 1};
    AUTO(expr_tree) tree = {0}, other = {0};
    struct expr_draw draw = {.variable_name = "w"};
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    set_integer_bounds(&tree, random_node(&tree, "random_uniform", length(10), DTYPE_INT32, 17), -2,
                       15);
    out = evaluate(&tree, &draw);
    assert_memory_equal(out, narrow, sizeof narrow);
    free(out);
    assert_int_equal(expr_tree_init(&other, NULL), OK);
    set_integer_bounds(&other, random_node(&other, "random_uniform", length(10), DTYPE_INT64, 17),
                       -2, 15);
    out = evaluate(&other, &draw);
    assert_memory_equal(out, wide, sizeof wide);
    free(out);
}

static void
check_ranges(const char *op, enum dtype dtype)
{
    AUTO(expr_tree) tree = {0};
    const struct expr_draw draw = {.has_model_seed = true, .model_seed = 5, .variable_name = "w"};

    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    set_i64(random_node(&tree, op, length(9001), dtype, 3), "run", 2);
    check_pieces(&tree, &draw);
}

static void
any_range_equals_that_part_of_the_whole(void **state)
{
    static const enum dtype dtypes[] = {DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32,
                                        DTYPE_FLOAT64};

    (void)state;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        check_ranges("random_uniform", dtypes[i]);
        check_ranges("random_normal", dtypes[i]);
        check_ranges("truncated_normal", dtypes[i]);
    }
}

/* --- seeds --------------------------------------------------------------------------------- */

static void
a_model_seed_alone_gives_each_draw_its_own_numbers_and_the_same_again(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct expr_draw draw = {.has_model_seed = true, .model_seed = 9, .variable_name = "w"};
    struct expr *left, *right;
    struct random_seeds before;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    left = exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", exprs_shape(1, 3));
    right = exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", exprs_shape(1, 3));
    exprs_op(&tree, "add", 2, left, right);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(expr_draw(&tree, &draw, NULL), OK);
    assert_int_equal(left->seeds.key, 9);
    assert_int_equal(left->seeds.counter_high,
                     (uint64_t)random_derived_op_seed(bytes_of_text("w"), bytes_of_text("0")));
    assert_int_not_equal(left->seeds.counter_high, right->seeds.counter_high);
    before = left->seeds;
    assert_int_equal(expr_draw(&tree, &draw, NULL), OK);
    assert_int_equal(left->seeds.counter_high, before.counter_high);
    draw.variable_name = "v";
    assert_int_equal(expr_draw(&tree, &draw, NULL), OK);
    assert_int_not_equal(left->seeds.counter_high, before.counter_high);
}

static void
drawn_seeds_repeat_the_run_when_given_back(void **state)
{
    AUTO(expr_tree) tree = {0}, again = {0};
    struct expr_draw fresh = {.variable_name = "w"}, same = {.variable_name = "w"};
    struct expr *node;
    uint8_t *first, *second;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    assert_int_equal(expr_tree_init(&again, NULL), OK);
    node = exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", exprs_shape(1, 33));
    first = evaluate(&tree, &fresh);
    same.has_model_seed = true;
    same.model_seed = (int64_t)node->seeds.key;
    random_node(&again, "random_normal", length(33), DTYPE_FLOAT32,
                (int64_t)node->seeds.counter_high);
    second = evaluate(&again, &same);
    assert_memory_equal(first, second, 33 * sizeof(float));
    free(first);
    free(second);
}

/* --- refusals ------------------------------------------------------------------------------ */

static void
an_integer_dtype_needs_maxval(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    random_node(&tree, "random_uniform", length(3), DTYPE_INT32, 1);
    check_refused(&tree, "Must specify maxval for integer dtype int32");
}

static void
an_empty_integer_range_is_refused(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    set_integer_bounds(&tree, random_node(&tree, "random_uniform", length(2), DTYPE_INT32, 1), 3,
                       3);
    check_refused(&tree, "Need minval < maxval, got 3 >= 3");
}

static void
a_fraction_is_no_bound_for_integers(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    node = random_node(&tree, "random_uniform", length(2), DTYPE_INT64, 1);
    exprs_set_tensor(node, "maxval", exprs_weak_float(&tree, 2.5));
    tree.root = node;
    check_refused(&tree, "random_uniform: maxval: Expected int64, got 2.5 of type 'float' instead");
}

static void
a_bound_past_the_dtype_is_refused(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    set_integer_bounds(&tree, random_node(&tree, "random_uniform", length(2), DTYPE_INT32, 1), 0,
                       INT64_C(1) << 31);
    check_refused(&tree, "maxval: 2147483648 does not fit int32");
}

static void
a_bound_is_a_scalar(void **state)
{
    static const int32_t two[] = {1, 2};
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    node = random_node(&tree, "random_uniform", length(2), DTYPE_INT32, 1);
    exprs_set_tensor(node, "maxval", exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, 2), two));
    tree.root = node;
    check_refused(&tree, "maxval must be a scalar, got shape [2]");
}

static void
normals_are_floats(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    random_node(&tree, "truncated_normal", length(3), DTYPE_INT32, 1);
    check_refused(&tree, "truncated_normal: dtype int32 is not possible, only float16 bfloat16");
}

static void
a_deviation_past_the_dtype_is_refused(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    exprs_set_f64(random_node(&tree, "random_normal", length(3), DTYPE_FLOAT16, 1), "stddev", 1e6);
    check_refused(&tree, "stddev: 1000000 does not fit float16");
}

/* 2^63 - 1 runs of 3 * 256 blocks. */
static void
a_run_that_64_bits_cannot_count_is_refused(void **state)
{
    static const char *const ops[] = {"random_uniform", "random_normal", "truncated_normal"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        AUTO(expr_tree) tree = {0}, fits = {0};

        assert_int_equal(expr_tree_init(&tree, NULL), OK);
        set_i64(random_node(&tree, ops[i], length(3), DTYPE_FLOAT32, 1), "run", INT64_MAX);
        check_refused(&tree, "run: 9223372036854775807 runs of 768 blocks of random numbers");
        assert_int_equal(expr_tree_init(&fits, NULL), OK);
        set_i64(random_node(&fits, ops[i], length(0), DTYPE_FLOAT32, 1), "run", INT64_MAX);
        assert_int_equal(expr_infer(&fits, NULL, DTYPE_UNSET, NULL), OK);
    }
}

/* The last run whose blocks 64 bits count reaches past 2^64: the counter's upper half goes on. */
static void
the_last_run_carries_into_the_upper_half(void **state)
{
    AUTO(expr_tree) tree = {0};
    const struct expr_draw draw = {.variable_name = "w"};
    const int64_t run = (INT64_C(1) << 55) - 1;
    struct random_stream stream = {.kind = RANDOM_TRUNCATED_NORMAL,
                                   .dtype = DTYPE_FLOAT32,
                                   .seeds = {87654321, 5},
                                   .base_block = (uint64_t)run * 512};
    float expected[2];
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    set_i64(random_node(&tree, "truncated_normal", length(2), DTYPE_FLOAT32, 5), "run", run);
    out = evaluate(&tree, &draw);
    random_fill_plain(&stream, 0, 2, expected);
    assert_memory_equal(out, expected, sizeof expected);
    free(out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_give_tensorflows_numbers_in_every_run_and_profile),
        cmocka_unit_test(integer_bounds_serve_a_float_dtype),
        cmocka_unit_test(integers_are_low_plus_word_modulo_range),
        cmocka_unit_test(any_range_equals_that_part_of_the_whole),
        cmocka_unit_test(a_model_seed_alone_gives_each_draw_its_own_numbers_and_the_same_again),
        cmocka_unit_test(drawn_seeds_repeat_the_run_when_given_back),
        cmocka_unit_test(an_integer_dtype_needs_maxval),
        cmocka_unit_test(an_empty_integer_range_is_refused),
        cmocka_unit_test(a_fraction_is_no_bound_for_integers),
        cmocka_unit_test(a_bound_past_the_dtype_is_refused),
        cmocka_unit_test(a_bound_is_a_scalar),
        cmocka_unit_test(normals_are_floats),
        cmocka_unit_test(a_deviation_past_the_dtype_is_refused),
        cmocka_unit_test(a_run_that_64_bits_cannot_count_is_refused),
        cmocka_unit_test(the_last_run_carries_into_the_upper_half),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
