/* Counts of models that are remembered: what they are of, when they hold, how much is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "service/placement/task_census.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { TASKS = 3 };

struct world {
    struct task_census *census;
    struct task_usages usages; /* of TASKS, and none */
};

static void
begin(struct world *w)
{
    task_usages_drop(&w->usages);
    w->usages = (struct task_usages){.count = TASKS};
    w->usages.tasks = mem_zeroed(TASKS + 1, sizeof *w->usages.tasks, NULL);
    assert_non_null(w->usages.tasks);
}

static int
setup(void **state)
{
    static struct world world;

    world = (struct world){.census = NULL};
    assert_int_equal(task_census_open(&world.census, NULL), OK);
    begin(&world);
    *state = &world;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    task_usages_drop(&w->usages);
    task_census_drop(w->census);
    return 0;
}

static void
put(struct task_usages *usages, size_t place, const char *missing)
{
    size_t at;

    usages->tasks[place].variables++;
    usages->tasks[place].initialized++;
    usages->tasks[place].bytes += 10;
    if (missing == NULL)
        return;
    at = task_missing_find(usages, missing);
    if (at == TASK_MISSING_MAX)
        usages->unnamed++;
    else
        usages->missing[at].variables++;
}

/* A model with a variable on `place` and `missing` ones on tasks of those numbers from `first`. */
static void
keep(struct world *w, uint64_t model, uint64_t revision, size_t place, int first, int missing)
{
    struct task_usage tasks[TASKS + 1];
    struct task_usages before = w->usages;
    char name[32];

    memcpy(tasks, w->usages.tasks, sizeof tasks);
    before.tasks = tasks;
    put(&w->usages, place, NULL);
    for (int i = first; i < first + missing; i++) {
        snprintf(name, sizeof name, "/job:gone/task:%d", i);
        put(&w->usages, TASKS, name);
    }
    task_census_keep(w->census, model, revision, &before, &w->usages);
}

static void
what_was_counted_is_added_again_at_its_revision(void **state)
{
    struct world *w = *state;

    keep(w, 7, 1, 1, 0, 2);
    keep(w, 8, 5, 2, 1, 2);
    for (int again = 0; again < 2; again++) {
        begin(w);
        assert_false(task_census_add(w->census, 7, 2, &w->usages));
        assert_false(task_census_add(w->census, 9, 1, &w->usages));
        assert_int_equal(w->usages.tasks[1].variables, 0);
        assert_true(task_census_add(w->census, 8, 5, &w->usages));
        assert_true(task_census_add(w->census, 7, 1, &w->usages));
        assert_int_equal(w->usages.tasks[0].variables, 0);
        assert_int_equal(w->usages.tasks[1].bytes, 10);
        assert_int_equal(w->usages.tasks[2].initialized, 1);
        assert_int_equal(w->usages.tasks[TASKS].variables, 4);
        assert_int_equal(w->usages.missing_count, 3);
        assert_string_equal(w->usages.missing[0].name, "/job:gone/task:1");
        assert_int_equal(w->usages.missing[0].variables, 2);
    }
}

static void
a_later_one_stands_in_an_older_ones_place(void **state)
{
    struct world *w = *state;

    keep(w, 7, 2, 0, 0, 0);
    keep(w, 7, 3, 1, 0, 0);
    keep(w, 7, 1, 2, 0, 0); /* of a snapshot that was opened before */
    begin(w);
    assert_false(task_census_add(w->census, 7, 1, &w->usages));
    assert_false(task_census_add(w->census, 7, 2, &w->usages));
    assert_true(task_census_add(w->census, 7, 3, &w->usages));
    assert_int_equal(w->usages.tasks[1].variables, 1);
}

/* Which ones are named depends on those that were before. */
static void
more_missing_tasks_than_are_named_hold_after_the_same_ones(void **state)
{
    struct world *w = *state;

    keep(w, 7, 1, 0, 0, 10);
    keep(w, 8, 1, 0, 10, 10);
    assert_int_equal(w->usages.unnamed, 4);
    begin(w);
    assert_false(task_census_add(w->census, 8, 1, &w->usages));
    assert_true(task_census_add(w->census, 7, 1, &w->usages));
    assert_true(task_census_add(w->census, 8, 1, &w->usages));
    assert_int_equal(w->usages.unnamed, 4);
    assert_int_equal(w->usages.missing_count, TASK_MISSING_MAX);
    assert_int_equal(w->usages.tasks[TASKS].variables, 20);
    assert_true(task_census_add(w->census, 7, 1, &w->usages)); /* all of them were named */
    assert_int_equal(w->usages.unnamed, 4);
    begin(w);
    keep(w, 9, 1, 0, 20, 12);
    assert_false(task_census_add(w->census, 7, 1, &w->usages)); /* and some now cannot be */
    assert_int_equal(w->usages.unnamed, 0);
}

static size_t
known(struct world *w, uint64_t models)
{
    size_t count = 0;

    begin(w);
    for (uint64_t id = 1; id <= models; id++)
        count += task_census_add(w->census, id, 1, &w->usages);
    assert_int_equal(w->usages.tasks[0].variables, count);
    return count;
}

static void
it_is_bounded(void **state)
{
    enum { MISSING = 16, EACH = MISSING * (DEVICE_TEXT_BYTES_MAX + 9) };
    const uint64_t models = 2 * TASK_CENSUS_BYTES_MAX / EACH;
    struct world *w = *state;

    for (uint64_t id = 1; id <= models; id++) {
        begin(w);
        keep(w, id, 1, 0, 0, MISSING);
    }
    assert_in_range(known(w, models), 1, models / 2 + 1);
    begin(w);
    keep(w, models, 1, 0, 0, 0); /* there is room again */
    assert_in_range(known(w, models), 1, models / 2 + 1);
}

static void
memory_that_is_short_costs_time_alone(void **state)
{
    struct task_census *none = NULL;
    struct world *w = *state;

    (void)mem_fail_at(1, 0);
    keep(w, 1, 1, 0, 0, 0);
    (void)mem_fail_at(1, 0);
    assert_int_equal(task_census_open(&none, NULL), ERR_NO_MEMORY);
    (void)mem_fail_at(0, 0);
    assert_int_equal(known(w, 1), 0);
    task_census_drop(none);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_counted_is_added_again_at_its_revision, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_later_one_stands_in_an_older_ones_place, setup, teardown),
        cmocka_unit_test_setup_teardown(more_missing_tasks_than_are_named_hold_after_the_same_ones,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_that_is_short_costs_time_alone, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
