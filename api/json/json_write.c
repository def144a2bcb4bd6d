#include "api/json/json_write.h"

#include "api/json/number.h"
#include "api/json/text.h"

/* Names in documents, and keys that clients choose, have no control character where a number may
 * stand behind them. */
static const char unsigned_key[] = "\001u64";

json_t *
api_json_u64(uint64_t value)
{
    return value <= INT64_MAX ? json_integer((json_int_t)value)
                              : json_pack("{s:I}", unsigned_key, (json_int_t)value);
}

static struct bytes
string_bytes(const json_t *value)
{
    return bytes_of(json_string_value(value), json_string_length(value));
}

static enum err_code
write_number(const json_t *value, struct buf *out, struct err *err)
{
    char text[API_NUMBER_BYTES_MAX];
    size_t length = json_is_integer(value) ? api_number_print_i64(json_integer_value(value), text)
                                           : api_number_print_f64(json_real_value(value), text);

    return buf_append(out, text, length, err);
}

static enum err_code
write_array(const json_t *array, struct buf *out, struct err *err)
{
    TRY(buf_append_byte(out, '[', err));
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            TRY(buf_append_byte(out, ',', err));
        TRY(api_json_write(json_array_get(array, i), out, err));
    }
    return buf_append_byte(out, ']', err);
}

enum err_code
api_json_write_members(const json_t *object, struct buf *out, struct err *err)
{
    json_t *fields = (json_t *)(uintptr_t)object; /* jansson iterates through plain pointers */

    for (void *i = json_object_iter(fields); i != NULL; i = json_object_iter_next(fields, i)) {
        TRY(buf_append_byte(out, ',', err));
        TRY(api_json_escape(bytes_of_text(json_object_iter_key(i)), out, err));
        TRY(buf_append_byte(out, ':', err));
        TRY(api_json_write(json_object_iter_value(i), out, err));
    }
    return OK;
}

static enum err_code
write_unsigned(const json_t *value, struct buf *out, struct err *err)
{
    char text[API_NUMBER_BYTES_MAX];

    return buf_append(out, text, api_number_print_u64((uint64_t)json_integer_value(value), text),
                      err);
}

static enum err_code
write_object(const json_t *object, struct buf *out, struct err *err)
{
    const json_t *number =
        json_object_size(object) == 1 ? json_object_get(object, unsigned_key) : NULL;
    size_t first = out->size;

    if (json_is_integer(number))
        return write_unsigned(number, out, err);
    TRY(api_json_write_members(object, out, err));
    if (out->size == first)
        return buf_append_text(out, "{}", err);
    out->data[first] = '{'; /* in place of the first comma */
    return buf_append_byte(out, '}', err);
}

enum err_code
api_json_write(const json_t *value, struct buf *out, struct err *err)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return write_object(value, out, err);
    case JSON_ARRAY:
        return write_array(value, out, err);
    case JSON_STRING:
        return api_json_escape(string_bytes(value), out, err);
    case JSON_INTEGER:
    case JSON_REAL:
        return write_number(value, out, err);
    case JSON_TRUE:
        return buf_append_text(out, "true", err);
    case JSON_FALSE:
        return buf_append_text(out, "false", err);
    case JSON_NULL:
        return buf_append_text(out, "null", err);
    }
    return err_set(err, ERR_INTERNAL, "a JSON value of no known type");
}
