/* Elementwise ops: tiles of arguments into kernels. A constant is found by sending one element
 * through the kernel, so it cannot differ from what evaluation makes. */
#include "service/expr/op_elementwise.h"

/* --- one argument -------------------------------------------------------------------------- */

enum err_code
op_infer_unary(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    TRY(op_check_arg_dtype(node, 0, err));
    node->type = node->args[0]->type;
    node->type.dtype =
        kernel_unary_result((enum kernel_unary)node->op->kernel, node->args[0]->type.dtype);
    return OK;
}

enum err_code
op_eval_unary(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
              void *out, struct err *err)
{
    enum kernel_unary op = (enum kernel_unary)node->op->kernel;
    enum dtype dtype = node->args[0]->type.dtype;
    struct kernel_operand x;

    TRY(op_arg(e, node, 0, first, count, dtype == node->type.dtype ? out : NULL, &x, err));
    if (x.step != 0) {
        kernel_unary(op, dtype, x.data, out, count);
        return OK;
    }
    kernel_unary(op, dtype, x.data, out, 1);
    kernel_fill(dtype_size(node->type.dtype), out, out, count);
    return OK;
}

bool
op_constant_unary(const struct expr *node, void *element)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t x[OP_ELEMENT_BYTES_MAX];

    if (!op_node_constant(node->args[0], x))
        return false;
    kernel_unary((enum kernel_unary)node->op->kernel, node->args[0]->type.dtype, x, element, 1);
    return true;
}

/* --- two arguments ------------------------------------------------------------------------- */

static enum err_code
infer_pair(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct err inner = ERR_INIT;

    TRY(op_settle_together(tree, node, err));
    TRY(op_check_arg_dtype(node, 0, err));
    if (shape_broadcast(&node->args[0]->type.shape, &node->args[1]->type.shape, &node->type.shape,
                        &inner) != OK)
        return op_wrap(node, &inner, err);
    return OK;
}

enum err_code
op_infer_binary(struct expr_tree *tree, struct expr *node, struct err *err)
{
    TRY(infer_pair(tree, node, err));
    node->type.dtype = node->args[0]->type.dtype;
    return OK;
}

enum err_code
op_eval_binary(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
               void *out, struct err *err)
{
    struct kernel_operand a, b;
    struct err inner = ERR_INIT;

    TRY(op_arg_broadcast(e, node, 0, first, count, out, &a, err));
    TRY(op_arg_broadcast(e, node, 1, first, count, a.data == out ? NULL : out, &b, err));
    if (kernel_binary((enum kernel_binary)node->op->kernel, node->type.dtype, a, b, out, count,
                      &inner) != OK)
        return op_wrap(node, &inner, err);
    return OK;
}

bool
op_constant_binary(const struct expr *node, void *element)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t a[OP_ELEMENT_BYTES_MAX], b[OP_ELEMENT_BYTES_MAX];

    return op_node_constant(node->args[0], a) && op_node_constant(node->args[1], b) &&
           kernel_binary((enum kernel_binary)node->op->kernel, node->type.dtype,
                         (struct kernel_operand){a, 0}, (struct kernel_operand){b, 0}, element, 1,
                         NULL) == OK;
}

/* --- comparisons --------------------------------------------------------------------------- */

enum err_code
op_infer_compare(struct expr_tree *tree, struct expr *node, struct err *err)
{
    TRY(infer_pair(tree, node, err));
    node->type.dtype = DTYPE_BOOL;
    return OK;
}

enum err_code
op_eval_compare(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                void *out, struct err *err)
{
    struct kernel_operand a, b;

    TRY(op_arg_broadcast(e, node, 0, first, count, NULL, &a, err));
    TRY(op_arg_broadcast(e, node, 1, first, count, NULL, &b, err));
    kernel_compare((enum kernel_compare)node->op->kernel, node->args[0]->type.dtype, a, b, out,
                   count);
    return OK;
}

bool
op_constant_compare(const struct expr *node, void *element)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t a[OP_ELEMENT_BYTES_MAX], b[OP_ELEMENT_BYTES_MAX];

    if (!op_node_constant(node->args[0], a) || !op_node_constant(node->args[1], b))
        return false;
    kernel_compare((enum kernel_compare)node->op->kernel, node->args[0]->type.dtype,
                   (struct kernel_operand){a, 0}, (struct kernel_operand){b, 0}, element, 1);
    return true;
}
