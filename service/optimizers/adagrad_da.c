/* AdagradDAOptimizer (dual averaging): G += g; Q += g^2; w = -lr * sign(G) * max(|G| - t * l1, 0) /
 * (l2 * t * lr + sqrt(Q)), where t counts this apply too. What w was before does not matter. */
#include <float.h>

#include "service/training/optimizer_check.h"
#include "service/training/optimizer_element.h"

struct adagrad_da_params {
    double initial_gradient_squared_accumulator_value;
    double l1_regularization_strength, l2_regularization_strength;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct adagrad_da_params, initial_gradient_squared_accumulator_value,
             .f64_default = 0.1, .f64_min = DBL_TRUE_MIN, .f64_max = DBL_MAX, .own_words = true,
             .help = "what sums of squares start at"),
    ATTR_F64(struct adagrad_da_params, l1_regularization_strength,
             .help = "pulls elements to zero, and to exactly zero"),
    ATTR_F64(struct adagrad_da_params, l2_regularization_strength,
             .help = "pulls elements towards zero"),
    ATTR_END,
};

static enum err_code
adagrad_da_check(const void *params, struct err *err)
{
    const struct adagrad_da_params *p = params;

    /* The missing blank is TensorFlow's. */
    return optimizer_check_positive(
        p->initial_gradient_squared_accumulator_value,
        "initial_gradient_squared_accumulator_value must bepositive: ", err);
}

struct adagrad_da_factors {
    double minus_rate; /* -lr */
    double l1, l2;     /* by the step: l1 * t, l2 * (t * lr) */
    bool shrinks;      /* l1 > 0 */
};

static void
adagrad_da_factors(const struct optimizer_step *step, void *factors)
{
    const struct adagrad_da_params *params = step->params;
    enum dtype t = step->dtype;
    double learning_rate = exact_number(t, step->learning_rate);
    /* Through uint64: the last step there is does not overflow. */
    double steps = (double)(float)(int64_t)((uint64_t)step->global_step + 1);
    double l1 = number(t, params->l1_regularization_strength);
    struct adagrad_da_factors *f = factors;

    f->minus_rate = -learning_rate;
    f->l1 = multiply(t, steps, l1);
    f->l2 = multiply(t, number(t, params->l2_regularization_strength),
                     multiply(t, steps, learning_rate));
    f->shrinks = l1 > 0;
}

OPTIMIZER_INLINE void
adagrad_da_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct adagrad_da_factors *f = factors;
    double sum = add(t, e->slots[0], e->gradient);
    double squares = add(t, e->slots[1], square(t, e->gradient));
    double above = maximum(t, subtract(t, magnitude(t, sum), f->l1), 0);
    double numerator = multiply(t, f->minus_rate, sum);

    if (f->shrinks)
        numerator = multiply(t, multiply(t, f->minus_rate, sign(t, sum)), above);
    e->variable = divide(t, numerator, add(t, f->l2, root(t, squares)));
    e->slots[0] = sum;
    e->slots[1] = squares;
}

VECTOR_CLONES static void
adagrad_da_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct adagrad_da_factors f;

    adagrad_da_factors(step, &f);
    optimizer_loop(adagrad_da_formula, 3, &f, step->dtype, tile);
}

const struct optimizer optimizer_adagrad_da = {
    .name = "adagrad_da",
    .tf_name = "AdagradDA",
    .summary = "Adagrad by dual averaging, for sparse linear models.",
    .attrs = attrs,
    .params_size = sizeof(struct adagrad_da_params),
    .learning_rate_required = true,
    .slots = {{.name = "gradient_accumulator"},
              {.name = "gradient_squared_accumulator",
               .initial_attr = "initial_gradient_squared_accumulator_value"}},
    .dtypes = OP_DTYPE(FLOAT32) | OP_DTYPE(FLOAT64),
    .needs_global_step = true,
    .check = adagrad_da_check,
    .apply = adagrad_da_apply,
    .factors_size = sizeof(struct adagrad_da_factors),
    .factors = adagrad_da_factors,
    .dense = adagrad_da_formula,
};
