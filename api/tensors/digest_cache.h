/* The SHA-256 of representations, remembered: reading a large one takes seconds, and a client that
 * reads it in ranges may ask with each of them. A key names bytes that never change; of requests
 * that want the same digest at once, one computes it. Bounded; what was used last stays. */
#ifndef API_TENSORS_DIGEST_CACHE_H
#define API_TENSORS_DIGEST_CACHE_H

#include "api/tensors/digest.h"

struct api_digest_cache;

/* In use: lies in the memory of whoever computes. */
struct api_digest_use {
    struct api_digest_use *next;
    uint8_t key[API_SHA256_BYTES];
};

ERR_MUST_CHECK enum err_code api_digest_cache_open(struct api_digest_cache **out, struct err *err);
void api_digest_cache_drop(struct api_digest_cache *cache); /* NULL is fine */

/* The key of a representation: its strong entity tag, and where it was asked for. */
void api_digest_key(const char *etag, struct bytes target, uint8_t out[static API_SHA256_BYTES]);

/* Whether it is known; never waits. */
bool api_digest_find(struct api_digest_cache *cache, const uint8_t key[static API_SHA256_BYTES],
                     uint8_t out[static API_SHA256_BYTES]);
/* As find, but waits while another thread computes it. False: the caller is to compute it, and must
 * call api_digest_end. */
bool api_digest_begin(struct api_digest_cache *cache, const uint8_t key[static API_SHA256_BYTES],
                      struct api_digest_use *use, uint8_t out[static API_SHA256_BYTES]);
/* `digest`: NULL when it came to nothing; whoever waits then computes it. */
void api_digest_end(struct api_digest_cache *cache, struct api_digest_use *use,
                    const uint8_t *digest);

#endif
