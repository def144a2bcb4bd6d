/* One reply. A handler sets status, headers and body; it never chooses error statuses
 * (api/http/status.c does). Every reply to a write carries the revision in the body and as
 * Tensorkeep-Revision. */
#ifndef API_REPLY_H
#define API_REPLY_H

#include <jansson.h>

#include "api/http/range.h"
#include "api/request.h"
#include "api/tensors/digest.h"
#include "store/base/buf.h"

/* Name and value must be literals, numbers or already checked text: CR, LF and NUL are refused. */
ERR_MUST_CHECK enum err_code api_reply_header(struct api_reply *rp, const char *name,
                                              struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Tensorkeep-Revision. */
ERR_MUST_CHECK enum err_code api_reply_revision(struct api_reply *rp, uint64_t revision,
                                                struct err *err);

/* Adds a header name to Vary, once. `name` is a literal. */
void api_reply_vary(struct api_reply *rp, const char *name);

/* Strong tag `"r<revision>-<representation>"`. Of a GET or HEAD, fails with ERR_PRECONDITION_FAILED
 * when If-Match names others, and answers 304 by itself when If-None-Match matches: *done is then
 * true and the handler returns OK at once. Also sets Vary. */
ERR_MUST_CHECK enum err_code api_reply_etag(struct api_request *rq, struct api_reply *rp,
                                            uint64_t revision, const char *representation,
                                            bool *done, struct err *err);

/* Whether the tag may be all that is needed: it is worth to be known before the rest is looked at.
 */
bool api_reply_is_conditional(const struct api_request *rq);

/* Fields for the problem document, should this request fail: what a report found. Borrows members.
 */
ERR_MUST_CHECK enum err_code api_reply_on_failure(struct api_reply *rp, const json_t *members,
                                                  struct err *err);

/* Each of the following may be called once, at the end of a handler that succeeds. */

/* Takes `body` (one reference), also on failure. */
ERR_MUST_CHECK enum err_code api_reply_json(struct api_reply *rp, int status, json_t *body,
                                            struct err *err);
/* What a write of a thing of the model in the path left, `name` of `collection`: 201 with its
 * Location when it was created, else 200. Takes `json`. */
ERR_MUST_CHECK enum err_code api_reply_written(struct api_request *rq, struct api_reply *rp,
                                               bool created, const char *collection,
                                               const char *name, json_t *json, struct err *err);
/* {"deleted": name, "revision": …} */
ERR_MUST_CHECK enum err_code api_reply_deleted(struct api_reply *rp, const char *name,
                                               uint64_t revision, struct err *err);
/* The reply is no tensor: it may go by gzip. Of api_reply_json's they all may. */
void api_reply_may_pack(struct api_reply *rp);
/* Takes the buffer's bytes. */
ERR_MUST_CHECK enum err_code api_reply_buf(struct api_reply *rp, int status, const char *media_type,
                                           struct buf *body, struct err *err);
ERR_MUST_CHECK enum err_code api_reply_empty(struct api_reply *rp, int status, struct err *err);
/* Bytes that live as long as the program, or in the request's arena. */
ERR_MUST_CHECK enum err_code api_reply_static(struct api_reply *rp, int status,
                                              const char *media_type, struct bytes body,
                                              struct err *err);
/* What is known of the bytes that api_reply_spans is about to be given, front to back: digests come
 * from it. Copied. `is_file`: somebody may keep it as a file. */
ERR_MUST_CHECK enum err_code api_reply_sums(struct api_request *rq, struct api_reply *rp,
                                            const struct api_sum *sums, size_t count, bool is_file,
                                            struct err *err);
/* What a reply of so many lent bytes will hold of them, once its entity tag is known. RANGE_WHOLE
 * also for HEAD. */
enum api_range_kind api_reply_ranges(struct api_request *rq, uint64_t size, struct api_ranges *out);
/* Whether more of them is read than what the reply holds, for a digest of all. */
bool api_reply_needs_all(const struct api_request *rq, uint64_t size);
/* Status 200 with bytes lent by `owner`: handed to the socket without copying; release(owner) runs
 * once when the reply is over, on any thread, also when this call fails. `spans` is copied. Range
 * requests (If-Range too) are answered from it: 206, 416. So is Want-Repr-Digest: ERR_DEFER where
 * that takes long. */
ERR_MUST_CHECK enum err_code api_reply_spans(struct api_request *rq, struct api_reply *rp,
                                             const char *media_type, const struct bytes *spans,
                                             size_t span_count, void *owner,
                                             void (*release)(void *owner), struct err *err);

#endif
