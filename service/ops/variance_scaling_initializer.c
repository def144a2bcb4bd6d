/* variance_scaling_initializer(scale, mode, distribution, seed, dtype): numbers whose variance
 * follows how many inputs or outputs a unit has. "normal" is r1.0's: truncated at two deviations,
 * without making up for the variance that costs; "truncated_normal" is later TensorFlow's, which
 * does. */
#include <float.h>

#include "service/expr/op_initializer.h"

struct variance_scaling_params {
    struct attr_shape shape;
    double scale;
    int64_t mode, distribution;
    struct attr_seed seed;
    enum dtype dtype;
    int64_t run;
};

static const char *const modes[] = {
    [INITIALIZER_FAN_IN] = "fan_in",
    [INITIALIZER_FAN_OUT] = "fan_out",
    [INITIALIZER_FAN_AVG] = "fan_avg",
    [INITIALIZER_FAN_AVG + 1] = NULL,
};
static const char *const distributions[] = {
    [INITIALIZER_NORMAL] = "normal",
    [INITIALIZER_UNIFORM] = "uniform",
    [INITIALIZER_TRUNCATED_NORMAL] = "truncated_normal",
    [INITIALIZER_UNTRUNCATED_NORMAL] = "untruncated_normal",
    [INITIALIZER_UNTRUNCATED_NORMAL + 1] = NULL,
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct variance_scaling_params, shape, .required = true,
               .help = "shape of the result"),
    ATTR_F64(struct variance_scaling_params, scale, .f64_default = 1.0, .f64_min = DBL_TRUE_MIN,
             .f64_max = DBL_MAX, .own_words = true,
             .help = "the variance, times how many inputs or outputs there are; positive"),
    ATTR_CHOICE(struct variance_scaling_params, mode, .choices = modes,
                .help = "what is counted: inputs, outputs, or their mean"),
    ATTR_CHOICE(struct variance_scaling_params, distribution, .choices = distributions,
                .help = "normal is truncated, and its deviation left as it is"),
    ATTR_SEED(struct variance_scaling_params, seed, .help = "op seed"),
    ATTR_DTYPE(struct variance_scaling_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    OP_RANDOM_RUN(struct variance_scaling_params),
    ATTR_END,
};

static struct initializer_scaling
scaling_of(const struct variance_scaling_params *params)
{
    return (struct initializer_scaling){
        .scale = params->scale,
        .mode = (enum initializer_mode)params->mode,
        .distribution = (enum initializer_distribution)params->distribution,
    };
}

static enum err_code
variance_scaling_initializer_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct variance_scaling_params *params = node->params;
    const struct initializer_scaling scaling = scaling_of(params);

    (void)tree;
    if (params->scale <= 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "`scale` must be positive float. It is %.17g", params->scale);
    return op_infer_scaled(node, &params->shape.shape, params->dtype, params->run,
                           initializer_limit(&scaling, &params->shape.shape), err);
}

static enum err_code
variance_scaling_initializer_eval(struct evaluator *e, const struct expr *node, uint64_t first,
                                  uint64_t count, void *out, struct err *err)
{
    const struct variance_scaling_params *params = node->params;
    const struct initializer_scaling scaling = scaling_of(params);

    (void)e;
    return op_eval_scaled(node, params->run, &scaling, first, count, out, err);
}

static const struct op_graph_node *
graph_rows(const struct expr *node)
{
    const struct variance_scaling_params *params = node->params;

    switch ((enum initializer_distribution)params->distribution) {
    case INITIALIZER_UNIFORM:
        return op_uniform_nodes;
    case INITIALIZER_UNTRUNCATED_NORMAL:
        return op_normal_nodes;
    case INITIALIZER_NORMAL:
    case INITIALIZER_TRUNCATED_NORMAL:
        break;
    }
    return op_truncated_nodes;
}

const struct op op_variance_scaling_initializer = {
    .name = "variance_scaling_initializer",
    .summary = "Numbers whose variance is scale divided by the unit's inputs or outputs.",
    .attrs = attrs,
    .params_size = sizeof(struct variance_scaling_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .initializer = true,
    .graph_nodes = op_truncated_nodes,
    .graph_rows = graph_rows,
    .infer = variance_scaling_initializer_infer,
    .eval = variance_scaling_initializer_eval,
};
