/* For operators: the scrub. */
#include "api/describe.h"
#include "api/handlers/handlers.h"
#include "api/reply.h"
#include "service/verify.h"
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
