/* Products: the one place that talks to OpenBLAS itself. What LAPACK does is in blas_factor.c. */
#include "service/tensor/blas.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <cblas.h>

#include "store/base/check.h"

void
blas_set_threads(uint32_t threads)
{
    openblas_set_num_threads(threads < 1 || threads > INT_MAX ? 1 : (int)threads);
}

uint32_t
blas_threads(void)
{
    return (uint32_t)openblas_get_num_threads();
}

bool
blas_has(enum dtype dtype)
{
    return dtype == DTYPE_FLOAT32 || dtype == DTYPE_FLOAT64 || dtype == DTYPE_COMPLEX64 ||
           dtype == DTYPE_COMPLEX128;
}

static enum err_code
check_size(uint64_t size, struct err *err)
{
    if (size <= INT_MAX)
        return OK;
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "a size of %" PRIu64 " is more than the %d that linear algebra counts to", size,
                   INT_MAX);
}

enum err_code
blas_check_sizes(uint64_t a, uint64_t b, uint64_t c, struct err *err)
{
    TRY(check_size(a, err));
    TRY(check_size(b, err));
    return check_size(c, err);
}

/* --- products ------------------------------------------------------------------------------ */

static enum CBLAS_TRANSPOSE
form_of(enum blas_form form, enum dtype dtype)
{
    if (form == BLAS_AS_IS)
        return CblasNoTrans;
    return form == BLAS_ADJOINT && dtype_is_complex(dtype) ? CblasConjTrans : CblasTrans;
}

/* For a matrix without columns: BLAS wants at least 1 between rows. */
static int
row_length(uint64_t columns)
{
    return columns < 1 ? 1 : (int)columns;
}

uint64_t
blas_a_step(const struct blas_product *product)
{
    if (product->a_step != 0)
        return product->a_step;
    return product->a == BLAS_AS_IS ? product->k : product->m;
}

enum err_code
blas_gemm(enum dtype dtype, const struct blas_product *product, const void *a, const void *b,
          void *c, struct err *err)
{
    static const float one_c[] = {1, 0}, zero_c[] = {0, 0};
    static const double one_z[] = {1, 0}, zero_z[] = {0, 0};
    enum CBLAS_TRANSPOSE ta = form_of(product->a, dtype), tb = form_of(product->b, dtype);
    int m = (int)product->m, n = (int)product->n, k = (int)product->k;
    int lda = row_length(blas_a_step(product));
    int ldb = row_length(tb == CblasNoTrans ? product->n : product->k);

    CHECK(blas_has(dtype));
    if (product->m == 0 || product->n == 0)
        return OK;
    TRY(blas_check_sizes(product->m, product->n, product->k, err));
    TRY(blas_check_sizes(blas_a_step(product), 0, 0, err));
    if (product->k == 0)
        memset(c, 0, (size_t)(product->m * product->n) * dtype_size(dtype));
    else if (dtype == DTYPE_FLOAT32)
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
    else if (dtype == DTYPE_FLOAT64)
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
    else if (dtype == DTYPE_COMPLEX64)
        cblas_cgemm(CblasRowMajor, ta, tb, m, n, k, one_c, a, lda, b, ldb, zero_c, c, n);
    else
        cblas_zgemm(CblasRowMajor, ta, tb, m, n, k, one_z, a, lda, b, ldb, zero_z, c, n);
    return OK;
}

enum err_code
blas_gemv(enum dtype dtype, enum blas_form form, uint64_t rows, uint64_t columns, const void *a,
          const void *x, void *y, struct err *err)
{
    static const float one_c[] = {1, 0}, zero_c[] = {0, 0};
    static const double one_z[] = {1, 0}, zero_z[] = {0, 0};
    enum CBLAS_TRANSPOSE t = form_of(form, dtype);
    uint64_t count = form == BLAS_AS_IS ? rows : columns;
    int m = (int)rows, n = (int)columns, lda = row_length(columns);

    CHECK(blas_has(dtype));
    TRY(blas_check_sizes(rows, columns, 0, err));
    memset(y, 0, (size_t)count * dtype_size(dtype));
    if (rows == 0 || columns == 0)
        return OK;
    if (dtype == DTYPE_FLOAT32)
        cblas_sgemv(CblasRowMajor, t, m, n, 1, a, lda, x, 1, 0, y, 1);
    else if (dtype == DTYPE_FLOAT64)
        cblas_dgemv(CblasRowMajor, t, m, n, 1, a, lda, x, 1, 0, y, 1);
    else if (dtype == DTYPE_COMPLEX64)
        cblas_cgemv(CblasRowMajor, t, m, n, one_c, a, lda, x, 1, zero_c, y, 1);
    else
        cblas_zgemv(CblasRowMajor, t, m, n, one_z, a, lda, x, 1, zero_z, y, 1);
    return OK;
}

enum err_code
blas_dot(enum dtype dtype, uint64_t count, const void *x, const void *y, void *out, struct err *err)
{
    int n = (int)count;

    CHECK(blas_has(dtype));
    TRY(check_size(count, err));
    if (dtype == DTYPE_FLOAT32)
        *(float *)out = (float)cblas_dsdot(n, x, 1, y, 1);
    else if (dtype == DTYPE_FLOAT64)
        *(double *)out = cblas_ddot(n, x, 1, y, 1);
    else if (dtype == DTYPE_COMPLEX64)
        cblas_cdotu_sub(n, x, 1, y, 1, out);
    else
        cblas_zdotu_sub(n, x, 1, y, 1, out);
    return OK;
}
