/* Replies of lent bytes: their digests, and the ranges that are asked for of them. Always true: a
 * digest in Repr-Digest is of the whole, whatever part of it is sent; one in Content-Digest is of
 * exactly the bytes that are sent. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "api/guard/sha256.h"
#include "api/http/range.h"
#include "api/json/chars.h"
#include "api/reply.h"
#include "api/state.h"
#include "store/base/crc32c.h"

enum {
    SPANS_COPIED_BYTES_MAX = 4096,    /* cheaper copied than lent */
    DIGEST_UNASKED_BYTES_MAX = 65536, /* files up to this get a sha-256 unasked */
};

/* --- digests ------------------------------------------------------------------------------- */

enum err_code
api_reply_sums(struct api_request *rq, struct api_reply *rp, const struct api_sum *sums,
               size_t count, bool is_file, struct err *err)
{
    rp->sums = arena_array(&rq->arena, count, sizeof *sums, err);
    if (rp->sums == NULL)
        return ERR_NO_MEMORY;
    if (count > 0)
        memcpy(rp->sums, sums, count * sizeof *sums);
    rp->sum_count = count;
    rp->is_file = is_file;
    return OK;
}

/* Where no checksum of the parts is known: all bytes are read. */
static enum err_code
read_crc32c(struct api_request *rq, const struct api_reply *rp, uint32_t *out)
{
    if (rp->size > API_SHA256_INLINE_BYTES_MAX && !api_request_on_worker(rq))
        return ERR_DEFER;
    *out = 0;
    for (size_t i = 0; i < rp->span_count; i++)
        *out = crc32c(*out, rp->spans[i].data, rp->spans[i].size);
    return OK;
}

static enum err_code
add_repr_digest(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct api_digest_wants wants = api_digest_wants_of(api_request_header(rq, "Want-Repr-Digest"));
    struct api_digest digest = {.crc32c = 0};
    char text[API_DIGEST_TEXT_BYTES_MAX];

    if (wants.crc32c != 0)
        digest.has_crc32c = api_sums_crc32c(rp->sums, rp->sum_count,
                                            (struct api_range){0, rp->size}, &digest.crc32c) &&
                            rp->sum_count > 0;
    if (wants.crc32c > 0 && !digest.has_crc32c) {
        TRY(read_crc32c(rq, rp, &digest.crc32c));
        digest.has_crc32c = true;
    }
    digest.has_sha256 = wants.sha256 > 0 || (wants.sha256 == API_DIGEST_UNSAID && rp->is_file &&
                                             rp->size <= DIGEST_UNASKED_BYTES_MAX);
    if (digest.has_sha256)
        TRY(api_sha256_of(rq, rp->has_etag ? rp->etag : NULL, bytes_of(rq->target, rq->target_size),
                          rp->spans, rp->span_count, digest.sha256, err));
    if (api_digest_text(&digest, text)[0] == '\0')
        return OK;
    return api_reply_header(rp, "Repr-Digest", err, "%s", text);
}

/* --- ranges -------------------------------------------------------------------------------- */

/* If-Range is a tag of ours, compared strongly. There are no dates to compare: a date forbids
 * ranges, too. */
enum api_range_kind
api_reply_ranges(struct api_request *rq, uint64_t size, struct api_ranges *out)
{
    const struct api_reply *rp = &rq->reply;
    struct bytes condition = api_request_header(rq, "If-Range");

    if (rq->method != METHOD_GET || api_head_count(&rq->head, "Range") != 1)
        return RANGE_WHOLE;
    if (condition.data != NULL &&
        (!rp->has_etag || !bytes_equal(condition, bytes_of_text(rp->etag))))
        return RANGE_WHOLE;
    return api_range_parse(api_request_header(rq, "Range"), size, out);
}

/* Nothing that was stored can hold it by accident. */
static enum err_code
new_boundary(char out[static API_BOUNDARY_BYTES + 1], struct err *err)
{
    uint8_t random[API_BOUNDARY_BYTES / 2];

    if (getrandom(random, sizeof random, 0) != sizeof random)
        return err_set(err, ERR_INTERNAL, "no random bytes for the boundary between ranges");
    api_chars_hex(bytes_of(random, sizeof random), out);
    return OK;
}

/* The CRC-32C of all parts with what stands between them. */
static bool
parts_crc32c(const struct api_reply *rp, const struct api_ranges *ranges,
             const struct api_byteranges *body, uint32_t *out)
{
    uint32_t crc = 0;

    for (size_t i = 0; i <= ranges->count; i++) {
        uint32_t part = 0;

        crc = crc32c(crc, body->heads[i].data, body->heads[i].size);
        if (i == ranges->count)
            break;
        if (!api_sums_crc32c(rp->sums, rp->sum_count, ranges->list[i], &part))
            return false;
        crc = crc32c_combine(crc, part, ranges->list[i].end - ranges->list[i].begin);
    }
    *out = crc;
    return true;
}

static enum err_code
cut_to_parts(struct api_request *rq, struct api_reply *rp, const struct api_ranges *ranges,
             struct api_digest *digest, struct err *err)
{
    static const char type[] = "multipart/byteranges; boundary=";
    struct api_byteranges body = {.media_type = rp->media_type, .whole = rp->size};
    size_t room = sizeof type + API_BOUNDARY_BYTES;
    char boundary[API_BOUNDARY_BYTES + 1];
    char *media_type = api_request_scratch(rq, room, err);

    if (media_type == NULL)
        return ERR_NO_MEMORY;
    TRY(new_boundary(boundary, err));
    body.boundary = boundary;
    TRY(api_byteranges_lay_out(&body, rp->spans, rp->span_count, ranges, &rq->arena, err));
    digest->has_crc32c = parts_crc32c(rp, ranges, &body, &digest->crc32c);
    snprintf(media_type, room, "%s%s", type, boundary);
    rp->media_type = media_type;
    rp->spans = body.spans;
    rp->span_count = body.span_count;
    rp->size = body.size;
    return OK;
}

static enum err_code
cut_to_one(struct api_reply *rp, struct api_range range, struct api_digest *digest, struct err *err)
{
    uint64_t whole = rp->size;

    digest->has_crc32c = api_sums_crc32c(rp->sums, rp->sum_count, range, &digest->crc32c);
    rp->span_count = api_range_cut(rp->spans, rp->span_count, range);
    rp->size = range.end - range.begin;
    return api_reply_header(rp, "Content-Range", err, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                            range.begin, range.end - 1, whole);
}

/* *digest: of what is left, as far as it is known. */
static enum err_code
cut_to_ranges(struct api_request *rq, struct api_reply *rp, struct api_digest *digest,
              struct err *err)
{
    struct api_ranges ranges;

    switch (api_reply_ranges(rq, rp->size, &ranges)) {
    case RANGE_WHOLE:
        return OK;
    case RANGE_UNSATISFIABLE:
        rp->range_whole = rp->size;
        return err_set(err, ERR_RANGE_UNSATISFIABLE, "the range lies beyond the %" PRIu64 " bytes",
                       rp->size);
    case RANGE_TOO_MANY:
        rp->range_whole = rp->size;
        return err_set(err, ERR_RANGE_UNSATISFIABLE,
                       "%zu ranges in one request, at most %d are served: ask in several requests",
                       ranges.asked, API_RANGES_MAX);
    case RANGE_PARTS:
        break;
    }
    rp->status = 206;
    return ranges.count == 1 ? cut_to_one(rp, ranges.list[0], digest, err)
                             : cut_to_parts(rq, rp, &ranges, digest, err);
}

static enum err_code
add_content_digest(struct api_request *rq, struct api_reply *rp, struct api_digest *digest,
                   struct err *err)
{
    struct bytes header = api_request_header(rq, "Want-Content-Digest");
    char text[API_DIGEST_TEXT_BYTES_MAX];

    if (rp->kind == REPLY_STATIC) { /* in memory anyway */
        digest->crc32c = crc32c(0, rp->text.data, rp->text.size);
        digest->has_crc32c = true;
    }
    if (!digest->has_crc32c || api_digest_wants_of(header).crc32c == 0)
        return OK;
    return api_reply_header(rp, "Content-Digest", err, "%s", api_digest_text(digest, text));
}

bool
api_reply_needs_all(const struct api_request *rq, uint64_t size)
{
    return size <= DIGEST_UNASKED_BYTES_MAX ||
           api_request_header(rq, "Want-Repr-Digest").data != NULL;
}

/* --- the reply ----------------------------------------------------------------------------- */

/* A little is copied, and its owner let go at once. */
static enum err_code
copy_spans(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    uint8_t *copy = api_request_scratch(rq, (size_t)rp->size + 1, err);
    size_t at = 0;

    if (copy == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < rp->span_count; at += rp->spans[i++].size)
        memcpy(copy + at, rp->spans[i].data, rp->spans[i].size);
    rp->text = bytes_of(copy, at);
    rp->kind = REPLY_STATIC;
    api_reply_release(rp);
    return OK;
}

enum err_code
api_reply_spans(struct api_request *rq, struct api_reply *rp, const char *media_type,
                const struct bytes *spans, size_t span_count, void *owner,
                void (*release)(void *owner), struct err *err)
{
    struct api_digest digest = {.has_crc32c = false};

    rp->owner = owner;
    rp->release = release;
    rp->spans = arena_array(&rq->arena, span_count, sizeof *spans, err);
    if (rp->spans == NULL)
        return ERR_NO_MEMORY; /* api_reply_reset lets the owner go */
    TRY(api_reply_begin(rp, REPLY_SPANS, 200, 0));
    rp->media_type = media_type;
    rp->takes_ranges = rq->method == METHOD_GET || rq->method == METHOD_HEAD;
    for (size_t i = 0; i < span_count; i++) {
        if (spans[i].size == 0)
            continue;
        rp->spans[rp->span_count++] = spans[i];
        rp->size += spans[i].size;
    }
    if (rp->takes_ranges) {
        TRY(add_repr_digest(rq, rp, err));
        TRY(cut_to_ranges(rq, rp, &digest, err));
    }
    if (rp->size <= SPANS_COPIED_BYTES_MAX)
        TRY(copy_spans(rq, rp, err));
    return rp->status == 206 ? add_content_digest(rq, rp, &digest, err) : OK;
}
