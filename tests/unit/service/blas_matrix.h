/* Matrices for tests of linear algebra: in the widest type beside the one that is tested. */
#ifndef TESTS_UNIT_SERVICE_BLAS_MATRIX_H
#define TESTS_UNIT_SERVICE_BLAS_MATRIX_H

#include <complex.h>
#include <math.h>
#include <string.h>

#include "service/tensor/blas.h"
#include "service/tensor/convert.h"

enum { SIDE_MAX = 40, ELEMENTS = SIDE_MAX * SIDE_MAX };

static const enum dtype dtypes[] = {DTYPE_FLOAT32, DTYPE_FLOAT64, DTYPE_COMPLEX64,
                                    DTYPE_COMPLEX128};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

/* A matrix in the widest type; `stored` holds it in the one that is tested. */
struct matrix {
    uint64_t rows, columns;
    double complex at[ELEMENTS];
};

static inline bool
is_single(enum dtype dtype)
{
    return dtype == DTYPE_FLOAT32 || dtype == DTYPE_COMPLEX64;
}

static inline double
tolerance(enum dtype dtype)
{
    return is_single(dtype) ? 2e-4 : 1e-11;
}

static inline void
store(enum dtype dtype, const struct matrix *m, void *out)
{
    tensor_cast(DTYPE_COMPLEX128, m->at, dtype, out, m->rows * m->columns);
}

static inline void
load(enum dtype dtype, const void *in, uint64_t rows, uint64_t columns, struct matrix *out)
{
    out->rows = rows;
    out->columns = columns;
    tensor_cast(dtype, in, DTYPE_COMPLEX128, out->at, rows * columns);
}

/* Numbers that float32 holds. */
static inline void
draw(enum dtype dtype, uint64_t rows, uint64_t columns, uint32_t seed, struct matrix *out)
{
    bool complex_ = dtype == DTYPE_COMPLEX64 || dtype == DTYPE_COMPLEX128;
    uint32_t state = seed;

    *out = (struct matrix){.rows = rows, .columns = columns};
    for (uint64_t i = 0; i < rows * columns; i++) {
        double parts[2] = {0};

        for (int part = 0; part < (complex_ ? 2 : 1); part++) {
            state = state * 1664525 + 1013904223;
            parts[part] = (double)(state >> 16) / 32768 - 1;
        }
        memcpy(&out->at[i], parts, sizeof parts); /* as C11 lays complex numbers out */
    }
}

static inline double complex
formed(const struct matrix *m, enum blas_form form, uint64_t row, uint64_t column)
{
    double complex value;

    if (form == BLAS_AS_IS)
        return m->at[row * m->columns + column];
    value = m->at[column * m->columns + row];
    return form == BLAS_ADJOINT ? conj(value) : value;
}

static inline struct matrix
product(const struct matrix *a, enum blas_form fa, const struct matrix *b, enum blas_form fb)
{
    struct matrix c = {.rows = fa == BLAS_AS_IS ? a->rows : a->columns,
                       .columns = fb == BLAS_AS_IS ? b->columns : b->rows};
    uint64_t inner = fa == BLAS_AS_IS ? a->columns : a->rows;

    for (uint64_t i = 0; i < c.rows; i++)
        for (uint64_t k = 0; k < c.columns; k++)
            for (uint64_t l = 0; l < inner; l++)
                c.at[i * c.columns + k] += formed(a, fa, i, l) * formed(b, fb, l, k);
    return c;
}

static inline void
check_near(const struct matrix *got, const struct matrix *expected, double most)
{
    assert_int_equal(got->rows, expected->rows);
    assert_int_equal(got->columns, expected->columns);
    for (uint64_t i = 0; i < got->rows * got->columns; i++)
        if (!(cabs(got->at[i] - expected->at[i]) <= most))
            fail_msg("element %d of [%d,%d] is %g%+gi, not %g%+gi", (int)i, (int)got->rows,
                     (int)got->columns, creal(got->at[i]), cimag(got->at[i]),
                     creal(expected->at[i]), cimag(expected->at[i]));
}

static inline void
check_identity(const struct matrix *m, double most)
{
    struct matrix one = {.rows = m->rows, .columns = m->columns};

    for (uint64_t i = 0; i < m->rows; i++)
        one.at[i * m->columns + i] = 1;
    check_near(m, &one, most);
}

#endif
