/* Is it alive, can it take writes, and what is it: GET /healthz, /readyz, /v1, the same by the
 * names of the Open Inference Protocol, and what there is to see: GET /. */
#include "api/handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "api/http/negotiate.h"
#include "api/reply.h"
#include "api/wire/format.h"
#include "service/placement/task_usage.h"
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

static json_t *
list_devices(const struct device_set *set)
{
    json_t *list = json_array();

    for (size_t i = 0; i < set->count; i++)
        (void)json_array_append_new(list, json_pack("{s:s,s:s}", "name", set->devices[i].name,
                                                    "type", set->devices[i].spec.type));
    return list;
}

enum err_code
api_server_facts(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct service *service = api_request_service(rq);
    const struct settings *settings = api_request_settings(rq);
    json_t *limits = json_object();

    settings_each(settings, add_limit, limits);
    return api_reply_json(
        rp, 200,
        json_pack("{s:s,s:s,s:I,s:s,s:s,s:s,s:b,s:o*,s:[s],s:o*,s:o*,s:o*}", "name", "Tensorkeep",
                  "version", service_version, "revision", (json_int_t)service_revision(service),
                  "identity", service_identity(service), "durability",
                  service_durability_name(service), "authentication",
                  settings->tokens[0] != '\0' ? "bearer" : "none", "tls",
                  settings->tls_cert[0] != '\0', "devices", list_devices(service_devices(service)),
                  "codings", "gzip", "limits", limits, "dtypes", list_dtypes(), "formats",
                  list_formats()),
        err);
}

/* --- Open Inference Protocol ----------------------------------------------------------------- */

enum err_code
api_inference_live(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    (void)rq;
    return api_reply_static(rp, 200, "application/json", bytes_of_text("{\"live\":true}"), err);
}

enum err_code
api_inference_ready(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    TRY(service_ready(api_request_service(rq), err));
    return api_reply_static(rp, 200, "application/json", bytes_of_text("{\"ready\":true}"), err);
}

enum err_code
api_inference_metadata(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    (void)rq;
    return api_reply_json(
        rp, 200,
        json_pack("{s:s,s:s,s:[]}", "name", "tensorkeep", "version", service_version, "extensions"),
        err);
}

/* --- the way in ------------------------------------------------------------------------------ */

enum err_code
api_root(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    static const char text[] =
        "Tensorkeep keeps model state: variables, what optimizers remember, checkpoints.\n\n"
        "/docs            the API, to read\n"
        "/openapi.yaml    the API, for machines; also /openapi.json\n"
        "/v1              version, limits, formats\n"
        "/v1/models       what is kept\n"
        "/metrics         numbers for Prometheus\n"
        "/healthz         alive; /readyz: takes writes\n";
    static const char page[] =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Tensorkeep</title></head>"
        "<body>\n<h1>Tensorkeep</h1>\n"
        "<p>Keeps model state: variables, what optimizers remember, checkpoints.</p>\n<ul>\n"
        "<li><a href=\"docs\">The API</a>, to read; for machines <a href=\"openapi.yaml\">YAML</a> "
        "and <a href=\"openapi.json\">JSON</a></li>\n"
        "<li><a href=\"v1\">Version, limits, formats</a></li>\n"
        "<li><a href=\"v1/models\">Models</a> and <a href=\"v1/usage\">what they take</a></li>\n"
        "<li><a href=\"metrics\">Numbers for Prometheus</a></li>\n"
        "<li><a href=\"healthz\">Alive</a>, <a href=\"readyz\">takes writes</a></li>\n"
        "</ul></body></html>\n";
    static const struct api_choice choices[] = {{"text", "text/plain", NULL},
                                                {"html", "text/html", NULL}};
    size_t form = 0;

    TRY(api_negotiate_choice(rq, rp, choices, sizeof choices / sizeof choices[0], &form, err));
    return form == 0
               ? api_reply_static(rp, 200, "text/plain; charset=utf-8", bytes_of_text(text), err)
               : api_reply_static(rp, 200, "text/html; charset=utf-8", bytes_of_text(page), err);
}
