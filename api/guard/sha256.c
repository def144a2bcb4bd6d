#include "api/guard/sha256.h"

#include <nettle/sha2.h>

#include "api/state.h"
#include "api/tensors/digest_cache.h"

enum { STEP_BYTES = 4 << 20 }; /* between looks whether anybody still waits for it */

/* Nobody waits for the reply any more. */
static bool
is_gone(struct api_request *rq)
{
    bool gone;

    if (atomic_load(&rq->server->stopping))
        return true;
    lock_acquire(&rq->lock);
    gone = rq->gone;
    lock_release(&rq->lock);
    return gone;
}

static enum err_code
hash_spans(struct api_request *rq, const struct bytes *spans, size_t span_count,
           uint8_t out[static API_SHA256_BYTES], struct err *err)
{
    struct sha256_ctx hash;

    sha256_init(&hash);
    for (size_t i = 0; i < span_count; i++) {
        struct bytes rest = spans[i];

        while (rest.size > 0) {
            size_t take = rest.size < STEP_BYTES ? rest.size : STEP_BYTES;

            if (is_gone(rq))
                return err_set(err, ERR_UNAVAILABLE,
                               "the server stops, or the client left, before its digest was ready");
            sha256_update(&hash, take, rest.data);
            rest = bytes_of(rest.data + take, rest.size - take);
        }
    }
    sha256_digest(&hash, API_SHA256_BYTES, out);
    return OK;
}

static bool
are_many(const struct bytes *spans, size_t span_count)
{
    uint64_t size = 0;

    for (size_t i = 0; i < span_count && size <= API_SHA256_INLINE_BYTES_MAX; i++)
        size += spans[i].size;
    return size > API_SHA256_INLINE_BYTES_MAX;
}

enum err_code
api_sha256_of(struct api_request *rq, const char *tag, struct bytes place,
              const struct bytes *spans, size_t span_count, uint8_t out[static API_SHA256_BYTES],
              struct err *err)
{
    struct api_digest_cache *cache = rq->server->digests;
    struct api_digest_use use;
    uint8_t key[API_SHA256_BYTES];
    enum err_code code;

    if (!are_many(spans, span_count))
        return hash_spans(rq, spans, span_count, out, err);
    if (tag != NULL) {
        api_digest_key(tag, place, key);
        if (api_digest_find(cache, key, out))
            return OK;
    }
    if (!api_request_on_worker(rq))
        return ERR_DEFER;
    if (tag == NULL)
        return hash_spans(rq, spans, span_count, out, err);
    if (api_digest_begin(cache, key, &use, out))
        return OK;
    code = hash_spans(rq, spans, span_count, out, err);
    api_digest_end(cache, &use, code == OK ? out : NULL);
    return code;
}
