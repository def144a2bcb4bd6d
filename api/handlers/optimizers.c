/* A model's optimizers: make, change, look, list, delete. */
#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/resource/optimizer_json.h"
#include "store/base/scope.h"

enum { STATUS_OK = 200 };

struct put_result {
    bool created;
    struct optimizer_config config;
};

static void
put_result_drop(struct put_result *result)
{
    optimizer_config_drop(&result->config);
}

static enum err_code
render_put(struct api_request *rq, struct api_reply *rp, const void *put, uint64_t revision,
           struct err *err)
{
    const struct put_result *result = put;
    json_t *json = NULL;

    TRY(api_reply_revision(rp, revision, err));
    TRY(api_describe_optimizer(&result->config, &json, err));
    return api_reply_written(rq, rp, result->created, "optimizers", result->config.name, json, err);
}

enum err_code
api_optimizer_put(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(put_result) result = {0};
    AUTO(api_optimizer) stated = {0};
    struct write_options options;
    struct api_value root;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_put, &result, &options, err));
    TRY(api_request_value(rq, &root, err));
    TRY(api_optimizer_decode(rq, &root, NULL, &stated, err));
    TRY(optimizer_create(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                         &stated.spec, &options, &result.created, &result.config, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_optimizer_patch(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(put_result) result = {0};
    AUTO(optimizer_config) present = {0};
    AUTO(api_optimizer) stated = {0};
    struct write_options options;
    struct api_value root;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_put, &result, &options, err));
    TRY(api_request_value(rq, &root, err));
    /* Which hyper-parameters there are hangs on the type, which one of that name keeps. */
    TRY(optimizer_get(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                      &present, err));
    TRY(api_optimizer_decode(rq, &root, present.optimizer, &stated, err));
    TRY(optimizer_patch(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                        &stated.spec, &options, &result.config, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_optimizer_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(optimizer_config) config = {0};
    json_t *json = NULL;
    bool done = false;

    TRY(optimizer_get(api_request_service(rq), api_request_model(rq), api_request_name(rq), &config,
                      err));
    TRY(api_reply_etag(rq, rp, config.revision, "optimizer", &done, err));
    if (done)
        return OK;
    TRY(api_describe_optimizer(&config, &json, err));
    return api_reply_json(rp, STATUS_OK, json, err);
}

enum err_code
api_optimizer_delete(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return api_outcome_delete(rq, rp, optimizer_delete, err);
}

static enum err_code
push_optimizer(void *context, const struct optimizer_config *config, struct err *err)
{
    json_t *json = NULL;

    TRY(api_describe_optimizer(config, &json, err));
    return api_page_push(context, json, config->name, err);
}

enum err_code
api_optimizer_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_page) page = {0};
    uint64_t revision = 0;

    TRY(api_page_begin(rq, &page, err));
    TRY(optimizer_list(api_request_service(rq), api_request_model(rq), page.after, page.size,
                       push_optimizer, &page, &page.more, &revision, err));
    return api_page_reply(rq, rp, &page, "optimizers", revision, err);
}
