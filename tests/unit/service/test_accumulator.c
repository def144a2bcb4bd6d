/* Accumulators as operations of a run: over restarts, in short memory, and what is kept of them. */
#include "service/run/verb.h"
#include "service/training/accumulator.h"
#include "tests/unit/service/damage.h"

enum { BIG = 400001 }; /* float32: about 1.6 MB, staged */

static const int64_t both[2] = {1, 0};
static const float rows[4] = {1, 2, 3, 4};

static void
make(struct domain *d, struct shape shape, bool sparse)
{
    struct accumulator_spec spec = {.dtype = DTYPE_FLOAT32, .shape = &shape, .sparse = sparse};
    struct accumulator_record record;
    uint64_t revision = 0;
    bool created = false;

    WORKS(accumulator_create(d->service, MODEL, "a", &spec, NULL, &created, &record, &revision,
                             &d->f->err),
          &d->f->err);
    assert_true(created);
    assert_int_equal(record.revision, revision);
}

static struct accumulator_record
look(struct domain *d)
{
    struct accumulator_record record;

    WORKS(accumulator_get(d->service, MODEL, "a", &record, &d->f->err), &d->f->err);
    return record;
}

/* *out: what it did; owned. */
static enum err_code
act(struct domain *d, const struct verb *verb, struct accumulator_request request,
    struct expr_tree *value, struct expr_tree *indices, struct accumulator_result **out)
{
    struct run_op op = {.verb = verb, .value = value, .indices = indices, .accumulator = &request};
    struct run_spec spec = run_spec_default();
    struct run_report report;
    enum err_code code;

    request.name = "a";
    request.elements_max = UINT64_MAX;
    spec.ops = &op;
    spec.op_count = 1;
    code = run_execute(d->service, MODEL, &spec, NULL, &report, &d->f->err);
    *out = code == OK ? report.results[0].accumulator : NULL;
    if (code == OK)
        report.results[0].accumulator = NULL;
    run_report_drop(&report);
    return code;
}

static enum err_code
try_add(struct domain *d, struct shape shape, const float *data, int64_t local_step)
{
    struct expr_tree tree = tree_new();
    struct accumulator_result *result = NULL;
    enum err_code code;

    (void)exprs_float32(&tree, shape, data);
    code = act(d, &verb_apply_grad, (struct accumulator_request){.local_step = local_step}, &tree,
               NULL, &result);
    accumulator_result_drop(result);
    expr_tree_drop(&tree);
    return code;
}

static enum err_code
try_add_rows(struct domain *d)
{
    struct expr_tree indices = tree_new(), values = tree_new();
    struct accumulator_result *result = NULL;
    enum err_code code;

    (void)exprs_literal(&indices, DTYPE_INT64, exprs_shape(1, 2), both);
    (void)exprs_float32(&values, exprs_shape(2, 2, 2), rows);
    code = act(d, &verb_apply_grad, (struct accumulator_request){0}, &values, &indices, &result);
    accumulator_result_drop(result);
    expr_tree_drop(&indices);
    expr_tree_drop(&values);
    return code;
}

static enum err_code
try_take(struct domain *d, int64_t required, struct accumulator_result **out)
{
    return act(d, &verb_take_grad, (struct accumulator_request){.num_required = required}, NULL,
               NULL, out);
}

/* --- tests --------------------------------------------------------------------------------- */

static void
the_average_is_of_all_there_are(void **state_)
{
    struct domain *d = *state_;
    const float one[2] = {1, 2}, two[2] = {2, 5}, average[2] = {1.5f, 3.5f};
    struct accumulator_result *taken = NULL;

    make(d, exprs_shape(1, 2), false);
    WORKS(try_add(d, exprs_shape(1, 2), one, 0), &d->f->err);
    domain_reopen(d);
    WORKS(try_add(d, exprs_shape(1, 2), two, 0), &d->f->err);
    domain_reopen(d);
    assert_int_equal(look(d).num_accumulated, 2);
    assert_int_equal(findings(d), 0);
    REFUSES(try_take(d, 3, &taken), ERR_FAILED_PRECONDITION, "has 2 gradients, 3", &d->f->err);
    REFUSES(try_take(d, 0, &taken), ERR_INVALID_ARGUMENT,
            "Argument num_required must be positive, but was 0", &d->f->err);
    WORKS(try_take(d, 1, &taken), &d->f->err);
    assert_int_equal(taken->num_taken, 2);
    assert_memory_equal(taken->values.data, average, sizeof average);
    accumulator_result_drop(taken);
    assert_int_equal(look(d).num_accumulated, 0);
    assert_int_equal(look(d).global_step, 1);
}

static void
big_sums_are_staged_and_go_when_they_are_taken(void **state_)
{
    struct domain *d = *state_;
    float *data = calloc(BIG, sizeof *data);
    struct accumulator_result *taken = NULL;
    uint64_t before = chunks(d);

    assert_non_null(data);
    make(d, exprs_shape(1, BIG), false);
    for (int r = 1; r <= 3; r++) {
        for (int i = 0; i < BIG; i++)
            data[i] = (float)(r * (i % 1000));
        WORKS(try_add(d, exprs_shape(1, BIG), data, 0), &d->f->err);
    }
    assert_in_range(chunks(d), before + 1, UINT64_MAX);
    WORKS(try_take(d, 3, &taken), &d->f->err);
    for (int i = 0; i < BIG; i++)
        if (((const float *)(const void *)taken->values.data)[i] != (float)(2 * (i % 1000)))
            fail_msg("element %d", i);
    accumulator_result_drop(taken);
    assert_int_equal(chunks(d), before);
    free(data);
}

static void
steps_that_are_over_are_dropped(void **state_)
{
    struct domain *d = *state_;
    const float one[1] = {1}, wrong[2] = {1, 1};
    struct accumulator_result *result = NULL;
    uint64_t revision;

    make(d, exprs_shape(1, 1), false);
    WORKS(
        act(d, &verb_set_global_step, (struct accumulator_request){.step = 2}, NULL, NULL, &result),
        &d->f->err);
    assert_int_equal(result->global_step, 2);
    accumulator_result_drop(result);
    revision = service_revision(d->service);
    WORKS(try_add(d, exprs_shape(1, 1), one, 1), &d->f->err);
    WORKS(try_add(d, exprs_shape(1, 2), wrong, 1), &d->f->err);
    assert_int_equal(service_revision(d->service), revision);
    WORKS(try_add(d, exprs_shape(1, 1), one, 2), &d->f->err);
    REFUSES(try_add(d, exprs_shape(1, 2), wrong, 2), ERR_INVALID_ARGUMENT,
            "Shape mismatch: expected [1], got [2]", &d->f->err);
    /* the sum stays when the step is set */
    WORKS(
        act(d, &verb_set_global_step, (struct accumulator_request){.step = 9}, NULL, NULL, &result),
        &d->f->err);
    accumulator_result_drop(result);
    assert_int_equal(look(d).num_accumulated, 1);
    WORKS(try_take(d, 1, &result), &d->f->err);
    assert_int_equal(result->global_step, 10);
    accumulator_result_drop(result);
}

static void
rows_have_their_own_counts(void **state_)
{
    struct domain *d = *state_;
    struct accumulator_result *taken = NULL;
    const int64_t numbers[2] = {0, 1};
    const float average[4] = {3, 4, 1, 2};

    make(d, exprs_shape(2, 5, 2), true);
    for (int r = 0; r < 3; r++)
        WORKS(try_add_rows(d), &d->f->err);
    assert_int_equal(look(d).sum.rows, 2);
    WORKS(try_take(d, 3, &taken), &d->f->err);
    assert_true(taken->sparse);
    assert_memory_equal(taken->numbers.data, numbers, sizeof numbers);
    assert_memory_equal(taken->values.data, average, sizeof average);
    accumulator_result_drop(taken);
}

/* However far it gets, it is done or not. */
static void
short_memory_changes_nothing(void **state_)
{
    struct domain *d = *state_;
    struct accumulator_result *taken = NULL;
    enum err_code code = ERR_NO_MEMORY;
    uint64_t nth = 1;

    make(d, exprs_shape(2, 5, 2), true);
    WORKS(try_add_rows(d), &d->f->err);
    for (; nth < 400 && code != OK; nth++) {
        struct expr_tree indices = tree_new(), values = tree_new();
        struct accumulator_result *result = NULL;

        (void)exprs_literal(&indices, DTYPE_INT64, exprs_shape(1, 2), both);
        (void)exprs_float32(&values, exprs_shape(2, 2, 2), rows);
        (void)mem_fail_at(nth, 0);
        code =
            act(d, &verb_apply_grad, (struct accumulator_request){0}, &values, &indices, &result);
        (void)mem_fail_at(0, 0);
        accumulator_result_drop(result);
        expr_tree_drop(&indices);
        expr_tree_drop(&values);
        if (code != OK)
            FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_int_equal(look(d).num_accumulated, code == OK ? 2 : 1);
    }
    assert_in_range(nth, 5, 399);
    for (nth = 1, code = ERR_NO_MEMORY; nth < 400 && code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = try_take(d, 2, &taken);
        (void)mem_fail_at(0, 0);
        if (code != OK)
            FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_int_equal(look(d).num_accumulated, code == OK ? 0 : 2);
    }
    assert_in_range(nth, 5, 399);
    accumulator_result_drop(taken);
}

static void
an_accumulator_is_what_it_was_made(void **state_)
{
    struct domain *d = *state_;
    struct shape shape = exprs_shape(1, 2), none = exprs_shape(0);
    struct accumulator_spec spec = {.dtype = DTYPE_FLOAT32, .shape = &shape};
    struct accumulator_record record;
    uint64_t revision = 0, before;
    bool created = true;

    make(d, shape, false);
    before = service_revision(d->service);
    WORKS(accumulator_create(d->service, MODEL, "a", &spec, NULL, &created, &record, &revision,
                             &d->f->err),
          &d->f->err);
    assert_false(created);
    assert_int_equal(service_revision(d->service), before);
    spec.shape = NULL;
    REFUSES(accumulator_create(d->service, MODEL, "a", &spec, NULL, &created, &record, &revision,
                               &d->f->err),
            ERR_ALREADY_EXISTS, "shape [2]; not dense of float32, shape null", &d->f->err);
    spec = (struct accumulator_spec){.dtype = DTYPE_FLOAT32, .shape = &none, .sparse = true};
    REFUSES(accumulator_create(d->service, MODEL, "b", &spec, NULL, &created, &record, &revision,
                               &d->f->err),
            ERR_INVALID_ARGUMENT, "rows", &d->f->err);
    spec = (struct accumulator_spec){.dtype = DTYPE_INT64};
    REFUSES(accumulator_create(d->service, MODEL, "b", &spec, NULL, &created, &record, &revision,
                               &d->f->err),
            ERR_INVALID_ARGUMENT, "not of int64", &d->f->err);
    REFUSES(accumulator_get(d->service, MODEL, "b", &record, &d->f->err), ERR_NOT_FOUND, "'b'",
            &d->f->err);
    WORKS(accumulator_delete(d->service, MODEL, "a", NULL, &revision, &d->f->err), &d->f->err);
    REFUSES(accumulator_delete(d->service, MODEL, "a", NULL, &revision, &d->f->err), ERR_NOT_FOUND,
            "'a'", &d->f->err);
}

/* --- records ------------------------------------------------------------------------------- */

static uint64_t
model_id(struct domain *d)
{
    struct store_snapshot *snapshot = NULL;
    struct model_record model;
    bool found = false;

    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(record_get_model(store_snapshot_view(snapshot), MODEL, &found, &model, &d->f->err),
          &d->f->err);
    store_snapshot_drop(snapshot);
    return model.id;
}

static void
damage_is_found_and_survived(void **state_)
{
    struct domain *d = *state_;
    struct record_key key;
    struct damage *whole;
    size_t refused = 0;

    make(d, exprs_shape(2, 5, 2), true);
    WORKS(try_add_rows(d), &d->f->err);
    key = record_key_accumulator(model_id(d), "a");
    must_be_found(d, flipped(d, key, 0), "a model's accumulator record has format");
    must_be_found(d, moved(d, key, record_key_accumulator(1000000, "a")),
                  "there are 2 accumulators");
    whole = record_at(d, key);
    for (size_t i = 0; i < 2 * whole->size; i++) {
        struct accumulator_record record;
        struct damage now = *whole;
        enum err_code code;

        if (i < whole->size)
            now.bytes[i] ^= 0xff;
        else
            now.size = i - whole->size;
        code = record_decode_accumulator(bytes_of(now.bytes, now.size), &record, &d->f->err);
        refused += code == ERR_DATA_LOSS;
        assert_true(code == OK || code == ERR_DATA_LOSS);
        err_clear(&d->f->err);
    }
    assert_in_range(refused, whole->size, 2 * whole->size);
    free(whole);
}

static void
accumulators_go_with_their_model(void **state_)
{
    struct domain *d = *state_;
    uint64_t revision = 0, before = records(d);

    make(d, exprs_shape(2, 5, 2), true);
    WORKS(try_add_rows(d), &d->f->err);
    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    assert_in_range(records(d), 0, before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(the_average_is_of_all_there_are),
        DOMAIN_TEST(big_sums_are_staged_and_go_when_they_are_taken),
        DOMAIN_TEST(steps_that_are_over_are_dropped),
        DOMAIN_TEST(rows_have_their_own_counts),
        DOMAIN_TEST(short_memory_changes_nothing),
        DOMAIN_TEST(an_accumulator_is_what_it_was_made),
        DOMAIN_TEST(damage_is_found_and_survived),
        DOMAIN_TEST(accumulators_go_with_their_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
