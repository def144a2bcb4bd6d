/* AdamWOptimizer (TensorFlow 1.15's contrib.opt): w -= weight_decay * w, then Adam. The decay is
 * not multiplied by the learning rate. Of a sparse gradient, rows it lists decay; Adam moves all.
 */
#include "service/training/optimizer_adam.h"

struct adamw_params {
    double weight_decay, beta1, beta2, epsilon;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct adamw_params, weight_decay, .required = true,
             .help = "which part of each element is taken off before a step"),
    ATTR_F64(struct adamw_params, beta1, .f64_default = 0.9,
             .help = "decay of the moving average of gradients"),
    ATTR_F64(struct adamw_params, beta2, .f64_default = 0.999,
             .help = "decay of the moving average of their squares"),
    ATTR_F64(struct adamw_params, epsilon, .f64_default = 1e-8,
             .help = "keeps the denominator from zero"),
    ATTR_END,
};

static void
adamw_factors(const struct optimizer_step *step, void *factors)
{
    const struct adamw_params *params = step->params;
    enum dtype t = step->dtype;
    struct adam_factors *f = factors;

    *f = (struct adam_factors){
        .beta1 = exact_number(t, params->beta1),
        .beta2 = exact_number(t, params->beta2),
        .epsilon = exact_number(t, params->epsilon),
        .weight_decay = exact_number(t, params->weight_decay),
    };
    adam_finish_factors(t, exact_number(t, step->learning_rate), exact_number(t, step->powers[0]),
                        exact_number(t, step->powers[1]), f);
}

OPTIMIZER_INLINE void
decay(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct adam_factors *f = factors;

    e->variable = subtract(t, e->variable, multiply(t, f->weight_decay, e->variable));
}

OPTIMIZER_INLINE void
adamw_dense(enum dtype t, const void *factors, struct optimizer_element *e)
{
    decay(t, factors, e);
    adam_dense(t, factors, e);
}

OPTIMIZER_INLINE void
adamw_listed(enum dtype t, const void *factors, struct optimizer_element *e)
{
    decay(t, factors, e);
    adam_listed(t, factors, e);
}

VECTOR_CLONES static void
adamw_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct adam_factors f;

    adamw_factors(step, &f);
    if (tile->gradient == NULL)
        optimizer_loop(adam_unlisted, ADAM_SLOTS, &f, step->dtype, tile);
    else if (step->sparse)
        optimizer_loop(adamw_listed, ADAM_SLOTS, &f, step->dtype, tile);
    else
        optimizer_loop(adamw_dense, ADAM_SLOTS, &f, step->dtype, tile);
}

static bool
adamw_every_row(const void *params)
{
    (void)params;
    return true;
}

const struct optimizer optimizer_adamw = {
    .name = "adamw",
    .tf_name = "AdamW",
    .summary = "Adam with weight decay that its measuring does not touch.",
    .attrs = attrs,
    .params_size = sizeof(struct adamw_params),
    .learning_rate_default = 0.001,
    .slots = {{.name = "m"}, {.name = "v"}},
    .powers = {{"beta1_power", "beta1"}, {"beta2_power", "beta2"}},
    .dtypes = OP_DTYPES_FLOAT,
    .extension = true,
    .every_row = adamw_every_row,
    .apply = adamw_apply,
    .factors_size = sizeof(struct adam_factors),
    .factors = adamw_factors,
    .dense = adamw_dense,
    .listed = adamw_listed,
    .unlisted = adam_unlisted,
};
