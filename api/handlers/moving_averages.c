/* Moving averages of a model: make, change, look, list, delete, bring up to date. */
#include <inttypes.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "api/resource/average_json.h"
#include "api/resource/describe.h"
#include "api/resource/expr_json.h"
#include "api/resource/run_one.h"
#include "api/resource/variable_names.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum { STATUS_OK = 200 };

struct put_result {
    bool created;
    struct average_config config;
};

static void
put_result_drop(struct put_result *result)
{
    average_config_drop(&result->config);
}

static enum err_code
render_put(struct api_request *rq, struct api_reply *rp, const void *put, uint64_t revision,
           struct err *err)
{
    const struct put_result *result = put;
    json_t *json = NULL;

    TRY(api_reply_revision(rp, revision, err));
    TRY(api_describe_average(&result->config, &json, err));
    return api_reply_written(rq, rp, result->created, "moving_averages", result->config.name, json,
                             err);
}

enum err_code
api_average_put(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(put_result) result = {0};
    AUTO(api_average) stated = {0};
    struct write_options options;
    struct api_value root;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_put, &result, &options, err));
    TRY(api_request_value(rq, &root, err));
    TRY(api_average_decode(rq, &root, &stated, err));
    TRY(average_create(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                       &stated.spec, &options, &result.created, &result.config, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_average_delete(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return api_outcome_delete(rq, rp, average_delete, err);
}

enum err_code
api_average_apply(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return api_run_one(rq, rp, &verb_apply_moving_averages, err);
}

enum err_code
api_average_create_slots(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return api_run_one(rq, rp, &verb_create_average_slots, err);
}

/* --- looking ------------------------------------------------------------------------------- */

struct shown {
    json_t *shadows, *tensors, *restore; /* borrowed from the reply */
};

static enum err_code
show_member(void *context, const struct average_member *member, const char *shadow, struct err *err)
{
    struct shown *shown = context;
    json_t *value = NULL;

    TRY(api_json_set(shown->shadows, member->name, json_string(shadow), err));
    if (!member->is_tensor)
        return OK;
    TRY(api_expr_encode(&member->value, &value, err));
    return api_json_set(shown->tensors, member->name, value, err);
}

static enum err_code
show_restored(void *context, const char *tensor, const char *variable, struct err *err)
{
    struct shown *shown = context;

    return api_json_set(shown->restore, tensor, json_string(variable), err);
}

/* Given and empty, it is a list of none. */
static enum err_code
take_averaged(struct api_request *rq, struct average_looks *looks, struct err *err)
{
    struct bytes text = api_request_query(rq, "moving_avg_variables");
    const char **names = NULL;

    if (text.data == NULL)
        return OK;
    TRY(api_variable_names_split(api_request_arena(rq), text, &names, &looks->averaged_count, err));
    if (text.size == 0)
        looks->averaged_count = 0;
    looks->averaged = names;
    return OK;
}

static enum err_code
new_map(json_t *object, const char *key, json_t **out, struct err *err)
{
    TRY(api_json_made(json_object(), out, err));
    return api_json_set(object, key, *out, err);
}

enum err_code
api_average_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(average_config) config = {0};
    AUTO_CALL(api_json_release) json_t *maps = NULL;
    AUTO_CALL(api_json_release) json_t *json = NULL;
    struct shown shown = {0};
    struct average_looks looks = {
        .context = &shown, .member = show_member, .restore = show_restored};
    uint64_t model_revision = 0;
    char representation[64];
    bool done = false;

    TRY(take_averaged(rq, &looks, err));
    TRY(api_json_made(json_object(), &maps, err));
    TRY(new_map(maps, "shadows", &shown.shadows, err));
    TRY(new_map(maps, "tensors", &shown.tensors, err));
    TRY(new_map(maps, "variables_to_restore", &shown.restore, err));
    TRY(average_get(api_request_service(rq), api_request_model(rq), api_request_name(rq), &looks,
                    &config, &model_revision, err));
    /* What is restored hangs on every variable of the model, and on the query. */
    snprintf(representation, sizeof representation, "averages-%" PRIu64 "-%08" PRIx32,
             model_revision,
             crc32c(0, api_request_query_text(rq).data, api_request_query_text(rq).size));
    TRY(api_reply_etag(rq, rp, config.revision, representation, &done, err));
    if (done)
        return OK;
    TRY(api_describe_average(&config, &json, err));
    if (json_object_update(json, maps) != 0)
        return err_set(err, ERR_NO_MEMORY, "out of memory while writing the reply");
    return api_reply_json(rp, STATUS_OK, TAKE(json), err);
}

static enum err_code
push_average(void *context, const struct average_config *config, struct err *err)
{
    json_t *json = NULL;

    TRY(api_describe_average(config, &json, err));
    return api_page_push(context, json, config->name, err);
}

enum err_code
api_average_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_page) page = {0};
    uint64_t revision = 0;

    TRY(api_page_begin(rq, &page, err));
    TRY(average_list(api_request_service(rq), api_request_model(rq), page.after, page.size,
                     push_average, &page, &page.more, &revision, err));
    return api_page_reply(rq, rp, &page, "moving_averages", revision, err);
}
