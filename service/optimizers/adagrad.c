/* AdagradOptimizer: a += g^2; w -= lr * g / sqrt(a). */
#include <float.h>

#include "service/training/optimizer_check.h"
#include "service/training/optimizer_element.h"

struct adagrad_params {
    double initial_accumulator_value;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct adagrad_params, initial_accumulator_value, .f64_default = 0.1,
             .f64_min = DBL_TRUE_MIN, .f64_max = DBL_MAX, .own_words = true,
             .help = "what sums of squares start at"),
    ATTR_END,
};

static enum err_code
adagrad_check(const void *params, struct err *err)
{
    const struct adagrad_params *p = params;

    return optimizer_check_positive(p->initial_accumulator_value,
                                    "initial_accumulator_value must be positive: ", err);
}

struct adagrad_factors {
    double learning_rate;
};

static void
adagrad_factors(const struct optimizer_step *step, void *factors)
{
    struct adagrad_factors *f = factors;

    f->learning_rate = exact_number(step->dtype, step->learning_rate);
}

OPTIMIZER_INLINE void
adagrad_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct adagrad_factors *f = factors;
    double a = add(t, e->slots[0], square(t, e->gradient));
    double step = divide(t, multiply(t, e->gradient, f->learning_rate), root(t, a));

    e->variable = subtract(t, e->variable, step);
    e->slots[0] = a;
}

VECTOR_CLONES static void
adagrad_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct adagrad_factors f;

    adagrad_factors(step, &f);
    optimizer_loop(adagrad_formula, 1, &f, step->dtype, tile);
}

const struct optimizer optimizer_adagrad = {
    .name = "adagrad",
    .tf_name = "Adagrad",
    .summary = "Each element at a rate of its own, that falls with the squares it has seen.",
    .attrs = attrs,
    .params_size = sizeof(struct adagrad_params),
    .learning_rate_required = true,
    .slots = {{.name = "accumulator", .initial_attr = "initial_accumulator_value"}},
    .dtypes = OP_DTYPES_FLOAT,
    .check = adagrad_check,
    .apply = adagrad_apply,
    .factors_size = sizeof(struct adagrad_factors),
    .factors = adagrad_factors,
    .dense = adagrad_formula,
};
