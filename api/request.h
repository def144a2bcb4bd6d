/* One request, as a handler sees it. It owns everything made for it: its arena dies with it.
 *
 * Handlers run in one of two places. RUN_INLINE: on the HTTP thread, short look-ups only; a handler
 * that finds the work too big returns ERR_DEFER before it has done anything, and is run again on a
 * worker. RUN_WORKER: on a worker thread, the connection suspended; it may block on the store and
 * on the body. */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <jansson.h>

#include "api/json/jsonio.h"
#include "api/tensors/byte_source.h"
#include "service/service.h"
#include "service/settings.h"
#include "store/base/arena.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

struct api_request;
struct api_reply;

typedef enum err_code api_handler(struct api_request *rq, struct api_reply *rp, struct err *err);

struct service *api_request_service(const struct api_request *rq);
const struct settings *api_request_settings(const struct api_request *rq);
struct arena *api_request_arena(struct api_request *rq);
/* Decoded, checked path parameters; "" when the route has none. NUL-terminated; live as long as rq.
 */
const char *api_request_model(const struct api_request *rq);
const char *api_request_name(const struct api_request *rq);
const char *api_request_key(const struct api_request *rq);
/* What stands after the last colon of the route: "assign"; "" when there is none. Static. */
const char *api_request_verb(const struct api_request *rq);
bool api_request_on_worker(const struct api_request *rq);
bool api_request_is_head(const struct api_request *rq);

/* Decoded query argument; data NULL when absent. Only names listed in the route's row get this far,
 * each at most once. Borrows from rq. */
struct bytes api_request_query(const struct api_request *rq, const char *name);
/* "true"/"1"/"" -> true, "false"/"0" -> false, absent -> fallback; else ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code api_request_query_bool(const struct api_request *rq, const char *name,
                                                    bool fallback, bool *out, struct err *err);
ERR_MUST_CHECK enum err_code api_request_query_u64(const struct api_request *rq, const char *name,
                                                   uint64_t fallback, uint64_t *out,
                                                   struct err *err);
/* The same from 1 to `most`; the fallback may be any. */
ERR_MUST_CHECK enum err_code api_request_query_count(const struct api_request *rq, const char *name,
                                                     uint64_t fallback, uint64_t most,
                                                     uint64_t *out, struct err *err);
/* The place of one of `names`; absent -> the fallback's. */
ERR_MUST_CHECK enum err_code api_request_query_word(const struct api_request *rq, const char *name,
                                                    const char *const *names, unsigned count,
                                                    unsigned fallback, unsigned *out,
                                                    struct err *err);
/* NULL when absent; else NUL-terminated, in the request's arena. */
ERR_MUST_CHECK enum err_code api_request_query_copy(struct api_request *rq, const char *name,
                                                    const char **out, struct err *err);
/* The raw query string, "" when none: part of a list's identity. */
struct bytes api_request_query_text(const struct api_request *rq);
/* Request header; data NULL when absent. */
struct bytes api_request_header(const struct api_request *rq, const char *name);

/* How a write is to be committed: If-Match, If-None-Match: *, Prefer: durability=commit (answered
 * with Preference-Applied). Tags that are not ours match nothing. out->revisions borrows from rq.
 */
ERR_MUST_CHECK enum err_code api_request_write_options(struct api_request *rq,
                                                       struct write_options *out, struct err *err);

/* --- body ---------------------------------------------------------------------------------- */

/* Declared length; UINT64_MAX when chunked. 0 without a body. */
uint64_t api_request_body_length(const struct api_request *rq);
/* Blocks until some bytes are there; *got 0 at the end. Worker only (or small bodies, already
 * here). ERR_UNAVAILABLE when the client left or was too slow, ERR_PAYLOAD_TOO_LARGE past the
 * route's limit. */
ERR_MUST_CHECK enum err_code api_request_body_read(struct api_request *rq, void *out, size_t size,
                                                   size_t *got, struct err *err);
/* Exactly size bytes, or ERR_INVALID_ARGUMENT "the body ends after N of M bytes". */
ERR_MUST_CHECK enum err_code api_request_body_exactly(struct api_request *rq, void *out,
                                                      size_t size, struct err *err);
/* The first bytes (at most 512), without taking them. Before anything is read. */
ERR_MUST_CHECK enum err_code api_request_body_peek(struct api_request *rq, void *out, size_t size,
                                                   size_t *got, struct err *err);
/* What is left of it, front to back. Borrows the request. */
struct api_byte_source api_request_body_source(struct api_request *rq);
/* ERR_INVALID_ARGUMENT when bytes are left. */
ERR_MUST_CHECK enum err_code api_request_body_end(struct api_request *rq, struct err *err);
/* The whole body as JSON, parsed once; an empty body is `{}`. Borrows from rq. The Content-Type
 * must be JSON, absent, or curl's default form type; else ERR_UNSUPPORTED_MEDIA_TYPE. */
ERR_MUST_CHECK enum err_code api_request_json(struct api_request *rq, struct api_json **out,
                                              struct err *err);
/* Likewise its root, or that as an object, which it must be. */
ERR_MUST_CHECK enum err_code api_request_value(struct api_request *rq, struct api_value *out,
                                               struct err *err);
ERR_MUST_CHECK enum err_code api_request_object(struct api_request *rq, struct api_object *out,
                                                struct err *err);

#endif
