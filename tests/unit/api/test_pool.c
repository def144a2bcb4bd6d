/* Worker threads: every accepted job runs once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>

#include "api/pool.h"
#include "store/base/lock.h"

enum { JOBS = 2000 };

struct counted {
    struct api_job job;
    _Atomic int runs;
};

static void
count(struct api_job *job)
{
    atomic_fetch_add(&((struct counted *)(void *)job)->runs, 1);
}

static void
every_job_runs_exactly_once(void **state)
{
    static struct counted jobs[JOBS];
    struct api_pool *pool = NULL;

    (void)state;
    assert_int_equal(api_pool_start(4, JOBS, &pool, NULL), OK);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i].job.run = count;
        assert_int_equal(api_pool_submit(pool, &jobs[i].job, NULL), OK);
    }
    api_pool_drop(pool);
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(atomic_load(&jobs[i].runs), 1);
}

/* A job that says when it runs and waits to be let go. */
struct gate {
    struct api_job job;
    struct lock lock;
    struct condition changed;
    bool entered, open;
};

static void
pass_gate(struct api_job *job)
{
    struct gate *gate = (struct gate *)(void *)job;

    lock_acquire(&gate->lock);
    gate->entered = true;
    condition_broadcast(&gate->changed);
    while (!gate->open)
        condition_wait(&gate->changed, &gate->lock);
    lock_release(&gate->lock);
}

static void
gate_init(struct gate *gate)
{
    *gate = (struct gate){.job = {.run = pass_gate}};
    lock_init(&gate->lock);
    condition_init(&gate->changed);
}

static void
gate_wait_entered(struct gate *gate)
{
    lock_acquire(&gate->lock);
    while (!gate->entered)
        condition_wait(&gate->changed, &gate->lock);
    lock_release(&gate->lock);
}

static void
gate_open(struct gate *gate)
{
    lock_acquire(&gate->lock);
    gate->open = true;
    condition_broadcast(&gate->changed);
    lock_release(&gate->lock);
}

static void
gate_drop(struct gate *gate)
{
    condition_drop(&gate->changed);
    lock_drop(&gate->lock);
}

static void
a_full_queue_refuses(void **state)
{
    struct counted waiting[2] = {{{.run = count}, 0}, {{.run = count}, 0}};
    struct counted extra = {{.run = count}, 0}, back = {{.run = count}, 0};
    struct api_pool *pool = NULL;
    struct gate gate;
    struct err err = ERR_INIT;

    (void)state;
    gate_init(&gate);
    assert_int_equal(api_pool_start(1, 2, &pool, NULL), OK);
    assert_int_equal(api_pool_submit(pool, &gate.job, NULL), OK);
    gate_wait_entered(&gate); /* off the queue */
    assert_int_equal(api_pool_submit(pool, &waiting[0].job, NULL), OK);
    assert_int_equal(api_pool_submit(pool, &waiting[1].job, NULL), OK);
    assert_int_equal(api_pool_submit(pool, &extra.job, &err), ERR_BUSY);
    api_pool_resubmit(pool, &back.job); /* it had been accepted before */
    gate_open(&gate);
    api_pool_stop(pool);
    assert_int_equal(atomic_load(&waiting[0].runs) + atomic_load(&waiting[1].runs), 2);
    assert_int_equal(atomic_load(&extra.runs), 0);
    assert_int_equal(atomic_load(&back.runs), 1);
    assert_int_equal(api_pool_submit(pool, &extra.job, NULL), ERR_UNAVAILABLE);
    api_pool_drop(pool);
    gate_drop(&gate);
}

static void
jobs_that_come_back_take_no_place_from_others(void **state)
{
    struct counted back[3] = {{{.run = count}, 0}, {{.run = count}, 0}, {{.run = count}, 0}};
    struct counted others[2] = {{{.run = count}, 0}, {{.run = count}, 0}};
    struct api_pool *pool = NULL;
    struct gate gate;
    struct err err = ERR_INIT;

    (void)state;
    gate_init(&gate);
    assert_int_equal(api_pool_start(1, 1, &pool, NULL), OK);
    assert_int_equal(api_pool_submit(pool, &gate.job, NULL), OK);
    gate_wait_entered(&gate);
    for (size_t i = 0; i < 3; i++)
        api_pool_resubmit(pool, &back[i].job);
    assert_int_equal(api_pool_submit(pool, &others[0].job, NULL), OK);
    assert_int_equal(api_pool_submit(pool, &others[1].job, &err), ERR_BUSY);
    gate_open(&gate);
    api_pool_drop(pool);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(atomic_load(&back[i].runs), 1);
    assert_int_equal(atomic_load(&others[0].runs), 1);
    assert_int_equal(atomic_load(&others[1].runs), 0);
    gate_drop(&gate);
}

static void
jobs_run_side_by_side(void **state)
{
    struct api_pool *pool = NULL;
    struct gate gates[3];

    (void)state;
    assert_int_equal(api_pool_start(3, 3, &pool, NULL), OK);
    for (size_t i = 0; i < 3; i++) {
        gate_init(&gates[i]);
        assert_int_equal(api_pool_submit(pool, &gates[i].job, NULL), OK);
    }
    for (size_t i = 0; i < 3; i++)
        gate_wait_entered(&gates[i]); /* all three, none let go yet */
    for (size_t i = 0; i < 3; i++)
        gate_open(&gates[i]);
    api_pool_drop(pool);
    for (size_t i = 0; i < 3; i++)
        gate_drop(&gates[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_exactly_once),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(jobs_that_come_back_take_no_place_from_others),
        cmocka_unit_test(jobs_run_side_by_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
