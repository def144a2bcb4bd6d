/* AdamOptimizer: lr_t = lr * sqrt(1 - beta2^t) / (1 - beta1^t); m and v are moving averages of g
 * and g^2; w -= lr_t * m / (sqrt(v) + epsilon). A sparse gradient is one that is zero in all other
 * rows, so their m, v and w move too; lazy, as contrib's LazyAdamOptimizer, leaves them alone. */
#include "service/training/optimizer_adam.h"

struct adam_params {
    double beta1, beta2, epsilon;
    bool lazy;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct adam_params, beta1, .f64_default = 0.9,
             .help = "decay of the moving average of gradients"),
    ATTR_F64(struct adam_params, beta2, .f64_default = 0.999,
             .help = "decay of the moving average of their squares"),
    ATTR_F64(struct adam_params, epsilon, .f64_default = 1e-8,
             .help = "keeps the denominator from zero"),
    ATTR_BOOL(struct adam_params, lazy,
              .help = "sparse gradients change the rows they list only (not in TensorFlow r1.0)"),
    ATTR_END,
};

static void
adam_factors(const struct optimizer_step *step, void *factors)
{
    const struct adam_params *params = step->params;
    enum dtype t = step->dtype;
    struct adam_factors *f = factors;

    *f = (struct adam_factors){
        .beta1 = number(t, params->beta1),
        .beta2 = number(t, params->beta2),
        .epsilon = number(t, params->epsilon),
    };
    adam_finish_factors(t, exact_number(t, step->learning_rate), number(t, step->powers[0]),
                        number(t, step->powers[1]), f);
}

VECTOR_CLONES static void
adam_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct adam_factors f;

    adam_factors(step, &f);
    if (tile->gradient == NULL)
        optimizer_loop(adam_unlisted, ADAM_SLOTS, &f, step->dtype, tile);
    else if (step->sparse)
        optimizer_loop(adam_listed, ADAM_SLOTS, &f, step->dtype, tile);
    else
        optimizer_loop(adam_dense, ADAM_SLOTS, &f, step->dtype, tile);
}

static bool
adam_every_row(const void *params)
{
    return !((const struct adam_params *)params)->lazy;
}

const struct optimizer optimizer_adam = {
    .name = "adam",
    .tf_name = "Adam",
    .summary = "Steps of moving averages of the gradient, measured by those of its square.",
    .attrs = attrs,
    .params_size = sizeof(struct adam_params),
    .learning_rate_default = 0.001,
    .slots = {{.name = "m"}, {.name = "v"}},
    .powers = {{"beta1_power", "beta1"}, {"beta2_power", "beta2"}},
    .dtypes = OP_DTYPES_FLOAT,
    .every_row = adam_every_row,
    .apply = adam_apply,
    .factors_size = sizeof(struct adam_factors),
    .factors = adam_factors,
    .dense = adam_dense,
    .listed = adam_listed,
    .unlisted = adam_unlisted,
};
