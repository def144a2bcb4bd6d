/* matrix_determinant(input): by LU decomposition; 1 of a matrix without elements. */
#include "service/expr/op_linear.h"
#include "service/tensor/convert.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"input"};

static enum err_code
matrix_determinant_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct tensor_type *from = &node->args[0]->type;

    (void)tree;
    TRY(op_linear_check_square(node, 0, err));
    node->type = (struct tensor_type){
        .dtype = from->dtype, .shape = op_linear_shape(&from->shape, UINT64_MAX, UINT64_MAX)};
    return OK;
}

static enum err_code
each(const struct op_linear_step *step, struct err *err)
{
    uint32_t size = dtype_size(step->matrices.dtype);

    return blas_determinant(step->matrices.dtype, step->matrices.rows, step->copy,
                            step->out + step->index * size, err);
}

static enum err_code
matrix_determinant_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t one[OP_ELEMENT_BYTES_MAX] = {0};
    enum dtype dtype = node->type.dtype;

    tensor_element_of_double(dtype, 1, one);
    kernel_fill(dtype_size(dtype), one, out, shape_count(&node->type.shape));
    return op_linear_run(e, node, true, each, out, err);
}

static uint64_t
matrix_determinant_scratch(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    return op_linear_add(op_linear_matrix_bytes(&m), op_linear_multiply(m.rows, sizeof(int)));
}

static uint64_t
matrix_determinant_operations(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    return op_linear_cubic(&m, 1) / 3;
}

const struct op op_matrix_determinant = {
    .name = "matrix_determinant",
    .summary = "The determinant of a square matrix.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_LINEAR_DTYPES,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "MatrixDeterminant",
    .infer = matrix_determinant_infer,
    .compute = matrix_determinant_compute,
    .scratch_bytes = matrix_determinant_scratch,
    .operations = matrix_determinant_operations,
};
