/* LAMB (TensorFlow Addons; You and others 2019): Adam's m and v, freed of their bias; u = m /
 * (sqrt(v) + epsilon) + weight_decay * w; w -= |w| / |u| * lr * u, norms over the whole variable,
 * the ratio 1 where one of them is 0. A sparse gradient is one that is zero in all other rows. */
#include "service/training/optimizer_sums.h"

struct lamb_params {
    double beta1, beta2, epsilon, weight_decay;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct lamb_params, beta1, .alias = "beta_1", .f64_default = 0.9,
             .help = "decay of the moving average of gradients"),
    ATTR_F64(struct lamb_params, beta2, .alias = "beta_2", .f64_default = 0.999,
             .help = "decay of the moving average of their squares"),
    ATTR_F64(struct lamb_params, epsilon, .f64_default = 1e-6,
             .help = "keeps the denominator from zero"),
    ATTR_F64(struct lamb_params, weight_decay, .alias = "weight_decay_rate",
             .help = "which part of each element is added to its step"),
    ATTR_END,
};

enum { LAMB_WEIGHTS, LAMB_STEPS }; /* sums of squares */

struct lamb_factors {
    double beta1, beta1_rest, beta1_unbiased; /* rest: 1 - beta1; unbiased: 1 - beta1_power */
    double beta2, beta2_rest, beta2_unbiased;
    double epsilon, weight_decay;
    double rate; /* lr * ratio of norms */
};

static void
lamb_factors(const struct optimizer_step *step, void *factors)
{
    const struct lamb_params *params = step->params;
    enum dtype t = step->dtype;
    double weights = exact_number(t, sqrt(step->sums[LAMB_WEIGHTS]));
    double steps = exact_number(t, sqrt(step->sums[LAMB_STEPS]));
    struct lamb_factors *f = factors;

    f->beta1 = exact_number(t, params->beta1);
    f->beta1_rest = subtract(t, 1, f->beta1);
    f->beta1_unbiased = subtract(t, 1, exact_number(t, step->powers[0]));
    f->beta2 = exact_number(t, params->beta2);
    f->beta2_rest = subtract(t, 1, f->beta2);
    f->beta2_unbiased = subtract(t, 1, exact_number(t, step->powers[1]));
    f->epsilon = exact_number(t, params->epsilon);
    f->weight_decay = exact_number(t, params->weight_decay);
    f->rate = exact_number(t, step->learning_rate);
    if (weights > 0 && steps > 0)
        f->rate = multiply(t, divide(t, weights, steps), f->rate);
}

/* m and v with the gradient, or without. */
OPTIMIZER_INLINE void
lamb_average(enum dtype t, const struct lamb_factors *f, bool has_gradient,
             struct optimizer_element *e)
{
    double g = e->gradient;

    e->slots[0] = multiply(t, e->slots[0], f->beta1);
    e->slots[1] = multiply(t, e->slots[1], f->beta2);
    if (!has_gradient)
        return;
    e->slots[0] = add(t, e->slots[0], multiply(t, g, f->beta1_rest));
    e->slots[1] = add(t, e->slots[1], multiply(t, square(t, g), f->beta2_rest));
}

OPTIMIZER_INLINE double
lamb_direction(enum dtype t, const struct lamb_factors *f, const struct optimizer_element *e)
{
    double m = divide(t, e->slots[0], f->beta1_unbiased);
    double v = divide(t, e->slots[1], f->beta2_unbiased);

    return add(t, divide(t, m, add(t, root(t, v), f->epsilon)),
               multiply(t, f->weight_decay, e->variable));
}

OPTIMIZER_INLINE void
lamb_move(enum dtype t, const struct lamb_factors *f, bool has_gradient,
          struct optimizer_element *e)
{
    lamb_average(t, f, has_gradient, e);
    e->variable = subtract(t, e->variable, multiply(t, f->rate, lamb_direction(t, f, e)));
}

OPTIMIZER_INLINE void
lamb_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    lamb_move(t, factors, true, e);
}

OPTIMIZER_INLINE void
lamb_unlisted(enum dtype t, const void *factors, struct optimizer_element *e)
{
    lamb_move(t, factors, false, e);
}

OPTIMIZER_INLINE void
lamb_summands(enum dtype t, const void *factors, struct optimizer_element *e)
{
    lamb_average(t, factors, true, e);
    e->slots[0] = lamb_direction(t, factors, e);
}

OPTIMIZER_INLINE void
lamb_summands_unlisted(enum dtype t, const void *factors, struct optimizer_element *e)
{
    lamb_average(t, factors, false, e);
    e->slots[0] = lamb_direction(t, factors, e);
}

VECTOR_CLONES static void
lamb_measure(const struct optimizer_step *step, const struct optimizer_tile *tile,
             double sums[static OPTIMIZER_SUMS_MAX])
{
    struct lamb_factors f;

    lamb_factors(step, &f);
    if (tile->gradient == NULL)
        optimizer_sum_squares(lamb_summands_unlisted, 3, &f, step->dtype, tile, sums);
    else
        optimizer_sum_squares(lamb_summands, 3, &f, step->dtype, tile, sums);
}

VECTOR_CLONES static void
lamb_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct lamb_factors f;

    lamb_factors(step, &f);
    if (tile->gradient == NULL)
        optimizer_loop(lamb_unlisted, 3, &f, step->dtype, tile);
    else
        optimizer_loop(lamb_formula, 3, &f, step->dtype, tile);
}

static bool
lamb_every_row(const void *params)
{
    (void)params;
    return true;
}

const struct optimizer optimizer_lamb = {
    .name = "lamb",
    .tf_name = "LAMB",
    .summary = "Adam at a rate that fits each variable's norm, for large batches.",
    .attrs = attrs,
    .params_size = sizeof(struct lamb_params),
    .learning_rate_default = 0.001,
    .slots = {{.name = "m"}, {.name = "v"}},
    .powers = {{"beta1_power", "beta1"}, {"beta2_power", "beta2"}},
    .dtypes = OP_DTYPES_FLOAT,
    .extension = true,
    .every_row = lamb_every_row,
    .measure = lamb_measure,
    .apply = lamb_apply,
    .factors_size = sizeof(struct lamb_factors),
    .factors = lamb_factors,
    .dense = lamb_formula,
    .unlisted = lamb_unlisted,
};
