/* ProximalGradientDescentOptimizer (FOBOS): p = w - lr * g; w = sign(p) * max(|p| - lr * l1, 0) /
 * (1 + l2
 * * lr). As from TensorFlow 1.1 on: before, the sign was lost. */
#include "service/training/optimizer_proximal.h"

struct proximal_gradient_descent_params {
    double l1_regularization_strength, l2_regularization_strength;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct proximal_gradient_descent_params, l1_regularization_strength,
             .help = "pulls elements to zero, and to exactly zero"),
    ATTR_F64(struct proximal_gradient_descent_params, l2_regularization_strength,
             .help = "pulls elements towards zero"),
    ATTR_END,
};

static void
proximal_gradient_descent_factors(const struct optimizer_step *step, void *factors)
{
    const struct proximal_gradient_descent_params *params = step->params;

    proximal_set_factors(step, params->l1_regularization_strength,
                         params->l2_regularization_strength, factors);
}

OPTIMIZER_INLINE void
proximal_gradient_descent_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct proximal_factors *f = factors;

    e->variable = proximal_move(t, f, e->variable, e->gradient, f->learning_rate);
}

VECTOR_CLONES static void
proximal_gradient_descent_apply(const struct optimizer_step *step,
                                const struct optimizer_tile *tile)
{
    struct proximal_factors f;

    proximal_gradient_descent_factors(step, &f);
    optimizer_loop(proximal_gradient_descent_formula, 0, &f, step->dtype, tile);
}

const struct optimizer optimizer_proximal_gradient_descent = {
    .name = "proximal_gradient_descent",
    .tf_name = "ProximalGradientDescent",
    .summary = "Gradient descent, regularized after each step.",
    .attrs = attrs,
    .params_size = sizeof(struct proximal_gradient_descent_params),
    .learning_rate_required = true,
    .dtypes = OP_DTYPE(FLOAT32) | OP_DTYPE(FLOAT64),
    .apply = proximal_gradient_descent_apply,
    .factors_size = sizeof(struct proximal_factors),
    .factors = proximal_gradient_descent_factors,
    .dense = proximal_gradient_descent_formula,
};
