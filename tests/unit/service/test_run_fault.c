/* Runs on a disk that fails: the caller learns that nothing is known, and what is there in the end
 * is the run as a whole, or nothing of it. */
#include <errno.h>

#include "tests/support/faults.h"
#include "tests/unit/service/run_fixture.h"

enum { SMALL = 6000, LARGE = 500001 };

static void
make_few(struct domain *d, int count)
{
    make_filled(d, "a", 1.0f, count);
    make_filled(d, "b", 2.0f, count);
    make_int(d, "step", 0);
}

static struct script *
rich_run(struct domain *d, int count, const struct checkpoint_save_spec *save)
{
    static const int32_t rows[] = {1};
    struct script *s = script_new(d);

    then_update(s, &verb_assign_add, "a", filled(3.0f, count));
    then_scatter(s, "a", rows, 1, 10.0f);
    then_save(s, save);
    then_scatter(s, "a", rows, 1, -10.0f);
    then_update(s, &verb_assign, "b", scaled_tree("a", 2));
    then_count(s, "step", 100000);
    return s;
}

static int64_t
step_of(struct domain *d)
{
    size_t size = 0;
    int64_t *value = value_of(d, "step", &size), step;

    assert_int_equal(size, sizeof step);
    step = *value;
    free(value);
    return step;
}

/* The variables and checkpoints of so many runs. */
static void
must_be_done(struct domain *d, int count, int64_t runs)
{
    float a = 1.0f + 3.0f * (float)runs;

    assert_int_equal(step_of(d), runs);
    must_be_filled(d, "a", a, (size_t)count);
    must_be_filled(d, "b", runs == 0 ? 2.0f : 2.0f * a, (size_t)count);
    assert_int_equal(usage_of_model(d).checkpoints, runs);
    assert_int_equal(findings(d), 0);
}

/* Every call of one kind fails, and so many after it, each in a run of its own, until a run comes
 * through without. */
static void
fail_each_call(struct domain *d, int count, enum fault fault, int error, int calls)
{
    int64_t done = 0;
    bool through = false;

    make_few(d, count);
    for (int nth = 1; !through; nth++) {
        struct checkpoint_save_spec save = {
            .name = "c", .has_global_step = true, .global_step = nth};
        struct script *s = rich_run(d, count, &save);
        enum err_code code;

        assert_in_range(nth, 1, 200);
        faults_at(fault, error, nth, calls);
        code = script_try(s, NULL);
        faults_next(FAULT_NONE, 0, 0);
        through = code == OK && nth > 4;
        assert_true(nth > 1 || code != OK || error == ENOSPC); /* there are such calls */
        if (code != OK) {
            assert_true(code == ERR_UNKNOWN || code == ERR_UNAVAILABLE || code == ERR_FULL);
            assert_null(s->report.results);
        }
        err_clear(&d->f->err);
        domain_reopen(d);
        assert_true(step_of(d) == done || (step_of(d) == done + 1 && code != ERR_FULL));
        assert_true(code != OK || step_of(d) == done + 1);
        done = step_of(d);
        must_be_done(d, count, done);
        script_drop(s);
    }
    delete_model(d);
    assert_int_equal(chunks(d), 0);
    model_make(d, MODEL);
}

static void
a_sync_that_fails_leaves_all_or_nothing(void **state)
{
    fail_each_call(*state, SMALL, FAULT_SYNC, EIO, 1);
    fail_each_call(*state, LARGE, FAULT_SYNC, EIO, 1);
}

static void
a_write_that_fails_leaves_all_or_nothing(void **state)
{
    fail_each_call(*state, SMALL, FAULT_WRITE, EIO, 1);
    fail_each_call(*state, LARGE, FAULT_WRITE, EIO, 1);
}

static void
a_meta_page_that_is_not_written_leaves_all_or_nothing(void **state)
{
    fail_each_call(*state, SMALL, FAULT_META_WRITE, EIO, 1);
    fail_each_call(*state, LARGE, FAULT_META_WRITE, EIO, 1);
}

/* A unit that met a full disk is run again, and then it may have room. */
static void
a_disk_that_is_full_for_a_moment_leaves_all_or_nothing(void **state)
{
    fail_each_call(*state, SMALL, FAULT_WRITE, ENOSPC, 1);
    fail_each_call(*state, LARGE, FAULT_WRITE, ENOSPC, 1);
}

static void
a_disk_that_stays_full_leaves_nothing(void **state)
{
    fail_each_call(*state, SMALL, FAULT_WRITE, ENOSPC, 100000);
    fail_each_call(*state, LARGE, FAULT_WRITE, ENOSPC, 100000);
}

static int
fault_close(void **state)
{
    faults_next(FAULT_NONE, 0, 0);
    return domain_close(state);
}

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, domain_open, fault_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(a_sync_that_fails_leaves_all_or_nothing),
        FAULT_TEST(a_write_that_fails_leaves_all_or_nothing),
        FAULT_TEST(a_meta_page_that_is_not_written_leaves_all_or_nothing),
        FAULT_TEST(a_disk_that_is_full_for_a_moment_leaves_all_or_nothing),
        FAULT_TEST(a_disk_that_stays_full_leaves_nothing),
    };

    return cmocka_run_group_tests_name("run_fault", tests, NULL, NULL);
}
