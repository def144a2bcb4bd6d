/* RMSPropOptimizer: r += (g^2 - r) * (1 - decay); p = momentum * p + lr * g / sqrt(r + epsilon); w
 * -= p. Centered, mg += (g - mg) * (1 - decay) and the root is that of r - mg^2 + epsilon. r starts
 * at 1.
 */
#include "service/training/optimizer_element.h"

struct rmsprop_params {
    double decay, momentum, epsilon;
    bool centered;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct rmsprop_params, decay, .f64_default = 0.9,
             .help = "decay of the moving average of squares"),
    ATTR_F64(struct rmsprop_params, momentum,
             .help = "how much of the last step goes into the next"),
    ATTR_F64(struct rmsprop_params, epsilon, .f64_default = 1e-10,
             .help = "keeps the denominator from zero, inside the root"),
    ATTR_BOOL(struct rmsprop_params, centered,
              .help = "measure by the variance of gradients, not by their squares"),
    ATTR_END,
};

enum {
    RMSPROP_RMS,
    RMSPROP_MG,
    RMSPROP_MOMENTUM,
    RMSPROP_SLOTS = 1 << RMSPROP_RMS | 1 << RMSPROP_MOMENTUM,
    RMSPROP_SLOTS_CENTERED = RMSPROP_SLOTS | 1 << RMSPROP_MG,
};

struct rmsprop_factors {
    double learning_rate, decay_rest, momentum, epsilon; /* rest: 1 - decay */
    bool centered;
};

static void
rmsprop_factors(const struct optimizer_step *step, void *factors)
{
    const struct rmsprop_params *params = step->params;
    enum dtype t = step->dtype;
    struct rmsprop_factors *f = factors;

    f->learning_rate = exact_number(t, step->learning_rate);
    f->decay_rest = subtract(t, 1, number(t, params->decay));
    f->momentum = number(t, params->momentum);
    f->epsilon = number(t, params->epsilon);
    f->centered = params->centered;
}

OPTIMIZER_INLINE void
rmsprop_formula(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct rmsprop_factors *f = factors;
    double g = e->gradient, r = e->slots[RMSPROP_RMS], mg = e->slots[RMSPROP_MG], spread, p;

    r = add(t, r, multiply(t, subtract(t, square(t, g), r), f->decay_rest));
    spread = r;
    if (f->centered) {
        mg = add(t, mg, multiply(t, subtract(t, g, mg), f->decay_rest));
        spread = subtract(t, r, square(t, mg));
    }
    p = add(t, multiply(t, e->slots[RMSPROP_MOMENTUM], f->momentum),
            divide(t, multiply(t, g, f->learning_rate), root(t, add(t, spread, f->epsilon))));
    e->variable = subtract(t, e->variable, p);
    e->slots[RMSPROP_RMS] = r;
    e->slots[RMSPROP_MG] = mg;
    e->slots[RMSPROP_MOMENTUM] = p;
}

VECTOR_CLONES static void
rmsprop_apply(const struct optimizer_step *step, const struct optimizer_tile *tile)
{
    struct rmsprop_factors f;

    rmsprop_factors(step, &f);
    if (f.centered)
        optimizer_loop(rmsprop_formula, RMSPROP_SLOTS_CENTERED, &f, step->dtype, tile);
    else
        optimizer_loop(rmsprop_formula, RMSPROP_SLOTS, &f, step->dtype, tile);
}

static bool
is_centered(const void *params)
{
    return ((const struct rmsprop_params *)params)->centered;
}

const struct optimizer optimizer_rmsprop = {
    .name = "rmsprop",
    .tf_name = "RMSProp",
    .summary = "Steps measured by a moving average of squared gradients.",
    .attrs = attrs,
    .params_size = sizeof(struct rmsprop_params),
    .learning_rate_required = true,
    .slots = {{.name = "rms", .initial = 1},
              {.name = "mg", .wanted = is_centered},
              {.name = "momentum"}},
    .dtypes = OP_DTYPES_FLOAT,
    .apply = rmsprop_apply,
    .factors_size = sizeof(struct rmsprop_factors),
    .factors = rmsprop_factors,
    .dense = rmsprop_formula,
};
