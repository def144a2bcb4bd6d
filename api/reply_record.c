/* u8 format, u32 status, u8 flags, media type, entity tag, Vary, u32 count of headers and name and
 * value of each, body: texts and body as u32 length and bytes. */
#include "api/reply_record.h"

enum { REPLY_RECORD_FORMAT = 1 };
enum { FLAG_MEDIA_TYPE = 1, FLAG_ETAG = 2, FLAG_RANGES = 4, FLAG_PACKS = 8, FLAGS_ALL = 15 };

static enum err_code
put_body(const struct api_reply *rp, struct buf *out, struct err *err)
{
    switch (rp->kind) {
    case REPLY_BUF:
        return buf_append_bytes(out, buf_bytes(&rp->body), err);
    case REPLY_STATIC:
        return buf_append_bytes(out, rp->text, err);
    case REPLY_SPANS:
        TRY(buf_append_u32(out, (uint32_t)rp->size, err));
        for (size_t i = 0; i < rp->span_count; i++)
            TRY(buf_append(out, rp->spans[i].data, rp->spans[i].size, err));
        return OK;
    case REPLY_NONE:
    case REPLY_EMPTY:
    case REPLY_STREAM: /* only reads are streams */
        break;
    }
    return buf_append_bytes(out, bytes_of("", 0), err);
}

enum err_code
api_reply_encode(const struct api_reply *rp, struct buf *out, struct err *err)
{
    int flags = (rp->media_type != NULL ? FLAG_MEDIA_TYPE : 0) | (rp->has_etag ? FLAG_ETAG : 0) |
                (rp->takes_ranges ? FLAG_RANGES : 0) | (rp->may_pack ? FLAG_PACKS : 0);
    const char *media_type = rp->media_type != NULL ? rp->media_type : "";

    if (rp->size > API_REPLY_RECORD_BYTES_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "a reply of %llu bytes is too large to be kept for an Idempotency-Key",
                       (unsigned long long)rp->size);
    TRY(buf_append_byte(out, REPLY_RECORD_FORMAT, err));
    TRY(buf_append_u32(out, (uint32_t)rp->status, err));
    TRY(buf_append_byte(out, (uint8_t)flags, err));
    TRY(buf_append_bytes(out, bytes_of_text(media_type), err));
    TRY(buf_append_bytes(out, bytes_of_text(rp->etag), err));
    TRY(buf_append_bytes(out, bytes_of_text(rp->vary), err));
    TRY(buf_append_u32(out, (uint32_t)rp->header_count, err));
    for (size_t i = 0; i < rp->header_count; i++) {
        TRY(buf_append_bytes(out, bytes_of_text(rp->headers[i].name), err));
        TRY(buf_append_bytes(out, bytes_of_text(rp->headers[i].value), err));
    }
    return put_body(rp, out, err);
}

/* --- back ---------------------------------------------------------------------------------- */

static enum err_code
take_text(struct reader *in, struct api_reply *rp, const char **out, struct err *err)
{
    struct bytes text = reader_bytes(in);
    char *copy = api_request_scratch(rp->request, text.size + 1, err);

    if (copy == NULL)
        return ERR_NO_MEMORY;
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *out = copy;
    return OK;
}

static void
take_field(struct reader *in, char *out, size_t room)
{
    struct bytes text = reader_bytes(in);

    if (text.size >= room)
        in->failed = true;
    if (in->failed)
        return;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

static enum err_code
take_headers(struct reader *in, struct api_reply *rp, struct err *err)
{
    uint32_t count = reader_u32(in);

    if (count > API_REPLY_HEADERS_MAX)
        in->failed = true;
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        TRY(take_text(in, rp, &rp->headers[i].name, err));
        TRY(take_text(in, rp, &rp->headers[i].value, err));
        rp->header_count = i + 1;
    }
    return OK;
}

enum err_code
api_reply_decode(struct bytes record, struct api_reply *rp, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in), flags;
    struct bytes body;
    const char *media_type = NULL;

    rp->status = (int)reader_u32(&in);
    flags = reader_u8(&in);
    TRY(take_text(&in, rp, &media_type, err));
    take_field(&in, rp->etag, sizeof rp->etag);
    take_field(&in, rp->vary, sizeof rp->vary);
    TRY(take_headers(&in, rp, err));
    body = reader_bytes(&in);
    if (!reader_ended_well(&in) || format != REPLY_RECORD_FORMAT || flags > FLAGS_ALL ||
        rp->status < 200 || rp->status > 599)
        return err_set(err, ERR_DATA_LOSS,
                       "the reply kept under this Idempotency-Key is damaged, or of another "
                       "version of this program");
    rp->media_type = flags & FLAG_MEDIA_TYPE ? media_type : NULL;
    rp->has_etag = (flags & FLAG_ETAG) != 0;
    rp->takes_ranges = (flags & FLAG_RANGES) != 0;
    rp->may_pack = (flags & FLAG_PACKS) != 0;
    buf_init(&rp->body, API_REPLY_RECORD_BYTES_MAX);
    TRY(buf_append(&rp->body, body.data, body.size, err));
    rp->kind = REPLY_BUF;
    rp->size = body.size;
    return OK;
}
