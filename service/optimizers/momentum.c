/* MomentumOptimizer: a = momentum * a + g; w -= lr * a, or as Nesterov has it w -= lr * g + lr *
 * momentum * a. */
#include "service/training/optimizer_element.h"

struct momentum_params {
    double momentum;
    bool use_nesterov;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct momentum_params, momentum, .required = true,
             .help = "how much of the last step goes into the next"),
    ATTR_BOOL(struct momentum_params, use_nesterov,
              .help = "use the gradient and the accumulator as Nesterov does"),
    ATTR_END,
};

struct momentum_factors {
    double learning_rate, momentum;
    bool use_nesterov;
};

static void
momentum_factors(const struct optimizer_step *step, void *factors)
{
    const struct momentum_params *params = step->params;
    struct momentum_factors *f = factors;

    f->learning_rate = exact_number(step->dtype, step->learning_rate);
    f->momentum = number(step->dtype, params->momentum);
    f->use_nesterov = params->use_nesterov;
}

OPTIMIZER_INLINE void
momentum_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct momentum_factors *f = factors;
    double a = add(t, multiply(t, e->slots[0], f->momentum), e->gradient);
    double step = multiply(t, a, f->learning_rate);

    if (f->use_nesterov)
        step = add(t, multiply(t, e->gradient, f->learning_rate),
                   multiply(t, multiply(t, a, f->momentum), f->learning_rate));
    e->variable = subtract(t, e->variable, step);
    e->slots[0] = a;
}

VECTOR_CLONES static void
momentum_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct momentum_factors f;

    momentum_factors(step, &f);
    optimizer_loop(momentum_formula, 1, &f, step->dtype, tile);
}

const struct optimizer optimizer_momentum = {
    .name = "momentum",
    .tf_name = "Momentum",
    .summary = "Gradient descent that keeps some of its speed.",
    .attrs = attrs,
    .params_size = sizeof(struct momentum_params),
    .learning_rate_required = true,
    .slots = {{.name = "momentum"}},
    .dtypes = OP_DTYPES_FLOAT,
    .apply = momentum_apply,
    .factors_size = sizeof(struct momentum_factors),
    .factors = momentum_factors,
    .dense = momentum_formula,
};
