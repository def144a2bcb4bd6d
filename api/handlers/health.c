/* Is it alive, can it take writes, and what is it: GET /healthz, /readyz, /v1. */
#include "api/handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "api/negotiate.h"
#include "api/reply.h"
#include "api/wire/format.h"
#include "service/tensor/dtype.h"
#include "service/version.h"

enum err_code
api_health(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    (void)rq;
    return api_reply_static(rp, 200, "application/json", bytes_of_text("{\"status\":\"ok\"}"), err);
}

enum err_code
api_readiness(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    TRY(service_ready(api_request_service(rq), err));
    return api_reply_static(rp, 200, "application/json", bytes_of_text("{\"status\":\"ready\"}"),
                            err);
}

/* Numbers a client may run into; texts are the operator's business (paths, addresses). */
static void
add_limit(void *context, const char *name, const char *kind, const char *value, const char *help)
{
    (void)help;
    if (strcmp(kind, "NUMBER") == 0 || strcmp(kind, "BYTES") == 0 ||
        strcmp(kind, "MILLISECONDS") == 0)
        (void)json_object_set_new(context, name, json_integer(strtoll(value, NULL, 10)));
}

static json_t *
list_dtypes(void)
{
    json_t *list = json_array();

    for (int i = 0; i < (int)DTYPE_COUNT; i++)
        (void)json_array_append_new(list, json_string(dtype_name((enum dtype)i)));
    return list;
}

static json_t *
pack_format(const char *name, const char *media_type)
{
    return json_pack("{s:s,s:s}", "name", name, "media_type", media_type);
}

/* Of single values, and of sets those that values do not have too. */
static json_t *
list_formats(void)
{
    json_t *list = json_array();
    const struct api_wire_format *format;
    enum api_format same;

    for (int i = 0; i < (int)API_FORMAT_COUNT; i++)
        (void)json_array_append_new(list, pack_format(api_format_name((enum api_format)i),
                                                      api_format_media_type((enum api_format)i)));
    for (size_t i = 0; (format = api_wire_format_at(i)) != NULL; i++)
        if (!api_format_of_name(bytes_of_text(format->name), &same))
            (void)json_array_append_new(list, pack_format(format->name, format->media_type));
    return list;
}

enum err_code
api_server_facts(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct service *service = api_request_service(rq);
    json_t *limits = json_object();

    settings_each(api_request_settings(rq), add_limit, limits);
    return api_reply_json(
        rp, 200,
        json_pack("{s:s,s:s,s:I,s:s,s:s,s:o*,s:o*,s:o*}", "name", "Tensorkeep", "version",
                  service_version, "revision", (json_int_t)service_revision(service), "identity",
                  service_identity(service), "durability", service_durability_name(service),
                  "limits", limits, "dtypes", list_dtypes(), "formats", list_formats()),
        err);
}
