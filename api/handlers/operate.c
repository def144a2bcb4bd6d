/* For operators: the scrub, and metrics. */
#include "api/handlers/handlers.h"
#include "api/http/negotiate.h"
#include "api/observe/metrics.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "service/verify/verify.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum err_code
api_verify(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO_CALL(mem_free_scope)
    struct store_verify_report *report = mem_zeroed(1, sizeof *report, err);
    AUTO_CALL(api_json_release) json_t *json = NULL;
    bool payloads = true;
    json_t *texts = NULL;

    if (report == NULL)
        return ERR_NO_MEMORY;
    TRY(api_request_query_bool(rq, "payloads", true, &payloads, err));
    TRY(service_verify(api_request_service(rq), payloads, report, err));
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "ok", json_boolean(report->findings == 0), err));
    TRY(api_json_set(json, "values", json_integer((json_int_t)report->values), err));
    TRY(api_json_set(json, "references", json_integer((json_int_t)report->references), err));
    TRY(api_json_set(json, "chunks", json_integer((json_int_t)report->chunks), err));
    TRY(api_json_set(json, "chunk_bytes", json_integer((json_int_t)report->chunk_bytes), err));
    TRY(api_json_set(json, "findings", json_integer((json_int_t)report->findings), err));
    TRY(api_describe_names(report->texts[0], sizeof report->texts[0], report->text_count, &texts,
                           err));
    TRY(api_json_set(json, "texts", texts, err));
    return api_reply_json(rp, 200, TAKE(json), err);
}

enum { METRICS_BYTES_MAX = 64 << 20, METRICS_MODELS_INLINE_MAX = 256 };

enum err_code
api_metrics_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    static const char open_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    static const char text_type[] = "text/plain; version=0.0.4; charset=utf-8";
    static const struct api_choice choices[] = {
        [API_METRICS_TEXT] = {"text", "text/plain", NULL},
        [API_METRICS_OPEN] = {"openmetrics", "application/openmetrics-text", NULL},
    };
    const uint64_t models_max = api_request_on_worker(rq) ? UINT64_MAX : METRICS_MODELS_INLINE_MAX;
    struct service_counters counters;
    AUTO(buf) text;
    size_t form = API_METRICS_TEXT;

    buf_init(&text, METRICS_BYTES_MAX);
    TRY(api_negotiate_choice(rq, rp, choices, sizeof choices / sizeof choices[0], &form, err));
    TRY(service_counters_read(api_request_service(rq), models_max, &counters, err));
    if (!counters.complete && !api_request_on_worker(rq))
        return ERR_DEFER;
    TRY(api_metrics_write(rq, &counters, (enum api_metrics_form)form, &text, err));
    api_reply_may_pack(rp);
    return api_reply_buf(rp, 200, form == API_METRICS_OPEN ? open_type : text_type, &text, err);
}
