/* How a write is answered, so that it is told once and can be told again. A handler fills a result
 * and gives a function that puts it into words. Without an Idempotency-Key that runs when the write
 * is done; with one it runs inside the write's own commit, which keeps the reply under the key
 * (service/run/outcome.h). A repetition of the request never gets to the handler. */
#ifndef API_OUTCOME_H
#define API_OUTCOME_H

#include "api/reply.h"
#include "api/request.h"

/* Puts `result`, complete by then, and the revision of its commit into the reply. May run on the
 * store's thread, where others wait, and more than once, each time on a fresh reply: no blocking
 * and no changes but of the reply. */
typedef enum err_code api_render(struct api_request *rq, struct api_reply *rp, const void *result,
                                 uint64_t revision, struct err *err);

/* Before the write: the options to make it with (as api_request_write_options). `result` is
 * borrowed until api_outcome_reply. */
ERR_MUST_CHECK enum err_code api_outcome_begin(struct api_request *rq, api_render *render,
                                               const void *result, struct write_options *out,
                                               struct err *err);
/* After it: the reply, unless its commit has made it. What changed nothing (a dry run) is answered
 * too, and may be run again. */
ERR_MUST_CHECK enum err_code api_outcome_reply(struct api_request *rq, struct api_reply *rp,
                                               uint64_t revision, struct err *err);
/* For a render that would be long: ERR_PAYLOAD_TOO_LARGE when a reply of at least `size_min` bytes
 * would not be kept anyway. Fine where none is to be. */
ERR_MUST_CHECK enum err_code api_outcome_check_size(const struct api_request *rq, uint64_t size_min,
                                                    struct err *err);
/* Deletes what the request names, by a function of the service. */
typedef enum err_code api_delete(struct service *service, const char *model, const char *name,
                                 const struct write_options *options, uint64_t *revision,
                                 struct err *err);
ERR_MUST_CHECK enum err_code api_outcome_delete(struct api_request *rq, struct api_reply *rp,
                                                api_delete *remove, struct err *err);
/* {"deleted": name, "revision": …}; the result is the name. */
api_render api_render_deleted;

#endif
