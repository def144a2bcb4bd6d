/* FtrlOptimizer (follow the regularized leader, proximal), p = -learning_rate_power:
 * n' = n + g^2; z += g - (n'^p - n^p) / lr * w; w = (l1 * sign(z) - z) / (n'^p / lr + 2 * l2) where
 * |z| > l1, else 0; n = n'. With l2 shrinkage, which r1.0 has not, z takes g + 2 * shrinkage * w
 * for g. */
#include <float.h>

#include "service/training/optimizer_check.h"
#include "service/training/optimizer_element.h"

struct ftrl_params {
    double learning_rate_power, initial_accumulator_value;
    double l1_regularization_strength, l2_regularization_strength;
    double l2_shrinkage_regularization_strength;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct ftrl_params, learning_rate_power, .f64_default = -0.5, .f64_min = -DBL_MAX,
             .own_words = true, .help = "of the sums of squares, in the rate of an element"),
    ATTR_F64(struct ftrl_params, initial_accumulator_value, .f64_default = 0.1,
             .f64_min = DBL_TRUE_MIN, .f64_max = DBL_MAX, .own_words = true,
             .help = "what sums of squares start at"),
    ATTR_F64(struct ftrl_params, l1_regularization_strength, .f64_max = DBL_MAX, .own_words = true,
             .help = "pulls elements to zero, and to exactly zero"),
    ATTR_F64(struct ftrl_params, l2_regularization_strength, .f64_max = DBL_MAX, .own_words = true,
             .help = "pulls elements towards zero"),
    ATTR_F64(struct ftrl_params, l2_shrinkage_regularization_strength, .f64_max = DBL_MAX,
             .own_words = true,
             .help = "likewise, through the gradient: the step is larger where the element is (not "
                     "in TensorFlow r1.0)"),
    ATTR_END,
};

static enum err_code
check_strength(const char *name, double value, struct err *err)
{
    if (value >= 0)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "%s %f needs to be positive or zero", name, value);
}

static enum err_code
ftrl_check(const void *params, struct err *err)
{
    const struct ftrl_params *p = params;

    if (p->initial_accumulator_value <= 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "initial_accumulator_value %f needs to be positive",
                       p->initial_accumulator_value);
    if (p->learning_rate_power > 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "learning_rate_power %f needs to be negative or zero",
                       p->learning_rate_power);
    TRY(check_strength("l1_regularization_strength", p->l1_regularization_strength, err));
    TRY(check_strength("l2_regularization_strength", p->l2_regularization_strength, err));
    return check_strength("l2_shrinkage_regularization_strength",
                          p->l2_shrinkage_regularization_strength, err);
}

struct ftrl_factors {
    double learning_rate, power; /* power: -learning_rate_power */
    double l1, l2_twice, shrinkage_twice;
    bool square_root; /* power is 0.5 */
    bool shrinks;     /* shrinkage is not 0 */
};

static void
ftrl_factors(const struct optimizer_step *step, void *factors)
{
    const struct ftrl_params *params = step->params;
    enum dtype t = step->dtype;
    struct ftrl_factors *f = factors;

    f->learning_rate = exact_number(t, step->learning_rate);
    f->power = -number(t, params->learning_rate_power);
    f->l1 = number(t, params->l1_regularization_strength);
    f->l2_twice = multiply(t, 2, number(t, params->l2_regularization_strength));
    f->shrinkage_twice = multiply(t, 2, number(t, params->l2_shrinkage_regularization_strength));
    f->square_root = f->power == 0.5;
    f->shrinks = f->shrinkage_twice > 0;
}

/* before, after: n and n' to the power. */
OPTIMIZER_INLINE void
ftrl_move(enum dtype t, const struct ftrl_factors *f, double before, double after,
          struct optimizer_element *e)
{
    double w = e->variable, g = e->gradient, z = e->slots[1], numerator, denominator;
    double change = multiply(t, divide(t, subtract(t, after, before), f->learning_rate), w);

    if (f->shrinks)
        g = add(t, g, multiply(t, f->shrinkage_twice, w));
    z = add(t, z, subtract(t, g, change));
    numerator = subtract(t, multiply(t, f->l1, sign(t, z)), z);
    denominator = add(t, divide(t, after, f->learning_rate), f->l2_twice);
    e->variable = if_greater(t, magnitude(t, z), f->l1, divide(t, numerator, denominator), 0);
    e->slots[1] = z;
}

OPTIMIZER_INLINE void
ftrl_root(enum dtype t, const void *factors, struct optimizer_element *e)
{
    double n = e->slots[0];

    e->slots[0] = add(t, n, square(t, e->gradient));
    ftrl_move(t, factors, root(t, n), root(t, e->slots[0]), e);
}

OPTIMIZER_INLINE void
ftrl_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct ftrl_factors *f = factors;
    double n = e->slots[0];

    if (f->square_root) {
        ftrl_root(t, f, e);
        return;
    }
    e->slots[0] = add(t, n, square(t, e->gradient));
    ftrl_move(t, f, power(t, n, f->power), power(t, e->slots[0], f->power), e);
}

VECTOR_CLONES static void
ftrl_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct ftrl_factors f;

    ftrl_factors(step, &f);
    if (f.square_root)
        optimizer_loop(ftrl_root, 3, &f, step->dtype, tile);
    else
        optimizer_loop(ftrl_formula, 3, &f, step->dtype, tile);
}

const struct optimizer optimizer_ftrl = {
    .name = "ftrl",
    .tf_name = "Ftrl",
    .summary = "Follow the regularized leader, each element at a rate of its own.",
    .attrs = attrs,
    .params_size = sizeof(struct ftrl_params),
    .learning_rate_required = true,
    .slots = {{.name = "accum", .initial_attr = "initial_accumulator_value"}, {.name = "linear"}},
    .dtypes = OP_DTYPES_FLOAT,
    .check = ftrl_check,
    .check_step = optimizer_check_positive_rate,
    .apply = ftrl_apply,
    .factors_size = sizeof(struct ftrl_factors),
    .factors = ftrl_factors,
    .dense = ftrl_formula,
};
