/* one_hot(indices, depth, on_value, off_value, axis, dtype): for every index a vector of `depth`
 * elements, on_value at the index, off_value elsewhere; everywhere for an index out of range. */
#include <inttypes.h>

#include "service/expr/op_axes.h"
#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"

struct one_hot_params {
    int64_t depth;
    struct attr_tensor on_value, off_value;
    int64_t axis;
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_I64(struct one_hot_params, depth, .required = true, .i64_min = 0, .i64_max = INT64_MAX,
             .own_words = true, .help = "size of the new dimension"),
    ATTR_TENSOR(struct one_hot_params, on_value, .help = "a scalar; 1 when not given"),
    ATTR_TENSOR(struct one_hot_params, off_value, .help = "a scalar; 0 when not given"),
    ATTR_I64(struct one_hot_params, axis, .i64_default = -1, .i64_min = -1,
             .i64_max = SHAPE_RANK_MAX - 1, .own_words = true,
             .help = "where the new dimension stands in the result; -1: last"),
    ATTR_DTYPE(struct one_hot_params, dtype, .dtype_default = DTYPE_UNSET,
               .help = "element type; on_value's or off_value's when not given, else float32"),
    ATTR_END,
};

static const char *const arg_names[] = {"indices"};

/* --- inference ----------------------------------------------------------------------------- */

/* The dtype of a value that has one; of weak ones a fraction's. */
static enum dtype
wanted_dtype(const struct one_hot_params *params)
{
    const struct attr_tensor *values[] = {&params->on_value, &params->off_value};
    enum dtype dtype = DTYPE_UNSET;

    if (params->dtype != DTYPE_UNSET)
        return params->dtype;
    for (int i = 0; i < 2; i++)
        if (values[i]->given && !values[i]->weak)
            return values[i]->value.type.dtype;
    for (int i = 0; i < 2; i++) {
        enum dtype natural = DTYPE_UNSET;

        if (values[i]->given)
            natural = op_natural_dtype(&values[i]->value, true);
        if (natural != DTYPE_UNSET && (dtype == DTYPE_UNSET || dtype == DTYPE_INT32))
            dtype = natural;
        if (natural == DTYPE_FLOAT32)
            dtype = natural;
    }
    return dtype == DTYPE_UNSET ? DTYPE_FLOAT32 : dtype;
}

static enum err_code
settle_value(struct expr_tree *tree, const struct expr *node, const char *name,
             struct attr_tensor *value, enum dtype dtype, struct err *err)
{
    char text[SHAPE_TEXT_BYTES_MAX];

    if (!value->given && !dtype_is_number(dtype) && dtype != DTYPE_BOOL)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s is required for dtype %s", name,
                       dtype_name(dtype));
    if (!value->given)
        return OK;
    if (value->value.type.shape.rank != 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s must be a scalar, but got: %s", name,
                       shape_text(&value->value.type.shape, text));
    return op_settle_attr(tree, node, name, value, dtype, err);
}

static enum err_code
one_hot_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct one_hot_params *params = node->params;
    const struct tensor_type *indices = &node->args[0]->type;
    enum dtype dtype = wanted_dtype(params);
    uint32_t rank = indices->shape.rank;

    TRY(op_check_dtype(node, dtype, err));
    TRY(settle_value(tree, node, "on_value", &params->on_value, dtype, err));
    TRY(settle_value(tree, node, "off_value", &params->off_value, dtype, err));
    if (indices->dtype != DTYPE_UINT8 && indices->dtype != DTYPE_INT32 &&
        indices->dtype != DTYPE_INT64)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "indices must be uint8, int32 or int64, not %s", dtype_name(indices->dtype));
    if (params->depth < 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "depth must be non-negative, got: %" PRId64,
                       params->depth);
    if (params->axis < -1 || params->axis > (int64_t)rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Expected axis to be -1 or between [0, %" PRIu32
                       "].  But received: %" PRId64,
                       rank, params->axis);
    node->type.dtype = dtype;
    return op_axes_insert(node, &indices->shape, params->axis == -1 ? rank : (uint32_t)params->axis,
                          (uint64_t)params->depth, &node->type.shape, err);
}

/* --- evaluation ---------------------------------------------------------------------------- */

enum { PIECE_ELEMENTS = 512 };

struct element {
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t bytes[OP_ELEMENT_BYTES_MAX];
};

static struct element
element_of(const struct attr_tensor *value, double fallback, enum dtype dtype)
{
    struct element element = {{0}};

    if (value->given)
        memcpy(element.bytes, value->settled.data, dtype_size(dtype));
    else if (fallback != 0)
        tensor_element_of_double(dtype, fallback, element.bytes);
    return element;
}

static enum err_code
read_indices(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
             int64_t out[static PIECE_ELEMENTS], struct err *err)
{
    uint8_t as_they_are[PIECE_ELEMENTS * sizeof(int64_t)];

    TRY(op_arg_read(e, node, 0, first, count, as_they_are, err));
    tensor_cast(node->args[0]->type.dtype, as_they_are, DTYPE_INT64, out, count);
    return OK;
}

/* The result is planes of `depth` rows of `width` elements; a plane belongs to `width` indices. */
struct hot {
    struct evaluator *e;
    const struct expr *node;
    uint64_t depth, width, first, count;
    uint32_t size;
    struct element on;
    uint8_t *out;
};

static void
set_on(const struct hot *hot, uint64_t at)
{
    if (at - hot->first < hot->count)
        memcpy(hot->out + (at - hot->first) * hot->size, hot->on.bytes, hot->size);
}

/* The new dimension is the last: an index has its elements together. */
static enum err_code
set_together(const struct hot *hot, struct err *err)
{
    uint64_t at = hot->first / hot->depth;
    uint64_t end = (hot->first + hot->count - 1) / hot->depth + 1;
    int64_t indices[PIECE_ELEMENTS];

    while (at < end) {
        uint64_t run = end - at < PIECE_ELEMENTS ? end - at : PIECE_ELEMENTS;

        TRY(read_indices(hot->e, hot->node, at, run, indices, err));
        for (uint64_t i = 0; i < run; i++, at++)
            if (indices[i] >= 0 && (uint64_t)indices[i] < hot->depth)
                set_on(hot, at * hot->depth + (uint64_t)indices[i]);
    }
    return OK;
}

/* Elements of one row beside each other belong to indices beside each other. */
static enum err_code
set_rows(const struct hot *hot, struct err *err)
{
    int64_t indices[PIECE_ELEMENTS];

    for (uint64_t at = hot->first, end = at + hot->count; at < end;) {
        uint64_t row = at / hot->width, inside = at % hot->width, run = hot->width - inside;

        run = run < end - at ? run : end - at;
        run = run < PIECE_ELEMENTS ? run : PIECE_ELEMENTS;
        TRY(read_indices(hot->e, hot->node, row / hot->depth * hot->width + inside, run, indices,
                         err));
        for (uint64_t i = 0; i < run; i++, at++)
            if (indices[i] >= 0 && (uint64_t)indices[i] == row % hot->depth)
                set_on(hot, at);
    }
    return OK;
}

static enum err_code
one_hot_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
             void *out, struct err *err)
{
    const struct one_hot_params *params = node->params;
    const struct shape *indices = &node->args[0]->type.shape;
    uint32_t axis = params->axis == -1 ? indices->rank : (uint32_t)params->axis;
    struct element off = element_of(&params->off_value, 0.0, node->type.dtype);
    struct hot hot = {.e = e,
                      .node = node,
                      .depth = (uint64_t)params->depth,
                      .width = op_axes_product(indices, axis, indices->rank),
                      .first = first,
                      .count = count,
                      .size = dtype_size(node->type.dtype),
                      .on = element_of(&params->on_value, 1.0, node->type.dtype),
                      .out = out};

    kernel_fill(hot.size, off.bytes, out, count);
    return hot.width == 1 ? set_together(&hot, err) : set_rows(&hot, err);
}

/* --- TensorFlow's graph --------------------------------------------------------------------- */

/* A value that is given is made twice: once to see its dtype. */
static const struct op_graph_node plain_nodes[] = {
    {.name = "on_value", .type = "Const"},
    {.name = "off_value", .type = "Const"},
    {.name = "depth", .type = "Const"},
    {.name = "",
     .type = "OneHot",
     .inputs = "$0 depth on_value off_value",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node on_nodes[] = {
    {.name = "Const", .type = "Const"},
    {.name = "off_value", .type = "Const"},
    {.name = "depth", .type = "Const"},
    {.name = "on_value", .type = "Const"},
    {.name = "",
     .type = "OneHot",
     .inputs = "$0 depth on_value off_value",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node off_nodes[] = {
    {.name = "Const", .type = "Const"},
    {.name = "on_value", .type = "Const"},
    {.name = "depth", .type = "Const"},
    {.name = "off_value", .type = "Const"},
    {.name = "",
     .type = "OneHot",
     .inputs = "$0 depth on_value off_value",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node both_nodes[] = {
    {.name = "Const", .type = "Const"},
    {.name = "Const_1", .type = "Const"},
    {.name = "depth", .type = "Const"},
    {.name = "on_value", .type = "Const"},
    {.name = "off_value", .type = "Const"},
    {.name = "",
     .type = "OneHot",
     .inputs = "$0 depth on_value off_value",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node *
one_hot_graph(const struct expr *node)
{
    const struct one_hot_params *params = node->params;

    if (params->on_value.given)
        return params->off_value.given ? both_nodes : on_nodes;
    return params->off_value.given ? off_nodes : plain_nodes;
}

const struct op op_one_hot = {
    .name = "one_hot",
    .summary = "A new dimension in which one element of `depth` is on: the one the index says.",
    .attrs = attrs,
    .params_size = sizeof(struct one_hot_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .arg_dtypes = OP_DTYPE(UINT8) | OP_DTYPE(INT32) | OP_DTYPE(INT64),
    .access = OP_ACCESS_RUNS,
    .graph_nodes = plain_nodes,
    .graph_rows = one_hot_graph,
    .graph_name = "one_hot",
    .infer = one_hot_infer,
    .eval = one_hot_eval,
};
