/* Factorizations, and what is made of them: the one place that talks to LAPACKE. Only the *_work
 * functions in column-major order are called: those allocate nothing. */
#include <string.h>

#include <lapacke.h>

#include "service/tensor/blas.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* How LAPACK's blocked algorithms cut; a larger workspace gains nothing. */
enum { BLOCK = 64 };

static uint64_t
times(uint64_t a, uint64_t b)
{
    return __builtin_mul_overflow(a, b, &a) ? UINT64_MAX : a;
}

static uint64_t
plus(uint64_t a, uint64_t b)
{
    return __builtin_add_overflow(a, b, &a) ? UINT64_MAX : a;
}

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
greatest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* LAPACKE_<letter><name>_work of the dtype, in column-major order; `complex` is the name that the
 * function for complex matrices has. */
#define LAPACK(info, dtype, real, complex, ...)                                                    \
    do {                                                                                           \
        if ((dtype) == DTYPE_FLOAT32)                                                              \
            (info) = LAPACKE_s##real##_work(LAPACK_COL_MAJOR, __VA_ARGS__);                        \
        else if ((dtype) == DTYPE_FLOAT64)                                                         \
            (info) = LAPACKE_d##real##_work(LAPACK_COL_MAJOR, __VA_ARGS__);                        \
        else if ((dtype) == DTYPE_COMPLEX64)                                                       \
            (info) = LAPACKE_c##complex##_work(LAPACK_COL_MAJOR, __VA_ARGS__);                     \
        else                                                                                       \
            (info) = LAPACKE_z##complex##_work(LAPACK_COL_MAJOR, __VA_ARGS__);                     \
    } while (0)

/* An argument that LAPACK refuses is a mistake of ours. */
static enum err_code
check_info(lapack_int info, const char *what, struct err *err)
{
    if (info >= 0)
        return OK;
    return err_set(err, ERR_INTERNAL, "LAPACK refuses argument %d of %s", (int)-info, what);
}

/* --- QR ------------------------------------------------------------------------------------ */

uint64_t
blas_qr_bytes(enum dtype dtype, uint64_t m, uint64_t n, bool full)
{
    uint64_t rows = full ? m : least(m, n);

    return times(plus(least(m, n), times(BLOCK, greatest(n, rows))), dtype_size(dtype));
}

/* r: what stands on and right of the diagonal, in the first k rows. */
static void
copy_triangle(uint32_t size, uint64_t k, uint64_t rows, uint64_t n, const uint8_t *a, uint8_t *r)
{
    memset(r, 0, (size_t)(rows * n * size));
    for (uint64_t i = 0; i < k; i++)
        memcpy(r + (i * n + i) * size, a + (i * n + i) * size, (size_t)((n - i) * size));
}

/* The transpose of a has an LQ decomposition whose transpose is the QR of a: a^T = l p gives a =
 * p^T l^T. Reflections stand in the rows of the transpose, which are a's columns. */
enum err_code
blas_qr(enum dtype dtype, uint64_t m, uint64_t n, bool full, void *a, void *q, void *r,
        struct err *err)
{
    uint64_t k = least(m, n), rows = full ? m : k, work_count = BLOCK * greatest(n, rows);
    uint32_t size = dtype_size(dtype);
    AUTO_CALL(mem_free_scope) void *memory = NULL;
    lapack_int info = 0;
    uint8_t *work;

    CHECK(blas_has(dtype) && m > 0 && n > 0);
    TRY(blas_check_sizes(m, n, work_count, err));
    memory = mem_aligned((size_t)blas_qr_bytes(dtype, m, n, full), err);
    if (memory == NULL)
        return ERR_NO_MEMORY;
    work = (uint8_t *)memory + k * size;
    LAPACK(info, dtype, gelqf, gelqf, (int)n, (int)m, a, (int)n, memory, (void *)work,
           (int)work_count);
    TRY(check_info(info, "gelqf", err));
    if (r != NULL)
        copy_triangle(size, k, rows, n, a, r);
    if (q == NULL)
        return OK;
    memset(q, 0, (size_t)(m * rows * size));
    for (uint64_t i = 0; i < m; i++)
        memcpy((uint8_t *)q + i * rows * size, (uint8_t *)a + i * n * size, (size_t)(k * size));
    LAPACK(info, dtype, orglq, unglq, (int)rows, (int)m, (int)k, q, (int)rows, memory, (void *)work,
           (int)work_count);
    return check_info(info, "orglq", err);
}

/* --- singular values ----------------------------------------------------------------------- */

/* Workspaces of gesdd, in elements, as its documentation states them for every way it may go. */
struct svd_work {
    uint64_t work, reals, integers;
};

static struct svd_work
svd_work_of(enum dtype dtype, uint64_t m, uint64_t n)
{
    uint64_t mn = least(m, n), mx = greatest(m, n);
    uint64_t square = times(mn, mn), blocked = times(BLOCK, plus(m, n));
    struct svd_work work = {.integers = times(8, mn)};

    if (!dtype_is_complex(dtype)) {
        work.work = plus(plus(times(4, square), times(7, mn)), plus(mx, blocked));
        return work;
    }
    work.work = plus(plus(times(2, square), times(3, mn)), plus(mx, blocked));
    work.reals = plus(greatest(times(5, square), plus(times(times(2, mx), mn), times(2, square))),
                      times(7, mn));
    return work;
}

static uint32_t
real_size(enum dtype dtype)
{
    return dtype == DTYPE_FLOAT32 || dtype == DTYPE_COMPLEX64 ? 4 : 8;
}

uint64_t
blas_svd_bytes(enum dtype dtype, uint64_t m, uint64_t n)
{
    struct svd_work work = svd_work_of(dtype, m, n);

    return plus(times(work.work, dtype_size(dtype)),
                plus(times(work.reals, real_size(dtype)), times(work.integers, sizeof(int))));
}

/* The transpose has the same singular values and the two sides exchanged: u comes out transposed,
 * which is how it stands row-major. */
enum err_code
blas_svd(enum dtype dtype, uint64_t m, uint64_t n, bool full, void *a, void *s, void *u, void *vh,
         struct err *err)
{
    struct svd_work sizes = svd_work_of(dtype, m, n);
    uint64_t k = least(m, n), rows = full ? m : k;
    char job = u == NULL ? 'N' : full ? 'A' : 'S';
    AUTO_CALL(mem_free_scope) void *memory = NULL;
    void *left = u == NULL ? a : vh, *right = u == NULL ? a : u, *reals, *integers;
    int ldu = (int)n, ldvt = (int)rows, count = (int)sizes.work;
    lapack_int info = 0;

    CHECK(blas_has(dtype) && m > 0 && n > 0);
    TRY(blas_check_sizes(m, n, greatest(sizes.work, sizes.reals), err));
    memory = mem_aligned((size_t)blas_svd_bytes(dtype, m, n), err);
    if (memory == NULL)
        return ERR_NO_MEMORY;
    reals = (uint8_t *)memory + sizes.work * dtype_size(dtype);
    integers = (uint8_t *)reals + sizes.reals * real_size(dtype);
    if (dtype == DTYPE_FLOAT32)
        info = LAPACKE_sgesdd_work(LAPACK_COL_MAJOR, job, (int)n, (int)m, a, (int)n, s, left, ldu,
                                   right, ldvt, memory, count, integers);
    else if (dtype == DTYPE_FLOAT64)
        info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, job, (int)n, (int)m, a, (int)n, s, left, ldu,
                                   right, ldvt, memory, count, integers);
    else if (dtype == DTYPE_COMPLEX64)
        info = LAPACKE_cgesdd_work(LAPACK_COL_MAJOR, job, (int)n, (int)m, a, (int)n, s, left, ldu,
                                   right, ldvt, memory, count, reals, integers);
    else
        info = LAPACKE_zgesdd_work(LAPACK_COL_MAJOR, job, (int)n, (int)m, a, (int)n, s, left, ldu,
                                   right, ldvt, memory, count, reals, integers);
    TRY(check_info(info, "gesdd", err));
    if (info > 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the singular value decomposition did not converge");
    return OK;
}

/* --- Cholesky ------------------------------------------------------------------------------ */

/* Row-major's lower triangle is column-major's upper one. */
enum err_code
blas_cholesky(enum dtype dtype, uint64_t n, void *a, struct err *err)
{
    uint32_t size = dtype_size(dtype);
    lapack_int info = 0;

    CHECK(blas_has(dtype) && n > 0);
    TRY(blas_check_sizes(n, 0, 0, err));
    LAPACK(info, dtype, potrf, potrf, 'U', (int)n, a, (int)n);
    TRY(check_info(info, "potrf", err));
    if (info > 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Cholesky decomposition was not successful. The input might not be valid.");
    for (uint64_t i = 0; i < n; i++)
        memset((uint8_t *)a + (i * n + i + 1) * size, 0, (size_t)((n - 1 - i) * size));
    return OK;
}

/* --- LU ------------------------------------------------------------------------------------ */

uint64_t
blas_inverse_bytes(enum dtype dtype, uint64_t n)
{
    return plus(times(times(BLOCK, n), dtype_size(dtype)), times(n, sizeof(int)));
}

uint64_t
blas_solve_bytes(enum dtype dtype, uint64_t n, uint64_t columns)
{
    return plus(times(times(n, columns), dtype_size(dtype)), times(n, sizeof(int)));
}

/* The inverse of the transpose is the transpose of the inverse. */
enum err_code
blas_inverse(enum dtype dtype, uint64_t n, void *a, struct err *err)
{
    uint64_t work_count = BLOCK * n;
    AUTO_CALL(mem_free_scope) void *work = NULL;
    lapack_int info = 0;
    int *pivots;

    CHECK(blas_has(dtype) && n > 0);
    TRY(blas_check_sizes(n, work_count, 0, err));
    work = mem_aligned((size_t)blas_inverse_bytes(dtype, n), err);
    if (work == NULL)
        return ERR_NO_MEMORY;
    pivots = (int *)(void *)((uint8_t *)work + work_count * dtype_size(dtype));
    LAPACK(info, dtype, getrf, getrf, (int)n, (int)n, a, (int)n, pivots);
    TRY(check_info(info, "getrf", err));
    if (info == 0)
        LAPACK(info, dtype, getri, getri, (int)n, a, (int)n, pivots, work, (int)work_count);
    TRY(check_info(info, "getri", err));
    if (info > 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "Input is not invertible.");
    return OK;
}

/* Part `part` of the diagonal's i-th element. */
static double
diagonal(enum dtype dtype, const void *a, uint64_t n, uint64_t i, uint32_t part)
{
    uint64_t at = dtype_is_complex(dtype) ? 2 * (i * n + i) + part : i * n + i;

    if (!dtype_is_complex(dtype) && part == 1)
        return 0;
    return real_size(dtype) == 4 ? (double)((const float *)a)[at] : ((const double *)a)[at];
}

static void
multiply_diagonal(enum dtype dtype, uint64_t n, const void *a, const int *pivots, void *out)
{
    double re = 1, im = 0;

    for (uint64_t i = 0; i < n; i++) {
        double x = diagonal(dtype, a, n, i, 0), y = diagonal(dtype, a, n, i, 1);
        double sign = pivots[i] == (int)i + 1 ? 1 : -1, old = re;

        re = dtype_is_complex(dtype) ? sign * (re * x - im * y) : sign * re * x;
        im = dtype_is_complex(dtype) ? sign * (old * y + im * x) : 0;
    }
    if (real_size(dtype) == 4) {
        ((float *)out)[0] = (float)re;
        if (dtype_is_complex(dtype))
            ((float *)out)[1] = (float)im;
        return;
    }
    ((double *)out)[0] = re;
    if (dtype_is_complex(dtype))
        ((double *)out)[1] = im;
}

enum err_code
blas_determinant(enum dtype dtype, uint64_t n, void *a, void *out, struct err *err)
{
    AUTO_CALL(mem_free_scope) void *pivots = NULL;
    lapack_int info = 0;

    CHECK(blas_has(dtype) && n > 0);
    TRY(blas_check_sizes(n, 0, 0, err));
    pivots = mem_aligned((size_t)n * sizeof(int), err);
    if (pivots == NULL)
        return ERR_NO_MEMORY;
    LAPACK(info, dtype, getrf, getrf, (int)n, (int)n, a, (int)n, pivots);
    TRY(check_info(info, "getrf", err));
    multiply_diagonal(dtype, n, a, pivots, out);
    return OK;
}

/* out[columns, rows] = transpose of in[rows, columns]; `conjugate`: of complex ones, conjugated. */
static void
transpose(enum dtype dtype, uint64_t rows, uint64_t columns, const uint8_t *in, uint8_t *out,
          bool conjugate)
{
    uint32_t size = dtype_size(dtype);

    for (uint64_t i = 0; i < rows; i++)
        for (uint64_t k = 0; k < columns; k++) {
            uint8_t *to = out + (k * rows + i) * size;

            memcpy(to, in + (i * columns + k) * size, size);
            if (conjugate)
                to[size - 1] ^= 0x80; /* little-endian: the imaginary part's sign */
        }
}

/* LU of the transpose t = a^T. a x = b is t^T x = b; a^H x = b is conj(t) x = b, which is solved as
 * t conj(x) = conj(b). */
enum err_code
blas_solve(enum dtype dtype, bool adjoint, uint64_t n, uint64_t columns, void *a, void *b,
           struct err *err)
{
    bool conjugate = adjoint && dtype_is_complex(dtype);
    AUTO_CALL(mem_free_scope) void *memory = NULL;
    lapack_int info = 0;
    int *pivots;

    CHECK(blas_has(dtype) && n > 0 && columns > 0);
    TRY(blas_check_sizes(n, columns, 0, err));
    memory = mem_aligned((size_t)blas_solve_bytes(dtype, n, columns), err);
    if (memory == NULL)
        return ERR_NO_MEMORY;
    pivots = (int *)(void *)((uint8_t *)memory + n * columns * dtype_size(dtype));
    LAPACK(info, dtype, getrf, getrf, (int)n, (int)n, a, (int)n, pivots);
    TRY(check_info(info, "getrf", err));
    if (info > 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "Input matrix is not invertible.");
    transpose(dtype, n, columns, b, memory, conjugate);
    LAPACK(info, dtype, getrs, getrs, adjoint ? 'N' : 'T', (int)n, (int)columns, a, (int)n, pivots,
           memory, (int)n);
    TRY(check_info(info, "getrs", err));
    transpose(dtype, columns, n, memory, b, conjugate);
    return OK;
}
