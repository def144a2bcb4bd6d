/* dot(a, b): the sum of the products of two vectors' elements, complex ones not conjugated. */
#include "service/expr/op_linear.h"
#include "service/expr/op_reduce.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"a", "b"};

static enum err_code
dot_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct shape *a = &node->args[0]->type.shape, *b = &node->args[1]->type.shape;

    TRY(op_linear_check_vectors(tree, node, err));
    if (a->dims[0] != b->dims[0])
        return op_linear_unequal(node, a->dims[0], b->dims[0], err);
    node->type = (struct tensor_type){.dtype = node->args[0]->type.dtype};
    return OK;
}

static enum err_code
dot_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    struct err inner = ERR_INIT;

    if (blas_dot(node->type.dtype, node->args[0]->type.shape.dims[0], op_arg_whole(e, node, 0),
                 op_arg_whole(e, node, 1), out, &inner) != OK)
        return op_wrap(node, &inner, err);
    return OK;
}

const struct op op_dot = {
    .name = "dot",
    .summary = "The inner product of two vectors.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_LINEAR_DTYPES,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "MatMul",
    .infer = dot_infer,
    .compute = dot_compute,
    .operations = op_reduce_operations,
};
