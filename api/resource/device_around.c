#include "api/resource/device_around.h"

enum err_code
api_device_take_around(struct api_object *object, struct arena *arena, struct variable_scopes *out,
                       struct err *err)
{
    struct api_value value;

    *out = (struct variable_scopes){.count = 0};
    TRY(api_device_take(object, "device", arena, &out->around, &out->count, err));
    if (!api_object_has(object, "caching_device", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    return api_device_scopes(&value, arena, &out->caching, &out->caching_count, err);
}

enum err_code
api_device_query(struct api_request *rq, struct device_spec *out, bool *given, struct err *err)
{
    const char *text = NULL;
    enum err_code code;

    TRY(api_request_query_copy(rq, "device", &text, err));
    *given = text != NULL;
    if (!*given)
        return OK;
    code = device_spec_parse(text, out, err);
    if (code == ERR_INVALID_ARGUMENT)
        err_prefix(err, "query argument 'device'");
    return code;
}
