/* constant(value, dtype, shape, verify_shape): values in row-major order; when the shape has room
 * for more, the last one repeats. */
#include <inttypes.h>
#include <stdio.h>

#include "service/expr/op_constant.h"

static const struct attr_spec attrs[] = {
    ATTR_TENSOR(struct op_constant_params, value, .required = true, .help = "the values"),
    ATTR_DTYPE(struct op_constant_params, dtype, .dtype_default = DTYPE_UNSET,
               .help = "element type; the value's own when not given"),
    ATTR_SHAPE(struct op_constant_params, shape,
               .help = "shape of the result; the value's own when not given"),
    ATTR_BOOL(struct op_constant_params, verify_shape,
              .help = "refuse a value of another shape instead of repeating its last element"),
    ATTR_END,
};

/* "(2, 3)", "(3,)", "()", as Python prints tuples. */
static const char *
tuple_text(const struct shape *shape, char out[static SHAPE_TEXT_BYTES_MAX])
{
    int used = snprintf(out, SHAPE_TEXT_BYTES_MAX, "(");

    for (uint32_t i = 0; i < shape->rank; i++)
        used += snprintf(out + used, (size_t)(SHAPE_TEXT_BYTES_MAX - used), "%s%" PRIu64,
                         i == 0 ? "" : ", ", shape->dims[i]);
    snprintf(out + used, (size_t)(SHAPE_TEXT_BYTES_MAX - used), shape->rank == 1 ? ",)" : ")");
    return out;
}

static enum err_code
check_count(const struct expr *node, const struct shape *value, const struct shape *shape,
            struct err *err)
{
    const struct op_constant_params *params = node->params;
    char want[SHAPE_TEXT_BYTES_MAX], got[SHAPE_TEXT_BYTES_MAX];
    uint64_t have = shape_count(value), needed = shape_count(shape);

    if (params->verify_shape && !shape_equal(value, shape))
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "Expected Tensor's shape: %s, got %s.",
                       tuple_text(shape, want), tuple_text(value, got));
    if (have > needed)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Too many elements provided. Needed at most %" PRIu64
                       ", but received %" PRIu64,
                       needed, have);
    if (have == 0 && needed > 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "the value has no element to repeat for shape %s", shape_text(shape, want));
    return OK;
}

static enum err_code
constant_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct op_constant_params *params = node->params;
    const struct shape *value = &params->value.value.type.shape;
    const struct shape *shape = params->shape.given ? &params->shape.shape : value;

    TRY(op_settle_attr(tree, node, "value", &params->value, params->dtype, err));
    TRY(check_count(node, value, shape, err));
    node->type = (struct tensor_type){.dtype = params->value.settled.type.dtype, .shape = *shape};
    return OK;
}

static enum err_code
constant_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
              void *out, struct err *err)
{
    const struct op_constant_params *params = node->params;
    const struct tensor_view *value = &params->value.settled;
    uint32_t size = dtype_size(node->type.dtype);
    uint64_t have = shape_count(&value->type.shape);
    uint64_t own = first >= have ? 0 : have - first;

    (void)e;
    (void)err;
    own = own < count ? own : count;
    if (own > 0)
        memcpy(out, value->data + first * size, (size_t)(own * size));
    if (own < count)
        kernel_fill(size, value->data + (have - 1) * size, (uint8_t *)out + own * size,
                    count - own);
    return OK;
}

static bool
constant_constant(const struct expr *node, void *element)
{
    const struct op_constant_params *params = node->params;
    const struct tensor_view *value = &params->value.settled;

    if (node->type.dtype == DTYPE_STRING || shape_count(&value->type.shape) != 1)
        return false;
    memcpy(element, value->data, dtype_size(node->type.dtype));
    return true;
}

static enum err_code
constant_strings(const struct expr *node, struct buf *out, struct err *err)
{
    const struct op_constant_params *params = node->params;
    const struct tensor_view *value = &params->value.settled;
    uint64_t have = shape_count(&value->type.shape), want = shape_count(&node->type.shape);
    struct reader reader = reader_of(bytes_of(value->data, (size_t)value->size));
    struct bytes last = {0};

    TRY(buf_append(out, value->data, (size_t)value->size, err));
    for (uint64_t i = 0; i < have && have < want; i++)
        last = reader_bytes(&reader);
    for (uint64_t i = have; i < want; i++)
        TRY(buf_append_bytes(out, last, err));
    return OK;
}

const struct op op_constant = {
    .name = "constant",
    .summary = "The values given, the last one repeated to fill the shape.",
    .attrs = attrs,
    .params_size = sizeof(struct op_constant_params),
    .dtypes = OP_DTYPES_ALL,
    .graph_type = "Const",
    .infer = constant_infer,
    .eval = constant_eval,
    .constant = constant_constant,
    .strings = constant_strings,
};
