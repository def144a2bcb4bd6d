/* Products of matrices: against loops in float64; limits; several threads at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <limits.h>
#include <pthread.h>

#include "tests/unit/service/blas_matrix.h"

/* --- products ------------------------------------------------------------------------------ */

static void
check_gemm(enum dtype dtype, uint64_t m, uint64_t n, uint64_t k, enum blas_form fa,
           enum blas_form fb)
{
    static _Alignas(64) uint8_t a[ELEMENTS * 16], b[ELEMENTS * 16], c[ELEMENTS * 16];
    static struct matrix x, y, got, expected;
    struct blas_product p = {m, n, k, fa, fb, 0};

    draw(dtype, fa == BLAS_AS_IS ? m : k, fa == BLAS_AS_IS ? k : m, 1, &x);
    draw(dtype, fb == BLAS_AS_IS ? k : n, fb == BLAS_AS_IS ? n : k, 2, &y);
    store(dtype, &x, a);
    store(dtype, &y, b);
    memset(c, 0xFF, sizeof c); /* NaN: what was there does not matter */
    assert_int_equal(blas_gemm(dtype, &p, a, b, c, NULL), OK);
    load(dtype, c, m, n, &got);
    expected = product(&x, fa, &y, fb);
    check_near(&got, &expected, tolerance(dtype));
}

static void
products_equal_the_sums_that_define_them(void **state)
{
    static const uint64_t sizes[][3] = {{1, 1, 1}, {2, 3, 4}, {40, 1, 7},  {1, 40, 33},
                                        {0, 3, 2}, {3, 2, 0}, {33, 31, 40}};

    (void)state;
    for (size_t d = 0; d < DTYPES; d++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (int form = 0; form < 9; form++)
                check_gemm(dtypes[d], sizes[i][0], sizes[i][1], sizes[i][2],
                           (enum blas_form)(form / 3), (enum blas_form)(form % 3));
}

static void
matrices_times_vectors_equal_products(void **state)
{
    static _Alignas(64) uint8_t a[ELEMENTS * 16], x[SIDE_MAX * 16], y[SIDE_MAX * 16];
    static struct matrix m, v, got, expected;

    (void)state;
    for (size_t d = 0; d < DTYPES; d++)
        for (int form = 0; form < 3; form++) {
            uint64_t in = form == BLAS_AS_IS ? 5 : 7, out = form == BLAS_AS_IS ? 7 : 5;

            draw(dtypes[d], 7, 5, 3, &m);
            draw(dtypes[d], in, 1, 4, &v);
            store(dtypes[d], &m, a);
            store(dtypes[d], &v, x);
            memset(y, 0xFF, sizeof y);
            assert_int_equal(blas_gemv(dtypes[d], (enum blas_form)form, 7, 5, a, x, y, NULL), OK);
            load(dtypes[d], y, out, 1, &got);
            expected = product(&m, (enum blas_form)form, &v, BLAS_AS_IS);
            check_near(&got, &expected, tolerance(dtypes[d]));
            assert_int_equal(blas_dot(dtypes[d], in, x, x, y, NULL), OK);
            load(dtypes[d], y, 1, 1, &got);
            expected = product(&v, BLAS_TRANSPOSED, &v, BLAS_AS_IS);
            check_near(&got, &expected, tolerance(dtypes[d]));
        }
}

static void
int32_products_wrap_as_the_plain_twin_does(void **state)
{
    static const uint64_t sizes[][3] = {{1, 1, 1}, {2, 3, 4}, {5, 1100, 70}, {3, 0, 2}, {3, 2, 0}};
    static int32_t a[70 * 5], b[70 * 1100], c[5 * 1100], plain[5 * 1100], scratch[70 * 1100];
    uint32_t bits = 1;

    (void)state;
    for (size_t i = 0; i < sizeof b / sizeof b[0]; i++) {
        bits = bits * 1664525 + 1013904223;
        b[i] = (int32_t)bits;
        if (i < sizeof a / sizeof a[0])
            a[i] = (int32_t)~bits;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int form = 0; form < 9; form++) {
            struct blas_product p = {sizes[i][0],
                                     sizes[i][1],
                                     sizes[i][2],
                                     (enum blas_form)(form / 3),
                                     (enum blas_form)(form % 3),
                                     0};

            blas_gemm_int32(&p, a, b, c, scratch);
            blas_gemm_int32_plain(&p, a, b, plain);
            assert_memory_equal(c, plain, p.m * p.n * sizeof c[0]);
        }
}

/* Rows 1 and 2 of 3, as they stand in a or across it. */
static void
rows_of_a_product_are_had_alone(void **state)
{
    static const double a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, -1, 2, 0.5};
    static const int32_t integers[] = {1, 2, 3, 4, 5, 6}, factors[] = {1, -1, 2, 5};
    double whole[6], part[4];
    int32_t all[6], some[4];

    (void)state;
    for (int form = BLAS_AS_IS; form <= BLAS_TRANSPOSED; form++) {
        struct blas_product p = {.m = 3, .n = 2, .k = 2, .a = (enum blas_form)form};
        struct blas_product rows = p;
        size_t skip = form == BLAS_AS_IS ? 2 : 1;

        rows.m = 2;
        rows.a_step = blas_a_step(&p);
        assert_int_equal(blas_gemm(DTYPE_FLOAT64, &p, a, b, whole, NULL), OK);
        assert_int_equal(blas_gemm(DTYPE_FLOAT64, &rows, a + skip, b, part, NULL), OK);
        assert_memory_equal(part, whole + 2, sizeof part);
        blas_gemm_int32(&p, integers, factors, all, NULL);
        blas_gemm_int32(&rows, integers + skip, factors, some, NULL);
        assert_memory_equal(some, all + 2, sizeof some);
        blas_gemm_int32_plain(&rows, integers + skip, factors, some);
        assert_memory_equal(some, all + 2, sizeof some);
    }
}

static void
int32_products_of_small_numbers_are_known(void **state)
{
    static const int32_t a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, expected[] = {19, 22, 43, 50};
    struct blas_product p = {2, 2, 2, BLAS_AS_IS, BLAS_AS_IS, 0};
    int32_t c[4];

    (void)state;
    blas_gemm_int32(&p, a, b, c, NULL);
    assert_memory_equal(c, expected, sizeof c);
}

static void
sizes_past_int_are_refused(void **state)
{
    struct blas_product p = {(uint64_t)INT_MAX + 1, 1, 1, BLAS_AS_IS, BLAS_AS_IS, 0};
    struct err err = ERR_INIT;
    float x = 0;

    (void)state;
    assert_int_equal(blas_gemm(DTYPE_FLOAT32, &p, &x, &x, &x, &err), ERR_PAYLOAD_TOO_LARGE);
    assert_non_null(strstr(err.text, "2147483648"));
    assert_int_equal(blas_dot(DTYPE_FLOAT32, UINT64_MAX, &x, &x, &x, NULL), ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(blas_svd(DTYPE_FLOAT32, 30000, 30000, false, &x, &x, NULL, NULL, NULL),
                     ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(blas_qr(DTYPE_FLOAT32, 1, 1 << 30, false, &x, &x, NULL, NULL),
                     ERR_PAYLOAD_TOO_LARGE);
    assert_true(blas_svd_bytes(DTYPE_FLOAT64, UINT64_MAX / 2, UINT64_MAX / 2) == UINT64_MAX);
}

/* --- threads ------------------------------------------------------------------------------- */

enum { LARGE = 160, CALLERS = 4 };

struct call {
    const float *a, *b;
    float *c;
};

static void *
multiply_large(void *context)
{
    struct call *call = context;
    struct blas_product p = {LARGE, LARGE, LARGE, BLAS_AS_IS, BLAS_AS_IS, 0};

    for (int i = 0; i < 5; i++)
        if (blas_gemm(DTYPE_FLOAT32, &p, call->a, call->b, call->c, NULL) != OK)
            return NULL;
    return call;
}

static void
several_threads_multiply_at_a_time(void **state)
{
    static float a[LARGE * LARGE], b[LARGE * LARGE], c[CALLERS][LARGE * LARGE];
    struct call calls[CALLERS];
    pthread_t threads[CALLERS];

    (void)state;
    for (size_t i = 0; i < LARGE * LARGE; i++) {
        a[i] = (float)(i % 7);
        b[i] = (float)(i % 5);
    }
    for (uint32_t count = 1; count <= 2; count++) {
        blas_set_threads(count);
        for (size_t i = 0; i < CALLERS; i++) {
            calls[i] = (struct call){a, b, c[i]};
            assert_int_equal(pthread_create(&threads[i], NULL, multiply_large, &calls[i]), 0);
        }
        for (size_t i = 0; i < CALLERS; i++) {
            void *done = NULL;

            assert_int_equal(pthread_join(threads[i], &done), 0);
            assert_non_null(done);
            assert_memory_equal(c[i], c[0], sizeof c[0]); /* small integers: exact */
        }
    }
    blas_set_threads(1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_equal_the_sums_that_define_them),
        cmocka_unit_test(matrices_times_vectors_equal_products),
        cmocka_unit_test(int32_products_wrap_as_the_plain_twin_does),
        cmocka_unit_test(rows_of_a_product_are_had_alone),
        cmocka_unit_test(int32_products_of_small_numbers_are_known),
        cmocka_unit_test(sizes_past_int_are_refused),
        cmocka_unit_test(several_threads_multiply_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
