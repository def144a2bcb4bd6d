/* count_up_to: numbers given once each, and none at the limit. The rows named by id are
 * TensorFlow's own. */
#include <pthread.h>

#include "tests/unit/service/service_fixture.h"

enum { THREADS = 8, UNTOUCHED = -77 };

static enum err_code
try_count(struct domain *d, const char *name, int64_t limit, int64_t *before)
{
    struct run_report report;

    TRY(variable_count_up_to(d->service, MODEL, name, limit, NULL, &report, &d->f->err));
    *before = report.results[0].before;
    (void)only_change(&report);
    return OK;
}

static void
counts_from(struct domain *d, const char *name, int64_t limit, int64_t expected)
{
    int64_t before = UNTOUCHED;

    WORKS(try_count(d, name, limit, &before), &d->f->err);
    assert_true(before == expected);
}

static void
refuses(struct domain *d, const char *name, int64_t limit, enum err_code code, const char *words)
{
    uint64_t revision = service_revision(d->service);
    int64_t before = UNTOUCHED;

    REFUSES(try_count(d, name, limit, &before), code, words, &d->f->err);
    assert_true(before == UNTOUCHED);
    assert_int_equal(service_revision(d->service), revision);
}

static void
create_counter(struct domain *d, const char *name, enum dtype dtype, int64_t value)
{
    int32_t narrow = (int32_t)value;

    create_literal(d, name, dtype, scalar(),
                   dtype == DTYPE_INT64 ? (const void *)&value : (const void *)&narrow);
    WORKS(try_initialize(d, (struct initialize_spec){.names = &name, .name_count = 1}, NULL),
          &d->f->err);
}

static void
must_be_at(struct domain *d, const char *name, enum dtype dtype, int64_t value)
{
    int32_t narrow = (int32_t)value;

    if (dtype == DTYPE_INT64)
        must_be(d, name, dtype, scalar(), &value, sizeof value);
    else
        must_be(d, name, dtype, scalar(), &narrow, sizeof narrow);
}

/* variable/count-up-to-int32, and the same of int64. */
static void
both_integers_count_to_the_limit_and_stay_there(void **state)
{
    static const enum dtype dtypes[] = {DTYPE_INT32, DTYPE_INT64};
    struct domain *d = *state;

    for (size_t i = 0; i < 2; i++) {
        const char *name = dtype_name(dtypes[i]);

        create_counter(d, name, dtypes[i], 0);
        for (int64_t at = 0; at < 3; at++) {
            counts_from(d, name, 3, at);
            must_be_at(d, name, dtypes[i], at + 1);
        }
        for (int again = 0; again < 2; again++) {
            refuses(d, name, 3, ERR_OUT_OF_RANGE, "Reached limit of 3");
            must_be_at(d, name, dtypes[i], 3);
        }
        refuses(d, name, 2, ERR_OUT_OF_RANGE, name);
        refuses(d, name, INT64_MIN, ERR_OUT_OF_RANGE, "Reached limit of -9223372036854775808");
        assert_int_equal(info_of_variable(d, name).record.version, 4);
        counts_from(d, name, 4, 3);
    }
    assert_int_equal(usage_of_model(d).bytes, 12);
    assert_int_equal(usage_of_model(d).initialized, 2);
}

static void
the_ends_of_the_integers_are_not_gone_round(void **state)
{
    struct domain *d = *state;

    create_counter(d, "low", DTYPE_INT64, INT64_MIN);
    counts_from(d, "low", INT64_MIN + 1, INT64_MIN);
    refuses(d, "low", INT64_MIN + 1, ERR_OUT_OF_RANGE, "Reached limit of -9223372036854775807");
    create_counter(d, "high", DTYPE_INT64, INT64_MAX - 1);
    counts_from(d, "high", INT64_MAX, INT64_MAX - 1);
    refuses(d, "high", INT64_MAX, ERR_OUT_OF_RANGE, "Reached limit of 9223372036854775807");
    must_be_at(d, "high", DTYPE_INT64, INT64_MAX);
    create_counter(d, "narrow", DTYPE_INT32, INT32_MAX - 1);
    refuses(d, "narrow", INT64_MIN, ERR_OUT_OF_RANGE, "Reached limit of");
    counts_from(d, "narrow", INT64_MAX, INT32_MAX - 1);
    refuses(d, "narrow", INT64_MAX, ERR_OUT_OF_RANGE, "2147483647 is the largest int32");
    must_be_at(d, "narrow", DTYPE_INT32, INT32_MAX);
    create_counter(d, "below", DTYPE_INT32, INT32_MIN);
    counts_from(d, "below", 0, INT32_MIN);
    must_be_at(d, "below", DTYPE_INT32, INT32_MIN + 1);
}

/* variable/count-up-to-not-scalar among others. */
static void
only_initialized_integer_scalars_count(void **state)
{
    static const enum dtype others[] = {DTYPE_FLOAT32, DTYPE_INT16, DTYPE_UINT64, DTYPE_BOOL,
                                        DTYPE_STRING};
    static const int32_t two[] = {0, 0};
    struct domain *d = *state;
    char words[64];

    create_literal(d, "v", DTYPE_INT32, exprs_shape(1, 2), two);
    initialize_all(d);
    refuses(d, "v", 3, ERR_INVALID_ARGUMENT, "'v': input is not a scalar: [2]");
    must_be(d, "v", DTYPE_INT32, exprs_shape(1, 2), two, sizeof two);
    declare(d, "one", DTYPE_INT64, exprs_shape(1, 1));
    refuses(d, "one", 3, ERR_INVALID_ARGUMENT, "input is not a scalar: [1]");
    declare(d, "empty", DTYPE_INT64, exprs_shape(2, 0, 3));
    refuses(d, "empty", 3, ERR_INVALID_ARGUMENT, "input is not a scalar: [0,3]");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        declare(d, dtype_name(others[i]), others[i], scalar());
        snprintf(words, sizeof words, "the variable is %s", dtype_name(others[i]));
        refuses(d, dtype_name(others[i]), 3, ERR_INVALID_ARGUMENT, words);
    }
    declare(d, "unset", DTYPE_INT32, scalar());
    refuses(d, "unset", 3, ERR_FAILED_PRECONDITION, "Attempting to use uninitialized value unset");
    refuses(d, "absent", 3, ERR_NOT_FOUND, "'absent'");
    refuses(d, "a//b", 3, ERR_INVALID_ARGUMENT, "empty segment");
}

static void
a_shape_not_known_yet_is_uninitialized(void **state)
{
    static const int32_t two[] = {1, 2}, one = 1;
    struct domain *d = *state;
    struct variable_spec spec = spec_named("open");
    struct run_report report;
    struct expr_tree tree = tree_new();

    spec.dtype = DTYPE_INT32;
    spec.validate_shape = false;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    refuses(d, "open", 3, ERR_FAILED_PRECONDITION, "open");
    assign(d, "open", DTYPE_INT32, scalar(), &one);
    counts_from(d, "open", 3, 1);
    (void)exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, 2), two);
    WORKS(variable_update(d->service, MODEL, "open", VARIABLE_ASSIGN, &tree, false, NULL, &report,
                          &d->f->err),
          &d->f->err);
    (void)only_change(&report);
    expr_tree_drop(&tree);
    refuses(d, "open", 3, ERR_INVALID_ARGUMENT, "input is not a scalar: [2]");
}

static void
conditions_are_checked_before_anything(void **state)
{
    struct domain *d = *state;
    struct variable_change change;
    struct run_report report;
    uint64_t revision;
    struct write_options options = {.if_match = true, .revisions = &revision, .revision_count = 1};

    create_counter(d, "v", DTYPE_INT32, 5);
    revision = info_of_variable(d, "v").record.revision;
    WORKS(variable_count_up_to(d->service, MODEL, "v", 9, &options, &report, &d->f->err),
          &d->f->err);
    assert_true(report.results[0].has_before);
    assert_true(report.results[0].before == 5);
    change = only_change(&report);
    assert_string_equal(change.name, "v");
    assert_int_equal(change.version, 2);
    assert_int_equal(change.revision, service_revision(d->service));
    assert_int_equal(change.type.dtype, DTYPE_INT32);
    assert_int_equal(change.type.shape.rank, 0);
    assert_false(change.created);
    REFUSES(variable_count_up_to(d->service, MODEL, "v", 6, &options, &report, &d->f->err),
            ERR_PRECONDITION_FAILED, "'v'", &d->f->err);
    assert_null(report.results);
    must_be_at(d, "v", DTYPE_INT32, 6);
}

struct counter {
    struct domain *d;
    int64_t limit;
    uint8_t *seen; /* by number: how often it was given to this thread */
    int failed;
};

static void *
count_to_the_end(void *context)
{
    struct counter *c = context;

    for (;;) {
        struct run_report report;
        struct err err = ERR_INIT;
        enum err_code code =
            variable_count_up_to(c->d->service, MODEL, "v", c->limit, NULL, &report, &err);
        int64_t before = code == OK ? report.results[0].before : UNTOUCHED;

        run_report_drop(&report);
        if (code == ERR_OUT_OF_RANGE)
            return NULL;
        if (code != OK || before < 0 || before >= c->limit) {
            c->failed++;
            return NULL;
        }
        c->seen[before]++;
    }
}

static void
eight_threads_get_every_number_once(void **state)
{
    enum { LIMIT = 200 };
    struct domain *d = *state;
    uint8_t seen[THREADS][LIMIT] = {{0}};
    struct counter counters[THREADS];
    pthread_t threads[THREADS];

    create_counter(d, "v", DTYPE_INT64, 0);
    for (int i = 0; i < THREADS; i++) {
        counters[i] = (struct counter){.d = d, .limit = LIMIT, .seen = seen[i]};
        assert_int_equal(pthread_create(&threads[i], NULL, count_to_the_end, &counters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(counters[i].failed, 0);
    }
    for (int n = 0; n < LIMIT; n++) {
        int times = 0;

        for (int i = 0; i < THREADS; i++)
            times += seen[i][n];
        assert_int_equal(times, 1);
    }
    must_be_at(d, "v", DTYPE_INT64, LIMIT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(both_integers_count_to_the_limit_and_stay_there),
        DOMAIN_TEST(the_ends_of_the_integers_are_not_gone_round),
        DOMAIN_TEST(only_initialized_integer_scalars_count),
        DOMAIN_TEST(a_shape_not_known_yet_is_uninitialized),
        DOMAIN_TEST(conditions_are_checked_before_anything),
        DOMAIN_TEST(eight_threads_get_every_number_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
