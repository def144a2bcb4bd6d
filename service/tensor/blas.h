/* Dense linear algebra: OpenBLAS and LAPACKE behind one door.
 *
 * Matrices are row-major without gaps, aligned for their elements; dtypes are those of blas_has. A
 * row-major matrix is the column-major one of its transpose, so LAPACK is called on the transpose
 * and nothing is copied back and forth. Sizes are checked against the `int` these libraries count
 * with: ERR_PAYLOAD_TOO_LARGE. Workspaces are ours (mem_*): ERR_NO_MEMORY. The last bits of results
 * depend on the processor, for OpenBLAS picks its loops by it. Any thread. */
#ifndef SERVICE_TENSOR_BLAS_H
#define SERVICE_TENSOR_BLAS_H

#include <stdbool.h>
#include <stdint.h>

#include "service/tensor/dtype.h"
#include "store/base/err.h"

/* How many threads one call may use, the caller's included; of the whole process. */
void blas_set_threads(uint32_t threads);
uint32_t blas_threads(void);
/* float32 float64 complex64 complex128. */
bool blas_has(enum dtype dtype);
/* ERR_PAYLOAD_TOO_LARGE: one of them is more than the libraries count to. */
ERR_MUST_CHECK enum err_code blas_check_sizes(uint64_t a, uint64_t b, uint64_t c, struct err *err);

enum blas_form { BLAS_AS_IS, BLAS_TRANSPOSED, BLAS_ADJOINT };

/* c[m,n] = form(a) form(b), where these are [m,k] and [k,n]. c does not overlap a or b. */
struct blas_product {
    uint64_t m, n, k;
    enum blas_form a, b;
    uint64_t a_step; /* elements from one row of a, as it stands, to the next; 0: no gap */
};
/* The same. */
uint64_t blas_a_step(const struct blas_product *product);
ERR_MUST_CHECK enum err_code blas_gemm(enum dtype dtype, const struct blas_product *product,
                                       const void *a, const void *b, void *c, struct err *err);
/* Of int32, wrapping; `scratch`: k * n elements where b is not as it is, else unused. The fast path
 * goes block by block; blas_gemm_int32_plain is its twin. */
void blas_gemm_int32(const struct blas_product *product, const int32_t *a, const int32_t *b,
                     int32_t *c, int32_t *scratch);
void blas_gemm_int32_plain(const struct blas_product *product, const int32_t *a, const int32_t *b,
                           int32_t *c);
/* y = form(a) x; a is [rows, columns] as it stands. */
ERR_MUST_CHECK enum err_code blas_gemv(enum dtype dtype, enum blas_form form, uint64_t rows,
                                       uint64_t columns, const void *a, const void *x, void *y,
                                       struct err *err);
/* *out, of the dtype: sum of x[i] y[i], added in float64 for float32. */
ERR_MUST_CHECK enum err_code blas_dot(enum dtype dtype, uint64_t count, const void *x,
                                      const void *y, void *out, struct err *err);

/* Workspace bytes of the functions below. */
uint64_t blas_qr_bytes(enum dtype dtype, uint64_t m, uint64_t n, bool full);
uint64_t blas_svd_bytes(enum dtype dtype, uint64_t m, uint64_t n);
uint64_t blas_inverse_bytes(enum dtype dtype, uint64_t n);
uint64_t blas_solve_bytes(enum dtype dtype, uint64_t n, uint64_t columns);

/* a[m,n] = q r by Householder reflections. With k = min(m, n): q is [m,k] and r [k,n], with `full`
 * [m,m] and [m,n]. a is overwritten. m and n are at least 1, here and below. */
ERR_MUST_CHECK enum err_code blas_qr(enum dtype dtype, uint64_t m, uint64_t n, bool full, void *a,
                                     void *q, void *r, struct err *err);
/* a[m,n] = u diag(s) vh, s falling and real. u is [m,k] and vh [k,n], with `full` [m,m] and [n,n];
 * both NULL: s alone. a is overwritten and holds finite numbers. ERR_INVALID_ARGUMENT when it does
 * not converge. */
ERR_MUST_CHECK enum err_code blas_svd(enum dtype dtype, uint64_t m, uint64_t n, bool full, void *a,
                                      void *s, void *u, void *vh, struct err *err);
/* a[n,n] becomes l with a = l l^H; what stands above the diagonal is not read, and zero after it.
 * ERR_INVALID_ARGUMENT when a is not positive definite. */
ERR_MUST_CHECK enum err_code blas_cholesky(enum dtype dtype, uint64_t n, void *a, struct err *err);
/* a[n,n] becomes its inverse. ERR_INVALID_ARGUMENT "Input is not invertible." */
ERR_MUST_CHECK enum err_code blas_inverse(enum dtype dtype, uint64_t n, void *a, struct err *err);
/* *out, of the dtype. a is overwritten. */
ERR_MUST_CHECK enum err_code blas_determinant(enum dtype dtype, uint64_t n, void *a, void *out,
                                              struct err *err);
/* x with a x = b, or a^H x = b. b is [n,columns] and becomes x; a is overwritten.
 * ERR_INVALID_ARGUMENT "Input matrix is not invertible." */
ERR_MUST_CHECK enum err_code blas_solve(enum dtype dtype, bool adjoint, uint64_t n,
                                        uint64_t columns, void *a, void *b, struct err *err);

#endif
