/* identity_initializer(gain, dtype): gain on the diagonal of a matrix, which need not be square.
 * Newer than r1.0. It is gain * eye(rows, columns), so a negative gain leaves -0 beside the
 * diagonal. */
#include "service/expr/op_random.h"
#include "service/tensor/convert.h"

struct identity_initializer_params {
    struct attr_shape shape;
    double gain;
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct identity_initializer_params, shape, .required = true,
               .help = "shape of the result, a matrix"),
    ATTR_F64(struct identity_initializer_params, gain, .f64_default = 1.0,
             .help = "what stands on the diagonal"),
    ATTR_DTYPE(struct identity_initializer_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_END,
};

static enum err_code
identity_initializer_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct identity_initializer_params *params = node->params;
    char text[SHAPE_TEXT_BYTES_MAX];

    (void)tree;
    TRY(op_random_check_float(node, params->dtype, err));
    TRY(op_random_check_fits(node, "gain", params->gain, params->dtype, err));
    if (params->shape.shape.rank != 2)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Identity matrix initializer can only be used for 2D matrices. "
                       "The shape is %s",
                       shape_text(&params->shape.shape, text));
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = params->shape.shape};
    return OK;
}

static enum err_code
identity_initializer_eval(struct evaluator *e, const struct expr *node, uint64_t first,
                          uint64_t count, void *out, struct err *err)
{
    const struct identity_initializer_params *params = node->params;
    const uint32_t size = dtype_size(node->type.dtype);
    const uint64_t columns = node->type.shape.dims[1], stride = columns + 1;
    const uint64_t diagonal_end =
        node->type.shape.dims[0] < columns ? node->type.shape.dims[0] : columns;
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t gain[OP_ELEMENT_BYTES_MAX], rest[OP_ELEMENT_BYTES_MAX];

    (void)e;
    (void)err;
    tensor_element_of_double(node->type.dtype, params->gain, gain);
    tensor_element_of_double(node->type.dtype, params->gain * 0.0, rest);
    kernel_fill(size, rest, out, count);
    for (uint64_t i = (first + stride - 1) / stride; i < diagonal_end && i * stride < first + count;
         i++)
        memcpy((uint8_t *)out + (i * stride - first) * size, gain, size);
    return OK;
}

static const struct op_graph_node graph_nodes[] = {
    {.name = "eye/MatrixDiag", .type = "MatrixDiag", .result = OP_GRAPH_TYPE_RESULT},
    {.name = "mul/x", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "mul",
     .type = "Mul",
     .inputs = "mul/x eye/MatrixDiag",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL, .type = ""},
};

const struct op op_identity_initializer = {
    .name = "identity_initializer",
    .summary = "A matrix with gain on its diagonal, zero elsewhere.",
    .attrs = attrs,
    .params_size = sizeof(struct identity_initializer_params),
    .dtypes = OP_DTYPES_FLOAT,
    .initializer = true,
    .graph_nodes = graph_nodes,
    .infer = identity_initializer_infer,
    .eval = identity_initializer_eval,
};
