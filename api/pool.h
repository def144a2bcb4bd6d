/* A fixed number of threads and a bounded queue of work for them. */
#ifndef API_POOL_H
#define API_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/err.h"

/* Embedded in what is to be worked on. */
struct api_job {
    struct api_job *next;
    void (*run)(struct api_job *job); /* on a worker, without the pool's lock */
    bool is_back;                     /* while queued: it was accepted before */
};

struct api_pool;

/* Owned by the caller: api_pool_drop. */
ERR_MUST_CHECK enum err_code api_pool_start(size_t threads, size_t queue_max, struct api_pool **out,
                                            struct err *err);
/* Lends the job until it has run. ERR_BUSY when the queue is full, ERR_UNAVAILABLE when stopping.
 */
ERR_MUST_CHECK enum err_code api_pool_submit(struct api_pool *pool, struct api_job *job,
                                             struct err *err);
/* The same for one that was accepted before and put itself aside: however many are queued, and
 * however many are, they take no place from others. Not after api_pool_stop. */
void api_pool_resubmit(struct api_pool *pool, struct api_job *job);
/* Refuses further jobs, runs those queued and waits for all. api_pool_submit may still be called.
 * NULL is fine. */
void api_pool_stop(struct api_pool *pool);
/* At this moment. */
size_t api_pool_queued(struct api_pool *pool);
size_t api_pool_idle(struct api_pool *pool);
void api_pool_drop(struct api_pool *pool); /* stops it first; NULL is fine */

#endif
