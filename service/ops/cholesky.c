/* cholesky(input): the lower triangular l of a = l l^H; what stands above the diagonal is not read.
 */
#include "service/expr/op_linear.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"input"};

static enum err_code
cholesky_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    TRY(op_linear_check_square(node, 0, err));
    node->type = node->args[0]->type;
    return OK;
}

static enum err_code
each(const struct op_linear_step *step, struct err *err)
{
    return blas_cholesky(step->matrices.dtype, step->matrices.rows, step->copy, err);
}

static enum err_code
cholesky_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    TRY(op_linear_check_finite(node, 0, op_arg_whole(e, node, 0), err));
    return op_linear_run(e, node, false, each, out, err);
}

static uint64_t
cholesky_operations(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    return op_linear_cubic(&m, 1) / 3;
}

const struct op op_cholesky = {
    .name = "cholesky",
    .summary =
        "The lower triangular matrix that gives a positive definite one with its own adjoint.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_LINEAR_DTYPES,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "Cholesky",
    .infer = cholesky_infer,
    .compute = cholesky_compute,
    .operations = cholesky_operations,
};
