/* {"variables": ["a", "b"]} or {"variables": {"name in the checkpoint": "variable"}}. */
#ifndef API_TENSORS_PICKS_H
#define API_TENSORS_PICKS_H

#include "api/request.h"
#include "service/saving/checkpoint.h"

/* *out borrows from the request's arena; never NULL on success, also for an empty list. */
ERR_MUST_CHECK enum err_code api_picks_take(struct api_request *rq, const struct api_value *value,
                                            const struct checkpoint_pick **out, size_t *count,
                                            struct err *err);
/* The last segment of a name: "a/b/c" -> "c". Borrows from name. */
const char *api_file_name(const char *name);

#endif
