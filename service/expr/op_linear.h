/* What ops of linear algebra share: arguments as matrices, batches of them, what is refused. */
#ifndef SERVICE_EXPR_OP_LINEAR_H
#define SERVICE_EXPR_OP_LINEAR_H

#include "service/expr/op_helpers.h"
#include "service/tensor/blas.h"

#define OP_LINEAR_DTYPES                                                                           \
    (OP_DTYPE(FLOAT32) | OP_DTYPE(FLOAT64) | OP_DTYPE(COMPLEX64) | OP_DTYPE(COMPLEX128))

/* A tensor as `batch` matrices, one after the other. */
struct op_matrices {
    uint64_t batch, rows, columns;
    enum dtype dtype;
};

/* Of an argument of at least two dimensions. */
struct op_matrices op_linear_matrices(const struct expr *node, uint32_t index);
/* Refuses an argument of fewer dimensions, or of a dtype the op does not take. */
ERR_MUST_CHECK enum err_code op_linear_check(const struct expr *node, uint32_t index,
                                             struct err *err);
/* And one whose last two dimensions differ. */
ERR_MUST_CHECK enum err_code op_linear_check_square(const struct expr *node, uint32_t index,
                                                    struct err *err);
/* Settles two arguments, and refuses any that are not vectors of one dtype that the op takes. */
ERR_MUST_CHECK enum err_code op_linear_check_vectors(struct expr_tree *tree, struct expr *node,
                                                     struct err *err);
/* "Dimensions must be equal, but are 2 and 3 …", with both arguments' types. */
enum err_code op_linear_unequal(const struct expr *node, uint64_t a, uint64_t b, struct err *err);
/* The shape with the last two dimensions replaced; rows or columns UINT64_MAX: without it. */
struct shape op_linear_shape(const struct shape *shape, uint64_t rows, uint64_t columns);
/* Refuses infinities and NaN, with which LAPACK does not end well. */
ERR_MUST_CHECK enum err_code op_linear_check_finite(const struct expr *node, uint32_t index,
                                                    const void *elements, struct err *err);

uint64_t op_linear_add(uint64_t a, uint64_t b); /* UINT64_MAX where it is more */
uint64_t op_linear_multiply(uint64_t a, uint64_t b);
uint64_t op_linear_matrix_bytes(const struct op_matrices *m);
/* batch * factor * (the greater side) * (the lesser side)^2. */
uint64_t op_linear_cubic(const struct op_matrices *m, uint64_t factor);

/* out[columns, rows] = in[rows, columns] transposed, complex ones conjugated; not overlapping. */
void op_linear_adjoint_to(enum dtype dtype, uint64_t rows, uint64_t columns, const void *in,
                          void *out);
/* The same of a square matrix, where it stands. */
void op_linear_adjoint(enum dtype dtype, uint64_t n, void *matrix);
/* Ones on the diagonals of a whole result, zeros beside: what decompositions of matrices without
 * elements have for orthogonal parts. */
void op_linear_identities(const struct tensor_type *type, void *out);

/* A matrix of the batch of the first argument, copied to `copy`. NULL fields: not wanted. */
struct op_linear_step {
    const struct expr *node;
    uint64_t index; /* in the batch */
    struct op_matrices matrices;
    void *copy;   /* may be overwritten */
    uint8_t *out; /* the node's whole result */
};
/* Calls step for every matrix; `scratch_copy` false: the copy is made in the result, which then has
 * the same size. Errors get the op's name. */
typedef enum err_code op_linear_each(const struct op_linear_step *step, struct err *err);
ERR_MUST_CHECK enum err_code op_linear_run(struct evaluator *e, const struct expr *node,
                                           bool scratch_copy, op_linear_each *each, void *out,
                                           struct err *err);

#endif
