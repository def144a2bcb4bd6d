/* Threads wait for a run; parts are given out one by one, in order, under the lock, and done
 * without it. The caller works too, so a run needs no thread to be free, and one that finds the
 * threads busy is the caller's alone: nobody waits for anybody else's run. For the same reason a
 * thread that cannot be started fails nothing. */
#include "service/parallel.h"

#include <pthread.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/lock.h"

struct helper {
    struct parallel *parallel;
    pthread_t thread;
    uint32_t lane;
};

struct parallel {
    struct lock lock;
    struct condition wake, done;
    struct helper *helpers; /* owned; threads - 1 of them */
    uint32_t threads, started;
    bool stopping;
    /* The run under way; run NULL: none. */
    parallel_run *run;
    void *context;
    uint64_t parts, next, failed_part;
    uint32_t working; /* threads inside a part */
    enum err_code code;
    struct err *err; /* the caller's */
};

/* Parts until none is left; the lock is held between them. */
static void
work(struct parallel *p, uint32_t lane)
{
    while (p->next < p->parts && p->code == OK) {
        uint64_t part = p->next++;
        struct err err = ERR_INIT;
        enum err_code code;

        p->working++;
        lock_release(&p->lock);
        code = p->run(p->context, lane, part, &err);
        lock_acquire(&p->lock);
        p->working--;
        if (code == OK || (p->code != OK && p->failed_part < part))
            continue;
        p->code = code;
        p->failed_part = part;
        if (p->err != NULL)
            *p->err = err;
    }
    if (p->working == 0)
        condition_broadcast(&p->done);
}

static void *
help(void *argument)
{
    const struct helper *helper = argument;
    struct parallel *p = helper->parallel;

    lock_acquire(&p->lock);
    while (!p->stopping) {
        if (p->run != NULL && p->next < p->parts && p->code == OK)
            work(p, helper->lane);
        else
            condition_wait(&p->wake, &p->lock);
    }
    lock_release(&p->lock);
    return NULL;
}

/* Those that are missing, as far as the system has them to give. The lock is held. */
static void
start(struct parallel *p)
{
    while (p->started + 1 < p->threads) {
        struct helper *helper = &p->helpers[p->started];

        *helper = (struct helper){.parallel = p, .lane = p->started + 1};
        if (pthread_create(&helper->thread, NULL, help, helper) != 0)
            return;
        p->started++;
    }
}

enum err_code
parallel_open(uint32_t threads, struct parallel **out, struct err *err)
{
    struct parallel *p = mem_zeroed(1, sizeof *p, err);

    CHECK(threads >= 1);
    if (p == NULL)
        return ERR_NO_MEMORY;
    p->threads = threads;
    lock_init(&p->lock);
    condition_init(&p->wake);
    condition_init(&p->done);
    p->helpers = mem_zeroed(threads, sizeof *p->helpers, err);
    if (p->helpers == NULL) {
        parallel_close(p);
        return ERR_NO_MEMORY;
    }
    *out = p;
    return OK;
}

void
parallel_close(struct parallel *p)
{
    if (p == NULL)
        return;
    lock_acquire(&p->lock);
    CHECK(p->run == NULL);
    p->stopping = true;
    condition_broadcast(&p->wake);
    lock_release(&p->lock);
    for (uint32_t i = 0; i < p->started; i++)
        pthread_join(p->helpers[i].thread, NULL);
    condition_drop(&p->wake);
    condition_drop(&p->done);
    lock_drop(&p->lock);
    mem_free(p->helpers);
    mem_free(p);
}

uint32_t
parallel_threads(const struct parallel *p)
{
    return p == NULL ? 1 : p->threads;
}

static enum err_code
do_alone(uint64_t parts, parallel_run *run, void *context, struct err *err)
{
    for (uint64_t i = 0; i < parts; i++)
        TRY(run(context, 0, i, err));
    return OK;
}

enum err_code
parallel_do(struct parallel *p, uint64_t parts, parallel_run *run, void *context, struct err *err)
{
    enum err_code code;

    if (p == NULL || p->threads == 1 || parts < 2)
        return do_alone(parts, run, context, err);
    lock_acquire(&p->lock);
    if (p->run != NULL) {
        lock_release(&p->lock);
        return do_alone(parts, run, context, err);
    }
    start(p);
    p->run = run;
    p->context = context;
    p->parts = parts;
    p->next = 0;
    p->code = OK;
    p->err = err;
    condition_broadcast(&p->wake);
    work(p, 0);
    while (p->working > 0)
        condition_wait(&p->done, &p->lock);
    p->run = NULL;
    code = p->code;
    lock_release(&p->lock);
    return code;
}
