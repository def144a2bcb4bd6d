#include "api/observe/memory.h"

#include <inttypes.h>

#include "api/state.h"

enum err_code
api_memory_take(struct api_request *rq, uint64_t bytes, struct err *err)
{
    struct api_server *server = rq->server;
    uint64_t max = server->settings->request_memory_max_bytes;
    uint64_t before = atomic_fetch_add(&server->memory_bytes, bytes);

    if (before <= max && bytes <= max - before) {
        rq->memory_bytes += bytes;
        return OK;
    }
    atomic_fetch_sub(&server->memory_bytes, bytes);
    atomic_fetch_add_explicit(&server->memory_refusals, 1, memory_order_relaxed);
    return err_set(err, ERR_UNAVAILABLE,
                   "bodies of requests take %" PRIu64 " bytes of memory already, %" PRIu64
                   " more are over the %" PRIu64 " allowed (setting request_memory_max_bytes)",
                   before, bytes, max);
}

void
api_memory_give(struct api_request *rq)
{
    if (rq->memory_bytes > 0)
        atomic_fetch_sub(&rq->server->memory_bytes, rq->memory_bytes);
    rq->memory_bytes = 0;
}
