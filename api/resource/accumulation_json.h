/* Accumulations as JSON, and how a contribution waits for its step. */
#ifndef API_RESOURCE_ACCUMULATION_JSON_H
#define API_RESOURCE_ACCUMULATION_JSON_H

#include <jansson.h>

#include "api/reply.h"
#include "service/training/accumulation.h"

/* A new reference: {"optimizer", "key", "accumulated", "replicas", "applied", "global_step" (of its
 * step, where it counts one), "revision"}, and "applied_at", or of an open one "workers",
 * "variables", "created", "updated", "expires". */
ERR_MUST_CHECK enum err_code api_describe_accumulation(const char *optimizer,
                                                       const struct accumulation_info *info,
                                                       json_t **out, struct err *err);
/* Location: of the accumulation of the optimizer in the path. The key is as the path had it, or has
 * passed accumulation_check_key. */
ERR_MUST_CHECK enum err_code api_accumulation_location(const struct api_request *rq,
                                                       struct api_reply *rp, const char *key,
                                                       struct err *err);
/* The last step of a handler that has contributed: 200 when the step is taken, 202 when the time is
 * over first. `key` is copied. */
ERR_MUST_CHECK enum err_code api_accumulation_wait(struct api_request *rq, struct api_reply *rp,
                                                   const char *key, uint64_t seconds,
                                                   struct err *err);

#endif
