/* Initializers: fans and limits of TensorFlow's own tests and formulas, the draw behind each name,
 * their dtypes and their errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "service/expr/op_initializer.h"
#include "service/tensor/convert.h"
#include "tests/unit/service/random_ops.h"

/* --- fans and limits ----------------------------------------------------------------------- */

struct fan_case {
    uint32_t rank;
    int dims[5];
    double fan_in, fan_out;
};

static const struct fan_case fan_cases[] = {
    {.rank = 0, .fan_in = 1, .fan_out = 1},
    {.rank = 1, .dims = {7}, .fan_in = 7, .fan_out = 7},
    {.rank = 2, .dims = {3, 5}, .fan_in = 3, .fan_out = 5},
    {.rank = 4, .dims = {5, 5, 3, 64}, .fan_in = 75, .fan_out = 1600},
    {.rank = 5, .dims = {2, 3, 4, 5, 6}, .fan_in = 120, .fan_out = 144},
    {.rank = 2, .dims = {0, 5}, .fan_in = 0, .fan_out = 5},
};

static struct shape
case_shape(const struct fan_case *c)
{
    struct shape shape = {.rank = c->rank};

    for (uint32_t i = 0; i < c->rank; i++)
        shape.dims[i] = (uint64_t)c->dims[i];
    return shape;
}

static void
fans_are_tensorflows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fan_cases / sizeof fan_cases[0]; i++) {
        const struct shape shape = case_shape(&fan_cases[i]);
        double fan_in = -1, fan_out = -1;

        initializer_fans(&shape, &fan_in, &fan_out);
        assert_true(fan_in == fan_cases[i].fan_in);
        assert_true(fan_out == fan_cases[i].fan_out);
    }
}

struct limit_case {
    struct fan_case shape;
    double glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal;
    double fan_out_uniform, glorot_made_up_for, unit_scaling;
};

static const struct limit_case limit_cases[] = {
    {
        .shape = {.rank = 0},
        .glorot_uniform = 1.7320508075688772,
        .glorot_normal = 1.0,
        .he_uniform = 2.449489742783178,
        .he_normal = 1.6077447771479307,
        .lecun_uniform = 1.7320508075688772,
        .lecun_normal = 1.1368472343385565,
        .fan_out_uniform = 1.7320508075688772,
        .glorot_made_up_for = 1.1368472343385565,
        .unit_scaling = 1.7320508075688772,
    },
    {
        .shape = {.rank = 1, .dims = {7}},
        .glorot_uniform = 0.6546536707079771,
        .glorot_normal = 0.3779644730092272,
        .he_uniform = 0.9258200997725514,
        .he_normal = 0.6076704074280551,
        .lecun_uniform = 0.6546536707079771,
        .lecun_normal = 0.4296878658187699,
        .fan_out_uniform = 0.6546536707079771,
        .glorot_made_up_for = 0.4296878658187699,
        .unit_scaling = 1.7320508075688772,
    },
    {
        .shape = {.rank = 4, .dims = {5, 5, 3, 64}},
        .glorot_uniform = 0.059850560166457976,
        .glorot_normal = 0.03455473702325441,
        .he_uniform = 0.282842712474619,
        .he_normal = 0.18564637597491454,
        .lecun_uniform = 0.2,
        .lecun_normal = 0.13127181135456945,
        .fan_out_uniform = 0.04330127018922193,
        .glorot_made_up_for = 0.039283457218182896,
        .unit_scaling = 0.2,
    },
};

static void
check_limit(double got, double expected)
{
    if (got != expected)
        fail_msg("%.17g is not %.17g", got, expected);
}

/* To the last bit: Python computes them in double, in this order. */
static void
limits_are_tensorflows_doubles(void **state)
{
    const struct initializer_scaling fan_out = {1.0, INITIALIZER_FAN_OUT, INITIALIZER_UNIFORM};
    const struct initializer_scaling later = {1.0, INITIALIZER_FAN_AVG,
                                              INITIALIZER_TRUNCATED_NORMAL};

    (void)state;
    for (size_t i = 0; i < sizeof limit_cases / sizeof limit_cases[0]; i++) {
        const struct limit_case *c = &limit_cases[i];
        const double named[] = {
            [INITIALIZER_GLOROT_NORMAL] = c->glorot_normal,
            [INITIALIZER_GLOROT_UNIFORM] = c->glorot_uniform,
            [INITIALIZER_HE_NORMAL] = c->he_normal,
            [INITIALIZER_HE_UNIFORM] = c->he_uniform,
            [INITIALIZER_LECUN_NORMAL] = c->lecun_normal,
            [INITIALIZER_LECUN_UNIFORM] = c->lecun_uniform,
        };
        const struct shape shape = case_shape(&c->shape);

        for (unsigned k = 0; k < INITIALIZER_NAMED_COUNT; k++)
            check_limit(initializer_limit(initializer_of((enum initializer_named)k), &shape),
                        named[k]);
        check_limit(initializer_limit(&fan_out, &shape), c->fan_out_uniform);
        check_limit(initializer_limit(&later, &shape), c->glorot_made_up_for);
        check_limit(initializer_unit_limit(1.0, &shape), c->unit_scaling);
        check_limit(initializer_unit_limit(-2.5, &shape), c->unit_scaling * -2.5);
    }
}

/* --- the draw behind a name ---------------------------------------------------------------- */

/* Both trees, drawn with one seed, give the same bytes; and pieces of the first are right. */
static void
check_same(struct expr_tree *tree, struct expr_tree *expected)
{
    const struct expr_draw draw = {.variable_name = "w", .profile = RANDOM_PROFILE_LATE_GLIBC_2_26};
    uint8_t *got = evaluate(tree, &draw), *want = evaluate(expected, &draw);

    assert_true(shape_equal(&tree->root->type.shape, &expected->root->type.shape));
    assert_int_equal(tree->root->type.dtype, expected->root->type.dtype);
    assert_memory_equal(got, want, tensor_type_bytes(&tree->root->type));
    free(got);
    free(want);
    check_pieces(tree, &draw);
}

enum { SEED = 21, RUN = 3 };

static struct shape
kernel_shape(void)
{
    return exprs_shape(4, 5, 5, 3, 64);
}

/* `kind` of the shape above, within or with `limit`. */
static void
expect_draw(struct expr_tree *tree, const char *kind, enum dtype dtype, double limit)
{
    struct expr *node = random_node(tree, kind, kernel_shape(), dtype, SEED);

    set_i64(node, "run", RUN);
    if (strcmp(kind, "random_uniform") == 0) {
        exprs_set_tensor(node, "minval", exprs_weak_float(tree, -limit));
        exprs_set_tensor(node, "maxval", exprs_weak_float(tree, limit));
    } else {
        exprs_set_f64(node, "stddev", limit);
    }
    tree->root = node;
}

static void
check_named(const char *name, const char *kind, double limit)
{
    static const enum dtype dtypes[] = {DTYPE_FLOAT32, DTYPE_FLOAT16, DTYPE_BFLOAT16,
                                        DTYPE_FLOAT64};

    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        AUTO(expr_tree) tree = {0}, expected = {0};

        assert_int_equal(expr_tree_init(&tree, NULL), OK);
        assert_int_equal(expr_tree_init(&expected, NULL), OK);
        set_i64(random_node(&tree, name, kernel_shape(), dtypes[i], SEED), "run", RUN);
        expect_draw(&expected, kind, dtypes[i], limit);
        check_same(&tree, &expected);
    }
}

static void
named_initializers_draw_with_their_limit(void **state)
{
    const struct limit_case *c = &limit_cases[2];

    (void)state;
    check_named("glorot_uniform_initializer", "random_uniform", c->glorot_uniform);
    check_named("glorot_normal_initializer", "truncated_normal", c->glorot_normal);
    check_named("he_uniform", "random_uniform", c->he_uniform);
    check_named("he_normal", "truncated_normal", c->he_normal);
    check_named("lecun_uniform", "random_uniform", c->lecun_uniform);
    check_named("lecun_normal", "truncated_normal", c->lecun_normal);
    check_named("uniform_unit_scaling_initializer", "random_uniform", c->unit_scaling);
    check_named("random_normal_initializer", "random_normal", 1.0);
    check_named("truncated_normal_initializer", "truncated_normal", 1.0);
    /* fan_in, normal */
    check_named("variance_scaling_initializer", "truncated_normal", sqrt(1.0 / 75));
}

static void
check_scaling(const char *mode, const char *distribution, double scale, const char *kind,
              double limit)
{
    AUTO(expr_tree) tree = {0}, expected = {0};
    struct expr *node;

    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    assert_int_equal(expr_tree_init(&expected, NULL), OK);
    node = random_node(&tree, "variance_scaling_initializer", kernel_shape(), DTYPE_FLOAT32, SEED);
    set_i64(node, "run", RUN);
    set_choice(node, "mode", mode);
    set_choice(node, "distribution", distribution);
    exprs_set_f64(node, "scale", scale);
    expect_draw(&expected, kind, DTYPE_FLOAT32, limit);
    check_same(&tree, &expected);
}

static void
variance_scaling_follows_mode_and_distribution(void **state)
{
    (void)state;
    check_scaling("fan_in", "normal", 2.0, "truncated_normal", sqrt(2.0 / 75));
    check_scaling("fan_out", "uniform", 1.0, "random_uniform", limit_cases[2].fan_out_uniform);
    check_scaling("fan_avg", "truncated_normal", 1.0, "truncated_normal",
                  limit_cases[2].glorot_made_up_for);
    check_scaling("fan_avg", "untruncated_normal", 0.5, "random_normal", sqrt(0.5 / 837.5));
}

/* get_variable('y', [1, 5]) of the time with graph seed 42, in an empty graph: op seed 3; printed
 * by TensorFlow (issue 1091). */
static void
unit_scaling_gives_printed_numbers(void **state)
{
    static const float printed[] = {0.47769845f, -1.17613626f, -1.06156325f, -0.85632306f,
                                    -0.62591958f};
    const struct expr_draw draw = {.has_model_seed = true, .model_seed = 42, .variable_name = "y"};
    AUTO(expr_tree) tree = {0};
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    random_node(&tree, "uniform_unit_scaling_initializer", exprs_shape(2, 1, 5), DTYPE_FLOAT32, 3);
    out = evaluate(&tree, &draw);
    for (size_t i = 0; i < 5; i++) {
        float value;

        memcpy(&value, out + 4 * i, sizeof value);
        assert_true(fabsf(value - printed[i]) < 1e-8f);
    }
    free(out);
}

static void
uniform_initializer_has_bounds_and_integers(void **state)
{
    AUTO(expr_tree) tree = {0}, expected = {0}, missing = {0};
    static const char *const ops[] = {"random_uniform_initializer", "random_uniform"};
    struct expr_tree *const trees[] = {&tree, &expected};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct expr *node;

        assert_int_equal(expr_tree_init(trees[i], NULL), OK);
        node = random_node(trees[i], ops[i], exprs_shape(2, 30, 3), DTYPE_INT64, 4);
        exprs_set_tensor(node, "minval", exprs_weak_int(trees[i], -9));
        exprs_set_tensor(node, "maxval", exprs_weak_int(trees[i], 9));
        trees[i]->root = node;
    }
    check_same(&tree, &expected);
    assert_int_equal(expr_tree_init(&missing, NULL), OK);
    random_node(&missing, "random_uniform_initializer", exprs_shape(1, 3), DTYPE_INT32, 4);
    check_refused(&missing, "Must specify maxval for integer dtype int32");
}

/* Zero elements: a fan of 0 counts as 1. */
static void
shapes_without_elements_have_no_numbers(void **state)
{
    static const char *const names[] = {"uniform_unit_scaling_initializer",
                                        "variance_scaling_initializer", "he_normal",
                                        "glorot_uniform_initializer"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        AUTO(expr_tree) tree = {0};

        assert_int_equal(expr_tree_init(&tree, NULL), OK);
        random_node(&tree, names[i], exprs_shape(2, 0, 2), DTYPE_FLOAT32, 1);
        free(evaluate_alone(&tree));
        assert_int_equal(shape_count(&tree.root->type.shape), 0);
    }
}

/* --- refusals ------------------------------------------------------------------------------ */

static void
only_floats_are_drawn(void **state)
{
    static const char *const names[] = {"random_normal_initializer",
                                        "truncated_normal_initializer",
                                        "variance_scaling_initializer",
                                        "uniform_unit_scaling_initializer",
                                        "glorot_normal_initializer",
                                        "glorot_uniform_initializer",
                                        "he_normal",
                                        "he_uniform",
                                        "lecun_normal",
                                        "lecun_uniform"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        AUTO(expr_tree) text = {0}, integer = {0};

        assert_int_equal(expr_tree_init(&text, NULL), OK);
        random_node(&text, names[i], exprs_shape(2, 2, 2), DTYPE_STRING, 1);
        check_refused(&text, "Expected floating point type, got string.");
        assert_int_equal(expr_tree_init(&integer, NULL), OK);
        random_node(&integer, names[i], exprs_shape(2, 2, 2), DTYPE_INT32, 1);
        check_refused(&integer, "Expected floating point type, got int32.");
    }
}

static void
scale_is_positive(void **state)
{
    static const double scales[] = {-1.0, 0.0, -0.0};

    (void)state;
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        AUTO(expr_tree) tree = {0};

        assert_int_equal(expr_tree_init(&tree, NULL), OK);
        exprs_set_f64(
            random_node(&tree, "variance_scaling_initializer", exprs_shape(1, 3), DTYPE_FLOAT32, 1),
            "scale", scales[i]);
        check_refused(&tree, "`scale` must be positive float.");
    }
}

static void
a_limit_past_the_dtype_is_refused(void **state)
{
    AUTO(expr_tree) tree = {0}, run = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    exprs_set_f64(
        random_node(&tree, "uniform_unit_scaling_initializer", exprs_shape(1, 3), DTYPE_FLOAT16, 1),
        "factor", 1e5);
    check_refused(&tree, "does not fit float16");
    assert_int_equal(expr_tree_init(&run, NULL), OK);
    set_i64(random_node(&run, "he_normal", exprs_shape(1, 3), DTYPE_FLOAT16, 1), "run", INT64_MAX);
    check_refused(&run, "more than 64 bits count");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fans_are_tensorflows),
        cmocka_unit_test(limits_are_tensorflows_doubles),
        cmocka_unit_test(named_initializers_draw_with_their_limit),
        cmocka_unit_test(variance_scaling_follows_mode_and_distribution),
        cmocka_unit_test(unit_scaling_gives_printed_numbers),
        cmocka_unit_test(uniform_initializer_has_bounds_and_integers),
        cmocka_unit_test(shapes_without_elements_have_no_numbers),
        cmocka_unit_test(only_floats_are_drawn),
        cmocka_unit_test(scale_is_positive),
        cmocka_unit_test(a_limit_past_the_dtype_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
