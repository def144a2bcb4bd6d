/* Decompositions, against what defines them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/alloc.h"
#include "tests/unit/service/blas_matrix.h"

/* --- decompositions ------------------------------------------------------------------------ */

static const uint64_t sides[][2] = {{1, 1}, {5, 3}, {3, 5}, {4, 4}, {40, 2}, {2, 40}, {40, 39}};
enum { SIDES = sizeof sides / sizeof sides[0] };

static void
check_qr(enum dtype dtype, uint64_t m, uint64_t n, bool full)
{
    static _Alignas(64) uint8_t a[ELEMENTS * 16], q[ELEMENTS * 16], r[ELEMENTS * 16];
    static struct matrix x, mq, mr, back;
    uint64_t inner = full ? m : m < n ? m : n;

    draw(dtype, m, n, 5, &x);
    store(dtype, &x, a);
    assert_int_equal(blas_qr(dtype, m, n, full, a, q, r, NULL), OK);
    load(dtype, q, m, inner, &mq);
    load(dtype, r, inner, n, &mr);
    back = product(&mq, BLAS_AS_IS, &mr, BLAS_AS_IS);
    check_near(&back, &x, tolerance(dtype));
    back = product(&mq, BLAS_ADJOINT, &mq, BLAS_AS_IS);
    check_identity(&back, tolerance(dtype));
    for (uint64_t i = 0; i < inner; i++)
        for (uint64_t k = 0; k < i && k < n; k++)
            assert_true(mr.at[i * n + k] == 0);
}

static void
qr_gives_an_orthogonal_and_a_triangular_factor(void **state)
{
    (void)state;
    for (size_t d = 0; d < DTYPES; d++)
        for (size_t i = 0; i < SIDES; i++)
            for (int full = 0; full < 2; full++)
                check_qr(dtypes[d], sides[i][0], sides[i][1], full == 1);
}

static void
check_svd(enum dtype dtype, uint64_t m, uint64_t n, bool full)
{
    static _Alignas(64) uint8_t a[ELEMENTS * 16], u[ELEMENTS * 16], vh[ELEMENTS * 16];
    static _Alignas(64) uint8_t s[SIDE_MAX * 16], alone[SIDE_MAX * 16];
    static struct matrix x, mu, mv, ms, scaled, back;
    enum dtype real = is_single(dtype) ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
    uint64_t k = m < n ? m : n, left = full ? m : k, right = full ? n : k;

    draw(dtype, m, n, 6, &x);
    store(dtype, &x, a);
    assert_int_equal(blas_svd(dtype, m, n, full, a, s, u, vh, NULL), OK);
    load(dtype, u, m, left, &mu);
    load(dtype, vh, right, n, &mv);
    load(real, s, k, 1, &ms);
    scaled = (struct matrix){.rows = left, .columns = n};
    for (uint64_t i = 0; i < k; i++)
        for (uint64_t c = 0; c < n; c++)
            scaled.at[i * n + c] = ms.at[i] * mv.at[i * n + c];
    back = product(&mu, BLAS_AS_IS, &scaled, BLAS_AS_IS);
    check_near(&back, &x, tolerance(dtype));
    back = product(&mu, BLAS_ADJOINT, &mu, BLAS_AS_IS);
    check_identity(&back, tolerance(dtype));
    back = product(&mv, BLAS_AS_IS, &mv, BLAS_ADJOINT);
    check_identity(&back, tolerance(dtype));
    for (uint64_t i = 1; i < k; i++)
        assert_true(creal(ms.at[i - 1]) >= creal(ms.at[i]) && creal(ms.at[i]) >= 0);
    store(dtype, &x, a);
    assert_int_equal(blas_svd(dtype, m, n, full, a, alone, NULL, NULL, NULL), OK);
    load(real, alone, k, 1, &back);
    check_near(&back, &ms, tolerance(dtype));
}

static void
svd_gives_falling_values_between_orthogonal_factors(void **state)
{
    (void)state;
    for (size_t d = 0; d < DTYPES; d++)
        for (size_t i = 0; i < SIDES; i++)
            for (int full = 0; full < 2; full++)
                check_svd(dtypes[d], sides[i][0], sides[i][1], full == 1);
}

/* Well away from singular. */
static void
draw_regular(enum dtype dtype, uint64_t n, struct matrix *out)
{
    draw(dtype, n, n, 8, out);
    for (uint64_t i = 0; i < n; i++)
        out->at[i * n + i] += (double)n;
}

static void
cholesky_gives_the_lower_factor_and_reads_no_more(void **state)
{
    static _Alignas(64) uint8_t a[ELEMENTS * 16];
    static struct matrix x, positive, l, back;

    (void)state;
    for (size_t d = 0; d < DTYPES; d++)
        for (uint64_t n = 1; n < 12; n += 5) {
            draw_regular(dtypes[d], n, &x);
            positive = product(&x, BLAS_AS_IS, &x, BLAS_ADJOINT);
            back = positive;
            for (uint64_t i = 0; i < n; i++)
                for (uint64_t k = i + 1; k < n; k++)
                    back.at[i * n + k] = 1e9;
            store(dtypes[d], &back, a);
            assert_int_equal(blas_cholesky(dtypes[d], n, a, NULL), OK);
            load(dtypes[d], a, n, n, &l);
            for (uint64_t i = 0; i < n; i++)
                for (uint64_t k = i + 1; k < n; k++)
                    assert_true(l.at[i * n + k] == 0);
            back = product(&l, BLAS_AS_IS, &l, BLAS_ADJOINT);
            check_near(&back, &positive, 100 * tolerance(dtypes[d]));
        }
}

static void
inverse_and_solution_undo_the_product(void **state)
{
    static _Alignas(64) uint8_t a[ELEMENTS * 16], b[ELEMENTS * 16];
    static struct matrix x, y, inverse, back;

    (void)state;
    for (size_t d = 0; d < DTYPES; d++)
        for (int adjoint = 0; adjoint < 2; adjoint++) {
            enum blas_form form = adjoint == 1 ? BLAS_ADJOINT : BLAS_AS_IS;

            draw_regular(dtypes[d], 7, &x);
            draw(dtypes[d], 7, 3, 9, &y);
            store(dtypes[d], &x, a);
            assert_int_equal(blas_inverse(dtypes[d], 7, a, NULL), OK);
            load(dtypes[d], a, 7, 7, &inverse);
            back = product(&x, BLAS_AS_IS, &inverse, BLAS_AS_IS);
            check_identity(&back, tolerance(dtypes[d]));
            store(dtypes[d], &x, a);
            store(dtypes[d], &y, b);
            assert_int_equal(blas_solve(dtypes[d], adjoint == 1, 7, 3, a, b, NULL), OK);
            load(dtypes[d], b, 7, 3, &inverse);
            back = product(&x, form, &inverse, BLAS_AS_IS);
            check_near(&back, &y, tolerance(dtypes[d]));
        }
}

static void
determinants_have_their_sign(void **state)
{
    static const double swapped[] = {0, 2, 0, 3, 0, 0, 0, 0, 5}, flat[] = {1, 2, 2, 4};
    static const double turn[] = {0, 1, 0, 0, 0, 0, 0, 1}; /* diag(i, i) */
    double a[9], out[2] = {7, 7};

    (void)state;
    memcpy(a, swapped, sizeof swapped);
    assert_int_equal(blas_determinant(DTYPE_FLOAT64, 3, a, out, NULL), OK);
    assert_true(fabs(out[0] + 30) < 1e-12 && out[1] == 7);
    memcpy(a, flat, sizeof flat);
    assert_int_equal(blas_determinant(DTYPE_FLOAT64, 2, a, out, NULL), OK);
    assert_true(out[0] == 0);
    memcpy(a, turn, sizeof turn);
    assert_int_equal(blas_determinant(DTYPE_COMPLEX128, 2, a, out, NULL), OK);
    assert_true(out[0] == -1 && out[1] == 0);
}

static void
what_has_no_result_is_refused(void **state)
{
    double zero[4] = {0}, b[2] = {1, 1}, indefinite[] = {1, 2, 2, 1};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(blas_inverse(DTYPE_FLOAT64, 2, zero, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "Input is not invertible.");
    err_clear(&err);
    assert_int_equal(blas_solve(DTYPE_FLOAT64, false, 2, 1, zero, b, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "Input matrix is not invertible.");
    err_clear(&err);
    assert_int_equal(blas_cholesky(DTYPE_FLOAT64, 2, indefinite, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text,
                        "Cholesky decomposition was not successful. The input might not be valid.");
}

static void
short_memory_is_an_error(void **state)
{
    double a[] = {2, 0, 0, 2}, q[4], b[2] = {0};

    (void)state;
    mem_fail_at(1, 1);
    assert_int_equal(blas_qr(DTYPE_FLOAT64, 2, 2, false, a, q, NULL, NULL), ERR_NO_MEMORY);
    assert_int_equal(blas_svd(DTYPE_FLOAT64, 2, 2, false, a, b, NULL, NULL, NULL), ERR_NO_MEMORY);
    assert_int_equal(blas_inverse(DTYPE_FLOAT64, 2, a, NULL), ERR_NO_MEMORY);
    assert_int_equal(blas_solve(DTYPE_FLOAT64, false, 2, 1, a, b, NULL), ERR_NO_MEMORY);
    assert_int_equal(blas_determinant(DTYPE_FLOAT64, 2, a, b, NULL), ERR_NO_MEMORY);
    mem_fail_at(0, 0);
    assert_true(a[0] == 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(qr_gives_an_orthogonal_and_a_triangular_factor),
        cmocka_unit_test(svd_gives_falling_values_between_orthogonal_factors),
        cmocka_unit_test(cholesky_gives_the_lower_factor_and_reads_no_more),
        cmocka_unit_test(inverse_and_solution_undo_the_product),
        cmocka_unit_test(determinants_have_their_sign),
        cmocka_unit_test(what_has_no_result_is_refused),
        cmocka_unit_test(short_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
