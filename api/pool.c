/* Worker threads. Always true: a job that was accepted runs exactly once, also while stopping;
 * `queued` less `back`, those that come back, never passes `queue_max`. What a job does, and who
 * waits for it, is left to its owner.
 */
#include "api/pool.h"

#include <pthread.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/lock.h"

struct api_pool {
    struct lock lock; /* guards everything below but the threads */
    struct condition work;
    struct api_job *first, **last;
    size_t queued, back, queue_max, idle;
    bool stopping;
    size_t thread_count;
    pthread_t threads[];
};

static struct api_job *
take(struct api_pool *pool)
{
    struct api_job *job = pool->first;

    pool->first = job->next;
    if (pool->first == NULL)
        pool->last = &pool->first;
    pool->queued--;
    pool->back -= job->is_back;
    return job;
}

static void *
work(void *context)
{
    struct api_pool *pool = context;

    lock_acquire(&pool->lock);
    while (!pool->stopping || pool->first != NULL) {
        if (pool->first == NULL) {
            pool->idle++;
            condition_wait(&pool->work, &pool->lock);
            pool->idle--;
            continue;
        }
        struct api_job *job = take(pool);

        lock_release(&pool->lock);
        job->run(job);
        lock_acquire(&pool->lock);
    }
    lock_release(&pool->lock);
    return NULL;
}

void
api_pool_stop(struct api_pool *pool)
{
    if (pool == NULL)
        return;
    lock_acquire(&pool->lock);
    pool->stopping = true;
    condition_broadcast(&pool->work);
    lock_release(&pool->lock);
    for (size_t i = 0; i < pool->thread_count; i++)
        CHECK(pthread_join(pool->threads[i], NULL) == 0);
    pool->thread_count = 0;
    CHECK(pool->first == NULL);
}

void
api_pool_drop(struct api_pool *pool)
{
    if (pool == NULL)
        return;
    api_pool_stop(pool);
    condition_drop(&pool->work);
    lock_drop(&pool->lock);
    mem_free(pool);
}

enum err_code
api_pool_start(size_t threads, size_t queue_max, struct api_pool **out, struct err *err)
{
    struct api_pool *pool = mem_zeroed(1, sizeof *pool + threads * sizeof pool->threads[0], err);

    if (pool == NULL)
        return ERR_NO_MEMORY;
    lock_init(&pool->lock);
    condition_init(&pool->work);
    pool->last = &pool->first;
    pool->queue_max = queue_max;
    while (pool->thread_count < threads) {
        if (pthread_create(&pool->threads[pool->thread_count], NULL, work, pool) != 0) {
            enum err_code code =
                err_set(err, ERR_UNAVAILABLE, "only %zu of %zu worker threads start",
                        pool->thread_count, threads);
            api_pool_drop(pool);
            return code;
        }
        pool->thread_count++;
    }
    *out = pool;
    return OK;
}

/* True: somebody is to be woken. */
static bool
put(struct api_pool *pool, struct api_job *job, bool is_back)
{
    lock_check_held(&pool->lock);
    job->is_back = is_back;
    pool->back += is_back;
    job->next = NULL;
    *pool->last = job;
    pool->last = &job->next;
    pool->queued++;
    return pool->idle > 0;
}

void
api_pool_resubmit(struct api_pool *pool, struct api_job *job)
{
    lock_acquire(&pool->lock);
    CHECK(!pool->stopping);
    if (put(pool, job, true))
        condition_signal(&pool->work); /* with the lock: afterwards the pool may be gone */
    lock_release(&pool->lock);
}

enum err_code
api_pool_submit(struct api_pool *pool, struct api_job *job, struct err *err)
{
    bool wakes;

    lock_acquire(&pool->lock);
    if (pool->stopping || pool->queued - pool->back >= pool->queue_max) {
        bool stopping = pool->stopping;
        size_t queued = pool->queued;

        lock_release(&pool->lock);
        if (stopping)
            return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
        return err_set(err, ERR_BUSY, "%zu requests wait already (setting queue_requests_max)",
                       queued);
    }
    wakes = put(pool, job, false);
    lock_release(&pool->lock);
    if (wakes) /* who submits has the pool for longer than a job takes */
        condition_signal(&pool->work);
    return OK;
}

size_t
api_pool_queued(struct api_pool *pool)
{
    size_t queued;

    lock_acquire(&pool->lock);
    queued = pool->queued;
    lock_release(&pool->lock);
    return queued;
}

size_t
api_pool_idle(struct api_pool *pool)
{
    size_t idle;

    lock_acquire(&pool->lock);
    idle = pool->idle;
    lock_release(&pool->lock);
    return idle;
}
