/* scatter on stored values: the rows named and no others, in every layout of chunks; how a value is
 * laid out for rows, once; many threads at a time. */
#include <pthread.h>

#include "service/run/run.h"
#include "service/run/verb.h"
#include "service/variable/variable_rows.h"
#include "tests/unit/service/service_fixture.h"

enum { NAMED = 40, THREADS = 4 };

/* Trees are dropped. */
static enum err_code
scatter(struct domain *d, const struct verb *verb, const char *name, struct expr_tree *indices,
        struct expr_tree *updates, struct run_result *result, struct err *err)
{
    struct run_op op = {.verb = verb, .variable = name, .indices = indices, .value = updates};
    struct run_spec spec = run_spec_default();
    struct run_report report;
    enum err_code code;

    spec.ops = &op;
    spec.op_count = 1;
    code = run_execute(d->service, MODEL, &spec, NULL, &report, err);
    if (code == OK) {
        if (result != NULL)
            *result = report.results[0];
        run_report_drop(&report);
    }
    expr_tree_drop(indices);
    expr_tree_drop(updates);
    return code;
}

/* Adds 1 to each element of these rows. */
static enum err_code
add_one(struct domain *d, const char *name, const int32_t *rows, int count,
        struct run_result *result, struct err *err)
{
    struct expr_tree indices = tree_new(), updates = tree_new();

    (void)exprs_literal(&indices, DTYPE_INT32, exprs_shape(1, count), rows);
    (void)exprs_weak_int(&updates, 1);
    return scatter(d, &verb_scatter_add, name, &indices, &updates, result, err);
}

static void
draw_rows(int32_t rows[NAMED], int row_count, uint32_t seed)
{
    for (uint32_t i = 0; i < NAMED; i++)
        rows[i] = (int32_t)((seed * 7919 + i * i * 104729 + i) % (uint32_t)row_count);
}

static void
rows_change_and_no_others(struct domain *d, const char *name, int row_count, int width,
                          bool convertible)
{
    size_t size = (size_t)row_count * (size_t)width;
    uint8_t *data = some_bytes(size, (uint32_t)row_count);
    struct shape shape = exprs_shape(2, row_count, width);

    declare(d, name, DTYPE_UINT8, shape);
    assign(d, name, DTYPE_UINT8, shape, data);
    for (uint32_t round = 0; round < 3; round++) {
        struct run_result result;
        int32_t rows[NAMED];

        draw_rows(rows, row_count, round);
        for (int i = 0; i < NAMED; i++)
            for (int k = 0; k < width; k++)
                data[(size_t)rows[i] * (size_t)width + (size_t)k]++;
        WORKS(add_one(d, name, rows, NAMED, &result, &d->f->err), &d->f->err);
        assert_int_equal(result.converted, convertible && round == 0);
        assert_int_equal(result.change.version, round + 2);
        must_be(d, name, DTYPE_UINT8, shape, data, size);
    }
    assert_int_equal(info_of_variable(d, name).record.row_updates, convertible);
    free(data);
}

static void
rows_of_values_of_every_layout(void **state)
{
    static const struct {
        int row_count, width;
        bool convertible;
    } cases[] = {{1, 1, false},     {7, 3, false},      {40, 25, false},    {41, 25, false},
                 {300, 50, false},  {300, 300, false},  {130, 1004, false}, {131, 1000, true},
                 {300000, 1, true}, {10000, 100, true}, {3, 500000, true},  {2, 262080, true},
                 {1, 300000, true}};
    struct domain *d = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[8] = {'v', (char)('a' + i)};

        rows_change_and_no_others(d, name, cases[i].row_count, cases[i].width,
                                  cases[i].convertible);
    }
    assert_int_equal(findings(d), 0);
}

static void
restore_all(struct domain *d, const char *name)
{
    struct restore_report report = {.revision = 0};
    struct checkpoint_restore_spec spec = {.name = name};

    WORKS(checkpoint_restore(d->service, MODEL, &spec, NULL, &report, &d->f->err), &d->f->err);
    restore_report_drop(&report);
}

/* From a stream: larger than a literal may be. */
static void
assign_stream(struct domain *d, const char *name, enum dtype dtype, struct shape shape,
              const void *data)
{
    struct tensor_type type = type_of(dtype, shape);
    struct memory_source from = memory_of(data, tensor_type_bytes(&type));
    struct tensor_source source = source_of(&from);
    struct variable_assign_options how = {.keep_shape = true};
    struct variable_change change;

    WORKS(variable_assign(d->service, MODEL, name, &type, tensor_type_bytes(&type), &source, &how,
                          NULL, &change, &d->f->err),
          &d->f->err);
}

static void
a_checkpoint_keeps_the_value_it_saved(void **state)
{
    enum { ROWS = 4000, WIDTH = 100 };
    struct domain *d = *state;
    uint8_t *data = some_bytes(ROWS * WIDTH, 5);
    const int32_t rows[2] = {0, ROWS - 1};

    declare(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH));
    assign(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH), data);
    (void)save(d, "c");
    WORKS(add_one(d, "v", rows, 2, NULL, &d->f->err), &d->f->err);
    WORKS(add_one(d, "v", rows, 2, NULL, &d->f->err), &d->f->err);
    restore_all(d, "c");
    must_be(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH), data, ROWS * WIDTH);
    assert_int_equal(findings(d), 0);
    free(data);
}

/* Chunks of over 32 MiB: staged ahead of the commit, others are left where they are. */
static void
more_chunks_than_a_commit_rewrites_are_staged(void **state)
{
    enum { ROWS = 200000, WIDTH = 256, MANY = 6000 };
    struct domain *d = *state;
    uint8_t *data = some_bytes((size_t)ROWS * WIDTH, 8), *saved = malloc((size_t)ROWS * WIDTH);
    int32_t *rows = calloc(MANY, sizeof *rows);
    struct variable_spec spec = spec_named("v");
    struct shape shape = exprs_shape(2, ROWS, WIDTH);

    assert_non_null(saved);
    assert_non_null(rows);
    spec.dtype = DTYPE_UINT8;
    spec.shape = &shape;
    spec.row_updates = true;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    assign_stream(d, "v", DTYPE_UINT8, shape, data);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            rows[i] = (int32_t)((i * 104729 + round * 31 + i % 7) % ROWS);
            for (int k = 0; k < WIDTH; k++)
                data[(size_t)rows[i] * WIDTH + (size_t)k]++;
        }
        WORKS(add_one(d, "v", rows, MANY, NULL, &d->f->err), &d->f->err);
        must_be(d, "v", DTYPE_UINT8, shape, data, (size_t)ROWS * WIDTH);
        assert_int_equal(info_of_variable(d, "v").record.version, round + 2);
        if (round > 0)
            continue;
        (void)save(d, "c");
        memcpy(saved, data, (size_t)ROWS * WIDTH);
    }
    restore_all(d, "c");
    must_be(d, "v", DTYPE_UINT8, shape, saved, (size_t)ROWS * WIDTH);
    assert_int_equal(findings(d), 0);
    free(rows);
    free(saved);
    free(data);
}

/* A value that is being laid out is the same to everybody: same version, revision and bytes. */
static void
laying_out_changes_nothing_else(void **state)
{
    enum { SIZE = 300000 };
    struct domain *d = *state;
    uint8_t *data = some_bytes(SIZE, 6);
    struct variable_info before, after;
    uint64_t bytes;
    bool done = false;

    declare(d, "v", DTYPE_UINT8, exprs_shape(1, SIZE));
    WORKS(variable_lay_rows(d->service, MODEL, "v", &done, &d->f->err), &d->f->err);
    assert_false(done); /* no value */
    assign(d, "v", DTYPE_UINT8, exprs_shape(1, SIZE), data);
    before = info_of_variable(d, "v");
    bytes = usage_of_model(d).bytes;
    WORKS(variable_lay_rows(d->service, MODEL, "v", &done, &d->f->err), &d->f->err);
    assert_true(done);
    after = info_of_variable(d, "v");
    assert_true(after.record.row_updates && !before.record.row_updates);
    assert_int_equal(after.record.version, before.record.version);
    assert_int_equal(after.record.revision, before.record.revision);
    assert_int_equal(usage_of_model(d).bytes, bytes);
    must_be(d, "v", DTYPE_UINT8, exprs_shape(1, SIZE), data, SIZE);
    WORKS(variable_lay_rows(d->service, MODEL, "v", &done, &d->f->err), &d->f->err);
    assert_false(done); /* already */
    FAILS(variable_lay_rows(d->service, MODEL, "absent", &done, &d->f->err), ERR_NOT_FOUND,
          &d->f->err);
    free(data);
}

/* 80 MB that are made when they are read, a part of them written: they are not written out. */
static void
a_large_value_that_is_partly_written_stays_as_it_is(void **state)
{
    enum { ROWS = 20000, WIDTH = 4096 };
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    const int32_t rows[3] = {7, ROWS - 1, 7};
    uint8_t one[WIDTH], *whole;
    struct memory_source from = memory_of(one, sizeof one);
    struct tensor_source source = source_of(&from);
    struct variable_assign_options how = {.slice = bytes_of_text("7")};
    struct tensor_type type = type_of(DTYPE_UINT8, exprs_shape(1, WIDTH));
    struct variable_change change;
    struct run_result result;
    size_t size = 0;

    (void)exprs_set_dtype(
        exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(2, ROWS, WIDTH)), "dtype",
        DTYPE_UINT8);
    create(d, "v", &tree);
    initialize_all(d);
    memset(one, 9, sizeof one);
    WORKS(variable_assign(d->service, MODEL, "v", &type, sizeof one, &source, &how, NULL, &change,
                          &d->f->err),
          &d->f->err);
    WORKS(add_one(d, "v", rows, 3, &result, &d->f->err), &d->f->err);
    assert_false(result.converted);
    assert_false(info_of_variable(d, "v").record.row_updates);
    whole = value_of(d, "v", &size);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t k = 0; k < WIDTH; k += 511)
            assert_int_equal(whole[row * WIDTH + k], row == 7 ? 11 : row == ROWS - 1);
    assert_int_equal(chunks(d), 2);
    free(whole);
}

/* --- threads --- */

struct worker {
    struct domain *d;
    int failed;
};

static void *
add_rounds(void *context)
{
    struct worker *w = context;
    const int32_t rows[3] = {0, 1999, 1000};

    for (int i = 0; i < 25; i++) {
        struct err err = ERR_INIT;

        w->failed += add_one(w->d, "v", rows, 3, NULL, &err) != OK;
    }
    return NULL;
}

static void
many_threads_lose_nothing_while_it_is_laid_out(void **state)
{
    enum { ROWS = 2000, WIDTH = 100 };
    struct domain *d = *state;
    float *data = calloc(ROWS * WIDTH, sizeof *data);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];

    assert_non_null(data);
    declare(d, "v", DTYPE_FLOAT32, exprs_shape(2, ROWS, WIDTH));
    assign(d, "v", DTYPE_FLOAT32, exprs_shape(2, ROWS, WIDTH), data);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.d = d};
        assert_int_equal(pthread_create(&threads[i], NULL, add_rounds, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failed, 0);
    }
    for (int k = 0; k < WIDTH; k++)
        data[k] = data[1999 * WIDTH + k] = data[1000 * WIDTH + k] = THREADS * 25;
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(2, ROWS, WIDTH), data, ROWS * WIDTH * sizeof *data);
    assert_int_equal(info_of_variable(d, "v").record.version, 1 + THREADS * 25);
    free(data);
}

/* --- memory --- */

static void
short_memory_fails_cleanly(void **state)
{
    enum { ROWS = 3000, WIDTH = 100 };
    struct domain *d = *state;
    uint8_t *data = some_bytes(ROWS * WIDTH, 3);
    const int32_t rows[4] = {5, 2999, 5, 0};
    enum err_code code;
    uint64_t nth = 0;

    declare(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH));
    assign(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH), data);
    do {
        struct expr_tree indices = tree_new(), updates = tree_new();

        (void)exprs_literal(&indices, DTYPE_INT32, exprs_shape(1, 4), rows);
        (void)exprs_weak_int(&updates, 1);
        mem_fail_at(++nth, 0);
        code = scatter(d, &verb_scatter_add, "v", &indices, &updates, NULL, &d->f->err);
        mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        err_clear(&d->f->err);
        if (code != OK)
            must_be(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH), data, ROWS * WIDTH);
    } while (code != OK);
    assert_in_range(nth, 20, 400);
    for (int k = 0; k < WIDTH; k++) {
        data[5 * WIDTH + k] = (uint8_t)(data[5 * WIDTH + k] + 2);
        data[2999 * WIDTH + k]++;
        data[k]++;
    }
    must_be(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH), data, ROWS * WIDTH);
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(rows_of_values_of_every_layout),
        DOMAIN_TEST(a_checkpoint_keeps_the_value_it_saved),
        DOMAIN_TEST(more_chunks_than_a_commit_rewrites_are_staged),
        DOMAIN_TEST(laying_out_changes_nothing_else),
        DOMAIN_TEST(a_large_value_that_is_partly_written_stays_as_it_is),
        DOMAIN_TEST(many_threads_lose_nothing_while_it_is_laid_out),
        DOMAIN_TEST(short_memory_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
