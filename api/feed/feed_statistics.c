#include "api/feed/feed_statistics.h"

#include "api/json/json_write.h"
#include "api/resource/describe.h"
#include "api/resource/statistics_json.h"
#include "service/name.h"
#include "store/base/scope.h"

bool
api_feed_tells_statistics(enum change_kind kind)
{
    return change_is_of_variable(kind) && kind != CHANGE_VARIABLE_DELETED;
}

/* What cannot be had is none: NULL. */
static json_t *
describe(struct api_feed_statistics *s, const struct look_spec *spec, uint64_t version)
{
    AUTO(look) look = {.snapshot = NULL};
    AUTO_CALL(api_json_release) json_t *json = NULL;
    struct statistics found;

    if (look_open(s->service, spec, &look, NULL) != OK || look.value.version != version ||
        look.value.value.size > s->left_bytes)
        return NULL;
    s->left_bytes -= look.value.value.size;
    if (statistics_take(&look, &found, NULL) != OK ||
        api_json_made(json_object(), &json, NULL) != OK ||
        api_statistics_set(json, look.value.type.dtype, &found, NULL) != OK)
        return NULL;
    return TAKE(json);
}

enum err_code
api_feed_put_statistics(struct api_feed_statistics *s, const struct change *change, struct buf *out,
                        struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    char model[NAME_BYTES_MAX + 1], name[NAME_BYTES_MAX + 1];
    const struct look_spec spec = {.model = model, .name = name};

    if (change->model.size < sizeof model && change->name.size < sizeof name) {
        memcpy(model, change->model.data, change->model.size);
        model[change->model.size] = '\0';
        memcpy(name, change->name.data, change->name.size);
        name[change->name.size] = '\0';
        json = describe(s, &spec, change->version);
    }
    return json == NULL ? buf_append_text(out, "null", err) : api_json_write(json, out, err);
}
