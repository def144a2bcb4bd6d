/* Gradients of several contributions, averaged as a plain loop does it, and applied once: inside
 * commits and ahead of them, over restarts, from many threads. */
#include <pthread.h>

#include "service/tensor/convert.h"
#include "tests/unit/service/accumulation_inputs.h"

enum { SMALL = 7, BIG = 400001 }; /* float32: about 1.6 MB, staged */
enum { REPLICAS = 3 };

/* --- dense --------------------------------------------------------------------------------- */

static float
some_float(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(int32_t)*seed / 1e9f;
}

static float *
some_floats(int count, uint32_t seed)
{
    float *out = calloc((size_t)count, sizeof *out);

    assert_non_null(out);
    for (int i = 0; i < count; i++)
        out[i] = some_float(&seed);
    return out;
}

/* 0 - ((g0 + g1) + g2) / 3, each operation rounded. */
static void
average_in(struct domain *d, int count, bool reopens)
{
    float *gradients[REPLICAS], *expected = calloc((size_t)count, sizeof *expected);
    struct shape shape = exprs_shape(1, count);
    uint64_t before;

    assert_non_null(expected);
    furnish(d, DTYPE_FLOAT32, shape, expected);
    before = chunks(d);
    for (int r = 0; r < REPLICAS; r++) {
        gradients[r] = some_floats(count, (uint32_t)r + 1);
        contributes(d, dense_of("k", REPLICAS, DTYPE_FLOAT32, shape, gradients[r]),
                    r == REPLICAS - 1 ? OPTIMIZER_CONTRIBUTED_LAST : OPTIMIZER_CONTRIBUTED,
                    (uint32_t)r + 1);
        assert_int_equal(findings(d), 0);
        if (reopens)
            domain_reopen(d);
    }
    for (int i = 0; i < count; i++) {
        volatile float sum = gradients[0][i] + gradients[1][i];

        sum += gradients[2][i];
        expected[i] = 0 - sum / 3;
    }
    must_be(d, "w", DTYPE_FLOAT32, shape, expected, (size_t)count * sizeof *expected);
    assert_int_equal(chunks(d), before); /* the variable's are left, the sums' are not */
    for (int r = 0; r < REPLICAS; r++)
        free(gradients[r]);
    free(expected);
}

static void
small_gradients_are_averaged_inside_commits(void **state_)
{
    average_in(*state_, SMALL, true);
}

static void
big_gradients_are_averaged_ahead_of_commits(void **state_)
{
    average_in(*state_, BIG, true);
}

/* In the variable's own dtype, rounded at each step as TensorFlow's kernels do. */
static void
sums_are_in_the_variable_s_dtype(void **state_)
{
    struct domain *d = *state_;
    const double gradients[REPLICAS] = {1024, 0.5, 0.5};
    struct shape shape = exprs_shape(1, 1);
    uint16_t half[1] = {0};
    double wide[1] = {0}, got;

    furnish(d, DTYPE_FLOAT16, shape, half);
    for (int r = 0; r < REPLICAS; r++) {
        tensor_cast(DTYPE_FLOAT64, &gradients[r], DTYPE_FLOAT16, half, 1);
        WORKS(try_contribute(d, dense_of("k", REPLICAS, DTYPE_FLOAT16, shape, half)), &d->f->err);
    }
    tensor_cast(DTYPE_FLOAT64, &(double){-1024.0 / 3}, DTYPE_FLOAT16, half, 1);
    must_be(d, "w", DTYPE_FLOAT16, shape, half, sizeof half);
    delete_variable(d, "w");
    declare(d, "w", DTYPE_FLOAT64, shape);
    assign(d, "w", DTYPE_FLOAT64, shape, wide);
    for (int r = 0; r < REPLICAS; r++)
        WORKS(try_contribute(d, dense_of("wide", REPLICAS, DTYPE_FLOAT64, shape, &gradients[r])),
              &d->f->err);
    got = 0 - 1025.0 / 3;
    must_be(d, "w", DTYPE_FLOAT64, shape, &got, sizeof got);
}

static void
one_replica_is_a_step_like_any_other(void **state_)
{
    struct domain *d = *state_;
    const float zero[2] = {0}, gradient[2] = {1, -2}, expected[2] = {-1, 2};

    furnish(d, DTYPE_FLOAT32, exprs_shape(1, 2), zero);
    contributes(d, dense_of("k", 1, DTYPE_FLOAT32, exprs_shape(1, 2), gradient),
                OPTIMIZER_CONTRIBUTED_LAST, 1);
    must_be(d, "w", DTYPE_FLOAT32, exprs_shape(1, 2), expected, sizeof expected);
    contributes(d, dense_of("k", 1, DTYPE_FLOAT32, exprs_shape(1, 2), gradient),
                OPTIMIZER_CONTRIBUTED_LATE, 1);
    assert_true(look_at(d, "k").applied);
}

static void
variables_without_elements_accumulate_too(void **state_)
{
    struct domain *d = *state_;
    struct shape shape = exprs_shape(2, 0, 3);

    furnish(d, DTYPE_FLOAT32, shape, NULL);
    contributes(d, dense_of("k", 2, DTYPE_FLOAT32, shape, NULL), OPTIMIZER_CONTRIBUTED, 1);
    contributes(d, dense_of("k", 2, DTYPE_FLOAT32, shape, NULL), OPTIMIZER_CONTRIBUTED_LAST, 2);
}

/* --- sparse -------------------------------------------------------------------------------- */

enum { ROWS = 50, WIDTH = 3, NAMED = 20 };

/* Sums and counts of rows, the plain way. */
struct plain_rows {
    float sums[ROWS][WIDTH];
    int counts[ROWS];
};

static void
add_plain(struct plain_rows *plain, const int64_t *indices, const float *values)
{
    float own[ROWS][WIDTH] = {{0}};
    bool named[ROWS] = {false};

    for (int i = 0; i < NAMED; i++)
        for (int k = 0; k < WIDTH; k++) {
            own[indices[i]][k] += values[i * WIDTH + k];
            named[indices[i]] = true;
        }
    for (int row = 0; row < ROWS; row++)
        for (int k = 0; named[row] && k < WIDTH; k++) {
            plain->counts[row] += k == 0;
            plain->sums[row][k] =
                plain->counts[row] == 1 ? own[row][k] : plain->sums[row][k] + own[row][k];
        }
}

static void
rows_are_averaged_over_the_gradients_that_had_them(void **state_)
{
    struct domain *d = *state_;
    struct plain_rows *plain = calloc(1, sizeof *plain);
    float expected[ROWS][WIDTH] = {{0}}, *values;
    struct shape shape = exprs_shape(2, ROWS, WIDTH);
    int64_t indices[NAMED];
    uint32_t seed = 77;

    assert_non_null(plain);
    furnish(d, DTYPE_FLOAT32, shape, expected);
    for (uint32_t r = 0; r < REPLICAS; r++) {
        values = some_floats(NAMED * WIDTH, r + 9);
        for (int i = 0; i < NAMED; i++) {
            seed = seed * 1664525u + 1013904223u;
            indices[i] = (seed >> 16) % ROWS;
        }
        add_plain(plain, indices, values);
        contributes(d, sparse_of("k", REPLICAS, indices, NAMED, WIDTH, values),
                    r == REPLICAS - 1 ? OPTIMIZER_CONTRIBUTED_LAST : OPTIMIZER_CONTRIBUTED, r + 1);
        domain_reopen(d);
        assert_int_equal(findings(d), 0);
        free(values);
    }
    for (int row = 0; row < ROWS; row++)
        for (int k = 0; plain->counts[row] > 0 && k < WIDTH; k++)
            expected[row][k] = 0 - plain->sums[row][k] / (float)plain->counts[row];
    must_be(d, "w", DTYPE_FLOAT32, shape, expected, sizeof expected);
    free(plain);
}

static void
no_rows_are_some_too(void **state_)
{
    struct domain *d = *state_;
    const float zero[4] = {0}, row[2] = {2, 4}, expected[4] = {0, 0, -2, -4};
    const int64_t second[1] = {1};
    struct accumulation_info info;

    furnish(d, DTYPE_FLOAT32, exprs_shape(2, 2, 2), zero);
    contributes(d, sparse_of("k", 3, second, 0, 2, row), OPTIMIZER_CONTRIBUTED, 1);
    info = look_at(d, "k");
    assert_true(info.variables[0].sparse);
    assert_int_equal(info.variables[0].rows, 0);
    accumulation_info_drop(&info);
    contributes(d, sparse_of("k", 3, second, 1, 2, row), OPTIMIZER_CONTRIBUTED, 2);
    contributes(d, sparse_of("k", 3, second, 0, 2, row), OPTIMIZER_CONTRIBUTED_LAST, 3);
    must_be(d, "w", DTYPE_FLOAT32, exprs_shape(2, 2, 2), expected, sizeof expected);
}

/* The norm that clipping goes by is that of the average, and it is what is scaled. */
static void
the_average_is_what_is_clipped(void **state_)
{
    struct domain *d = *state_;
    const float zero[4] = {0}, rows[4] = {6, 0, 0, 8}, expected[4] = {-0.6f, 0, 0, -0.8f};
    const int64_t both[2] = {0, 1};
    struct contribution *c = NULL;

    furnish(d, DTYPE_FLOAT32, exprs_shape(2, 2, 2), zero);
    for (int r = 0; r < 2; r++) {
        c = sparse_of("k", 2, both, 2, 2, rows);
        c->gradients.has_clip_norm = true;
        c->gradients.clip_norm = 1;
        WORKS(ask(d, c, &d->f->err), &d->f->err);
        assert_true(r == 0 || c->norm == 10);
        contribution_free(c);
    }
    must_be(d, "w", DTYPE_FLOAT32, exprs_shape(2, 2, 2), expected, sizeof expected);
    c = sparse_of("unclipped", 1, both, 2, 2, rows);
    WORKS(ask(d, c, &d->f->err), &d->f->err);
    assert_true(c->norm == 10);
    contribution_free(c);
}

/* --- many at once -------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 3 };

struct crowd {
    struct domain *d;
    int count;
    uint32_t last, failed;
};

static void *
contribute_in_turn(void *context)
{
    struct crowd *crowd = context;
    float *ones = calloc((size_t)crowd->count, sizeof *ones);

    for (int i = 0; i < crowd->count; i++)
        ones[i] = 1;
    for (int round = 0; round < ROUNDS; round++) {
        char key[16];
        struct contribution *c;
        struct err err = ERR_INIT;
        enum err_code code;

        snprintf(key, sizeof key, "k%d", round);
        c = dense_of(key, THREADS, DTYPE_FLOAT32, exprs_shape(1, crowd->count), ones);
        do {
            err_clear(&err);
            code = ask(crowd->d, c, &err);
        } while (code == ERR_ABORTED);
        crowd->failed += code != OK || c->contributed == OPTIMIZER_CONTRIBUTED_LATE;
        crowd->last += code == OK && c->contributed == OPTIMIZER_CONTRIBUTED_LAST;
        contribution_free(c);
    }
    free(ones);
    return NULL;
}

static void
crowd_in(struct domain *d, int count)
{
    struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    float *zero = calloc((size_t)count, sizeof *zero);
    uint32_t last = 0;

    furnish(d, DTYPE_FLOAT32, exprs_shape(1, count), zero);
    free(zero);
    for (int i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){.d = d, .count = count};
        assert_int_equal(pthread_create(&threads[i], NULL, contribute_in_turn, &crowds[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(crowds[i].failed, 0);
        last += crowds[i].last;
    }
    assert_int_equal(last, ROUNDS);
    must_be_filled(d, "w", -ROUNDS, (size_t)count);
}

static void
eight_threads_step_together(void **state_)
{
    crowd_in(*state_, SMALL);
}

static void
eight_threads_step_together_with_big_gradients(void **state_)
{
    crowd_in(*state_, BIG);
}

/* --- short memory -------------------------------------------------------------------------- */

/* However far a contribution gets, it is all there or not at all. */
static void
must_survive(struct domain *d, struct contribution *c, uint32_t before)
{
    enum err_code code = ERR_NO_MEMORY;
    uint64_t nth = 1;

    for (; nth < 400 && code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = ask(d, c, &d->f->err);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        if (before == 0) {
            is_gone(d, "k");
        } else {
            struct accumulation_info info = look_at(d, "k");

            assert_false(info.applied);
            assert_int_equal(info.count, before);
            accumulation_info_drop(&info);
        }
    }
    assert_in_range(nth, 5, 399);
    assert_int_equal(c->accumulated, before + 1);
    contribution_free(c);
}

static void
short_memory_leaves_contributions_whole(void **state_)
{
    struct domain *d = *state_;
    float *zero = calloc(BIG, sizeof *zero), *ones = some_floats(BIG, 1);

    assert_non_null(zero);
    for (int i = 0; i < BIG; i++)
        ones[i] = 2;
    furnish(d, DTYPE_FLOAT32, exprs_shape(1, BIG), zero);
    for (uint32_t r = 0; r < 2; r++)
        must_survive(d, dense_of("k", 2, DTYPE_FLOAT32, exprs_shape(1, BIG), ones), r);
    must_be_filled(d, "w", -2, BIG);
    free(zero);
    free(ones);
}

static void
short_memory_leaves_sparse_contributions_whole(void **state_)
{
    struct domain *d = *state_;
    const float zero[4] = {0}, rows[4] = {1, 1, 1, 1};
    const int64_t both[2] = {1, 0};

    furnish(d, DTYPE_FLOAT32, exprs_shape(2, 2, 2), zero);
    for (uint32_t r = 0; r < 3; r++) {
        struct contribution *c = sparse_of("k", 3, both, 2, 2, rows);

        c->accumulate.worker = r == 0 ? "a" : r == 1 ? "b" : "c";
        must_survive(d, c, r);
    }
    must_be_filled(d, "w", -1, 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(small_gradients_are_averaged_inside_commits),
        DOMAIN_TEST(big_gradients_are_averaged_ahead_of_commits),
        DOMAIN_TEST(sums_are_in_the_variable_s_dtype),
        DOMAIN_TEST(one_replica_is_a_step_like_any_other),
        DOMAIN_TEST(variables_without_elements_accumulate_too),
        DOMAIN_TEST(rows_are_averaged_over_the_gradients_that_had_them),
        DOMAIN_TEST(no_rows_are_some_too),
        DOMAIN_TEST(the_average_is_what_is_clipped),
        DOMAIN_TEST(eight_threads_step_together),
        DOMAIN_TEST(eight_threads_step_together_with_big_gradients),
        DOMAIN_TEST(short_memory_leaves_contributions_whole),
        DOMAIN_TEST(short_memory_leaves_sparse_contributions_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
