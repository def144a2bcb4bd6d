/* What the bodies of all requests under way may take of memory together. Each body has a limit of
 * its own; this is so that many at once do not exhaust the machine. What flows through to the store
 * piece by piece (uploads of values and checkpoints) takes next to nothing and is not counted. */
#ifndef API_OBSERVE_MEMORY_H
#define API_OBSERVE_MEMORY_H

#include <stdint.h>

#include "store/base/err.h"

struct api_request;

/* So much more of the request's body is kept in memory until the request is over. The thread that
 * has the request. ERR_UNAVAILABLE when there is too much of all of them. */
ERR_MUST_CHECK enum err_code api_memory_take(struct api_request *rq, uint64_t bytes,
                                             struct err *err);
/* All of it, at the end. */
void api_memory_give(struct api_request *rq);

#endif
