/* matvec(a, b, transpose_a, adjoint_a): a matrix by a vector. */
#include <inttypes.h>

#include "service/expr/op_linear.h"
#include "service/expr/op_reduce.h"

struct matvec_params {
    bool transpose_a, adjoint_a;
};

static const struct attr_spec attrs[] = {
    ATTR_BOOL(struct matvec_params, transpose_a, .help = "whether a is transposed first"),
    ATTR_BOOL(struct matvec_params, adjoint_a, .help = "whether a is conjugated and transposed"),
    ATTR_END,
};

static const char *const arg_names[] = {"a", "b"};

static enum blas_form
form_of(const struct expr *node)
{
    const struct matvec_params *params = node->params;

    if (params->adjoint_a)
        return BLAS_ADJOINT;
    return params->transpose_a ? BLAS_TRANSPOSED : BLAS_AS_IS;
}

static enum err_code
check_rank(const struct expr *node, uint32_t index, uint32_t rank, struct err *err)
{
    const struct tensor_type *type = &node->args[index]->type;
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    if (type->shape.rank == rank)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "Shape must be rank %" PRIu32 " but is rank %" PRIu32 ": %s is %s", rank,
                   type->shape.rank, node->op->arg_names[index], tensor_type_text(type, text));
}

static enum err_code
matvec_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct matvec_params *params = node->params;
    const struct shape *a = &node->args[0]->type.shape, *b = &node->args[1]->type.shape;
    uint32_t across = form_of(node) == BLAS_AS_IS ? 1 : 0;

    TRY(op_settle_together(tree, node, err));
    TRY(op_check_arg_dtype(node, 0, err));
    if (params->transpose_a && params->adjoint_a)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Only one of transpose_a and adjoint_a can be True.");
    TRY(check_rank(node, 0, 2, err));
    TRY(check_rank(node, 1, 1, err));
    if (a->dims[across] != b->dims[0])
        return op_linear_unequal(node, a->dims[across], b->dims[0], err);
    node->type = (struct tensor_type){.dtype = node->args[0]->type.dtype,
                                      .shape = {.rank = 1, .dims = {a->dims[1 - across]}}};
    return OK;
}

static enum err_code
matvec_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    struct op_matrices a = op_linear_matrices(node, 0);
    struct err inner = ERR_INIT;

    if (blas_gemv(a.dtype, form_of(node), a.rows, a.columns, op_arg_whole(e, node, 0),
                  op_arg_whole(e, node, 1), out, &inner) != OK)
        return op_wrap(node, &inner, err);
    return OK;
}

const struct op op_matvec = {
    .name = "matvec",
    .summary = "The product of a matrix and a vector.",
    .attrs = attrs,
    .params_size = sizeof(struct matvec_params),
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_LINEAR_DTYPES,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "MatMul",
    .infer = matvec_infer,
    .compute = matvec_compute,
    .operations = op_reduce_operations,
};
