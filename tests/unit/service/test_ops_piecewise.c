/* piecewise_constant: the numbers of TensorFlow's own tests
 * (python/training/learning_rate_decay_test.py), dtypes, and what it refuses. */

#include "tests/unit/service/schedules.h"

static const double boundaries[] = {100, 110, 120}, rates[] = {1.0, 0.1, 0.01, 0.001};

static double
piecewise(enum dtype dtype, double x, enum dtype boundary_dtype)
{
    AUTO(expr_tree) tree = {0};
    struct expr *at, *between;

    init(&tree);
    at = numbers(&tree, dtype, exprs_shape(0), &x);
    between = numbers(&tree, boundary_dtype, exprs_shape(1, 3), boundaries);
    exprs_op(&tree, "piecewise_constant", 3, at, between,
             numbers(&tree, DTYPE_FLOAT32, exprs_shape(1, 4), rates));
    return evaluate(&tree, NULL, DTYPE_FLOAT32);
}

static void
piecewise_constant_takes_boundaries_with_what_is_before_them(void **state)
{
    static const struct {
        double x, expected;
    } cases[] = {{-99, 1.0},  {100, 1.0},   {105, 0.1},  {110, 0.1},
                 {120, 0.01}, {121, 0.001}, {127, 0.001}};
    static const enum dtype dtypes[] = {DTYPE_FLOAT16, DTYPE_FLOAT32, DTYPE_FLOAT64, DTYPE_INT8,
                                        DTYPE_INT16,   DTYPE_INT32,   DTYPE_INT64};

    (void)state;
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            check_near(piecewise(dtypes[d], cases[i].x, dtypes[d]), cases[i].expected);
    check_near(piecewise(DTYPE_INT64, 110, DTYPE_INT32), 0.1);
    check_near(piecewise(DTYPE_FLOAT32, NAN, DTYPE_FLOAT32), 1.0);
}

static void
piecewise_constant_gives_values_of_their_own_dtype(void **state)
{
    static const int64_t values[] = {7, 8};
    static const double border[] = {0};
    AUTO(expr_tree) tree = {0};
    struct expr *x, *between;

    (void)state;
    init(&tree);
    x = exprs_weak_int(&tree, 1);
    between = numbers(&tree, DTYPE_INT32, exprs_shape(1, 1), border);
    exprs_op(&tree, "piecewise_constant", 3, x, between,
             exprs_literal(&tree, DTYPE_INT64, exprs_shape(1, 2), values));
    assert_true(evaluate(&tree, NULL, DTYPE_INT64) == 8);
}

static void
values_and_boundaries_may_be_computed_from_variables(void **state)
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
    AUTO(expr_tree) pieces = {0};
    struct expr *node;

    (void)state;
    init(&pieces);
    node = exprs_variable(&pieces, "rate", false);
    node = exprs_op(&pieces, "stack", 2, node, exprs_weak_float(&pieces, 0.5));
    exprs_op(&pieces, "piecewise_constant", 3, exprs_variable(&pieces, "step", false),
             exprs_op(&pieces, "stack", 1, exprs_variable(&pieces, "step", false)), node);
    check_near(evaluate(&pieces, &source, DTYPE_FLOAT32), 0.1);
}

/* --- what is refused ----------------------------------------------------------------------- */

static void
refuse_piecewise(enum dtype dtype, struct expr *(*between)(struct expr_tree *tree),
                 struct shape values, const char *text)
{
    static const double x = 1;
    AUTO(expr_tree) tree = {0};
    struct expr *at, *middle;

    init(&tree);
    at = numbers(&tree, dtype, exprs_shape(0), &x);
    middle = between(&tree);
    exprs_op(&tree, "piecewise_constant", 3, at, middle,
             numbers(&tree, DTYPE_FLOAT32, values, rates));
    check_refused(&tree, text);
}

static struct expr *
fractions(struct expr_tree *tree)
{
    static const double both[] = {-1.5, 1.5};
    struct expr *node = exprs_literal(tree, DTYPE_FLOAT64, exprs_shape(1, 2), both);

    node->weak = true;
    return node;
}

static struct expr *
big_numbers(struct expr_tree *tree)
{
    static const int64_t both[] = {1, 1000};
    struct expr *node = exprs_literal(tree, DTYPE_INT64, exprs_shape(1, 2), both);

    node->weak = true;
    return node;
}

static struct expr *
int64_numbers(struct expr_tree *tree)
{
    return numbers(tree, DTYPE_INT64, exprs_shape(1, 2), boundaries);
}

static struct expr *
falling(struct expr_tree *tree)
{
    return numbers(tree, DTYPE_INT32, exprs_shape(1, 2), (const double[]){5, 5});
}

static struct expr *
no_numbers(struct expr_tree *tree)
{
    return numbers(tree, DTYPE_INT32, exprs_shape(1, 0), boundaries);
}

static struct expr *
one_number(struct expr_tree *tree)
{
    return numbers(tree, DTYPE_INT32, exprs_shape(0), boundaries);
}

static void
boundaries_are_compared_as_they_are(void **state)
{
    const struct shape three = exprs_shape(1, 3);

    (void)state;
    refuse_piecewise(
        DTYPE_INT32, fractions, three,
        "piecewise_constant: Boundaries (float32) must have the same dtype as x (int32)");
    refuse_piecewise(
        DTYPE_INT32, int64_numbers, three,
        "piecewise_constant: Boundaries (int64) must have the same dtype as x (int32)");
    refuse_piecewise(DTYPE_INT8, big_numbers, three,
                     "piecewise_constant: boundaries: 1000 does not fit int8");
    refuse_piecewise(DTYPE_INT32, falling, three,
                     "piecewise_constant: boundaries must increase: 5 is followed by 5");
    refuse_piecewise(DTYPE_INT32, falling, exprs_shape(1, 2),
                     "The length of boundaries should be 1 less than the length of values: "
                     "boundaries is int32[2], values is float32[2]");
    refuse_piecewise(DTYPE_INT32, no_numbers, exprs_shape(1, 1), "boundaries is empty");
    refuse_piecewise(DTYPE_INT32, one_number, three,
                     "boundaries and values must be vectors, they are int32[] and float32[3]");
    refuse_piecewise(DTYPE_INT32, falling, exprs_shape(2, 1, 3),
                     "boundaries and values must be vectors");
    refuse_piecewise(DTYPE_BOOL, falling, three, "x is bool[], the dtype may only be");
}

static void
boundaries_that_are_computed_must_increase_too(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct expr *x, *between;

    (void)state;
    init(&tree);
    x = exprs_weak_int(&tree, 3);
    between =
        exprs_op(&tree, "negative", 1, numbers(&tree, DTYPE_INT32, exprs_shape(1, 3), boundaries));
    exprs_op(&tree, "piecewise_constant", 3, x, between,
             numbers(&tree, DTYPE_FLOAT32, exprs_shape(1, 4), rates));
    check_fails(&tree, "boundaries must increase: -100 is followed by -110");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(piecewise_constant_takes_boundaries_with_what_is_before_them),
        cmocka_unit_test(piecewise_constant_gives_values_of_their_own_dtype),
        cmocka_unit_test(values_and_boundaries_may_be_computed_from_variables),
        cmocka_unit_test(boundaries_are_compared_as_they_are),
        cmocka_unit_test(boundaries_that_are_computed_must_increase_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
