/* Many runs at once on the same variables: transfers that keep a sum, large runs that read it, and
 * a counter of all of them. */
#include <pthread.h>

#include "tests/unit/service/run_fixture.h"

enum { MOVERS = 6, ROUNDS = 60, READERS = 2, READS = 8, LARGE = 300001 };

struct worker {
    struct domain *d;
    int seed;
    int done, aborted, failed; /* runs */
};

/* One from a to b, or back, and the counter, in one run; some of them only if nobody was faster. */
static enum err_code
move_one(struct worker *w, int round, struct err *err)
{
    bool back = (w->seed + round) % 3 == 0;
    struct expr_tree one = tree_new(), other = tree_new();
    struct run_op ops[3] = {
        {.verb = &verb_assign_sub, .variable = back ? "b" : "a", .value = &one},
        {.verb = &verb_assign_add, .variable = back ? "a" : "b", .value = &other},
        {.verb = &verb_count_up_to, .variable = "moves", .limit = INT64_MAX},
    };
    struct run_spec spec = run_spec_default();
    struct run_report report;
    enum err_code code;

    (void)exprs_weak_int(&one, 1);
    (void)exprs_weak_int(&other, 1);
    ops[0].validate_shape = ops[1].validate_shape = true;
    spec.ops = ops;
    spec.op_count = 3;
    code = run_execute(w->d->service, MODEL, &spec, NULL, &report, err);
    run_report_drop(&report);
    expr_tree_drop(&one);
    expr_tree_drop(&other);
    return code;
}

static void *
move(void *context)
{
    struct worker *w = context;

    for (int i = 0; i < ROUNDS; i++) {
        struct err err = ERR_INIT;

        if (move_one(w, i, &err) == OK)
            w->done++;
        else
            w->failed++;
    }
    return NULL;
}

static int64_t
fetched_int(const struct run_report *report, size_t i)
{
    int64_t value;

    memcpy(&value, report->fetches[i].data, sizeof value);
    return value;
}

/* Makes a large value of what it read, which takes a while, and counts itself. */
static enum err_code
read_all(struct worker *w, bool *sound, struct err *err)
{
    struct expr_tree a = variable_tree("a"), b = variable_tree("b"), value = tree_new();
    struct expr *fill = exprs_set_dtype(
        exprs_set_shape(exprs_op(&value, "zeros", 0), "shape", exprs_shape(1, LARGE)), "dtype",
        DTYPE_INT64);
    struct run_op ops[2] = {
        {.verb = &verb_assign, .variable = "sums", .value = &value, .validate_shape = true},
        {.verb = &verb_count_up_to, .variable = "reads", .limit = INT64_MAX},
    };
    struct run_fetch fetches[2] = {{"a", &a}, {"b", &b}};
    struct run_spec spec = run_spec_default();
    struct run_report report;
    enum err_code code;

    (void)exprs_op(&value, "add", 2, fill,
                   exprs_op(&value, "add", 2, exprs_variable(&value, "a", false),
                            exprs_variable(&value, "b", false)));
    spec.ops = ops;
    spec.op_count = 2;
    spec.fetches = fetches;
    spec.fetch_count = 2;
    code = run_execute(w->d->service, MODEL, &spec, NULL, &report, err);
    *sound = code != OK || fetched_int(&report, 0) + fetched_int(&report, 1) == 1000;
    run_report_drop(&report);
    expr_tree_drop(&a);
    expr_tree_drop(&b);
    expr_tree_drop(&value);
    return code;
}

static void *
read_often(void *context)
{
    struct worker *w = context;

    for (int i = 0; i < READS; i++) {
        struct err err = ERR_INIT;
        bool sound = true;
        enum err_code code = read_all(w, &sound, &err);

        w->done += code == OK;
        w->aborted += code == ERR_ABORTED;
        w->failed += (code != OK && code != ERR_ABORTED) || !sound;
    }
    return NULL;
}

static int64_t
int_of(struct domain *d, const char *name)
{
    size_t size = 0;
    int64_t *bytes = value_of(d, name, &size), value;

    assert_in_range(size, sizeof value, SIZE_MAX);
    value = bytes[size / sizeof value - 1];
    free(bytes);
    return value;
}

static void
runs_at_once_are_as_if_one_after_the_other(void **state)
{
    struct domain *d = *state;
    struct worker workers[MOVERS + READERS];
    pthread_t threads[MOVERS + READERS];
    int moved = 0, read = 0;

    make_int(d, "a", 1000);
    make_int(d, "b", 0);
    make_int(d, "moves", 0);
    make_int(d, "reads", 0);
    declare(d, "sums", DTYPE_INT64, exprs_shape(1, LARGE));
    for (int i = 0; i < MOVERS + READERS; i++) {
        workers[i] = (struct worker){.d = d, .seed = i};
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < MOVERS ? move : read_often, &workers[i]), 0);
    }
    for (int i = 0; i < MOVERS + READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failed, 0);
        *(i < MOVERS ? &moved : &read) += workers[i].done;
    }
    assert_int_equal(moved, MOVERS * ROUNDS);
    assert_int_equal(int_of(d, "moves"), moved);
    assert_int_equal(int_of(d, "a") + int_of(d, "b"), 1000);
    assert_int_equal(int_of(d, "reads"), read);
    assert_in_range(read, 1, READERS * READS);
    assert_int_equal(int_of(d, "sums"), 1000);
    assert_int_equal(info_of_variable(d, "moves").record.version, 1 + moved);
    assert_int_equal(info_of_variable(d, "sums").record.version, read);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(runs_at_once_are_as_if_one_after_the_other),
    };

    return cmocka_run_group_tests_name("run_threads", tests, NULL, NULL);
}
