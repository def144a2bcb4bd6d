#include "api/resource/device_json.h"

#include "store/base/scope.h"

/* null is as if the field were absent: DeviceSpec(job=None). */
static bool
has_part(struct api_object *object, const char *field)
{
    struct api_value value;

    return api_object_has(object, field, &value) && api_value_kind(&value) != API_NULL;
}

static enum err_code
take_text(struct api_object *object, const char *field, struct arena *arena, const char **out,
          struct err *err)
{
    return has_part(object, field) ? api_object_text(object, field, arena, out, NULL, err) : OK;
}

static enum err_code
take_number(struct api_object *object, const char *field, int64_t *number, const int64_t **out,
            struct err *err)
{
    if (!has_part(object, field))
        return OK;
    *out = number;
    return api_object_i64(object, field, number, NULL, err);
}

static enum err_code
take_parts(const struct api_value *value, struct arena *arena, struct device_spec *out,
           struct err *err)
{
    struct device_parts parts = {.job = NULL};
    int64_t replica = 0, task = 0, index = 0;
    struct api_object object;

    TRY(api_object_of(value, &object, err));
    TRY(take_text(&object, "job", arena, &parts.job, err));
    TRY(take_number(&object, "replica", &replica, &parts.replica, err));
    TRY(take_number(&object, "task", &task, &parts.task, err));
    TRY(take_text(&object, "device_type", arena, &parts.type, err));
    TRY(take_number(&object, "device_index", &index, &parts.index, err));
    TRY(api_object_end(&object, err));
    return device_spec_of_parts(&parts, out, err);
}

/* `inside`: of an array. */
static enum err_code
take_scope(const struct api_value *value, bool inside, struct arena *arena,
           struct device_scope *out, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];
    const char *text = NULL;

    switch (api_value_kind(value)) {
    case API_NULL:
        out->resets = true;
        return OK;
    case API_OBJECT:
        return take_parts(value, arena, &out->spec, err);
    case API_TEXT:
        TRY(api_value_text(value, arena, &text, err));
        return device_spec_parse(text, &out->spec, err);
    case API_BOOL:
    case API_NUMBER:
    case API_ARRAY:
        break;
    }
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%s must be a device: a string, an object of its parts, or null%s",
                   api_value_where(value, where), inside ? "" : "; or an array of these");
}

/* Words of the spec's, which do not say where it stands. */
static enum err_code
place_error(const struct api_value *value, enum err_code code, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];

    if (code == ERR_INVALID_ARGUMENT && err != NULL && strncmp(err->text, "field '", 7) != 0)
        err_prefix(err, "%s", api_value_where(value, where));
    return code;
}

enum err_code
api_device_scopes(const struct api_value *value, struct arena *arena,
                  const struct device_scope **out, size_t *count, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];
    struct api_value *values = NULL;
    struct device_scope *scopes;

    *count = 1;
    if (api_value_kind(value) == API_ARRAY)
        TRY(api_value_elements(value, arena, &values, count, err));
    if (*count > API_DEVICE_SCOPES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s has %zu devices inside each other, at most %d",
                       api_value_where(value, where), *count, API_DEVICE_SCOPES_MAX);
    scopes = arena_array(arena, *count + 1, sizeof *scopes, err);
    if (scopes == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < *count; i++) {
        const struct api_value *each = values != NULL ? &values[i] : value;

        TRY(place_error(each, take_scope(each, values != NULL, arena, &scopes[i], err), err));
    }
    *out = scopes;
    return OK;
}

enum err_code
api_device_take(struct api_object *object, const char *field, struct arena *arena,
                const struct device_scope **out, size_t *count, struct err *err)
{
    struct api_value value;

    *count = 0;
    return api_object_has(object, field, &value) ? api_device_scopes(&value, arena, out, count, err)
                                                 : OK;
}
