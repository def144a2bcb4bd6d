/* Names of jobs are a client's texts: quotes are escaped, and what a field cannot hold is replaced.
 * The value stays short enough for the proxies that it goes through. */
#include "api/resource/device_warning.h"

#include <stdio.h>

#include "store/base/scope.h"

enum {
    WARNING_BYTES_MAX = 2048,
    MORE_BYTES_MAX = 160, /* of them for the value that counts the others */
    TEXT_BYTES_MAX = NAME_BYTES_MAX + 2 * DEVICE_TEXT_BYTES_MAX + 256,
};

static enum err_code
put_quoted(const char *text, struct buf *out, struct err *err)
{
    TRY(buf_append_byte(out, '"', err));
    for (; *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;

        if (c == '"' || c == '\\')
            TRY(buf_append_byte(out, '\\', err));
        TRY(buf_append_byte(out, c >= 0x20 && c < 0x7F ? c : '?', err));
    }
    return buf_append_byte(out, '"', err);
}

static enum err_code
put_value(const char *text, struct buf *out, struct err *err)
{
    TRY(buf_append_text(out, out->size > 0 ? ", 199 tensorkeep " : "199 tensorkeep ", err));
    return put_quoted(text, out, err);
}

/* TensorFlow r1.0's python/framework/ops.py says there that it ignores the collocation; what
 * changes a variable is kept with it at run time nevertheless, and here from the start. */
static enum err_code
put_conflict(const struct device_conflict *conflict, struct buf *out, struct err *err)
{
    char text[TEXT_BYTES_MAX];

    snprintf(text, sizeof text,
             "Tried to colocate %s with an op %s that had a different device: %s vs %s. Ignoring "
             "the device.",
             conflict->operation, conflict->name, conflict->asked, conflict->device);
    return put_value(text, out, err);
}

enum err_code
api_device_warning_text(const struct device_conflicts *conflicts, struct buf *out, struct err *err)
{
    uint64_t told = 0, more;
    char text[MORE_BYTES_MAX];

    for (; told < conflicts->count && told < DEVICE_CONFLICTS_MAX; told++) {
        size_t before = out->size;

        TRY(put_conflict(&conflicts->told[told], out, err));
        if (out->size <= WARNING_BYTES_MAX - MORE_BYTES_MAX)
            continue;
        out->size = before;
        break;
    }
    more = conflicts->count - told;
    if (more == 0)
        return OK;
    snprintf(text, sizeof text,
             "%llu more were asked to run on another device than what they change is on.",
             (unsigned long long)more);
    return put_value(text, out, err);
}

enum err_code
api_device_warning(struct api_reply *rp, const struct device_conflicts *conflicts, struct err *err)
{
    AUTO(buf) value = {0};

    if (conflicts == NULL || conflicts->count == 0)
        return OK;
    buf_init(&value, 2 * WARNING_BYTES_MAX);
    TRY(api_device_warning_text(conflicts, &value, err));
    return api_reply_header(rp, "Warning", err, "%.*s", (int)value.size, (const char *)value.data);
}
