/* Models: create, list, look, change, delete. */
#include <inttypes.h>
#include <stdio.h>

#include "api/guard/caller.h"
#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/resource/labels.h"
#include "api/resource/placement_json.h"
#include "api/tensors/choice.h"
#include "service/model.h"
#include "service/placement/task_usage.h"
#include "store/base/scope.h"

/* "profile" and "seed_mode". */
static enum err_code
take_choices(struct api_request *rq, struct api_object *body, struct model_spec *spec,
             struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    const char *profiles[RANDOM_PROFILE_COUNT], *modes[MODEL_SEED_MODE_COUNT];
    unsigned profile = 0, mode = 0;

    for (unsigned i = 0; i < RANDOM_PROFILE_COUNT; i++)
        profiles[i] = random_profile_name((enum random_profile)i);
    for (unsigned i = 0; i < MODEL_SEED_MODE_COUNT; i++)
        modes[i] = model_seed_mode_name((enum model_seed_mode)i);
    TRY(api_object_choice(body, "profile", arena, profiles, RANDOM_PROFILE_COUNT, &profile,
                          &spec->has_profile, err));
    TRY(api_object_choice(body, "seed_mode", arena, modes, MODEL_SEED_MODE_COUNT, &mode,
                          &spec->has_seed_mode, err));
    spec->profile = (enum random_profile)profile;
    spec->seed_mode = (enum model_seed_mode)mode;
    return OK;
}

/* A number, or null: none. */
static enum err_code
take_limit(struct api_object *quota, const char *name, struct model_limit *out, bool *given,
           struct err *err)
{
    char where[API_WHERE_BYTES_MAX];
    struct api_value value;
    int64_t most = 0;

    *given = api_object_has(quota, name, &value);
    *out = (struct model_limit){.set = false};
    if (!*given || api_value_kind(&value) == API_NULL)
        return OK;
    TRY(api_value_i64(&value, &most, err));
    if (most < 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s must be 0 or more, or null for none, not %lld",
                       api_value_where(&value, where), (long long)most);
    *out = (struct model_limit){.set = true, .most = (uint64_t)most};
    return OK;
}

/* "quota": {"bytes": …, "variables": …}. Whoever may write in a model may not give himself more. */
static enum err_code
take_quota(struct api_request *rq, struct api_object *body, struct model_spec *spec,
           struct err *err)
{
    struct api_value value;
    struct api_object quota;

    if (!api_object_has(body, "quota", &value))
        return OK;
    TRY(api_caller_check_scope(rq, SCOPE_ADMIN, "setting a quota", err));
    TRY(api_object_of(&value, &quota, err));
    TRY(take_limit(&quota, "bytes", &spec->quota.bytes, &spec->has_quota_bytes, err));
    TRY(take_limit(&quota, "variables", &spec->quota.variables, &spec->has_quota_variables, err));
    return api_object_end(&quota, err);
}

struct written_model {
    struct model_info info;
    bool created;
};

/* The revision is the model's: confirming one changes nothing. */
static enum err_code
render_written(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
               struct err *err)
{
    const struct written_model *written = result;
    json_t *json = NULL;

    (void)rq;
    (void)revision;
    if (written->created)
        TRY(api_reply_header(rp, "Location", err, "/v1/models/%s", written->info.name));
    TRY(api_reply_revision(rp, written->info.revision, err));
    TRY(api_describe_model(&written->info, &json, err));
    return api_reply_json(rp, written->created ? 201 : 200, json, err);
}

enum err_code
api_model_create(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct write_options options;
    struct model_spec spec = {0};
    struct api_object body;
    struct written_model written = {.created = false};
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_written, &written, &options, err));
    TRY(api_request_object(rq, &body, err));
    TRY(api_object_i64(&body, "seed", &spec.seed, &spec.has_seed, err));
    TRY(take_choices(rq, &body, &spec, err));
    TRY(api_placement_take(&body, api_request_arena(rq), service_limits_of(api_request_service(rq)),
                           &spec, err));
    TRY(take_quota(rq, &body, &spec, err));
    TRY(api_labels_take(rq, &body, &spec.labels, &spec.label_count, &spec.has_labels, err));
    TRY(api_object_end(&body, err));
    TRY(model_create(api_request_service(rq), api_request_model(rq), &spec, &options,
                     &written.created, &written.info, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_model_patch(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct write_options options;
    struct model_spec spec = {0};
    struct api_object body;
    struct written_model written = {.created = false};
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_written, &written, &options, err));
    TRY(api_request_object(rq, &body, err));
    TRY(api_placement_take(&body, api_request_arena(rq), service_limits_of(api_request_service(rq)),
                           &spec, err));
    TRY(take_quota(rq, &body, &spec, err));
    TRY(api_labels_take(rq, &body, &spec.labels, &spec.label_count, &spec.has_labels, err));
    TRY(api_object_end(&body, err));
    TRY(model_patch(api_request_service(rq), api_request_model(rq), &spec, &options, &written.info,
                    &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_model_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    const char *model = api_request_model(rq);
    char representation[32];
    struct model_info info;
    uint64_t unique_bytes = 0;
    json_t *json = NULL;
    bool done = false;

    TRY(model_get(api_request_service(rq), model, &info, err));
    /* A placement tells how many tasks of its job there are here. */
    snprintf(representation, sizeof representation, "model-%08" PRIx32,
             service_devices(api_request_service(rq))->checksum);
    TRY(api_reply_etag(rq, rp, info.revision, representation, &done, err));
    if (done)
        return OK;
    TRY(model_unique_bytes(api_request_service(rq), model, &unique_bytes, err));
    TRY(api_describe_model(&info, &json, err));
    if (json_object_set_new(json, "unique_bytes", json_integer((json_int_t)unique_bytes)) != 0) {
        json_decref(json);
        return err_set(err, ERR_NO_MEMORY, "out of memory while writing the reply");
    }
    return api_reply_json(rp, 200, json, err);
}

enum err_code
api_model_delete(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct write_options options;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, api_render_deleted, api_request_model(rq), &options, err));
    TRY(model_delete(api_request_service(rq), api_request_model(rq), &options, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

struct model_page {
    struct api_request *rq;
    struct api_page *page;
};

static bool
is_for_caller(void *context, const char *name)
{
    const struct model_page *list = context;

    return api_caller_sees(list->rq, name);
}

static enum err_code
push_model(void *context, const struct model_info *info, struct err *err)
{
    const struct model_page *list = context;
    json_t *json = NULL;

    TRY(api_describe_model(info, &json, err));
    return api_page_push(list->page, json, info->name, err);
}

enum err_code
api_model_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_page) page = {0};
    struct model_page list = {rq, &page};
    uint64_t revision = 0;

    TRY(api_page_begin(rq, &page, err));
    TRY(model_list(api_request_service(rq), page.after, page.size, is_for_caller, push_model, &list,
                   &page.more, &revision, err));
    return api_page_reply(rq, rp, &page, "models", revision, err);
}
