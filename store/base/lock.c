/* A mutex that knows its owner. Misuse (locking twice, releasing what is not held, waiting without
 * the lock) is a bug of ours and aborts; nothing here can fail for another reason.
 *
 * `owner` and `held` are written with the mutex held only. lock_check_held reads them without
 * asking: a thread that does hold the lock reads what it wrote itself. */
#include "store/base/lock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "store/base/check.h"

/* A wait of more than this is this: about three years, far from any overflow of a time_t. */
static const uint64_t wait_max_ms = 100000000000U;

static void
own(struct lock *l)
{
    l->owner = pthread_self();
    l->held = true;
}

void
lock_init(struct lock *l)
{
    pthread_mutexattr_t kind;

    memset(l, 0, sizeof *l);
    CHECK(pthread_mutexattr_init(&kind) == 0);
    CHECK(pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK) == 0);
    CHECK(pthread_mutex_init(&l->mutex, &kind) == 0);
    CHECK(pthread_mutexattr_destroy(&kind) == 0);
}

void
lock_drop(struct lock *l)
{
    CHECK(pthread_mutex_destroy(&l->mutex) == 0);
    memset(l, 0, sizeof *l);
}

void
lock_acquire(struct lock *l)
{
    CHECK(pthread_mutex_lock(&l->mutex) == 0);
    own(l);
}

void
lock_release(struct lock *l)
{
    lock_check_held(l);
    l->held = false;
    CHECK(pthread_mutex_unlock(&l->mutex) == 0);
}

void
lock_check_held(struct lock *l)
{
    CHECK(l->held && pthread_equal(l->owner, pthread_self()));
}

void
condition_init(struct condition *c)
{
    pthread_condattr_t kind;

    CHECK(pthread_condattr_init(&kind) == 0);
    CHECK(pthread_condattr_setclock(&kind, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&c->cond, &kind) == 0);
    CHECK(pthread_condattr_destroy(&kind) == 0);
}

void
condition_drop(struct condition *c)
{
    CHECK(pthread_cond_destroy(&c->cond) == 0);
    memset(c, 0, sizeof *c);
}

void
condition_wait(struct condition *c, struct lock *l)
{
    lock_check_held(l);
    l->held = false;
    CHECK(pthread_cond_wait(&c->cond, &l->mutex) == 0);
    own(l);
}

bool
condition_wait_ms(struct condition *c, struct lock *l, uint64_t timeout_ms)
{
    struct timespec until;
    int woken;

    if (timeout_ms > wait_max_ms)
        timeout_ms = wait_max_ms;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    lock_check_held(l);
    l->held = false;
    woken = pthread_cond_timedwait(&c->cond, &l->mutex, &until);
    CHECK(woken == 0 || woken == ETIMEDOUT);
    own(l);
    return woken == 0;
}

void
condition_signal(struct condition *c)
{
    CHECK(pthread_cond_signal(&c->cond) == 0);
}

void
condition_broadcast(struct condition *c)
{
    CHECK(pthread_cond_broadcast(&c->cond) == 0);
}

void
latch_init(struct latch *l)
{
    CHECK(sem_init(&l->opened, 0, 0) == 0);
}

void
latch_drop(struct latch *l)
{
    CHECK(sem_destroy(&l->opened) == 0);
}

void
latch_open(struct latch *l)
{
    CHECK(sem_post(&l->opened) == 0);
}

void
latch_wait(struct latch *l)
{
    while (sem_wait(&l->opened) != 0)
        CHECK(errno == EINTR);
}
