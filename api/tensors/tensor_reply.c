/* Sets of tensors as replies: lent to the socket for the binary forms, printed for JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "api/json/text.h"
#include "api/tensors/export.h"
#include "api/tensors/tensor_io.h"
#include "api/wire/npy.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum {
    INLINE_JSON_ELEMENTS_MAX = 4096, /* more is printed on a worker */
    JSON_REPLY_BYTES_MAX = 1 << 30,
    HEADER_BYTES_MAX = 100000000,
};

/* A set on the heap, owned by the reply. */
static void
release_set(void *owner)
{
    tensor_set_drop(owner);
    mem_free(owner);
}

/* The spans of the set's one tensor after `head`; the reply takes the set. */
static enum err_code
reply_spans(struct api_request *rq, struct api_reply *rp, const char *media_type, struct bytes head,
            struct tensor_set *set, struct err *err)
{
    const struct tensor_set_entry *entry = &set->entries[0];
    struct api_sum sums[] = {
        api_sum_of(head),
        {.size = entry->size, .has_crc32c = entry->has_crc32c, .crc32c = entry->crc32c}};
    struct tensor_set *owned;
    struct bytes *spans;
    size_t count = 0;

    TRY(api_reply_sums(rq, rp, sums, sizeof sums / sizeof sums[0], false, err));
    spans = arena_array(api_request_arena(rq), entry->span_count + 1, sizeof *spans, err);
    if (spans == NULL)
        return ERR_NO_MEMORY;
    if (head.size > 0)
        spans[count++] = head;
    for (size_t s = 0; s < entry->span_count; s++)
        spans[count++] = set->spans[entry->span_first + s];
    owned = mem_alloc(sizeof *owned, err);
    if (owned == NULL)
        return ERR_NO_MEMORY;
    *owned = TAKE(*set);
    return api_reply_spans(rq, rp, media_type, spans, count, owned, release_set, err);
}

/* A buffer's bytes into the request's arena. */
static enum err_code
to_arena(struct api_request *rq, const struct buf *buf, struct bytes *out, struct err *err)
{
    uint8_t *copy = arena_alloc(api_request_arena(rq), buf->size, err);

    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, buf->data, buf->size);
    *out = bytes_of(copy, buf->size);
    return OK;
}

static enum err_code
type_headers(struct api_reply *rp, const struct tensor_type *type, struct err *err)
{
    char shape[SHAPE_TEXT_BYTES_MAX];
    size_t length;

    TRY(api_reply_header(rp, "Tensor-Dtype", err, "%s", dtype_name(type->dtype)));
    /* A scalar is "()": libmicrohttpd sends no header without a value. */
    if (type->shape.rank == 0)
        return api_reply_header(rp, "Tensor-Shape", err, "()");
    shape_text(&type->shape, shape); /* "[2,3]": the header has no brackets */
    length = strlen(shape);
    return api_reply_header(rp, "Tensor-Shape", err, "%.*s", (int)(length - 2), shape + 1);
}

/* --- JSON --- */

static enum err_code
print_entry(const struct tensor_set *set, size_t i, bool named, struct buf *out, struct err *err)
{
    const struct tensor_set_entry *entry = &set->entries[i];
    char shape[SHAPE_TEXT_BYTES_MAX];
    struct tensor_view view = {.type = entry->type, .size = entry->size};
    AUTO(tensor) copy = {0};

    TRY(buf_append_text(out, "{", err));
    if (named) {
        TRY(buf_append_text(out, "\"name\":", err));
        TRY(api_json_escape(bytes_of_text(entry->name), out, err));
        TRY(buf_append_text(out, ",", err));
    }
    TRY(buf_printf(out, err, "\"dtype\":\"%s\",\"shape\":%s,\"revision\":%" PRIu64 ",\"data\":",
                   dtype_name(entry->type.dtype), shape_text(&entry->type.shape, shape),
                   entry->revision));
    if (entry->span_count == 1) {
        view.data = set->spans[entry->span_first].data;
    } else {
        TRY(tensor_init(&copy, &entry->type, entry->size, err));
        tensor_set_copy(set, i, copy.data);
        view.data = copy.data;
    }
    TRY(api_tensor_text(&view, out, err));
    return buf_append_text(out, "}", err);
}

static enum err_code
check_json(struct api_request *rq, const struct tensor_set *set, struct err *err)
{
    uint64_t limit = api_request_settings(rq)->max_json_elements, total = 0;

    for (size_t i = 0; i < set->entry_count; i++)
        total += shape_count(&set->entries[i].type.shape);
    if (total > limit)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "%" PRIu64 " elements are over the limit of %" PRIu64
                       " for JSON (max_json_elements): ask for application/x-npy, "
                       "application/octet-stream or a slice",
                       total, limit);
    if (total > INLINE_JSON_ELEMENTS_MAX && !api_request_on_worker(rq))
        return ERR_DEFER;
    return OK;
}

static enum err_code
reply_json_one(struct api_request *rq, struct api_reply *rp, const struct tensor_set *set,
               struct err *err)
{
    AUTO(buf) out;

    buf_init(&out, JSON_REPLY_BYTES_MAX);
    TRY(check_json(rq, set, err));
    TRY(print_entry(set, 0, true, &out, err));
    return api_reply_buf(rp, 200, "application/json", &out, err);
}

static enum err_code
reply_json_many(struct api_request *rq, struct api_reply *rp, const struct tensor_set *set,
                struct err *err)
{
    AUTO(buf) out;

    buf_init(&out, JSON_REPLY_BYTES_MAX);
    TRY(check_json(rq, set, err));
    TRY(buf_printf(&out, err, "{\"revision\":%" PRIu64 ",\"values\":{", set->revision));
    for (size_t i = 0; i < set->entry_count; i++) {
        if (i > 0)
            TRY(buf_append_text(&out, ",", err));
        TRY(api_json_escape(bytes_of_text(set->entries[i].name), &out, err));
        TRY(buf_append_text(&out, ":", err));
        TRY(print_entry(set, i, false, &out, err));
    }
    TRY(buf_append_text(&out, "}}", err));
    return api_reply_buf(rp, 200, "application/json", &out, err);
}

/* --- sets --- */

static enum err_code
reply_set(struct api_request *rq, struct api_reply *rp, enum api_format format,
          struct tensor_set *set, const struct bytes *metadata, size_t metadata_count,
          struct err *err)
{
    struct api_export what = {
        .options.format = api_wire_format_find(bytes_of_text(api_format_name(format))),
        .name = api_request_model(rq),
        .shards = 1,
        .metadata = metadata,
        .metadata_count = metadata_count,
    };

    TRY(api_export_options_take(rq, NULL, &what.options, err));
    return api_export_reply(rq, rp, &what, set, err);
}

/* --- */

static enum err_code
reply_one(struct api_request *rq, struct api_reply *rp, enum api_format format,
          struct tensor_set *set, struct err *err)
{
    const struct tensor_type *type = &set->entries[0].type;
    struct bytes head = bytes_of("", 0);
    enum api_npy_v2 v2 = API_NPY_V2_UNKNOWN;
    AUTO(buf) header;

    buf_init(&header, HEADER_BYTES_MAX);
    if (format == API_FORMAT_JSON)
        return reply_json_one(rq, rp, set, err);
    if (format == API_FORMAT_SAFETENSORS)
        return reply_set(rq, rp, format, set, NULL, 0, err);
    if (format == API_FORMAT_NPY) {
        TRY(api_negotiate_npy_v2(rq, NULL, &v2, err));
        TRY(api_npy_header_encode(type, v2, &header, err));
        TRY(to_arena(rq, &header, &head, err));
    }
    TRY(type_headers(rp, type, err));
    return reply_spans(rq, rp, api_format_media_type(format), head, set, err);
}

enum err_code
api_reply_tensor(struct api_request *rq, struct api_reply *rp, enum api_format format,
                 struct tensor_set *set, struct err *err)
{
    enum err_code code = reply_one(rq, rp, format, set, err);

    tensor_set_drop(set);
    return code;
}

enum err_code
api_reply_tensors(struct api_request *rq, struct api_reply *rp, enum api_format format,
                  struct tensor_set *set, const struct bytes *metadata, size_t metadata_count,
                  struct err *err)
{
    enum err_code code = format == API_FORMAT_JSON
                             ? reply_json_many(rq, rp, set, err)
                             : reply_set(rq, rp, format, set, metadata, metadata_count, err);

    tensor_set_drop(set);
    return code;
}
