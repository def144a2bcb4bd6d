/* Random ops: TensorFlow's bits after scaling, any range at any time, bounds and their errors.
 * The expected bits are those of the project's reference model of TensorFlow r1.0 on Linux, which
 * reproduces every published output it was tried on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/op_helpers.h"
#include "service/tensor/convert.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

enum { FIRST_COUNT = 6, LAST_COUNT = 4 };

struct vector {
    const char *id, *op;
    enum dtype dtype;
    int count;
    bool has_graph_seed;
    int64_t graph_seed, op_seed;
    double low, high; /* or mean, stddev */
    int64_t low_int, high_int;
    uint64_t first[FIRST_COUNT], last[LAST_COUNT]; /* bits */
};

static const struct vector vectors[] = {
    {
        .id = "normal-mean-std",
        .op = "random_normal",
        .dtype = DTYPE_FLOAT32,
        .count = 1000,
        .has_graph_seed = true,
        .graph_seed = 1234,
        .op_seed = 42,
        .low = -1.5,
        .high = 0.02,
        .first = {0xbfc171aa, 0xbfbf3c0b, 0xbfbfa233, 0xbfc45977, 0xbfbf44ad, 0xbfbbf68b},
        .last = {0xbfc372c1, 0xbfc6fb7c, 0xbfc1ccdd, 0xbfc45bcd},
    },
    {
        .id = "truncated-784x200-seed66478-r1-linux",
        .op = "truncated_normal",
        .dtype = DTYPE_FLOAT32,
        .count = 156800,
        .op_seed = 66478,
        .low = 0.0,
        .high = 0.1,
        .first = {0x3dbd0858, 0x3da83a00, 0xbe3138c8, 0xbd9d71f1, 0xbd64a7e2, 0x3d8839c7},
        .last = {0x3e1f0ced, 0xbe487c18, 0xbd294d4a, 0x3d7d9c13},
    },
    {
        .id = "truncated-5x5x1x32",
        .op = "truncated_normal",
        .dtype = DTYPE_FLOAT32,
        .count = 800,
        .has_graph_seed = true,
        .graph_seed = 87654321,
        .op_seed = 1,
        .low = 0.0,
        .high = 0.1,
        .first = {0xbda62871, 0x3e1805de, 0x3bd6123f, 0x3c229bcc, 0x3d83028d, 0x3e24f406},
        .last = {0xbd2394b4, 0xbd0fec61, 0x3d5f0c2d, 0xbca44784},
    },
    {
        .id = "uniform-784x200-seed42",
        .op = "random_uniform",
        .dtype = DTYPE_FLOAT32,
        .count = 156800,
        .op_seed = 42,
        .low = -0.05,
        .high = 0.05,
        .first = {0x3d394019, 0x3c91551a, 0x3cf1ecba, 0x3cd18952, 0xbb1d93d0, 0x3c56a79c},
        .last = {0xbc83b05a, 0xbc6698b4, 0x3bcde230, 0x39e84800},
    },
    {
        .id = "int32-1000",
        .op = "random_uniform",
        .dtype = DTYPE_INT32,
        .count = 1000,
        .op_seed = 7,
        .low_int = 0,
        .high_int = INT64_C(100),
        .first = {0x57, 0x57, 0x19, 0x5e, 0x3c, 0x2b},
        .last = {0x27, 0x3f, 0x59, 0xd},
    },
    {
        .id = "int32-full",
        .op = "random_uniform",
        .dtype = DTYPE_INT32,
        .count = 16,
        .op_seed = 7,
        .low_int = INT32_MIN,
        .high_int = INT64_C(2147483647),
        .first = {0xf6bdf1c7, 0x3ec0cb43, 0x8e20a88d, 0x1b0ff78e, 0xc5776ce0, 0xfd511eb},
        .last = {0x5769e851, 0x46954348, 0x5a94bcef, 0x7425b932},
    },
    {
        .id = "int64-1000",
        .op = "random_uniform",
        .dtype = DTYPE_INT64,
        .count = 1000,
        .op_seed = 7,
        .low_int = 0,
        .high_int = INT64_C(1000000000000),
        .first = {0x80d63d61c7, 0x5acf3cd88d, 0xbed68f5ce0, 0x663f55973a, 0x1ae42bb1fc,
                  0x47790b8de4},
        .last = {0x86622ad44e, 0xd91e212ef, 0x3474d02c1, 0xafe221290f},
    },
    {
        .id = "int64-negative",
        .op = "random_uniform",
        .dtype = DTYPE_INT64,
        .count = 33,
        .op_seed = 8,
        .low_int = -5,
        .high_int = INT64_C(4611686018427387904),
        .first = {0x5eff8a29b64086d, 0x3aa1cf5d46a926a, 0x301f98de42af145d, 0xa8b331becc5f799,
                  0x13c615ba50e7558c, 0x2e67b687c64cdf1c},
        .last = {0x28740c36473c1f06, 0x18eb3f46a7d4264c, 0x801e4ff6f593d2b, 0xda3deee6e412c0b},
    },
    {
        .id = "double-uniform-100x100",
        .op = "random_uniform",
        .dtype = DTYPE_FLOAT64,
        .count = 10000,
        .op_seed = 1,
        .low = -1.0,
        .high = 1.0,
        .first = {0x3fea631f37d73e9c, 0xbfc88ceb3c08b720, 0x3fd7932e241b1b10, 0x3fda3a5479d39ec8,
                  0xbfe65ab346865488, 0xbfdc1bf8e6c07c28},
        .last = {0x3fe3b0cfe056a434, 0xbfe865f10c14e6a8, 0x3fcd3ecdef9027d0, 0x3fea9e2c201db840},
    },
    {
        .id = "half-uniform-1000",
        .op = "random_uniform",
        .dtype = DTYPE_FLOAT16,
        .count = 1000,
        .op_seed = 1,
        .low = -0.5,
        .high = 0.5,
        .first = {0xb4e4, 0x369c, 0x34c4, 0xb5c8, 0x2e50, 0x3588},
        .last = {0xb3b0, 0x33f8, 0xb0b8, 0x35cc},
    },
    {
        .id = "half-normal-1000",
        .op = "random_normal",
        .dtype = DTYPE_FLOAT16,
        .count = 1000,
        .op_seed = 1,
        .low = 0.0,
        .high = 0.35,
        .first = {0xb48c, 0x3828, 0x25da, 0xbad8, 0x2873, 0x32a0},
        .last = {0xa8a6, 0xb82a, 0x36c1, 0xb7f0},
    },
    {
        .id = "half-truncated-1000",
        .op = "truncated_normal",
        .dtype = DTYPE_FLOAT16,
        .count = 1000,
        .op_seed = 1,
        .low = 0.0,
        .high = 0.1,
        .first = {0xad31, 0x30c0, 0x1eb0, 0x2114, 0x2c18, 0x3128},
        .last = {0x2343, 0x2972, 0xac7e, 0x99c2},
    },
};

static struct expr *
random_node(struct expr_tree *tree, const char *op, enum dtype dtype, int count, int64_t seed)
{
    struct expr *node = exprs_op(tree, op, 0);

    exprs_set_shape(node, "shape", exprs_shape(1, count));
    exprs_set_dtype(node, "dtype", dtype);
    return exprs_set_seed(node, "seed", seed);
}

static void
set_integer_bounds(struct expr_tree *tree, struct expr *node, int64_t low, int64_t high)
{
    exprs_set_tensor(node, "minval", exprs_weak_int(tree, low));
    exprs_set_tensor(node, "maxval", exprs_weak_int(tree, high));
    tree->root = node;
}

static void
vector_node(struct expr_tree *tree, const struct vector *v)
{
    struct expr *node = random_node(tree, v->op, v->dtype, v->count, v->op_seed);

    if (strcmp(v->op, "random_uniform") != 0) {
        exprs_set_f64(node, "mean", v->low);
        exprs_set_f64(node, "stddev", v->high);
        return;
    }
    if (dtype_is_integer(v->dtype)) {
        set_integer_bounds(tree, node, v->low_int, v->high_int);
        return;
    }
    exprs_set_tensor(node, "minval", exprs_weak_float(tree, v->low));
    exprs_set_tensor(node, "maxval", exprs_weak_float(tree, v->high));
    tree->root = node;
}

static uint64_t
bits_at(const uint8_t *data, uint32_t size, uint64_t index)
{
    uint64_t bits = 0;

    memcpy(&bits, data + index * size, size);
    return bits;
}

static uint8_t *
evaluate(struct expr_tree *tree, const struct expr_draw *draw, uint64_t count)
{
    struct evaluator *e = NULL;
    struct err err = ERR_INIT;
    uint8_t *out = malloc(count * OP_ELEMENT_BYTES_MAX);

    assert_non_null(out);
    if (expr_infer(tree, NULL, DTYPE_UNSET, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(expr_draw(tree, draw, &err), OK);
    assert_int_equal(evaluator_open(tree, NULL, &exprs_options, &e, &err), OK);
    assert_int_equal(evaluator_read(e, 0, count, out, &err), OK);
    evaluator_drop(e);
    return out;
}

static void
check_vector(const struct vector *v)
{
    AUTO(expr_tree) tree = {0};
    struct expr_draw draw = {
        .has_model_seed = v->has_graph_seed, .model_seed = v->graph_seed, .variable_name = "w"};
    uint32_t size = dtype_size(v->dtype);
    uint64_t count = (uint64_t)v->count;
    uint8_t *out;

    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    vector_node(&tree, v);
    out = evaluate(&tree, &draw, count);
    for (uint64_t i = 0; i < FIRST_COUNT; i++)
        if (bits_at(out, size, i) != v->first[i])
            fail_msg("%s: element %d differs", v->id, (int)i);
    for (uint64_t i = 0; i < LAST_COUNT; i++)
        if (bits_at(out, size, count - LAST_COUNT + i) != v->last[i])
            fail_msg("%s: element %d from the end differs", v->id, (int)(LAST_COUNT - i));
    free(out);
}

static void
scaled_draws_are_tensorflows_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        check_vector(&vectors[i]);
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
    set_integer_bounds(&tree, random_node(&tree, "random_uniform", DTYPE_FLOAT32, 6, 7), 5, 10);
    out = evaluate(&tree, &draw, 6);
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
    set_integer_bounds(&tree, random_node(&tree, "random_uniform", DTYPE_INT32, 10, 17), -2, 15);
    out = evaluate(&tree, &draw, 10);
    assert_memory_equal(out, narrow, sizeof narrow);
    free(out);
    assert_int_equal(expr_tree_init(&other, NULL), OK);
    set_integer_bounds(&other, random_node(&other, "random_uniform", DTYPE_INT64, 10, 17), -2, 15);
    out = evaluate(&other, &draw, 10);
    assert_memory_equal(out, wide, sizeof wide);
    free(out);
}

static void
check_ranges(const char *op, enum dtype dtype)
{
    static const uint64_t starts[] = {0, 1, 3, 4, 5, 4095, 4096, 4097, 8191, 9000};
    enum { COUNT = 9001, PART = 4999 };
    AUTO(expr_tree) tree = {0};
    struct expr_draw draw = {.has_model_seed = true, .model_seed = 5, .variable_name = "w"};
    struct evaluator *e = NULL;
    uint8_t *whole, *part = malloc((size_t)PART * OP_ELEMENT_BYTES_MAX);
    uint32_t size = dtype_size(dtype);

    assert_non_null(part);
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    random_node(&tree, op, dtype, COUNT, 3);
    whole = evaluate(&tree, &draw, COUNT);
    assert_int_equal(evaluator_open(&tree, NULL, &exprs_options, &e, NULL), OK);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        uint64_t count = COUNT - starts[i] < PART ? COUNT - starts[i] : PART;

        assert_int_equal(evaluator_read(e, starts[i], count, part, NULL), OK);
        assert_memory_equal(part, whole + starts[i] * size, count * size);
    }
    evaluator_drop(e);
    free(whole);
    free(part);
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
    first = evaluate(&tree, &fresh, 33);
    same.has_model_seed = true;
    same.model_seed = (int64_t)node->seeds.key;
    random_node(&again, "random_normal", DTYPE_FLOAT32, 33, (int64_t)node->seeds.counter_high);
    second = evaluate(&again, &same, 33);
    assert_memory_equal(first, second, 33 * sizeof(float));
    free(first);
    free(second);
}

/* --- refusals ------------------------------------------------------------------------------ */

static void
check_refused(struct expr_tree *tree, const char *text)
{
    struct err err = ERR_INIT;

    assert_int_equal(expr_infer(tree, NULL, DTYPE_UNSET, &err), ERR_INVALID_ARGUMENT);
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err.text);
}

static void
an_integer_dtype_needs_maxval(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    random_node(&tree, "random_uniform", DTYPE_INT32, 3, 1);
    check_refused(&tree, "Must specify maxval for integer dtype int32");
}

static void
an_empty_integer_range_is_refused(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    set_integer_bounds(&tree, random_node(&tree, "random_uniform", DTYPE_INT32, 2, 1), 3, 3);
    check_refused(&tree, "Need minval < maxval, got 3 >= 3");
}

static void
a_fraction_is_no_bound_for_integers(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    node = random_node(&tree, "random_uniform", DTYPE_INT64, 2, 1);
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
    set_integer_bounds(&tree, random_node(&tree, "random_uniform", DTYPE_INT32, 2, 1), 0,
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
    node = random_node(&tree, "random_uniform", DTYPE_INT32, 2, 1);
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
    random_node(&tree, "truncated_normal", DTYPE_INT32, 3, 1);
    check_refused(&tree, "truncated_normal: dtype int32 is not possible, only float16 bfloat16");
}

static void
a_deviation_past_the_dtype_is_refused(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    exprs_set_f64(random_node(&tree, "random_normal", DTYPE_FLOAT16, 3, 1), "stddev", 1e6);
    check_refused(&tree, "stddev: 1000000 does not fit float16");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scaled_draws_are_tensorflows_bits),
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
