/* GradientDescentOptimizer: w -= lr * g. */
#include "service/training/optimizer_element.h"

static const struct attr_spec attrs[] = {ATTR_END};

struct gradient_descent_factors {
    double learning_rate;
};

static void
gradient_descent_factors(const struct optimizer_step *step, void *factors)
{
    struct gradient_descent_factors *f = factors;

    f->learning_rate = exact_number(step->dtype, step->learning_rate);
}

OPTIMIZER_INLINE void
gradient_descent_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct gradient_descent_factors *f = factors;

    e->variable = subtract(t, e->variable, multiply(t, e->gradient, f->learning_rate));
}

VECTOR_CLONES static void
gradient_descent_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct gradient_descent_factors f;

    gradient_descent_factors(step, &f);
    optimizer_loop(gradient_descent_formula, 0, &f, step->dtype, tile);
}

const struct optimizer optimizer_gradient_descent = {
    .name = "gradient_descent",
    .tf_name = "GradientDescent",
    .summary = "Goes against the gradient, by the learning rate.",
    .attrs = attrs,
    .learning_rate_required = true,
    .dtypes = OP_DTYPES_FLOAT,
    .apply = gradient_descent_apply,
    .factors_size = sizeof(struct gradient_descent_factors),
    .factors = gradient_descent_factors,
    .dense = gradient_descent_formula,
};
