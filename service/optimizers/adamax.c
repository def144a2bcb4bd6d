/* AdaMaxOptimizer (TensorFlow 1.15's contrib.opt, kernel ApplyAdaMax): m += (g - m) * (1 - beta1);
 * v = max(beta2 * v, |g|); w -= lr / (1 - beta1^t) * m / (v + epsilon). Sparse gradients change the
 * rows they list only. */
#include "service/training/optimizer_element.h"

struct adamax_params {
    double beta1, beta2, epsilon;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct adamax_params, beta1, .f64_default = 0.9,
             .help = "decay of the moving average of gradients"),
    ATTR_F64(struct adamax_params, beta2, .f64_default = 0.999,
             .help = "decay of the greatest gradient"),
    ATTR_F64(struct adamax_params, epsilon, .f64_default = 1e-8,
             .help = "keeps the denominator from zero"),
    ATTR_END,
};

struct adamax_factors {
    double beta1_rest, beta2, epsilon; /* rest: 1 - beta1 */
    double rate;                       /* lr / (1 - beta1_power) */
};

static void
adamax_factors(const struct optimizer_step *step, void *factors)
{
    const struct adamax_params *params = step->params;
    enum dtype t = step->dtype;
    struct adamax_factors *f = factors;

    f->beta1_rest = subtract(t, 1, exact_number(t, params->beta1));
    f->beta2 = exact_number(t, params->beta2);
    f->epsilon = exact_number(t, params->epsilon);
    f->rate = divide(t, exact_number(t, step->learning_rate),
                     subtract(t, 1, exact_number(t, step->powers[0])));
}

OPTIMIZER_INLINE void
adamax_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct adamax_factors *f = factors;
    double g = e->gradient, m = e->slots[0], v = e->slots[1];

    m = add(t, m, multiply(t, subtract(t, g, m), f->beta1_rest));
    v = maximum(t, multiply(t, f->beta2, v), magnitude(t, g));
    e->variable =
        subtract(t, e->variable, multiply(t, f->rate, divide(t, m, add(t, v, f->epsilon))));
    e->slots[0] = m;
    e->slots[1] = v;
}

VECTOR_CLONES static void
adamax_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct adamax_factors f;

    adamax_factors(step, &f);
    optimizer_loop(adamax_formula, 3, &f, step->dtype, tile);
}

const struct optimizer optimizer_adamax = {
    .name = "adamax",
    .tf_name = "AdaMax",
    .summary = "Adam measured by the greatest gradient of late.",
    .attrs = attrs,
    .params_size = sizeof(struct adamax_params),
    .learning_rate_default = 0.001,
    .slots = {{.name = "m"}, {.name = "v"}},
    .powers = {{"beta1_power", "beta1"}},
    .dtypes = OP_DTYPES_FLOAT,
    .extension = true,
    .apply = adamax_apply,
    .factors_size = sizeof(struct adamax_factors),
    .factors = adamax_factors,
    .dense = adamax_formula,
};
