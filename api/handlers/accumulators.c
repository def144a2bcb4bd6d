/* Accumulators: make, look, list, delete, and take. Adding and setting steps are verbs of runs. */
#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "api/resource/accumulator_json.h"
#include "api/resource/describe.h"
#include "api/resource/run_one.h"
#include "api/waiting.h"
#include "store/base/scope.h"

enum { STATUS_OK = 200 };

struct put_result {
    bool created;
    struct accumulator_record record;
};

static enum err_code
render_put(struct api_request *rq, struct api_reply *rp, const void *put, uint64_t revision,
           struct err *err)
{
    const struct put_result *result = put;
    json_t *json = NULL;

    TRY(api_reply_revision(rp, revision, err));
    TRY(api_describe_accumulator(api_request_name(rq), &result->record, &json, err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)revision), err));
    return api_reply_written(rq, rp, result->created, "accumulators", api_request_name(rq), json,
                             err);
}

enum err_code
api_accumulator_put(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct put_result result = {.created = false};
    struct accumulator_spec spec = {.shape = NULL};
    struct write_options options;
    struct api_value root;
    struct shape shape;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_put, &result, &options, err));
    TRY(api_request_value(rq, &root, err));
    TRY(api_accumulator_take_spec(&root, &spec, &shape, err));
    TRY(accumulator_create(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                           &spec, &options, &result.created, &result.record, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_accumulator_delete(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return api_outcome_delete(rq, rp, accumulator_delete, err);
}

/* --- looking ------------------------------------------------------------------------------- */

enum err_code
api_accumulator_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct accumulator_record record;
    json_t *json = NULL;
    bool done = false;

    TRY(accumulator_get(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                        &record, err));
    TRY(api_reply_etag(rq, rp, record.revision, "accumulator", &done, err));
    if (done)
        return OK;
    TRY(api_describe_accumulator(api_request_name(rq), &record, &json, err));
    return api_reply_json(rp, STATUS_OK, json, err);
}

static enum err_code
push_accumulator(void *context, const char *name, const struct accumulator_record *record,
                 struct err *err)
{
    json_t *json = NULL;

    TRY(api_describe_accumulator(name, record, &json, err));
    return api_page_push(context, json, name, err);
}

enum err_code
api_accumulator_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_page) page = {0};
    uint64_t revision = 0;

    TRY(api_page_begin(rq, &page, err));
    TRY(accumulator_list(api_request_service(rq), api_request_model(rq), page.after, page.size,
                         push_accumulator, &page, &page.more, &revision, err));
    return api_page_reply(rq, rp, &page, "accumulators", revision, err);
}

/* --- taking -------------------------------------------------------------------------------- */

/* It is not this one's turn, or too little is there: both end when a gradient comes, or when the
 * one before it is served. */
enum err_code
api_accumulator_take(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_one) one = {.op = {.verb = NULL}};
    uint64_t seconds = 0;
    enum err_code code;

    if (api_waits(rq) && !api_wait_is_turn(rq) && !api_wait_is_over(rq))
        return OK;
    if (!api_waits(rq))
        TRY(api_wait_preferred(rq, rp, &seconds, err));
    TRY(api_one_decode(rq, &verb_take_grad, &one, err));
    code = api_run_made(rq, rp, &one, err);
    if (code != ERR_FAILED_PRECONDITION || !*one.op.accumulator->lacking)
        return code;
    if (api_waits(rq) ? api_wait_is_over(rq) : seconds == 0)
        return code;
    err_clear(err);
    if (api_waits(rq))
        return OK;
    return api_wait_to_act(rq, rp, accumulator_topic(api_request_model(rq), api_request_name(rq)),
                           seconds, api_accumulator_take, err);
}
