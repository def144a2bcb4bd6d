/* AddSignOptimizer (TensorFlow 1.15's contrib.opt, kernel ApplyAddSign): m = beta * m + (1 - beta)
 * * g; w -= lr * (alpha + sign(g) * sign(m)) * g. Of a sparse gradient, m decays in all rows. */
#include "service/training/optimizer_element.h"

struct addsign_params {
    double alpha, beta;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct addsign_params, alpha, .f64_default = 1,
             .help = "the step where gradient and moving average are orthogonal"),
    ATTR_F64(struct addsign_params, beta, .f64_default = 0.9,
             .help = "decay of the moving average of gradients"),
    ATTR_END,
};

struct addsign_factors {
    double learning_rate, alpha, beta, beta_rest; /* rest: 1 - beta */
};

static void
addsign_factors(const struct optimizer_step *step, void *factors)
{
    const struct addsign_params *params = step->params;
    enum dtype t = step->dtype;
    struct addsign_factors *f = factors;

    f->learning_rate = exact_number(t, step->learning_rate);
    f->alpha = exact_number(t, params->alpha);
    f->beta = exact_number(t, params->beta);
    f->beta_rest = subtract(t, 1, f->beta);
}

OPTIMIZER_INLINE void
addsign_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct addsign_factors *f = factors;
    double g = e->gradient, m = e->slots[0], scale;

    m = add(t, multiply(t, m, f->beta), multiply(t, g, f->beta_rest));
    scale = add(t, f->alpha, multiply(t, sign(t, g), sign(t, m)));
    e->variable = subtract(t, e->variable, multiply(t, multiply(t, f->learning_rate, scale), g));
    e->slots[0] = m;
}

OPTIMIZER_INLINE void
addsign_unlisted(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct addsign_factors *f = factors;

    e->slots[0] = multiply(t, e->slots[0], f->beta);
}

VECTOR_CLONES static void
addsign_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct addsign_factors f;

    addsign_factors(step, &f);
    if (tile->gradient == NULL)
        optimizer_loop(addsign_unlisted, 1, &f, step->dtype, tile);
    else
        optimizer_loop(addsign_formula, 1, &f, step->dtype, tile);
}

static bool
addsign_every_row(const void *params)
{
    (void)params;
    return true;
}

const struct optimizer optimizer_addsign = {
    .name = "addsign",
    .tf_name = "AddSignOptimizer",
    .summary = "Larger steps where the gradient agrees with those of late.",
    .attrs = attrs,
    .params_size = sizeof(struct addsign_params),
    .learning_rate_default = 0.1,
    .slots = {{.name = "m"}},
    .dtypes = OP_DTYPES_FLOAT,
    .extension = true,
    .every_row = addsign_every_row,
    .apply = addsign_apply,
    .factors_size = sizeof(struct addsign_factors),
    .factors = addsign_factors,
    .dense = addsign_formula,
    .unlisted = addsign_unlisted,
};
