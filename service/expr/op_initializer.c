/* Initializers that look at the shape. Limits are computed in double, in TensorFlow's order of
 * operations, and rounded to the dtype once, as the constants of its graph are. */
#include "service/expr/op_initializer.h"

#include <math.h>

/* scipy.stats.truncnorm.std(-2, 2): what truncation leaves of a deviation of 1. */
static const double truncated_deviation = 0.87962566103423978;

static const struct initializer_scaling named[INITIALIZER_NAMED_COUNT] = {
    /* r1.0's names, and what they did in r1.0. */
    [INITIALIZER_GLOROT_NORMAL] = {1.0, INITIALIZER_FAN_AVG, INITIALIZER_NORMAL},
    [INITIALIZER_GLOROT_UNIFORM] = {1.0, INITIALIZER_FAN_AVG, INITIALIZER_UNIFORM},
    /* Later names, and what they did from 1.10 on. */
    [INITIALIZER_HE_NORMAL] = {2.0, INITIALIZER_FAN_IN, INITIALIZER_TRUNCATED_NORMAL},
    [INITIALIZER_HE_UNIFORM] = {2.0, INITIALIZER_FAN_IN, INITIALIZER_UNIFORM},
    [INITIALIZER_LECUN_NORMAL] = {1.0, INITIALIZER_FAN_IN, INITIALIZER_TRUNCATED_NORMAL},
    [INITIALIZER_LECUN_UNIFORM] = {1.0, INITIALIZER_FAN_IN, INITIALIZER_UNIFORM},
};

const struct attr_spec op_named_attrs[] = {
    ATTR_SHAPE(struct op_named_params, shape, .required = true, .help = "shape of the result"),
    ATTR_SEED(struct op_named_params, seed, .help = "op seed"),
    ATTR_DTYPE(struct op_named_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    OP_RANDOM_RUN(struct op_named_params),
    ATTR_END,
};

const struct attr_spec op_constant_initializer_attrs[] = {
    ATTR_SHAPE(struct op_constant_initializer_params, shape, .required = true,
               .help = "shape of the result"),
    ATTR_DTYPE(struct op_constant_initializer_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_END,
};

/* --- limits -------------------------------------------------------------------------------- */

void
initializer_fans(const struct shape *shape, double *fan_in, double *fan_out)
{
    double field = 1.0; /* the receptive field of a convolution */

    *fan_in = *fan_out = 1.0;
    if (shape->rank == 1)
        *fan_in = *fan_out = (double)shape->dims[0];
    if (shape->rank < 2)
        return;
    for (uint32_t i = 0; i + 2 < shape->rank; i++)
        field *= (double)shape->dims[i];
    *fan_in = (double)shape->dims[shape->rank - 2] * field;
    *fan_out = (double)shape->dims[shape->rank - 1] * field;
}

static double
fan_of(enum initializer_mode mode, const struct shape *shape)
{
    double fan_in, fan_out;

    initializer_fans(shape, &fan_in, &fan_out);
    switch (mode) {
    case INITIALIZER_FAN_IN:
        return fan_in;
    case INITIALIZER_FAN_OUT:
        return fan_out;
    case INITIALIZER_FAN_AVG:
        break;
    }
    return (fan_in + fan_out) / 2.0;
}

double
initializer_limit(const struct initializer_scaling *scaling, const struct shape *shape)
{
    const double scale = scaling->scale / fmax(1.0, fan_of(scaling->mode, shape));

    switch (scaling->distribution) {
    case INITIALIZER_UNIFORM:
        return sqrt(3.0 * scale);
    case INITIALIZER_TRUNCATED_NORMAL:
        return sqrt(scale) / truncated_deviation;
    case INITIALIZER_NORMAL:
    case INITIALIZER_UNTRUNCATED_NORMAL:
        break;
    }
    return sqrt(scale);
}

double
initializer_unit_limit(double factor, const struct shape *shape)
{
    double inputs = 1.0;

    for (uint32_t i = 0; i + 1 < shape->rank; i++)
        inputs *= (double)shape->dims[i];
    return sqrt(3.0 / fmax(inputs, 1.0)) * factor;
}

/* --- ops ----------------------------------------------------------------------------------- */

enum err_code
op_infer_scaled(struct expr *node, const struct shape *shape, enum dtype dtype, int64_t run,
                double limit, struct err *err)
{
    TRY(op_random_check_float(node, dtype, err));
    TRY(op_random_check_fits(node, "limit", limit, dtype, err));
    TRY(op_random_check_run(node, run, shape_count(shape), err));
    node->type = (struct tensor_type){.dtype = dtype, .shape = *shape};
    return OK;
}

enum err_code
op_eval_scaled(const struct expr *node, int64_t run, const struct initializer_scaling *scaling,
               uint64_t first, uint64_t count, void *out, struct err *err)
{
    const double limit = initializer_limit(scaling, &node->type.shape);
    enum random_kind kind = RANDOM_TRUNCATED_NORMAL;

    if (scaling->distribution == INITIALIZER_UNIFORM)
        return op_random_uniforms(node, run, -limit, limit, first, count, out, err);
    if (scaling->distribution == INITIALIZER_UNTRUNCATED_NORMAL)
        kind = RANDOM_NORMAL;
    return op_random_normals(kind, node, run, 0.0, limit, first, count, out, err);
}

const struct initializer_scaling *
initializer_of(enum initializer_named which)
{
    return &named[which];
}

enum err_code
op_infer_named(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct op_named_params *params = node->params;

    (void)tree;
    return op_infer_scaled(node, &params->shape.shape, params->dtype, params->run,
                           initializer_limit(&named[node->op->kernel], &params->shape.shape), err);
}

enum err_code
op_eval_named(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
              void *out, struct err *err)
{
    const struct op_named_params *params = node->params;

    (void)e;
    return op_eval_scaled(node, params->run, &named[node->op->kernel], first, count, out, err);
}

enum err_code
op_infer_constant_initializer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct op_constant_initializer_params *params = node->params;

    (void)tree;
    (void)err;
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = params->shape.shape};
    return OK;
}
