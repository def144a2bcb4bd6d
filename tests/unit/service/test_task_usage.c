/* What lies on tasks, asked again and again: always as somebody sees it who counts all of it. */
#include <pthread.h>
#include <stdatomic.h>

#include "service/placement/model_place.h"
#include "service/placement/task_usage.h"
#include "service/state.h"
#include "tests/unit/service/service_fixture.h"

enum { PARTS = 3, WRITES = 40, ASKING = 2 };

static void
read_usages(struct service *service, struct domain *d, struct task_usages *out)
{
    WORKS(task_usages_read(service, UINT64_MAX, out, &d->f->err), &d->f->err);
}

static void
must_be_alike(const struct task_usages *a, const struct task_usages *b)
{
    assert_int_equal(a->revision, b->revision);
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i <= a->count; i++) {
        assert_int_equal(a->tasks[i].variables, b->tasks[i].variables);
        assert_int_equal(a->tasks[i].initialized, b->tasks[i].initialized);
        assert_int_equal(a->tasks[i].bytes, b->tasks[i].bytes);
    }
    assert_int_equal(a->unnamed, b->unnamed);
    assert_int_equal(a->missing_count, b->missing_count);
    for (size_t i = 0; i < a->missing_count; i++) {
        assert_string_equal(a->missing[i].name, b->missing[i].name);
        assert_int_equal(a->missing[i].variables, b->missing[i].variables);
    }
}

/* What is told by a service that remembers is what one tells that has just begun. */
static void
is_right(struct domain *d)
{
    struct service *fresh = NULL;
    AUTO(task_usages) first = {.count = 0}, again = {.count = 0}, expected = {.count = 0};

    WORKS(service_open(d->f->store, &d->limits, &fresh, &d->f->err), &d->f->err);
    read_usages(fresh, d, &expected);
    service_close(fresh);
    read_usages(d->service, d, &first);
    read_usages(d->service, d, &again);
    must_be_alike(&first, &expected);
    must_be_alike(&again, &expected);
}

static void
place_on(struct domain *d, uint32_t tasks)
{
    struct device_setter_args args = device_setter_args_default();
    struct model_spec spec = {.has_placement = true, .placement = &args};
    struct model_info info;
    uint64_t revision;

    args.has_ps_tasks = true;
    args.ps_tasks = tasks;
    WORKS(model_patch(d->service, MODEL, &spec, NULL, &info, &revision, &d->f->err), &d->f->err);
}

static void
place_anew(struct domain *d)
{
    struct model_place_report report = {.variables = 0};

    WORKS(model_place(d->service, MODEL, false, NULL, &report, &d->f->err), &d->f->err);
    model_place_report_drop(&report);
}

static void
create_parts(struct domain *d, const char *name)
{
    static const float data[7];
    struct expr_tree tree = tree_new();
    struct shape shape = exprs_shape(1, (uint64_t)7);
    struct variable_spec spec = spec_named(name);

    (void)exprs_literal(&tree, DTYPE_FLOAT32, shape, data);
    spec.partition = partition_spec_default(PARTITION_SLICING);
    spec.partition.slicing = exprs_shape(1, (uint64_t)PARTS);
    WORKS(try_create(d, spec, &tree), &d->f->err);
}

/* A value of another size each time. */
static void
assign_longer(struct domain *d, const char *name, uint64_t count)
{
    static const float data[64];
    struct expr_tree tree = tree_new();
    struct run_report report;

    (void)exprs_literal(&tree, DTYPE_FLOAT32, exprs_shape(1, count), data);
    WORKS(variable_update(d->service, MODEL, name, VARIABLE_ASSIGN, &tree, false, NULL, &report,
                          &d->f->err),
          &d->f->err);
    expr_tree_drop(&tree);
    run_report_drop(&report);
}

static void
every_change_is_seen(void **state)
{
    static const float one = 1;
    struct domain *d = *state;
    struct shape scalar = {.rank = 0};
    const struct cluster_limits limits = {1, 3};
    struct cluster cluster;

    WORKS(cluster_parse("ps=3", &limits, &cluster, &d->f->err), &d->f->err);
    d->limits.cluster = &cluster;
    domain_restart(d);
    is_right(d);
    place_on(d, 2);
    create_parts(d, "w");
    is_right(d);
    create_literal(d, "free", DTYPE_FLOAT32, scalar, &one);
    create_literal(d, "b", DTYPE_FLOAT32, scalar, &one);
    is_right(d);
    initialize_all(d);
    is_right(d);
    assign(d, "b", DTYPE_FLOAT32, scalar, &one);
    is_right(d);
    assign_longer(d, "free", 9);
    is_right(d);
    (void)save(d, "c");
    place_on(d, 3);
    is_right(d);
    place_anew(d);
    is_right(d);
    delete_variable(d, "w");
    is_right(d);
    create_parts(d, "w");
    is_right(d);
    delete_model(d);
    is_right(d);
    model_make(d, MODEL);
    create_parts(d, "w");
    is_right(d);
    d->limits.cluster = NULL;
    domain_restart(d);
    is_right(d);
    cluster_drop(&cluster);
}

static void
every_model_is_counted_for_itself(void **state)
{
    struct domain *d = *state;

    model_make(d, "other");
    model_make(d, "another");
    place_on(d, 40);
    for (int i = 0; i < 10; i++) {
        char name[16];

        snprintf(name, sizeof name, "w%d", i);
        create_parts(d, name);
        is_right(d);
    }
}

static void
it_ends_where_it_is_told_to_and_remembers_no_half(void **state)
{
    AUTO(task_usages) some = {.count = 0}, all = {.count = 0};
    struct domain *d = *state;

    place_on(d, 3);
    create_parts(d, "a");
    create_parts(d, "b");
    WORKS(task_usages_read(d->service, PARTS, &some, &d->f->err), &d->f->err);
    assert_false(some.complete);
    assert_int_equal(some.tasks[some.count].variables, 1); /* one on tasks that are not there */
    is_right(d);
    WORKS(task_usages_read(d->service, PARTS, &all, &d->f->err), &d->f->err);
    assert_true(all.complete); /* nothing is looked at */
    assert_int_equal(all.tasks[all.count].variables, 2);
}

static void
memory_that_is_short_is_told(void **state)
{
    struct domain *d = *state;

    place_on(d, 3);
    create_parts(d, "a");
    for (uint64_t nth = 1; nth <= 40; nth++) {
        AUTO(task_usages) usages = {.count = 0};
        enum err_code code;

        domain_restart(d);
        (void)mem_fail_at(nth, 0);
        code = task_usages_read(d->service, UINT64_MAX, &usages, &d->f->err);
        (void)mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        err_clear(&d->f->err);
        is_right(d);
    }
}

/* --- among writers ---------------------------------------------------------------------------- */

struct asking {
    struct service *service;
    _Atomic bool *done;
    uint64_t reads, wrong; /* of them */
};

/* Each commit makes or deletes one variable of 4 bytes that is initialized with it. */
static void *
read_on(void *context)
{
    struct asking *r = context;
    struct err err = ERR_INIT;
    uint64_t revision = 0;

    do {
        AUTO(task_usages) usages = {.count = 0};
        const struct task_usage *task;

        if (task_usages_read(r->service, UINT64_MAX, &usages, &err) != OK) {
            r->wrong++;
            return NULL;
        }
        task = &usages.tasks[0];
        r->wrong += usages.revision < revision || task->bytes != 4 * task->initialized;
        revision = usages.revision;
        r->reads++;
    } while (!atomic_load(r->done));
    return NULL;
}

static void
whoever_asks_among_writers_has_one_revision(void **state)
{
    static const float one = 1;
    struct domain *d = *state;
    struct asking asking[ASKING];
    pthread_t threads[ASKING];
    _Atomic bool done = false;

    for (size_t i = 0; i < ASKING; i++) {
        asking[i] = (struct asking){.service = d->service, .done = &done};
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &asking[i]), 0);
    }
    for (int i = 0; i < WRITES; i++) {
        create_literal(d, "w", DTYPE_FLOAT32, (struct shape){.rank = 0}, &one);
        initialize_all(d);
        if (i % 2 == 0)
            delete_variable(d, "w");
        else
            delete_model(d);
        if (i % 2 != 0)
            model_make(d, MODEL);
    }
    atomic_store(&done, true);
    for (size_t i = 0; i < ASKING; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(asking[i].wrong, 0);
        assert_in_range(asking[i].reads, 1, UINT64_MAX);
    }
    is_right(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(every_change_is_seen),
        DOMAIN_TEST(every_model_is_counted_for_itself),
        DOMAIN_TEST(it_ends_where_it_is_told_to_and_remembers_no_half),
        DOMAIN_TEST(memory_that_is_short_is_told),
        DOMAIN_TEST(whoever_asks_among_writers_has_one_revision),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
