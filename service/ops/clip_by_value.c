/* clip_by_value(t, clip_value_min, clip_value_max): max(min(t, clip_value_max), clip_value_min),
 * all three broadcast. As in TensorFlow r1.0 the lower bound has the last word, should it be the
 * greater. */
#include "service/expr/op_helpers.h"

enum { CLIP_T, CLIP_MIN, CLIP_MAX };

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"t", "clip_value_min", "clip_value_max"};

static enum err_code
clip_by_value_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct shape *t = &node->args[CLIP_T]->type.shape;
    const struct shape *min = &node->args[CLIP_MIN]->type.shape;
    const struct shape *max = &node->args[CLIP_MAX]->type.shape;
    struct shape below;
    struct err inner = ERR_INIT;

    TRY(op_settle_together(tree, node, err));
    TRY(op_check_arg_dtype(node, CLIP_T, err));
    if (shape_broadcast(t, max, &below, &inner) != OK ||
        shape_broadcast(&below, min, &node->type.shape, &inner) != OK)
        return op_wrap(node, &inner, err);
    node->type.dtype = node->args[CLIP_T]->type.dtype;
    return OK;
}

static enum err_code
limit_above(enum dtype dtype, struct kernel_operand t, struct kernel_operand max, void *out,
            uint64_t count, struct err *err)
{
    return kernel_binary(KERNEL_MINIMUM, dtype, t, max, out, count, err);
}

static enum err_code
clip_by_value_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                   void *out, struct err *err)
{
    enum dtype dtype = node->type.dtype;
    struct kernel_operand t, bound, below = {out, 1};

    TRY(op_arg_broadcast(e, node, CLIP_T, first, count, out, &t, err));
    TRY(op_arg_broadcast(e, node, CLIP_MAX, first, count, NULL, &bound, err));
    TRY(limit_above(dtype, t, bound, out, count, err));
    TRY(op_arg_broadcast(e, node, CLIP_MIN, first, count, NULL, &bound, err));
    return kernel_binary(KERNEL_MAXIMUM, dtype, below, bound, out, count, err);
}

static bool
clip_by_value_constant(const struct expr *node, void *element)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t args[3][OP_ELEMENT_BYTES_MAX];
    enum dtype dtype = node->type.dtype;
    const struct kernel_operand t = {args[CLIP_T], 0}, min = {args[CLIP_MIN], 0},
                                max = {args[CLIP_MAX], 0}, below = {element, 0};

    for (uint32_t i = 0; i < 3; i++)
        if (!op_node_constant(node->args[i], args[i]))
            return false;
    return limit_above(dtype, t, max, element, 1, NULL) == OK &&
           kernel_binary(KERNEL_MAXIMUM, dtype, below, min, element, 1, NULL) == OK;
}

static const struct op_graph_node graph[] = {
    {.name = "Minimum", .type = "Minimum", .inputs = "$0 $2"},
    {.name = "", .type = "Maximum", .inputs = "Minimum $1", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

const struct op op_clip_by_value = {
    .name = "clip_by_value",
    .summary = "The first argument, not below clip_value_min and not above clip_value_max.",
    .attrs = attrs,
    .args_min = 3,
    .args_max = 3,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_REAL,
    .infer = clip_by_value_infer,
    .eval = clip_by_value_eval,
    .constant = clip_by_value_constant,
    .graph_nodes = graph,
};
