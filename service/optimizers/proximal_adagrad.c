/* ProximalAdagradOptimizer: a += g^2; then a proximal step at the rate lr / sqrt(a). */
#include <float.h>

#include "service/training/optimizer_check.h"
#include "service/training/optimizer_proximal.h"

struct proximal_adagrad_params {
    double initial_accumulator_value;
    double l1_regularization_strength, l2_regularization_strength;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct proximal_adagrad_params, initial_accumulator_value, .f64_default = 0.1,
             .f64_min = DBL_TRUE_MIN, .f64_max = DBL_MAX, .own_words = true,
             .help = "what sums of squares start at"),
    ATTR_F64(struct proximal_adagrad_params, l1_regularization_strength, .f64_max = DBL_MAX,
             .own_words = true, .help = "pulls elements to zero, and to exactly zero"),
    ATTR_F64(struct proximal_adagrad_params, l2_regularization_strength, .f64_max = DBL_MAX,
             .own_words = true, .help = "pulls elements towards zero"),
    ATTR_END,
};

static enum err_code
proximal_adagrad_check(const void *params, struct err *err)
{
    const struct proximal_adagrad_params *p = params;

    return optimizer_check_positive(p->initial_accumulator_value,
                                    "initial_accumulator_value must be positive: ", err);
}

static enum err_code
proximal_adagrad_check_step(const struct optimizer_step *step, struct err *err)
{
    const struct proximal_adagrad_params *p = step->params;

    TRY(optimizer_check_positive_rate(step, err));
    TRY(optimizer_check_strength("l1", p->l1_regularization_strength, err));
    return optimizer_check_strength("l2", p->l2_regularization_strength, err);
}

static void
proximal_adagrad_factors(const struct optimizer_step *step, void *factors)
{
    const struct proximal_adagrad_params *params = step->params;

    proximal_set_factors(step, params->l1_regularization_strength,
                         params->l2_regularization_strength, factors);
}

OPTIMIZER_INLINE void
proximal_adagrad_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct proximal_factors *f = factors;
    double a = add(t, e->slots[0], square(t, e->gradient));
    double rate = divide(t, f->learning_rate, root(t, a));

    e->variable = proximal_move(t, f, e->variable, e->gradient, rate);
    e->slots[0] = a;
}

VECTOR_CLONES static void
proximal_adagrad_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct proximal_factors f;

    proximal_adagrad_factors(step, &f);
    optimizer_loop(proximal_adagrad_formula, 1, &f, step->dtype, tile);
}

const struct optimizer optimizer_proximal_adagrad = {
    .name = "proximal_adagrad",
    .tf_name = "ProximalAdagrad",
    .summary = "Adagrad, regularized after each step.",
    .attrs = attrs,
    .params_size = sizeof(struct proximal_adagrad_params),
    .learning_rate_required = true,
    .slots = {{.name = "accumulator", .initial_attr = "initial_accumulator_value"}},
    .dtypes = OP_DTYPE(FLOAT32) | OP_DTYPE(FLOAT64),
    .check = proximal_adagrad_check,
    .check_step = proximal_adagrad_check_step,
    .apply = proximal_adagrad_apply,
    .factors_size = sizeof(struct proximal_factors),
    .factors = proximal_adagrad_factors,
    .dense = proximal_adagrad_formula,
};
