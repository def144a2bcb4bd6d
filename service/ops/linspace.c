/* linspace(start, stop, num): start + step * i with step = (stop - start) / (num - 1), every
 * operation rounded to the dtype; so the last element may miss stop by a rounding, as TensorFlow
 * r1.0's does. */
#include <inttypes.h>
#include <math.h>

#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"

struct linspace_params {
    struct attr_tensor start, stop;
    int64_t num;
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_TENSOR(struct linspace_params, start, .required = true, .help = "first value, a scalar"),
    ATTR_TENSOR(struct linspace_params, stop, .required = true, .help = "last value, a scalar"),
    ATTR_I64(struct linspace_params, num, .required = true, .i64_min = 1, .i64_max = INT64_MAX,
             .own_words = true, .help = "how many values"),
    ATTR_DTYPE(struct linspace_params, dtype, .dtype_default = DTYPE_UNSET,
               .help = "element type; start's or stop's when not given, else float32"),
    ATTR_END,
};

static enum dtype
wanted_dtype(const struct linspace_params *params)
{
    if (params->dtype != DTYPE_UNSET)
        return params->dtype;
    if (!params->start.weak)
        return params->start.value.type.dtype;
    return params->stop.weak ? DTYPE_FLOAT32 : params->stop.value.type.dtype;
}

static enum err_code
settle_end(struct expr_tree *tree, const struct expr *node, const char *name,
           struct attr_tensor *end, enum dtype dtype, struct err *err)
{
    char text[SHAPE_TEXT_BYTES_MAX];

    if (end->value.type.shape.rank != 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s must be a scalar, not shape %s", name,
                       shape_text(&end->value.type.shape, text));
    TRY(op_settle_attr(tree, node, name, end, dtype, err));
    if (!isfinite(tensor_element_as_double(dtype, end->settled.data)))
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s must be a finite number", name);
    return OK;
}

static enum err_code
linspace_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct linspace_params *params = node->params;
    enum dtype dtype = wanted_dtype(params);

    TRY(op_check_dtype(node, dtype, err));
    TRY(settle_end(tree, node, "start", &params->start, dtype, err));
    TRY(settle_end(tree, node, "stop", &params->stop, dtype, err));
    if (params->num <= 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "Requires num > 0: %" PRId64, params->num);
    node->type =
        (struct tensor_type){.dtype = dtype, .shape = {.rank = 1, .dims = {(uint64_t)params->num}}};
    return OK;
}

static enum err_code
linspace_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
              void *out, struct err *err)
{
    const struct linspace_params *params = node->params;
    double start = tensor_element_as_double(node->type.dtype, params->start.settled.data);
    double stop = tensor_element_as_double(node->type.dtype, params->stop.settled.data);
    int64_t steps = params->num > 1 ? params->num - 1 : 1;

    (void)e;
    (void)err;
    if (node->type.dtype == DTYPE_FLOAT64) {
        double step = (stop - start) / (double)steps, *to = out;

        for (uint64_t i = 0; i < count; i++)
            to[i] = first + i == 0 ? start : start + step * (double)(first + i);
        return OK;
    } else {
        float begin = (float)start, step = ((float)stop - begin) / (float)steps, *to = out;

        for (uint64_t i = 0; i < count; i++)
            to[i] = first + i == 0 ? begin : begin + step * (float)(first + i);
    }
    return OK;
}

static const struct op_graph_node graph_nodes[] = {
    {.name = "start", .type = "Const"},
    {.name = "stop", .type = "Const"},
    {.name = "num", .type = "Const"},
    {.name = "", .type = "LinSpace", .inputs = "start stop num", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

const struct op op_linspace = {
    .name = "linspace",
    .summary = "Numbers at equal distances from start to stop.",
    .attrs = attrs,
    .params_size = sizeof(struct linspace_params),
    .dtypes = OP_DTYPE(FLOAT32) | OP_DTYPE(FLOAT64),
    .graph_nodes = graph_nodes,
    .infer = linspace_infer,
    .eval = linspace_eval,
};
