/* matrix_inverse(input, adjoint): by LU decomposition. */
#include "service/expr/op_linear.h"

struct matrix_inverse_params {
    bool adjoint;
};

static const struct attr_spec attrs[] = {
    ATTR_BOOL(struct matrix_inverse_params, adjoint, .help = "whether the adjoint is inverted"),
    ATTR_END,
};

static const char *const arg_names[] = {"input"};

static enum err_code
matrix_inverse_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    TRY(op_linear_check_square(node, 0, err));
    node->type = node->args[0]->type;
    return OK;
}

static enum err_code
each(const struct op_linear_step *step, struct err *err)
{
    const struct matrix_inverse_params *params = step->node->params;

    TRY(blas_inverse(step->matrices.dtype, step->matrices.rows, step->copy, err));
    if (params->adjoint)
        op_linear_adjoint(step->matrices.dtype, step->matrices.rows, step->copy);
    return OK;
}

static enum err_code
matrix_inverse_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    TRY(op_linear_check_finite(node, 0, op_arg_whole(e, node, 0), err));
    return op_linear_run(e, node, false, each, out, err);
}

static uint64_t
matrix_inverse_scratch(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    return blas_inverse_bytes(m.dtype, m.rows);
}

static uint64_t
matrix_inverse_operations(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    return op_linear_cubic(&m, 1);
}

const struct op op_matrix_inverse = {
    .name = "matrix_inverse",
    .summary = "The inverse of a square matrix, or of its adjoint.",
    .attrs = attrs,
    .params_size = sizeof(struct matrix_inverse_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_LINEAR_DTYPES,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "MatrixInverse",
    .infer = matrix_inverse_infer,
    .compute = matrix_inverse_compute,
    .scratch_bytes = matrix_inverse_scratch,
    .operations = matrix_inverse_operations,
};
