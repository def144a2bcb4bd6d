/* Gradients that are applied, at once or with those of others; and accumulations, where gradients
 * wait for the others: look, list, delete. */
#include "api/handlers/handlers.h"
#include "api/outcome.h"
#include "api/resource/accumulation_json.h"
#include "api/resource/describe.h"
#include "api/resource/run_one.h"
#include "api/waiting.h"
#include "service/training/optimizer_apply.h"
#include "store/base/scope.h"

enum { STATUS_OK = 200 };

/* A contribution that others are missing from waits for them if its client prefers to. */
enum err_code
api_apply_gradients(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_one) one = {.op = {.verb = NULL}};
    const struct optimizer_applied *applied;
    uint64_t seconds = 0;

    TRY(api_one_decode(rq, &verb_apply_gradients, &one, err));
    if (one.op.gradients->accumulate != NULL)
        TRY(api_wait_preferred(rq, rp, &seconds, err));
    TRY(api_run_made(rq, rp, &one, err));
    applied = one.report.results[0].applied;
    if (seconds == 0 || (applied->contributed != OPTIMIZER_CONTRIBUTED &&
                         applied->contributed != OPTIMIZER_CONTRIBUTED_TWICE))
        return OK;
    return api_accumulation_wait(rq, rp, applied->key, seconds, err);
}

/* --- looking ------------------------------------------------------------------------------- */

static enum err_code
reply_accumulation(struct api_request *rq, struct api_reply *rp,
                   const struct accumulation_info *info, struct err *err)
{
    json_t *json = NULL;

    TRY(api_describe_accumulation(api_request_name(rq), info, &json, err));
    return api_reply_json(rp, STATUS_OK, json, err);
}

/* api_handler: nothing yet, or the end. */
static enum err_code
look(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(accumulation_info) info = {.applied = false};

    TRY(accumulation_get(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                         api_request_key(rq), &info, err));
    if (!info.applied && !api_wait_is_over(rq))
        return OK;
    return reply_accumulation(rq, rp, &info, err);
}

enum err_code
api_accumulation_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(accumulation_info) info = {.applied = false};
    uint64_t seconds = 0;

    TRY(api_request_query_u64(rq, "wait", 0, &seconds, err));
    if (seconds > API_WAIT_SECONDS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "wait=%llu: a request waits at most %d seconds",
                       (unsigned long long)seconds, API_WAIT_SECONDS_MAX);
    if (seconds > 0)
        return api_wait_for(
            rq, rp,
            accumulation_topic(api_request_model(rq), api_request_name(rq), api_request_key(rq)),
            seconds, look, NULL, err);
    TRY(accumulation_get(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                         api_request_key(rq), &info, err));
    return reply_accumulation(rq, rp, &info, err);
}

struct listing {
    const char *optimizer;
    json_t *list;
};

static enum err_code
push(void *context, const struct accumulation_info *info, struct err *err)
{
    struct listing *listing = context;
    json_t *json = NULL;

    TRY(api_describe_accumulation(listing->optimizer, info, &json, err));
    return api_json_push(listing->list, json, err);
}

enum err_code
api_accumulation_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *list = NULL;
    AUTO_CALL(api_json_release) json_t *json = NULL;
    struct listing listing = {.optimizer = api_request_name(rq)};
    uint64_t revision = 0;

    TRY(api_json_made(json_array(), &list, err));
    listing.list = list;
    TRY(accumulation_list(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                          push, &listing, &revision, err));
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "accumulations", TAKE(list), err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)revision), err));
    return api_reply_json(rp, STATUS_OK, TAKE(json), err);
}

enum err_code
api_accumulation_delete(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct write_options options;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, api_render_deleted, api_request_key(rq), &options, err));
    TRY(accumulation_delete(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                            api_request_key(rq), &options, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}
