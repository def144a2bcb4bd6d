#include "api/http/pack.h"

#include <stdio.h>
#include <string.h>

#include "api/file/gzip.h"
#include "api/http/negotiate.h"
#include "api/state.h"

enum {
    INLINE_BYTES_MAX = 256 * 1024, /* 2 ms; an HTTP thread has others to serve */
    SMALLER_BY_PART = 10,          /* less than a tenth is not worth unpacking */
};

bool
api_pack_etag(const char *etag, char *out, size_t out_size)
{
    size_t bare = strlen(etag) - 1; /* without the last quote */
    int length = snprintf(out, out_size, "%.*s-gzip\"", (int)bare, etag);

    return length > 0 && (size_t)length < out_size;
}

static bool
is_worth_a_try(const struct api_request *rq)
{
    const struct api_reply *rp = &rq->reply;
    uint64_t least = rq->server->settings->gzip_min_bytes;

    return rp->may_pack && rp->kind == REPLY_BUF && least > 0 && rp->size >= least &&
           (rq->on_worker || rp->size <= INLINE_BYTES_MAX);
}

void
api_pack_reply(struct api_request *rq)
{
    struct api_reply *rp = &rq->reply;
    struct bytes plain = buf_bytes(&rp->body);
    char etag[API_ETAG_BYTES_MAX] = "";
    struct buf packed;

    if (!is_worth_a_try(rq) || !api_negotiate_gzip(rq, rp) ||
        (rp->has_etag && !api_pack_etag(rp->etag, etag, sizeof etag)))
        return;
    buf_init(&packed, plain.size - plain.size / SMALLER_BY_PART);
    if (api_gzip_pack(plain, &packed, NULL) != OK ||
        api_reply_header(rp, "Content-Encoding", NULL, "gzip") != OK) {
        buf_drop(&packed);
        return;
    }
    buf_drop(&rp->body);
    rp->body = packed;
    rp->size = packed.size;
    memcpy(rp->etag, etag, sizeof etag);
}
