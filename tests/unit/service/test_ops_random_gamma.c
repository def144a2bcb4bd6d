/* random_gamma and multinomial: known numbers, independent arithmetic, pieces, errors. The expected
 * gamma bits are those of the project's reference model of TensorFlow's kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "service/tensor/convert.h"
#include "tests/unit/service/random_ops.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "tests/vectors/random_ops.inc"
#pragma GCC diagnostic pop

static struct expr *
gamma_node(struct expr_tree *tree, struct shape shape, struct expr *alpha, struct expr *beta)
{
    struct expr *node = exprs_op(tree, "random_gamma", beta == NULL ? 1 : 2, alpha, beta);

    exprs_set_shape(node, "shape", shape);
    return exprs_set_seed(node, "seed", GAMMA_SEED);
}

static struct expr *
known_alphas(struct expr_tree *tree)
{
    return exprs_float32(tree, exprs_shape(1, GAMMA_ALPHAS), gamma_alphas);
}

static void
gamma_numbers_are_the_models(void **state)
{
    AUTO(expr_tree) tree = {0};
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    gamma_node(&tree, exprs_shape(1, GAMMA_SAMPLES), known_alphas(&tree), NULL);
    out = evaluate_alone(&tree);
    assert_memory_equal(out, gamma_expected, sizeof gamma_expected);
    free(out);
}

/* The samples of one alpha do not depend on how many other alphas there are before it … */
static void
a_row_of_samples_is_that_of_its_alpha(void **state)
{
    const float alone = gamma_alphas[0];
    AUTO(expr_tree) tree = {0};
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    gamma_node(&tree, exprs_shape(2, 2, 3), exprs_float32(&tree, exprs_shape(0), &alone), NULL);
    out = evaluate_alone(&tree);
    assert_int_equal(tree.root->type.shape.rank, 2);
    for (size_t i = 0; i < GAMMA_SAMPLES; i++)
        assert_memory_equal(out + 4 * i, &gamma_expected[GAMMA_ALPHAS * i], 4);
    free(out);
}

/* … and dividing by beta is the last step. */
static void
beta_divides_and_broadcasts(void **state)
{
    const float betas[] = {2.0f, 3.0f};
    AUTO(expr_tree) tree = {0}, plain = {0};
    uint8_t *out, *undivided;
    float *got, *base;
    struct expr *alpha;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    alpha = known_alphas(&tree);
    gamma_node(&tree, exprs_shape(1, 5), alpha, exprs_float32(&tree, exprs_shape(2, 2, 1), betas));
    out = evaluate_alone(&tree);
    assert_int_equal(tree.root->type.shape.rank, 3);
    assert_int_equal(shape_count(&tree.root->type.shape), 30);
    assert_int_equal(expr_tree_init(&plain, NULL), OK);
    gamma_node(&plain, exprs_shape(1, 5),
               exprs_op(&plain, "add", 2, known_alphas(&plain),
                        exprs_float32(&plain, exprs_shape(2, 2, 1), (float[]){0.0f, 0.0f})),
               NULL);
    undivided = evaluate_alone(&plain);
    got = (float *)(void *)out;
    base = (float *)(void *)undivided;
    for (size_t i = 0; i < 30; i++)
        assert_true(got[i] == base[i] / betas[i / 3 % 2]);
    free(out);
    free(undivided);
}

/* Mean alpha / beta. */
static void
check_mean(enum dtype dtype, double alpha, double tolerance)
{
    enum { COUNT = 20000 };
    AUTO(expr_tree) tree = {0};
    struct expr *node;
    uint8_t *out;
    double sum = 0;

    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    node = gamma_node(&tree, exprs_shape(1, COUNT), exprs_weak_float(&tree, alpha), NULL);
    exprs_set_dtype(node, "dtype", dtype);
    tree.root = node;
    out = evaluate_alone(&tree);
    for (size_t i = 0; i < COUNT; i++) {
        const double value = tensor_element_as_double(dtype, out + i * dtype_size(dtype));

        assert_true(value >= 0 && isfinite(value));
        sum += value;
    }
    assert_true(fabs(sum / COUNT - alpha) < tolerance);
    free(out);
}

static void
every_dtype_has_the_mean_asked_for(void **state)
{
    (void)state;
    check_mean(DTYPE_FLOAT64, 0.25, 0.02);
    check_mean(DTYPE_FLOAT64, 7.5, 0.1);
    check_mean(DTYPE_FLOAT32, 1.0, 0.03);
    check_mean(DTYPE_FLOAT16, 2.0, 0.05);
}

static void
pieces_of_gamma_equal_the_whole(void **state)
{
    AUTO(expr_tree) tree = {0};
    const struct expr_draw draw = {.variable_name = "w", .profile = RANDOM_PROFILE_FLOAT_CR};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    set_i64(
        gamma_node(&tree, exprs_shape(1, 3001), known_alphas(&tree), exprs_weak_float(&tree, 0.5)),
        "run", 7);
    tree.root = tree.nodes[tree.node_count - 1];
    check_pieces(&tree, &draw);
}

/* Run 1 begins where run 0 has set its blocks aside: 256 for each of its outputs. */
static void
a_run_of_gamma_follows_the_one_before(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct random_stream stream = {.dtype = DTYPE_FLOAT32, .seeds = {87654321, GAMMA_SEED}};
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    set_i64(gamma_node(&tree, exprs_shape(1, 4), exprs_weak_float(&tree, 3.0), NULL), "run", 1);
    out = evaluate_alone(&tree);
    for (uint64_t i = 0; i < 4; i++) {
        const float expected = (float)random_gamma(&stream, 4 + i, 3.0);

        assert_memory_equal(out + 4 * i, &expected, sizeof expected);
    }
    free(out);
}

static void
gamma_refuses_what_has_no_numbers(void **state)
{
    const float none = 0;
    AUTO(expr_tree) a = {0}, b = {0}, c = {0}, d = {0};
    const struct expr_draw draw = {.variable_name = "w"};
    struct evaluator *e;
    struct err err = ERR_INIT;
    float out[2];

    (void)state;
    assert_int_equal(expr_tree_init(&a, NULL), OK);
    gamma_node(&a, exprs_shape(1, 0), exprs_weak_float(&a, 1.0), NULL);
    check_refused(&a, "Input shape should have non-zero element count, got: 0");
    assert_int_equal(expr_tree_init(&b, NULL), OK);
    gamma_node(&b, exprs_shape(1, 2), exprs_float32(&b, exprs_shape(1, 0), &none), NULL);
    check_refused(&b, "Input alpha should have non-zero element count, got: 0");
    assert_int_equal(expr_tree_init(&c, NULL), OK);
    exprs_set_dtype(gamma_node(&c, exprs_shape(1, 2), known_alphas(&c), NULL), "dtype",
                    DTYPE_FLOAT64);
    check_refused(&c, "alpha is float32[3], dtype is float64");
    assert_int_equal(expr_tree_init(&d, NULL), OK);
    gamma_node(&d, exprs_shape(1, 2), exprs_weak_float(&d, -1.0), NULL);
    e = open_evaluator(&d, &draw);
    assert_int_equal(evaluator_read(e, 0, 2, out, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "alpha must be positive, got -1"));
    evaluator_drop(e);
}

/* --- multinomial --------------------------------------------------------------------------- */

static struct expr *
multinomial_node(struct expr_tree *tree, struct expr *logits, int64_t samples, int64_t run)
{
    struct expr *node = exprs_op(tree, "multinomial", 1, logits);

    set_i64(node, "num_samples", samples);
    set_i64(node, "run", run);
    return exprs_set_seed(node, "seed", 11);
}

/* Uniforms run on from row to row; the class is the first whose running sum passes u * total. */
static void
classes_follow_the_running_sums(void **state)
{
    enum { ROWS = 3, CLASSES = 4, SAMPLES = 301 };
    const float logits[ROWS][CLASSES] = {
        {0.0f, 1.0f, -2.0f, 0.5f}, {-INFINITY, 3.0f, NAN, 3.0f}, {5.0f, -60.0f, INFINITY, 4.0f}};
    AUTO(expr_tree) tree = {0};
    /* 304 = 301 in whole fours; 256 blocks for each. */
    struct random_stream stream = {.kind = RANDOM_UNIFORM,
                                   .dtype = DTYPE_FLOAT32,
                                   .seeds = {87654321, 11},
                                   .base_block = (uint64_t)2 * ROWS * 304 * 256};
    float uniforms[ROWS * SAMPLES];
    int64_t *got;
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    multinomial_node(&tree, exprs_float32(&tree, exprs_shape(2, ROWS, CLASSES), &logits[0][0]),
                     SAMPLES, 2);
    out = evaluate_alone(&tree);
    got = (int64_t *)(void *)out;
    random_fill_plain(&stream, 0, ROWS * SAMPLES, uniforms);
    for (size_t row = 0; row < ROWS; row++) {
        float sums[CLASSES], total = 0;

        for (size_t i = 0; i < CLASSES; i++)
            sums[i] = total += isfinite(logits[row][i]) ? (float)exp((double)logits[row][i]) : 0;
        for (size_t i = 0; i < SAMPLES; i++) {
            int64_t expected = 0;

            while (expected < CLASSES && sums[expected] <= uniforms[row * SAMPLES + i] * total)
                expected++;
            assert_int_equal(got[row * SAMPLES + i], expected);
            assert_true(isfinite(logits[row][expected]));
        }
    }
    free(out);
}

static void
every_float_dtype_gives_classes(void **state)
{
    static const enum dtype dtypes[] = {DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT64};
    const double logits[] = {0.0, -1000.0, 0.0};

    (void)state;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        uint8_t elements[sizeof logits];
        AUTO(expr_tree) tree = {0};
        bool seen[3] = {false};
        uint8_t *out;

        for (size_t j = 0; j < 3; j++)
            tensor_element_of_double(dtypes[i], logits[j], elements + j * dtype_size(dtypes[i]));
        assert_int_equal(expr_tree_init(&tree, NULL), OK);
        multinomial_node(&tree, exprs_literal(&tree, dtypes[i], exprs_shape(2, 1, 3), elements), 50,
                         0);
        out = evaluate_alone(&tree);
        for (size_t j = 0; j < 50; j++)
            seen[((int64_t *)(void *)out)[j]] = true;
        assert_true(seen[0] && !seen[1] && seen[2]);
        free(out);
    }
}

/* As TensorFlow's kernel has it: no class has a sum above 0. */
static void
a_row_without_finite_logits_gives_the_number_of_classes(void **state)
{
    const float logits[] = {NAN, -INFINITY};
    AUTO(expr_tree) tree = {0};
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    multinomial_node(&tree, exprs_float32(&tree, exprs_shape(2, 1, 2), logits), 3, 0);
    out = evaluate_alone(&tree);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(((int64_t *)(void *)out)[i], 2);
    free(out);
}

static void
multinomial_refuses(struct shape shape, int64_t samples, const char *text)
{
    static const float logits[4] = {0};
    AUTO(expr_tree) tree = {0};

    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    multinomial_node(&tree, exprs_float32(&tree, shape, logits), samples, 0);
    check_refused(&tree, text);
}

static void
multinomial_errors_are_tensorflows(void **state)
{
    const int32_t integers[2] = {0, 0};
    AUTO(expr_tree) tree = {0}, empty = {0};

    (void)state;
    multinomial_refuses(exprs_shape(1, 2), 1, "logits should be a matrix, got shape [2]");
    multinomial_refuses(exprs_shape(2, 1, 2), -1, "num_samples should be nonnegative, got -1");
    multinomial_refuses(exprs_shape(2, 2, 0), 1, "num_classes should be positive, got 0");
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    multinomial_node(&tree, exprs_literal(&tree, DTYPE_INT32, exprs_shape(2, 1, 2), integers), 1,
                     0);
    check_refused(&tree, "logits of dtype int32");
    assert_int_equal(expr_tree_init(&empty, NULL), OK);
    multinomial_node(&empty, exprs_float32(&empty, exprs_shape(2, 0, 2), NULL), 3, 0);
    free(evaluate_alone(&empty));
    assert_int_equal(empty.root->type.dtype, DTYPE_INT64);
    assert_int_equal(empty.root->type.shape.dims[1], 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gamma_numbers_are_the_models),
        cmocka_unit_test(a_row_of_samples_is_that_of_its_alpha),
        cmocka_unit_test(beta_divides_and_broadcasts),
        cmocka_unit_test(every_dtype_has_the_mean_asked_for),
        cmocka_unit_test(pieces_of_gamma_equal_the_whole),
        cmocka_unit_test(a_run_of_gamma_follows_the_one_before),
        cmocka_unit_test(gamma_refuses_what_has_no_numbers),
        cmocka_unit_test(classes_follow_the_running_sums),
        cmocka_unit_test(every_float_dtype_gives_classes),
        cmocka_unit_test(a_row_without_finite_logits_gives_the_number_of_classes),
        cmocka_unit_test(multinomial_errors_are_tensorflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
