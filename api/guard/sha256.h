/* The SHA-256 of bytes that lie in spans: read whole, so on a worker where there are many. */
#ifndef API_GUARD_SHA256_H
#define API_GUARD_SHA256_H

#include "api/request.h"
#include "api/tensors/digest.h"

enum { API_SHA256_INLINE_BYTES_MAX = 65536 }; /* hashed on a thread that serves connections */

/* `tag` and `place` name bytes that never change: then the digest is remembered, if they are more
 * than API_SHA256_INLINE_BYTES_MAX. tag NULL: they have no name. ERR_DEFER where it takes long,
 * ERR_UNAVAILABLE when nobody waits for it any more. */
ERR_MUST_CHECK enum err_code api_sha256_of(struct api_request *rq, const char *tag,
                                           struct bytes place, const struct bytes *spans,
                                           size_t span_count, uint8_t out[static API_SHA256_BYTES],
                                           struct err *err);

#endif
