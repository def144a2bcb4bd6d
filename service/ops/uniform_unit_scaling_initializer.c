/* uniform_unit_scaling_initializer(factor, seed, dtype): uniform numbers that keep the size of what
 * a layer is given. */
#include "service/expr/op_initializer.h"

struct unit_scaling_params {
    struct attr_shape shape;
    double factor;
    struct attr_seed seed;
    enum dtype dtype;
    int64_t run;
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct unit_scaling_params, shape, .required = true, .help = "shape of the result"),
    ATTR_F64(struct unit_scaling_params, factor, .f64_default = 1.0,
             .help = "what the limit is multiplied by"),
    ATTR_SEED(struct unit_scaling_params, seed, .help = "op seed"),
    ATTR_DTYPE(struct unit_scaling_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    OP_RANDOM_RUN(struct unit_scaling_params),
    ATTR_END,
};

static enum err_code
uniform_unit_scaling_initializer_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct unit_scaling_params *params = node->params;

    (void)tree;
    return op_infer_scaled(node, &params->shape.shape, params->dtype, params->run,
                           initializer_unit_limit(params->factor, &params->shape.shape), err);
}

static enum err_code
uniform_unit_scaling_initializer_eval(struct evaluator *e, const struct expr *node, uint64_t first,
                                      uint64_t count, void *out, struct err *err)
{
    const struct unit_scaling_params *params = node->params;
    const double limit = initializer_unit_limit(params->factor, &node->type.shape);

    (void)e;
    return op_random_uniforms(node, params->run, -limit, limit, first, count, out, err);
}

const struct op op_uniform_unit_scaling_initializer = {
    .name = "uniform_unit_scaling_initializer",
    .summary = "Uniform numbers within factor * sqrt(3 / inputs) of 0.",
    .attrs = attrs,
    .params_size = sizeof(struct unit_scaling_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .initializer = true,
    .graph_nodes = op_uniform_nodes,
    .infer = uniform_unit_scaling_initializer_infer,
    .eval = uniform_unit_scaling_initializer_eval,
};
