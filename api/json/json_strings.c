/* Elements of string tensors: JSON texts and {"base64": …} objects into length-counted bytes. */
#include "api/json/json_doc.h"
#include "api/json/json_elements.h"
#include "api/json/text.h"
#include "store/base/alloc.h"

enum { LENGTH_BYTES = 4 };

static struct bytes
inner_of(struct bytes quoted)
{
    return bytes_of(quoted.data + 1, quoted.size - 2);
}

static void
put_length(uint8_t *out, size_t length)
{
    for (int i = 0; i < LENGTH_BYTES; i++)
        out[i] = (uint8_t)(length >> 8 * i);
}

static enum err_code
append_string(struct bytes inner, struct buf *out, struct err *err)
{
    uint8_t *room = NULL;
    size_t length;

    if (inner.size > UINT32_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "a string of %zu bytes is over the limit of %u",
                       inner.size, UINT32_MAX);
    TRY(buf_reserve(out, LENGTH_BYTES + inner.size, &room, err));
    length = api_json_unescape(inner, room + LENGTH_BYTES);
    put_length(room, length);
    buf_commit(out, LENGTH_BYTES + length);
    return OK;
}

static enum err_code
append_span(struct bytes text, struct buf *out, struct err *err)
{
    const uint8_t *end = text.data + text.size, *p = survey_next_element(text.data, end);

    for (; p < end; p = survey_next_element(p, end)) {
        const uint8_t *begin = p;

        p = survey_after_string(p);
        TRY(append_string(inner_of(bytes_of(begin, (size_t)(p - begin))), out, err));
    }
    return OK;
}

static enum err_code
append_decoded(const struct api_value *value, struct bytes text, struct buf *out, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];
    uint8_t *room = NULL;
    size_t size = 0;

    if (!api_base64_size(text, &size))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: %zu characters are no base64 text",
                       api_value_where(value, where), text.size);
    if (size == 0)
        return OK;
    TRY(buf_reserve(out, size, &room, err));
    if (!api_base64_decode(text, room))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is not base64",
                       api_value_where(value, where));
    buf_commit(out, size);
    return OK;
}

/* Some encoders write "/" as "\/", so the text may need unescaping first. */
enum err_code
api_elements_append_base64(const struct api_value *value, struct buf *out, struct err *err)
{
    struct bytes inner = inner_of(value->text);
    uint8_t *plain;
    enum err_code code;

    if (inner.size == 0 || memchr(inner.data, '\\', inner.size) == NULL)
        return append_decoded(value, inner, out, err);
    plain = mem_alloc(inner.size, err);
    if (plain == NULL)
        return ERR_NO_MEMORY;
    code = append_decoded(value, bytes_of(plain, api_json_unescape(inner, plain)), out, err);
    mem_free(plain);
    return code;
}

static enum err_code
append_object(const struct api_value *object, struct buf *out, struct err *err)
{
    const json_t *json = json_object_get(object->json, "base64");
    struct api_value text = api_value_of_json(object->doc, json, object, "base64", 0);
    size_t from = out->size;

    TRY(buf_append_u32(out, 0, err));
    TRY(api_elements_append_base64(&text, out, err));
    put_length(out->data + from, out->size - from - LENGTH_BYTES);
    return OK;
}

/* Recursion ends at API_JSON_DEPTH_MAX, which the scanner has enforced. */
enum err_code
api_elements_append_strings(const struct api_value *value, struct buf *out, struct err *err)
{
    if (value->json == NULL)
        return append_span(value->text, out, err);
    if (json_is_object(value->json))
        return append_object(value, out, err);
    for (size_t i = 0; i < api_value_length(value); i++) {
        struct api_value element = api_value_at(value, i);

        TRY(api_elements_append_strings(&element, out, err));
    }
    return OK;
}
