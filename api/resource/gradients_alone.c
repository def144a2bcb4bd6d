#include "api/resource/gradients_alone.h"

#include "api/json/text.h"
#include "service/name.h"
#include "store/base/scope.h"

#define INDICES ".indices"
#define VALUES  ".values"

enum { TEXT_BYTES_MAX = 128 << 20, KEY_BYTES_MAX = NAME_BYTES_MAX + 16 };

const char *const api_gradients_arguments[API_GRADIENTS_ARGUMENTS + 1] = {
    "global_step", "clip_by_global_norm", "base_revision", "max_staleness", "accumulate", "device"};

/* --- arguments ----------------------------------------------------------------------------- */

/* Other programs put there what they like; a name that is almost one of ours is a typo. */
static enum err_code
check_metadata(const struct api_tensor_table *tensors, struct err *err)
{
    for (size_t i = 0; i < tensors->metadata_count; i++) {
        char name[API_SHOWN_BYTES_MAX + 1];
        const char *near;

        api_text_shown(tensors->metadata[2 * i], name);
        near = api_nearest_name(name, api_gradients_arguments, API_GRADIENTS_ARGUMENTS);
        if (near != NULL && strcmp(near, name) != 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "__metadata__: '%s': did you mean '%s'?",
                           name, near);
    }
    return OK;
}

/* A value as JSON where it is some, else as a text: the reader of the field knows what it wants. */
static enum err_code
put_value(struct bytes value, bool is_name, struct buf *out, struct err *err)
{
    const struct api_json_limits limits = {TEXT_BYTES_MAX, TEXT_BYTES_MAX};
    struct api_json *doc = NULL;
    bool is_json = !is_name && api_json_parse(value, &limits, &doc, NULL) == OK;

    api_json_drop(doc);
    return is_json ? buf_append(out, value.data, value.size, err)
                   : api_json_escape(value, out, err);
}

static enum err_code
put_arguments(const struct api_tensor_table *tensors,
              const struct bytes arguments[static API_GRADIENTS_ARGUMENTS], struct buf *out,
              struct err *err)
{
    TRY(check_metadata(tensors, err));
    for (size_t i = 0; i < API_GRADIENTS_ARGUMENTS; i++) {
        const char *name = api_gradients_arguments[i];
        struct bytes told = api_tensor_table_metadata(tensors, name);

        if (told.data != NULL && arguments[i].data != NULL)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "'%s' is given twice: in the query and in __metadata__", name);
        if (told.data == NULL)
            told = arguments[i];
        if (told.data == NULL)
            continue;
        TRY(buf_printf(out, err, ",\"%s\":", name));
        TRY(put_value(told, i == 0, out, err));
    }
    return OK;
}

/* --- tensors ------------------------------------------------------------------------------- */

/* The key without its ending; data NULL when it ends otherwise. */
static struct bytes
without(struct bytes key, const char *ending)
{
    size_t size = strlen(ending);

    if (key.size <= size || memcmp(key.data + key.size - size, ending, size) != 0)
        return bytes_of(NULL, 0);
    return bytes_of(key.data, key.size - size);
}

static bool
has(struct api_tensor_table *tensors, struct bytes stem, const char *ending)
{
    char key[KEY_BYTES_MAX];
    size_t size = strlen(ending);

    if (stem.size > sizeof key - size)
        return false;
    memcpy(key, stem.data, stem.size);
    memcpy(key + stem.size, ending, size);
    return api_tensor_table_use(tensors, bytes_of(key, stem.size + size)) != NULL;
}

/* As a name in a path is, "w:0" too; so nothing in it needs an escape. */
static enum err_code
check_variable(struct bytes name, struct err *err)
{
    char text[KEY_BYTES_MAX];

    if (name.size >= sizeof text || memchr(name.data, '\0', name.size) != NULL) {
        char shown[API_SHOWN_BYTES_MAX + 1];

        return err_set(err, ERR_INVALID_ARGUMENT, "the tensor '%s' has no variable's name",
                       api_text_shown(name, shown));
    }
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    text[name_without_output(text)] = '\0';
    return name_check("variable", text, err);
}

/* Nothing for indices: they go with their values. */
static enum err_code
put_gradient(struct api_tensor_table *tensors, struct bytes key, const char *comma, struct buf *out,
             struct err *err)
{
    struct bytes stem = without(key, VALUES), other = without(key, INDICES);
    int size = (int)key.size;

    if (other.data != NULL && has(tensors, other, VALUES))
        return OK;
    if (stem.data == NULL || !has(tensors, stem, INDICES)) {
        TRY(check_variable(key, err));
        return buf_printf(out, err, "%s\"%.*s\":{\"tensor\":\"%.*s\"}", comma, size,
                          (const char *)key.data, size, (const char *)key.data);
    }
    TRY(check_variable(stem, err));
    size = (int)stem.size;
    if (has(tensors, stem, ""))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "'%.*s' is there beside '%.*s" INDICES "' and '%.*s" VALUES
                       "': a gradient is dense or sparse",
                       size, (const char *)stem.data, size, (const char *)stem.data, size,
                       (const char *)stem.data);
    return buf_printf(out, err,
                      "%s\"%.*s\":{\"indices\":{\"tensor\":\"%.*s" INDICES
                      "\"},\"values\":{\"tensor\":\"%.*s" VALUES "\"}}",
                      comma, size, (const char *)stem.data, size, (const char *)stem.data, size,
                      (const char *)stem.data);
}

enum err_code
api_gradients_text(struct api_tensor_table *tensors,
                   const struct bytes arguments[static API_GRADIENTS_ARGUMENTS], struct buf *out,
                   struct err *err)
{
    size_t begin;

    TRY(buf_append_text(out, "{\"gradients\":{", err));
    begin = out->size;
    for (size_t i = 0; i < tensors->count; i++)
        TRY(put_gradient(tensors, tensors->entries[i].key, out->size > begin ? "," : "", out, err));
    TRY(buf_append_text(out, "}", err));
    TRY(put_arguments(tensors, arguments, out, err));
    return buf_append_text(out, "}", err);
}

/* --- requests ------------------------------------------------------------------------------ */

enum err_code
api_gradients_alone(struct api_request *rq, struct api_parts *parts, struct err *err)
{
    const struct api_json_limits limits = {TEXT_BYTES_MAX, TEXT_BYTES_MAX};
    struct bytes arguments[API_GRADIENTS_ARGUMENTS];

    for (size_t i = 0; i < API_GRADIENTS_ARGUMENTS; i++) {
        arguments[i] = api_request_query(rq, api_gradients_arguments[i]);
        if (arguments[i].data != NULL && parts->doc != NULL)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "query argument '%s' goes with a body of tensors alone: this one has "
                           "JSON, it belongs there",
                           api_gradients_arguments[i]);
    }
    if (parts->doc != NULL)
        return OK;
    buf_init(&parts->text, TEXT_BYTES_MAX);
    TRY(api_gradients_text(&parts->tensors, arguments, &parts->text, err));
    TRY(api_json_parse(buf_bytes(&parts->text), &limits, &parts->parsed, err));
    parts->doc = parts->parsed;
    return OK;
}
