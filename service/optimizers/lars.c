/* LARSOptimizer (TensorFlow 1.15's contrib.opt; You, Gitman and Ginsburg 2017): momentum at the
 * rate lr * trust, trust = eeta * |w| / (|g| + weight_decay * |w| + epsilon) over the whole
 * variable, 1 where one of the norms is 0, with the gradient g + weight_decay * w. Sparse gradients
 * are plain momentum. */
#include <float.h>

#include "service/training/optimizer_check.h"
#include "service/training/optimizer_sums.h"

struct lars_params {
    double momentum, weight_decay, eeta, epsilon;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct lars_params, momentum, .f64_default = 0.9, .f64_max = DBL_MAX,
             .own_words = true, .help = "how much of the last step goes into the next"),
    ATTR_F64(struct lars_params, weight_decay, .f64_default = 0.0001, .f64_max = DBL_MAX,
             .own_words = true, .help = "which part of each element is added to its gradient"),
    ATTR_F64(struct lars_params, eeta, .f64_default = 0.001,
             .help = "the trust in a layer, against the ratio of norms"),
    ATTR_F64(struct lars_params, epsilon, .help = "keeps the denominator from zero"),
    ATTR_END,
};

static enum err_code
lars_check(const void *params, struct err *err)
{
    const struct lars_params *p = params;

    TRY(optimizer_check_not_negative(p->momentum, "momentum should be positive: ", err));
    return optimizer_check_not_negative(p->weight_decay, "weight_decay should be positive: ", err);
}

enum { LARS_WEIGHTS, LARS_GRADIENTS }; /* sums of squares */

struct lars_factors {
    double rate, momentum, weight_decay;
};

static double
lars_trust(const struct optimizer_step *step)
{
    const struct lars_params *params = step->params;
    enum dtype t = step->dtype;
    double weights = exact_number(t, sqrt(step->sums[LARS_WEIGHTS]));
    double gradients = exact_number(t, sqrt(step->sums[LARS_GRADIENTS])), denominator;

    if (!(weights > 0 && gradients > 0))
        return 1;
    denominator = add(t, gradients, multiply(t, exact_number(t, params->weight_decay), weights));
    denominator = add(t, denominator, exact_number(t, params->epsilon));
    return divide(t, multiply(t, exact_number(t, params->eeta), weights), denominator);
}

static void
lars_factors(const struct optimizer_step *step, void *factors)
{
    const struct lars_params *params = step->params;
    enum dtype t = step->dtype;
    struct lars_factors *f = factors;

    f->rate = exact_number(t, step->learning_rate);
    f->momentum = exact_number(t, params->momentum);
    f->weight_decay = exact_number(t, params->weight_decay);
    if (!step->sparse)
        f->rate = multiply(t, f->rate, lars_trust(step));
}

OPTIMIZER_INLINE void
lars_listed(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct lars_factors *f = factors;

    e->slots[0] = add(t, multiply(t, e->slots[0], f->momentum), e->gradient);
    e->variable = subtract(t, e->variable, multiply(t, e->slots[0], f->rate));
}

OPTIMIZER_INLINE void
lars_dense(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct lars_factors *f = factors;

    e->gradient = add(t, e->gradient, multiply(t, f->weight_decay, e->variable));
    lars_listed(t, f, e);
}

OPTIMIZER_INLINE void
lars_summands(enum dtype t, const void *factors, struct optimizer_element *e)
{
    (void)t;
    (void)factors;
    e->slots[0] = e->gradient;
}

VECTOR_CLONES static void
lars_measure(const struct optimizer_step *step, const struct optimizer_tile *tile,
             double sums[static OPTIMIZER_SUMS_MAX])
{
    optimizer_sum_squares(lars_summands, 1, NULL, step->dtype, tile, sums);
}

VECTOR_CLONES static void
lars_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct lars_factors f;

    lars_factors(step, &f);
    if (step->sparse)
        optimizer_loop(lars_listed, 1, &f, step->dtype, tile);
    else
        optimizer_loop(lars_dense, 1, &f, step->dtype, tile);
}

const struct optimizer optimizer_lars = {
    .name = "lars",
    .tf_name = "LARSOptimizer",
    .summary = "Momentum at a rate that fits each variable's norm, for large batches.",
    .attrs = attrs,
    .params_size = sizeof(struct lars_params),
    .learning_rate_required = true,
    .slots = {{.name = "momentum"}},
    .dtypes = OP_DTYPES_FLOAT,
    .extension = true,
    .check = lars_check,
    .measure = lars_measure,
    .apply = lars_apply,
    .factors_size = sizeof(struct lars_factors),
    .factors = lars_factors,
    .dense = lars_dense,
    .listed = lars_listed,
};
