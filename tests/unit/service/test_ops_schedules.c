/* Schedules of a learning rate: the numbers of TensorFlow's own tests
 * (python/training/learning_rate_decay_test.py), the same bits as the expressions they stand for,
 * and what they refuse. */

#include "tests/unit/service/schedules.h"

/* exponential_decay, natural_exp_decay or inverse_time_decay of Python numbers. */
static double
decay(const char *op, double rate, int64_t step, int64_t steps, double decay_rate, bool staircase)
{
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    init(&tree);
    node = exprs_weak_float(&tree, rate);
    node = exprs_op(&tree, op, 4, node, exprs_weak_int(&tree, step), exprs_weak_int(&tree, steps),
                    exprs_weak_float(&tree, decay_rate));
    exprs_set_bool(node, "staircase", staircase);
    return evaluate(&tree, NULL, DTYPE_FLOAT32);
}

/* --- TensorFlow's tests -------------------------------------------------------------------- */

static void
exponential_decay_falls_by_a_factor(void **state)
{
    (void)state;
    check_near(decay("exponential_decay", 0.05, 5, 10, 0.96, false), 0.05 * pow(0.96, 0.5));
    check_near(decay("exponential_decay", 0.1, 1, 3, 0.96, true), 0.1);
    check_near(decay("exponential_decay", 0.1, 2, 3, 0.96, true), 0.1);
    check_near(decay("exponential_decay", 0.1, 100, 3, 0.96, true), 0.1 * pow(0.96, 33));
}

static void
natural_exp_and_inverse_time_decay_fall_with_every_step(void **state)
{
    (void)state;
    for (int step = 0; step < 101; step++) {
        double done = step / 10.0;

        check_near(decay("natural_exp_decay", 0.1, step, 10, 0.96, false), 0.1 * exp(-0.96 * done));
        check_near(decay("natural_exp_decay", 0.1, step, 10, 0.96, true),
                   0.1 * exp(-0.96 * floor(done)));
        check_near(decay("inverse_time_decay", 0.1, step, 10, 0.96, false),
                   0.1 / (1 + 0.96 * done));
        check_near(decay("inverse_time_decay", 0.1, step, 10, 0.96, true),
                   0.1 / (1 + 0.96 * floor(done)));
    }
}

static double
polynomial(double rate, int64_t step, int64_t steps, double end, double power, bool cycle)
{
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    init(&tree);
    node = exprs_weak_float(&tree, rate);
    node = exprs_op(&tree, "polynomial_decay", 3, node, exprs_weak_int(&tree, step),
                    exprs_weak_int(&tree, steps));
    exprs_set_f64(node, "end_learning_rate", end);
    exprs_set_f64(node, "power", power);
    exprs_set_bool(node, "cycle", cycle);
    return evaluate(&tree, NULL, DTYPE_FLOAT32);
}

static void
polynomial_decay_ends_where_it_is_told(void **state)
{
    (void)state;
    check_near(polynomial(0.05, 5, 10, 0.0, 1.0, false), 0.025);
    check_near(polynomial(0.05, 10, 10, 0.001, 1.0, false), 0.001);
    check_near(polynomial(0.05, 5, 10, 0.001, 1.0, false), 0.051 / 2);
    check_near(polynomial(0.05, 15, 10, 0.001, 1.0, false), 0.001);
    check_near(polynomial(0.05, 5, 10, 0.0, 0.5, false), 0.05 * pow(0.5, 0.5));
    check_near(polynomial(0.05, 5, 10, 0.001, 0.5, false), 0.049 * pow(0.5, 0.5) + 0.001);
}

static void
polynomial_decay_rises_again_in_cycles(void **state)
{
    (void)state;
    check_near(polynomial(0.05, 15, 10, 0.001, 1.0, true), 0.049 * 0.25 + 0.001);
    check_near(polynomial(0.05, 15, 10, 0.001, 0.5, true), 0.049 * pow(0.25, 0.5) + 0.001);
    check_near(polynomial(0.05, 10, 10, 0.001, 1.0, true), 0.001);
    check_near(polynomial(0.001, 0, 10, 0.0, 1.0, true), 0.001);
}

static void
polynomial_decay_has_its_defaults(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct expr *rate;

    (void)state;
    init(&tree);
    rate = exprs_weak_float(&tree, 0.05);
    exprs_op(&tree, "polynomial_decay", 3, rate, exprs_weak_int(&tree, 999),
             exprs_weak_int(&tree, 10));
    check_near(evaluate(&tree, NULL, DTYPE_FLOAT32), 0.0001);
}

/* --- the expressions they stand for -------------------------------------------------------- */

static struct expr *
cast(struct expr_tree *tree, struct expr *x, enum dtype dtype)
{
    return exprs_set_dtype(exprs_op(tree, "cast", 1, x), "dtype", dtype);
}

struct written {
    struct expr *rate, *progress, *decay_rate;
};

/* learning_rate, global_step / decay_steps, decay_rate in the learning rate's dtype. */
static struct written
write_out(struct expr_tree *tree, enum dtype dtype, double rate, int64_t step, int64_t steps,
          float decay_rate, bool staircase)
{
    struct written w = {.rate = numbers(tree, dtype, exprs_shape(0), &rate)};
    struct expr *a = cast(tree, exprs_literal(tree, DTYPE_INT64, exprs_shape(0), &step), dtype);
    struct expr *b = cast(tree, exprs_literal(tree, DTYPE_INT64, exprs_shape(0), &steps), dtype);

    w.progress = exprs_op(tree, staircase ? "floordiv" : "divide", 2, a, b);
    w.decay_rate = cast(tree, exprs_float32(tree, exprs_shape(0), &decay_rate), dtype);
    return w;
}

static void
written_exponential(struct expr_tree *tree, const struct written *w)
{
    exprs_op(tree, "multiply", 2, w->rate, exprs_op(tree, "pow", 2, w->decay_rate, w->progress));
}

static void
written_natural(struct expr_tree *tree, const struct written *w)
{
    struct expr *exponent = exprs_op(tree, "negative", 1, w->decay_rate);

    exponent = exprs_op(tree, "multiply", 2, exponent, w->progress);
    exprs_op(tree, "multiply", 2, w->rate, exprs_op(tree, "exp", 1, exponent));
}

static void
written_inverse(struct expr_tree *tree, const struct written *w)
{
    struct expr *product = exprs_op(tree, "multiply", 2, w->decay_rate, w->progress);

    product = exprs_op(tree, "add", 2, exprs_weak_int(tree, 1), product);
    exprs_op(tree, "divide", 2, w->rate, product);
}

static void
decays_have_the_bits_of_the_expressions_they_stand_for(void **state)
{
    static const struct {
        const char *op;
        void (*write)(struct expr_tree *tree, const struct written *w);
    } ops[] = {{"exponential_decay", written_exponential},
               {"natural_exp_decay", written_natural},
               {"inverse_time_decay", written_inverse}};
    static const enum dtype dtypes[] = {DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32,
                                        DTYPE_FLOAT64};
    static const float decay_rate = 0.96F;
    static const double rate = 0.1;

    (void)state;
    for (int i = 0; i < 3 * 4 * 60; i++) {
        enum dtype dtype = dtypes[i / 3 % 4];
        int64_t step = i / 12 * 7, steps = 13;
        AUTO(expr_tree) tree = {0}, other = {0};
        struct written w;
        struct expr *node;

        init(&tree);
        init(&other);
        node = numbers(&tree, dtype, exprs_shape(0), &rate);
        node = exprs_op(&tree, ops[i % 3].op, 4, node,
                        exprs_literal(&tree, DTYPE_INT64, exprs_shape(0), &step),
                        exprs_weak_int(&tree, steps), exprs_weak_float(&tree, 0.96));
        exprs_set_bool(node, "staircase", i % 2 == 0);
        w = write_out(&other, dtype, rate, step, steps, decay_rate, i % 2 == 0);
        ops[i % 3].write(&other, &w);
        if (evaluate(&tree, NULL, dtype) != evaluate(&other, NULL, dtype))
            fail_msg("%s of %s at step %d", ops[i % 3].op, dtype_name(dtype), (int)step);
    }
}

/* 0.0001 and 0.7 are Python floats: float32 before they are float64. */
static void
polynomial_decay_has_the_bits_of_the_expression_it_stands_for(void **state)
{
    static const float end = 0.0001F, power = 0.7F;

    (void)state;
    for (int64_t step = 0; step <= 10; step++) {
        AUTO(expr_tree) tree = {0}, other = {0};
        struct written w;
        struct expr *node, *wide;

        init(&tree);
        init(&other);
        node = numbers(&tree, DTYPE_FLOAT64, exprs_shape(0), (const double[]){0.1});
        node = exprs_op(&tree, "polynomial_decay", 3, node, exprs_weak_int(&tree, step),
                        exprs_weak_int(&tree, 10));
        exprs_set_f64(node, "power", 0.7);
        w = write_out(&other, DTYPE_FLOAT64, 0.1, step, 10, power, false);
        node = exprs_op(&other, "subtract", 2, exprs_weak_int(&other, 1), w.progress);
        node = exprs_op(&other, "pow", 2, node, w.decay_rate);
        wide = cast(&other, exprs_float32(&other, exprs_shape(0), &end), DTYPE_FLOAT64);
        node = exprs_op(&other, "multiply", 2, exprs_op(&other, "subtract", 2, w.rate, wide), node);
        exprs_op(&other, "add", 2, node, wide);
        assert_true(evaluate(&tree, NULL, DTYPE_FLOAT64) == evaluate(&other, NULL, DTYPE_FLOAT64));
    }
}

static void
every_argument_may_be_a_variable(void **state)
{
    static const float rate = 0.1F;
    static const int64_t step = 40;
    const struct exprs_value values[] = {
        {"rate",
         {.type = {.dtype = DTYPE_FLOAT32}, .data = (const uint8_t *)&rate, .size = sizeof rate}},
        {"step",
         {.type = {.dtype = DTYPE_INT64}, .data = (const uint8_t *)&step, .size = sizeof step}},
    };
    struct exprs_values all = {.values = values, .count = 2};
    const struct expr_source source = exprs_source(&all);
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    node = exprs_variable(&tree, "step", false);
    exprs_op(&tree, "inverse_time_decay", 4, exprs_variable(&tree, "rate", false), node, node,
             exprs_variable(&tree, "rate", false));
    check_near(evaluate(&tree, &source, DTYPE_FLOAT32), 0.1 / 1.1);
}

/* --- what is refused ----------------------------------------------------------------------- */

static void
refuse_decay(enum dtype dtype, struct shape shape, double step, double steps, const char *text)
{
    AUTO(expr_tree) tree = {0};
    struct expr *rate, *at;

    init(&tree);
    rate = exprs_weak_float(&tree, 0.1);
    at = numbers(&tree, dtype, shape, &step);
    exprs_op(&tree, "exponential_decay", 4, rate, at, exprs_weak_float(&tree, steps),
             exprs_weak_float(&tree, 0.5));
    check_refused(&tree, text);
}

/* Of minus `step` and minus `steps`, which are computed. */
static void
fail_decay(int64_t step, int64_t steps, const char *text)
{
    AUTO(expr_tree) tree = {0};
    struct expr *rate, *at, *length;

    init(&tree);
    rate = exprs_weak_float(&tree, 0.1);
    at = exprs_literal(&tree, DTYPE_INT64, exprs_shape(0), &step);
    at = exprs_op(&tree, "negative", 1, at);
    length = exprs_literal(&tree, DTYPE_INT64, exprs_shape(0), &steps);
    length = exprs_op(&tree, "negative", 1, length);
    exprs_op(&tree, "polynomial_decay", 3, rate, at, length);
    check_fails(&tree, text);
}

static void
steps_are_scalars_not_negative_and_decays_have_a_length(void **state)
{
    (void)state;
    refuse_decay(DTYPE_INT32, exprs_shape(0), -1, 10,
                 "exponential_decay: global_step must not be negative, it is -1");
    refuse_decay(DTYPE_FLOAT32, exprs_shape(0), NAN, 10,
                 "exponential_decay: global_step must not be negative, it is nan");
    refuse_decay(DTYPE_INT32, exprs_shape(0), 1, 0,
                 "exponential_decay: decay_steps must be positive, it is 0");
    refuse_decay(DTYPE_INT64, exprs_shape(0), 1, -3,
                 "exponential_decay: decay_steps must be positive, it is -3");
    refuse_decay(DTYPE_INT32, exprs_shape(1, 1), 1, 10,
                 "exponential_decay: global_step must be a scalar, it is int32[1]");
    refuse_decay(DTYPE_BOOL, exprs_shape(0), 1, 10,
                 "exponential_decay: global_step is bool[], the dtype may only be");
}

static void
steps_that_are_computed_are_checked_too(void **state)
{
    (void)state;
    fail_decay(1, -10, "polynomial_decay: global_step must not be negative, it is -1");
    fail_decay(0, 0, "polynomial_decay: decay_steps must be positive, it is 0");
    fail_decay(-1, 3, "polynomial_decay: decay_steps must be positive, it is -3");
}

static void
a_learning_rate_is_a_float(void **state)
{
    static const int32_t one = 1;
    AUTO(expr_tree) tree = {0};
    struct expr *rate;

    (void)state;
    init(&tree);
    rate = exprs_literal(&tree, DTYPE_INT32, exprs_shape(0), &one);
    exprs_op(&tree, "polynomial_decay", 3, rate, exprs_weak_int(&tree, 1),
             exprs_weak_int(&tree, 10));
    check_refused(&tree, "polynomial_decay: dtype int32 is not possible, only float16");
    /* As JSON has it, 1 is 1.0. */
    assert_true(decay("exponential_decay", 1, 0, 10, 0.5, false) == 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential_decay_falls_by_a_factor),
        cmocka_unit_test(natural_exp_and_inverse_time_decay_fall_with_every_step),
        cmocka_unit_test(polynomial_decay_ends_where_it_is_told),
        cmocka_unit_test(polynomial_decay_rises_again_in_cycles),
        cmocka_unit_test(polynomial_decay_has_its_defaults),
        cmocka_unit_test(decays_have_the_bits_of_the_expressions_they_stand_for),
        cmocka_unit_test(polynomial_decay_has_the_bits_of_the_expression_it_stands_for),
        cmocka_unit_test(every_argument_may_be_a_variable),
        cmocka_unit_test(steps_are_scalars_not_negative_and_decays_have_a_length),
        cmocka_unit_test(steps_that_are_computed_are_checked_too),
        cmocka_unit_test(a_learning_rate_is_a_float),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
