#include "api/resource/labels.h"

#include "api/resource/describe.h"
#include "store/base/scope.h"

enum err_code
api_labels_take(struct api_request *rq, struct api_object *body, const struct record_label **out,
                size_t *count, bool *given, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct api_value value, *values = NULL;
    const char **names = NULL;
    struct record_label *labels;

    *given = api_object_has(body, "labels", &value);
    if (!*given)
        return OK;
    TRY(api_value_fields(&value, arena, &names, &values, count, err));
    labels = arena_array(arena, *count, sizeof *labels, err);
    if (labels == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < *count; i++) {
        labels[i].name = names[i];
        TRY(api_value_text(&values[i], arena, &labels[i].value, err));
    }
    *out = labels;
    return OK;
}

enum err_code
api_describe_labels(const struct record_texts *labels, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    struct bytes name, value;
    uint32_t offset = 0;

    TRY(api_json_made(json_object(), &json, err));
    while (record_texts_next(labels, &offset, &name) &&
           record_texts_next(labels, &offset, &value)) {
        if (json_object_setn_new(json, (const char *)name.data, name.size,
                                 json_stringn((const char *)value.data, value.size)) != 0)
            return err_set(err, ERR_NO_MEMORY, "no memory for the reply");
    }
    *out = TAKE(json);
    return OK;
}
