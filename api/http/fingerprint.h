/* What a request means, in 32 bytes: its method, target, headers that say what is wanted, and body.
 * How it was sent is no part of it: order of query arguments, escapes, chunks, and the boundary
 * between the parts of a form, which clients make up anew each time. */
#ifndef API_HTTP_FINGERPRINT_H
#define API_HTTP_FINGERPRINT_H

#include <nettle/sha2.h>

#include "api/http/multipart.h"

struct api_request;

enum { API_DELIMITER_BYTES_MAX = 4 + API_MULTIPART_BOUNDARY_BYTES_MAX }; /* CR LF - - */

struct api_fingerprint {
    struct sha256_ctx hash;
    uint64_t piece;                          /* bytes since the last delimiter */
    size_t delimiter_size;                   /* 0: the body is no form */
    size_t matched;                          /* of a delimiter; not hashed yet */
    char delimiter[API_DELIMITER_BYTES_MAX]; /* as between two parts */
};

/* Of the request's head. */
void api_fingerprint_begin(struct api_fingerprint *f, const struct api_request *rq);
/* The next bytes of the body, however it is cut. */
void api_fingerprint_feed(struct api_fingerprint *f, struct bytes piece);
void api_fingerprint_end(struct api_fingerprint *f, uint8_t out[static SHA256_DIGEST_SIZE]);

#endif
