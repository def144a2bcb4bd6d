/* transpose(a, perm): result dimension i is dimension perm[i] of the argument; without perm, the
 * dimensions in reverse. */
#include <inttypes.h>

#include "service/expr/op_axes.h"
#include "service/expr/op_helpers.h"
#include "service/expr/op_layout.h"

struct transpose_params {
    struct attr_ints perm;
};

static const struct attr_spec attrs[] = {
    ATTR_INTS(struct transpose_params, perm,
              .help = "for each dimension of the result, the argument's; reversed when not given"),
    ATTR_END,
};

static const char *const arg_names[] = {"a"};

/* order[i]: the argument's dimension that the result's i-th is. */
static void
take_order(const struct expr *node, uint32_t order[static SHAPE_RANK_MAX])
{
    const struct transpose_params *params = node->params;
    uint32_t rank = node->args[0]->type.shape.rank;

    for (uint32_t i = 0; i < rank; i++)
        order[i] = params->perm.given ? (uint32_t)params->perm.values[i] : rank - 1 - i;
}

/* No negative dimensions here, as in TensorFlow. */
static enum err_code
check_perm(const struct expr *node, const struct attr_ints *perm, uint32_t rank, struct err *err)
{
    uint32_t seen = 0;

    if (perm->single)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "perm must be a vector, not the number %" PRId64, perm->values[0]);
    if (perm->count != rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "transpose expects a vector of size %" PRIu32
                       ". But input(1) is a vector of size %" PRIu32,
                       rank, perm->count);
    for (uint32_t i = 0; i < rank; i++) {
        if (perm->values[i] < 0 || perm->values[i] >= (int64_t)rank)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "%" PRId64 " is out of range [0 .. %" PRIu32 ")", perm->values[i], rank);
        if ((seen >> perm->values[i] & 1) != 0)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "perm names dimension %" PRId64 " twice", perm->values[i]);
        seen |= 1u << perm->values[i];
    }
    return OK;
}

static enum err_code
transpose_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct transpose_params *params = node->params;
    const struct tensor_type *from = &node->args[0]->type;
    uint32_t order[SHAPE_RANK_MAX];

    (void)tree;
    TRY(op_check_dtype(node, from->dtype, err));
    if (params->perm.given)
        TRY(check_perm(node, &params->perm, from->shape.rank, err));
    take_order(node, order);
    node->type = *from;
    for (uint32_t i = 0; i < from->shape.rank; i++)
        node->type.shape.dims[i] = from->shape.dims[order[i]];
    return OK;
}

static enum err_code
transpose_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
               void *out, struct err *err)
{
    uint64_t strides[SHAPE_RANK_MAX];
    uint32_t order[SHAPE_RANK_MAX];
    struct op_layout layout = {0};

    (void)err;
    take_order(node, order);
    op_layout_strides(&node->args[0]->type.shape, strides);
    for (uint32_t i = node->type.shape.rank; i-- > 0;)
        op_layout_add(&layout, node->type.shape.dims[i], strides[order[i]]);
    op_layout_copy(&layout, op_arg_whole(e, node, 0), dtype_size(node->type.dtype), first, count,
                   out);
    return OK;
}

static bool
transpose_constant(const struct expr *node, void *element)
{
    return op_node_constant(node->args[0], element);
}

static const struct op_graph_node given_nodes[] = {
    {.name = "perm", .type = "Const"},
    {.name = "", .type = "Transpose", .inputs = "$0 perm", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node reversing_nodes[] = {
    {.name = "Rank", .type = "Rank", .inputs = "$0"},
    {.name = "sub/y", .type = "Const"},
    {.name = "sub", .type = "Sub", .inputs = "Rank sub/y"},
    {.name = "Range/start", .type = "Const"},
    {.name = "Range/delta", .type = "Const"},
    {.name = "Range", .type = "Range", .inputs = "Range/start Rank Range/delta"},
    {.name = "sub_1", .type = "Sub", .inputs = "sub Range"},
    {.name = "", .type = "Transpose", .inputs = "$0 sub_1", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node *
transpose_graph(const struct expr *node)
{
    const struct transpose_params *params = node->params;

    return params->perm.given ? given_nodes : reversing_nodes;
}

const struct op op_transpose = {
    .name = "transpose",
    .summary = "The argument with its dimensions in another order.",
    .attrs = attrs,
    .params_size = sizeof(struct transpose_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .access = OP_ACCESS_WHOLE,
    .graph_nodes = given_nodes,
    .graph_rows = transpose_graph,
    .graph_name = "transpose",
    .infer = transpose_infer,
    .eval = transpose_eval,
    .constant = transpose_constant,
};
