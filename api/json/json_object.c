/* Taking an object apart field by field, and naming what nobody asked for. */
#include <stdio.h>

#include "api/json/json_doc.h"
#include "api/json/text.h"
#include "store/base/check.h"

enum err_code
api_object_of(const struct api_value *value, struct api_object *out, struct err *err)
{
    if (api_value_kind(value) != API_OBJECT)
        return api_value_mismatch(value, "an object", err);
    *out = (struct api_object){.value = *value};
    return OK;
}

bool
api_object_has(struct api_object *o, const char *field, struct api_value *out)
{
    const json_t *json = json_object_get(o->value.json, field);
    bool asked = false;

    for (size_t i = 0; i < o->asked_count; i++)
        asked = asked || strcmp(o->asked[i], field) == 0;
    if (!asked) {
        CHECK(o->asked_count < API_JSON_FIELDS_MAX);
        o->asked[o->asked_count++] = field;
    }
    if (json == NULL)
        return false;
    *out = api_value_of_json(o->value.doc, json, &o->value, field, 0);
    return true;
}

static enum err_code
unknown_field(const struct api_object *o, const char *field, struct err *err)
{
    const char *near = api_nearest_name(field, o->asked, o->asked_count);
    struct api_value value = {.parent = &o->value, .key = field};
    char where[API_WHERE_BYTES_MAX], known[512] = "none are taken here";
    size_t used = 0;

    api_value_where(&value, where);
    if (near != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "unknown %s: did you mean '%s'?", where, near);
    for (size_t i = 0; i < o->asked_count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                 i > 0 ? ", " : "known here: ", o->asked[i]);
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown %s; %s", where, known);
}

enum err_code
api_object_end(struct api_object *o, struct err *err)
{
    json_t *object = (json_t *)(uintptr_t)o->value.json; /* jansson's iterators are not const */
    const char *key;
    json_t *field;

    json_object_foreach(object, key, field)
    {
        bool asked = false;

        for (size_t i = 0; i < o->asked_count && !asked; i++)
            asked = strcmp(o->asked[i], key) == 0;
        if (!asked)
            return unknown_field(o, key, err);
    }
    return OK;
}

/* *found false only where that is allowed. */
static enum err_code
field_of(struct api_object *o, const char *field, bool *present, bool *found, struct api_value *out,
         struct err *err)
{
    char where[API_WHERE_BYTES_MAX];

    *found = api_object_has(o, field, out);
    if (present != NULL)
        *present = *found;
    if (*found || present != NULL)
        return OK;
    *out = (struct api_value){.parent = &o->value, .key = field};
    return err_set(err, ERR_INVALID_ARGUMENT, "%s is required", api_value_where(out, where));
}

enum err_code
api_object_value(struct api_object *o, const char *field, struct api_value *out, struct err *err)
{
    bool found = false;

    return field_of(o, field, NULL, &found, out, err);
}

enum err_code
api_object_text(struct api_object *o, const char *field, struct arena *arena, const char **out,
                bool *present, struct err *err)
{
    struct api_value value;
    bool found = false;

    TRY(field_of(o, field, present, &found, &value, err));
    return found ? api_value_text(&value, arena, out, err) : OK;
}

enum err_code
api_object_bool(struct api_object *o, const char *field, bool *out, bool *present, struct err *err)
{
    struct api_value value;
    bool found = false;

    TRY(field_of(o, field, present, &found, &value, err));
    return found ? api_value_bool(&value, out, err) : OK;
}

enum err_code
api_object_i64(struct api_object *o, const char *field, int64_t *out, bool *present,
               struct err *err)
{
    struct api_value value;
    bool found = false;

    TRY(field_of(o, field, present, &found, &value, err));
    return found ? api_value_i64(&value, out, err) : OK;
}

enum err_code
api_object_shape(struct api_object *o, const char *field, struct shape *out, bool *present,
                 struct err *err)
{
    struct api_value value;
    bool found = false;

    TRY(field_of(o, field, present, &found, &value, err));
    return found ? api_value_shape(&value, out, err) : OK;
}

enum err_code
api_object_dtype(struct api_object *o, const char *field, enum dtype *out, bool *present,
                 struct err *err)
{
    struct api_value value;
    bool found = false;

    TRY(field_of(o, field, present, &found, &value, err));
    return found ? api_value_dtype(&value, out, err) : OK;
}

enum err_code
api_object_texts(struct api_object *o, const char *field, struct arena *arena, const char ***out,
                 size_t *count, bool *present, struct err *err)
{
    struct api_value value;
    bool found = false;

    TRY(field_of(o, field, present, &found, &value, err));
    return found ? api_value_texts(&value, arena, out, count, err) : OK;
}
