/* Bodies of requests that update. The order of parts is the client's: tensors are read into memory
 * as they come, and what refers to them is looked at when all is there. */
#include "api/tensors/parts.h"

#include <stdio.h>

#include "api/http/multipart.h"
#include "api/json/chars.h"
#include "api/observe/memory.h"
#include "store/base/scope.h"

#define TENSORS_PLACE "the part 'tensors'"

enum { JSON_READ_BYTES = 64 * 1024, PREFIX_BYTES = 8, TYPE_SHOWN_MAX = 64 };

void
api_parts_drop(struct api_parts *parts)
{
    api_tensor_table_drop(&parts->tensors);
    api_json_drop(parts->parsed);
    buf_drop(&parts->text);
    *parts = (struct api_parts){0};
}

/* --- multipart ----------------------------------------------------------------------------- */

struct reading {
    struct api_multipart *multipart; /* owned */
    struct api_multipart_part part;
    struct api_byte_source source; /* the part's bytes */
    const struct api_parts_limits *limits;
    struct arena *arena;
    bool has_request, has_tensors;
};

static void
reading_drop(struct reading *r)
{
    api_multipart_drop(r->multipart);
}

static enum err_code
check_type(const struct api_multipart_part *part, const char *one, const char *other,
           struct err *err)
{
    struct bytes type = bytes_of_text(part->media_type);

    if (type.size == 0 || api_chars_equal(type, one) || api_chars_equal(type, other))
        return OK;
    return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE, "part '%s' is %s, it must be %s", part->name,
                   part->media_type, one);
}

static enum err_code
take_request(struct reading *r, struct api_parts *parts, struct err *err)
{
    size_t limit = r->limits->json.text_bytes_max, got = 1;

    TRY(check_type(&r->part, "application/json", "text/plain", err));
    buf_init(&parts->text, limit + JSON_READ_BYTES);
    while (got > 0) {
        uint8_t *room;

        if (parts->text.size > limit)
            return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                           "part 'request' has more than %zu bytes (setting json_body_max_bytes)",
                           limit);
        TRY(buf_reserve(&parts->text, JSON_READ_BYTES, &room, err));
        TRY(r->source.read(r->source.context, room, JSON_READ_BYTES, &got, err));
        buf_commit(&parts->text, got);
    }
    TRY(api_json_parse(buf_bytes(&parts->text), &r->limits->json, &parts->parsed, err));
    parts->doc = parts->parsed;
    return OK;
}

static enum err_code
take_tensors(struct reading *r, struct api_parts *parts, struct err *err)
{
    TRY(check_type(&r->part, "application/vnd.safetensors", "application/octet-stream", err));
    return api_tensor_table_read(&r->source, TENSORS_PLACE, &r->limits->tensors, r->arena,
                                 &parts->tensors, err);
}

static enum err_code
take_part(struct reading *r, struct api_parts *parts, struct err *err)
{
    bool is_request = strcmp(r->part.name, "request") == 0;
    bool *seen = is_request ? &r->has_request : &r->has_tensors;

    if (!is_request && strcmp(r->part.name, "tensors") != 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "unknown part '%s': the parts are 'request' and 'tensors'", r->part.name);
    if (*seen)
        return err_set(err, ERR_INVALID_ARGUMENT, "part '%s' is there twice", r->part.name);
    *seen = true;
    return is_request ? take_request(r, parts, err) : take_tensors(r, parts, err);
}

enum err_code
api_parts_read(struct bytes content_type, const struct api_byte_source *source,
               const struct api_parts_limits *limits, struct arena *arena, struct api_parts *out,
               struct err *err)
{
    AUTO(reading) r = {.limits = limits, .arena = arena};
    AUTO(api_parts) parts = {0};
    bool present = false;

    TRY(api_multipart_open(content_type, source, &r.multipart, err));
    r.source = (struct api_byte_source){.context = r.multipart, .read = api_multipart_read};
    for (;;) {
        TRY(api_multipart_next(r.multipart, &r.part, &present, err));
        if (!present)
            break;
        TRY(take_part(&r, &parts, err));
    }
    if (!r.has_request)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the body has no part 'request': the JSON goes there");
    parts.tensors.place = TENSORS_PLACE; /* also when there is none: no key is known then */
    *out = TAKE(parts);
    return OK;
}

/* --- requests ------------------------------------------------------------------------------ */

enum form { FORM_UNSAID, FORM_JSON, FORM_MULTIPART, FORM_TENSORS };

/* All of it is kept until the request is over. */
static enum err_code
read_body(void *request, void *out, size_t size, size_t *got, struct err *err)
{
    TRY(api_request_body_read(request, out, size, got, err));
    return api_memory_take(request, *got, err);
}

static enum err_code
form_of_type(struct api_request *rq, bool takes_tensors_alone, enum form *out, struct err *err)
{
    struct bytes header = api_request_header(rq, "Content-Type"), type;

    *out = FORM_UNSAID;
    if (header.data == NULL || !api_chars_next(&header, ';', &type))
        return OK;
    type = api_chars_trim(type);
    if (type.size == 0 || api_chars_equal(type, "application/x-www-form-urlencoded"))
        return OK;
    if (api_chars_equal(type, "application/json"))
        *out = FORM_JSON;
    else if (api_chars_equal(type, "multipart/form-data"))
        *out = FORM_MULTIPART;
    else if (takes_tensors_alone && (api_chars_equal(type, "application/vnd.safetensors") ||
                                     api_chars_equal(type, "application/octet-stream")))
        *out = FORM_TENSORS;
    if (*out != FORM_UNSAID)
        return OK;
    return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE,
                   "a body of type '%.*s' is not taken here, only application/json, "
                   "multipart/form-data%s",
                   (int)(type.size < TYPE_SHOWN_MAX ? type.size : TYPE_SHOWN_MAX),
                   (const char *)type.data,
                   takes_tensors_alone ? ", application/vnd.safetensors" : "");
}

/* The length that safetensors begin with has zeros in front of its end; JSON has none anywhere. */
static enum err_code
form_of_bytes(struct api_request *rq, bool takes_tensors_alone, enum form *out, struct err *err)
{
    uint8_t first[PREFIX_BYTES];
    size_t got = 0;

    *out = FORM_JSON;
    if (!takes_tensors_alone)
        return OK;
    TRY(api_request_body_peek(rq, first, sizeof first, &got, err));
    if (got == sizeof first && memchr(first, '\0', sizeof first) != NULL)
        *out = FORM_TENSORS;
    return OK;
}

enum err_code
api_parts_open(struct api_request *rq, bool takes_tensors_alone, struct api_parts *out,
               struct err *err)
{
    const struct settings *settings = api_request_settings(rq);
    const struct api_parts_limits limits = {
        .json = {.text_bytes_max = (size_t)settings->json_body_max_bytes,
                 .envelope_bytes_max = (size_t)settings->json_envelope_max_bytes},
        .tensors = {.bytes_max = settings->tensor_parts_max_bytes,
                    .tensors_max = (size_t)settings->variables_per_request_max},
    };
    const struct api_byte_source source = {.context = rq, .read = read_body};
    enum form form = FORM_UNSAID;

    *out = (struct api_parts){0};
    TRY(form_of_type(rq, takes_tensors_alone, &form, err));
    if (form == FORM_UNSAID)
        TRY(form_of_bytes(rq, takes_tensors_alone, &form, err));
    if (form == FORM_MULTIPART)
        return api_parts_read(api_request_header(rq, "Content-Type"), &source, &limits,
                              api_request_arena(rq), out, err);
    if (form == FORM_TENSORS)
        return api_tensor_table_read(&source, "the body", &limits.tensors, api_request_arena(rq),
                                     &out->tensors, err);
    return api_request_json(rq, &out->doc, err);
}
