/* AdadeltaOptimizer: a = rho * a + (1 - rho) * g^2; d = sqrt(u + epsilon) / sqrt(a + epsilon) * g;
 * w -= lr * d; u = rho * u + (1 - rho) * d^2. As from TensorFlow 1.5 on: before, d was taken with
 * the u of after. */
#include "service/training/optimizer_element.h"

struct adadelta_params {
    double rho, epsilon;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct adadelta_params, rho, .f64_default = 0.95,
             .help = "decay of both moving averages"),
    ATTR_F64(struct adadelta_params, epsilon, .f64_default = 1e-8,
             .help = "keeps roots and the denominator from zero"),
    ATTR_END,
};

struct adadelta_factors {
    double learning_rate, rho, rho_rest, epsilon; /* rest: 1 - rho */
};

static void
adadelta_factors(const struct optimizer_step *step, void *factors)
{
    const struct adadelta_params *params = step->params;
    enum dtype t = step->dtype;
    struct adadelta_factors *f = factors;

    f->learning_rate = exact_number(t, step->learning_rate);
    f->rho = number(t, params->rho);
    f->rho_rest = subtract(t, 1, f->rho);
    f->epsilon = number(t, params->epsilon);
}

OPTIMIZER_INLINE void
adadelta_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct adadelta_factors *f = factors;
    double g = e->gradient, a = e->slots[0], u = e->slots[1], d;

    a = add(t, multiply(t, a, f->rho), multiply(t, square(t, g), f->rho_rest));
    d = multiply(t, divide(t, root(t, add(t, u, f->epsilon)), root(t, add(t, a, f->epsilon))), g);
    e->variable = subtract(t, e->variable, multiply(t, d, f->learning_rate));
    e->slots[0] = a;
    e->slots[1] = add(t, multiply(t, u, f->rho), multiply(t, square(t, d), f->rho_rest));
}

VECTOR_CLONES static void
adadelta_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct adadelta_factors f;

    adadelta_factors(step, &f);
    optimizer_loop(adadelta_formula, 3, &f, step->dtype, tile);
}

const struct optimizer optimizer_adadelta = {
    .name = "adadelta",
    .tf_name = "Adadelta",
    .summary = "Steps as large as those of late, measured by gradients of late.",
    .attrs = attrs,
    .params_size = sizeof(struct adadelta_params),
    .learning_rate_default = 0.001,
    .slots = {{.name = "accum"}, {.name = "accum_update"}},
    .dtypes = OP_DTYPES_FLOAT,
    .apply = adadelta_apply,
    .factors_size = sizeof(struct adadelta_factors),
    .factors = adadelta_factors,
    .dense = adadelta_formula,
};
