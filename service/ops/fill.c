/* fill(dims, value): one element repeated. */
#include "service/expr/op_helpers.h"

struct fill_params {
    struct attr_shape dims;
    struct attr_tensor value;
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct fill_params, dims, .required = true, .help = "shape of the result"),
    ATTR_TENSOR(struct fill_params, value, .required = true, .help = "the element, a scalar"),
    ATTR_DTYPE(struct fill_params, dtype, .dtype_default = DTYPE_UNSET,
               .help = "element type; the value's own when not given"),
    ATTR_END,
};

static enum err_code
fill_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct fill_params *params = node->params;
    char text[SHAPE_TEXT_BYTES_MAX];

    if (params->value.value.type.shape.rank != 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "value must be a scalar, got shape %s",
                       shape_text(&params->value.value.type.shape, text));
    TRY(op_settle_attr(tree, node, "value", &params->value, params->dtype, err));
    node->type = (struct tensor_type){.dtype = params->value.settled.type.dtype,
                                      .shape = params->dims.shape};
    return OK;
}

static bool
fill_constant(const struct expr *node, void *element)
{
    const struct fill_params *params = node->params;

    if (node->type.dtype == DTYPE_STRING)
        return false;
    memcpy(element, params->value.settled.data, dtype_size(node->type.dtype));
    return true;
}

static enum err_code
fill_strings(const struct expr *node, struct buf *out, struct err *err)
{
    const struct fill_params *params = node->params;
    uint64_t count = shape_count(&node->type.shape);

    for (uint64_t i = 0; i < count; i++)
        TRY(buf_append(out, params->value.settled.data, (size_t)params->value.settled.size, err));
    return OK;
}

const struct op op_fill = {
    .name = "fill",
    .summary = "A tensor of one repeated element.",
    .attrs = attrs,
    .params_size = sizeof(struct fill_params),
    .dtypes = OP_DTYPES_ALL,
    .graph_type = "Fill",
    .infer = fill_infer,
    .eval = op_eval_constant,
    .constant = fill_constant,
    .strings = fill_strings,
};
