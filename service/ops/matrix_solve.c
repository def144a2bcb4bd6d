/* matrix_solve(matrix, rhs, adjoint): x with matrix x = rhs, by LU decomposition. */
#include "service/expr/op_linear.h"

struct matrix_solve_params {
    bool adjoint;
};

static const struct attr_spec attrs[] = {
    ATTR_BOOL(struct matrix_solve_params, adjoint,
              .help = "whether the adjoint of the matrix is meant"),
    ATTR_END,
};

static const char *const arg_names[] = {"matrix", "rhs"};

static enum err_code
matrix_solve_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct shape *a = &node->args[0]->type.shape, *b = &node->args[1]->type.shape;

    TRY(op_settle_together(tree, node, err));
    TRY(op_linear_check_square(node, 0, err));
    TRY(op_linear_check(node, 1, err));
    if (a->rank != b->rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "All input tensors must have the same outer dimensions: matrix has %u "
                       "dimensions, rhs has %u",
                       (unsigned)a->rank, (unsigned)b->rank);
    for (uint32_t i = 0; i + 1 < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return op_linear_unequal(node, a->dims[i], b->dims[i], err);
    node->type = node->args[1]->type;
    return OK;
}

static enum err_code
each(const struct op_linear_step *step, struct err *err)
{
    const struct matrix_solve_params *params = step->node->params;
    struct op_matrices b = op_linear_matrices(step->node, 1);

    return blas_solve(b.dtype, params->adjoint, b.rows, b.columns, step->copy,
                      step->out + step->index * op_linear_matrix_bytes(&b), err);
}

static enum err_code
matrix_solve_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    const void *rhs = op_arg_whole(e, node, 1);

    if (shape_count(&node->type.shape) == 0)
        return OK;
    TRY(op_linear_check_finite(node, 0, op_arg_whole(e, node, 0), err));
    memcpy(out, rhs, (size_t)tensor_type_bytes(&node->type));
    return op_linear_run(e, node, true, each, out, err);
}

static uint64_t
matrix_solve_scratch(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    uint64_t columns = op_linear_matrices(node, 1).columns;

    return op_linear_add(op_linear_matrix_bytes(&m), blas_solve_bytes(m.dtype, m.rows, columns));
}

static uint64_t
matrix_solve_operations(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);
    uint64_t columns = op_linear_matrices(node, 1).columns;

    return op_linear_add(op_linear_cubic(&m, 1) / 3,
                         op_linear_multiply(op_linear_multiply(m.rows, m.rows),
                                            op_linear_multiply(m.batch, columns)));
}

const struct op op_matrix_solve = {
    .name = "matrix_solve",
    .summary = "The solution of systems of linear equations.",
    .attrs = attrs,
    .params_size = sizeof(struct matrix_solve_params),
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_LINEAR_DTYPES,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "MatrixSolve",
    .infer = matrix_solve_infer,
    .compute = matrix_solve_compute,
    .scratch_bytes = matrix_solve_scratch,
    .operations = matrix_solve_operations,
};
