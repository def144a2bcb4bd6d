/* Linear algebra as ops: one matrix of a batch after the other, each copied, for LAPACK works in
 * place. */
#include "service/expr/op_linear.h"

#include <inttypes.h>
#include <math.h>

#include "service/tensor/convert.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

struct op_matrices
op_linear_matrices(const struct expr *node, uint32_t index)
{
    const struct tensor_type *type = &node->args[index]->type;
    uint32_t rank = type->shape.rank;
    struct op_matrices m = {.batch = 1,
                            .rows = type->shape.dims[rank - 2],
                            .columns = type->shape.dims[rank - 1],
                            .dtype = type->dtype};

    for (uint32_t i = 0; i + 2 < rank; i++)
        m.batch *= type->shape.dims[i];
    return m;
}

enum err_code
op_linear_check(const struct expr *node, uint32_t index, struct err *err)
{
    const struct tensor_type *type = &node->args[index]->type;
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    TRY(op_check_arg_dtype(node, index, err));
    if (type->shape.rank >= 2)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "Shape must be at least rank 2 but is rank %" PRIu32 ": %s is %s",
                   type->shape.rank, node->op->arg_names[index], tensor_type_text(type, text));
}

enum err_code
op_linear_check_square(const struct expr *node, uint32_t index, struct err *err)
{
    const struct tensor_type *type = &node->args[index]->type;
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    struct op_matrices m;

    TRY(op_linear_check(node, index, err));
    m = op_linear_matrices(node, index);
    if (m.rows == m.columns)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "Dimensions must be equal, but are %" PRIu64 " and %" PRIu64 ": %s is %s",
                   m.rows, m.columns, node->op->arg_names[index], tensor_type_text(type, text));
}

enum err_code
op_linear_check_vectors(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct tensor_type *a = &node->args[0]->type, *b = &node->args[1]->type;
    char first[TENSOR_TYPE_TEXT_BYTES_MAX], second[TENSOR_TYPE_TEXT_BYTES_MAX];

    TRY(op_settle_together(tree, node, err));
    TRY(op_check_arg_dtype(node, 0, err));
    if (a->shape.rank == 1 && b->shape.rank == 1)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "takes two vectors, a is %s, b is %s",
                   tensor_type_text(a, first), tensor_type_text(b, second));
}

enum err_code
op_linear_unequal(const struct expr *node, uint64_t a, uint64_t b, struct err *err)
{
    char first[TENSOR_TYPE_TEXT_BYTES_MAX], second[TENSOR_TYPE_TEXT_BYTES_MAX];

    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "Dimensions must be equal, but are %" PRIu64 " and %" PRIu64
                   " (%s is %s, %s is %s)",
                   a, b, node->op->arg_names[0], tensor_type_text(&node->args[0]->type, first),
                   node->op->arg_names[1], tensor_type_text(&node->args[1]->type, second));
}

struct shape
op_linear_shape(const struct shape *shape, uint64_t rows, uint64_t columns)
{
    struct shape result = *shape;

    result.rank -= 2;
    memset(result.dims + result.rank, 0, 2 * sizeof result.dims[0]);
    if (rows != UINT64_MAX)
        result.dims[result.rank++] = rows;
    if (columns != UINT64_MAX)
        result.dims[result.rank++] = columns;
    return result;
}

static bool
all_finite(enum dtype dtype, const void *elements, uint64_t count)
{
    const double *doubles = elements;
    const float *floats = elements;

    if (dtype == DTYPE_COMPLEX64 || dtype == DTYPE_COMPLEX128)
        count *= 2;
    if (dtype == DTYPE_FLOAT32 || dtype == DTYPE_COMPLEX64) {
        for (uint64_t i = 0; i < count; i++)
            if (!isfinite(floats[i]))
                return false;
        return true;
    }
    for (uint64_t i = 0; i < count; i++)
        if (!isfinite(doubles[i]))
            return false;
    return true;
}

enum err_code
op_linear_check_finite(const struct expr *node, uint32_t index, const void *elements,
                       struct err *err)
{
    const struct tensor_type *type = &node->args[index]->type;

    if (all_finite(type->dtype, elements, shape_count(&type->shape)))
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "%s has elements that are not finite: the input might not be valid",
                   node->op->arg_names[index]);
}

/* --- costs --------------------------------------------------------------------------------- */

uint64_t
op_linear_add(uint64_t a, uint64_t b)
{
    return __builtin_add_overflow(a, b, &a) ? UINT64_MAX : a;
}

uint64_t
op_linear_multiply(uint64_t a, uint64_t b)
{
    return __builtin_mul_overflow(a, b, &a) ? UINT64_MAX : a;
}

uint64_t
op_linear_matrix_bytes(const struct op_matrices *m)
{
    return op_linear_multiply(op_linear_multiply(m->rows, m->columns), dtype_size(m->dtype));
}

uint64_t
op_linear_cubic(const struct op_matrices *m, uint64_t factor)
{
    uint64_t lesser = m->rows < m->columns ? m->rows : m->columns;
    uint64_t area = op_linear_multiply(m->rows, m->columns);

    return op_linear_multiply(op_linear_multiply(area, lesser),
                              op_linear_multiply(m->batch, factor));
}

/* --- elements ------------------------------------------------------------------------------ */

static void
conjugate(enum dtype dtype, uint8_t *element)
{
    if (dtype == DTYPE_COMPLEX64 || dtype == DTYPE_COMPLEX128)
        element[dtype_size(dtype) - 1] ^= 0x80; /* little-endian: the imaginary part's sign */
}

void
op_linear_adjoint_to(enum dtype dtype, uint64_t rows, uint64_t columns, const void *in, void *out)
{
    uint32_t size = dtype_size(dtype);
    const uint8_t *from = in;

    for (uint64_t i = 0; i < rows; i++)
        for (uint64_t k = 0; k < columns; k++) {
            uint8_t *to = (uint8_t *)out + (k * rows + i) * size;

            memcpy(to, from, size);
            conjugate(dtype, to);
            from += size;
        }
}

void
op_linear_adjoint(enum dtype dtype, uint64_t n, void *matrix)
{
    uint32_t size = dtype_size(dtype);

    for (uint64_t i = 0; i < n; i++)
        for (uint64_t k = 0; k <= i; k++) {
            uint8_t *a = (uint8_t *)matrix + (i * n + k) * size;
            uint8_t *b = (uint8_t *)matrix + (k * n + i) * size;
            uint8_t held[OP_ELEMENT_BYTES_MAX];

            memcpy(held, a, size);
            memmove(a, b, size);
            conjugate(dtype, a);
            if (a == b)
                continue;
            memcpy(b, held, size);
            conjugate(dtype, b);
        }
}

void
op_linear_identities(const struct tensor_type *type, void *out)
{
    uint64_t rows = type->shape.dims[type->shape.rank - 2];
    uint64_t columns = type->shape.dims[type->shape.rank - 1], area = rows * columns;
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t one[OP_ELEMENT_BYTES_MAX] = {0};
    uint64_t count = shape_count(&type->shape);
    uint32_t size = dtype_size(type->dtype);

    tensor_element_of_double(type->dtype, 1, one);
    memset(out, 0, (size_t)(count * size));
    for (uint64_t first = 0; first < count; first += area)
        for (uint64_t i = 0; i < rows && i < columns; i++)
            memcpy((uint8_t *)out + (first + i * columns + i) * size, one, size);
}

/* --- batches ------------------------------------------------------------------------------- */

enum err_code
op_linear_run(struct evaluator *e, const struct expr *node, bool scratch_copy, op_linear_each *each,
              void *out, struct err *err)
{
    struct op_linear_step step = {
        .node = node, .matrices = op_linear_matrices(node, 0), .out = out};
    const uint8_t *elements = op_arg_whole(e, node, 0);
    uint64_t bytes = op_linear_matrix_bytes(&step.matrices);
    AUTO_CALL(mem_free_scope) void *copy = NULL;
    struct err inner = ERR_INIT;

    if (bytes == 0)
        return OK;
    if (scratch_copy) {
        copy = mem_aligned((size_t)bytes, err);
        if (copy == NULL)
            return ERR_NO_MEMORY;
    }
    for (; step.index < step.matrices.batch; step.index++) {
        TRY(op_check_interrupt(e, err));
        step.copy = scratch_copy ? copy : step.out + step.index * bytes;
        memcpy(step.copy, elements + step.index * bytes, (size_t)bytes);
        if (each(&step, &inner) != OK)
            return op_wrap(node, &inner, err);
    }
    return OK;
}
