/* What a value's elements are. */
#include <inttypes.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/resource/statistics_json.h"
#include "store/base/scope.h"

/* The step is told, too, and goes on when the value does not. */
static enum err_code
reply_etag(struct api_request *rq, struct api_reply *rp, const struct look *look, bool *done,
           struct err *err)
{
    char representation[48];

    if (look->has_step)
        snprintf(representation, sizeof representation, "statistics-%" PRId64, look->step);
    else
        snprintf(representation, sizeof representation, "statistics");
    return api_reply_etag(rq, rp, look->value.revision, representation, done, err);
}

static enum err_code
set_source(struct api_request *rq, const struct look *look, const char *checkpoint, json_t *json,
           struct err *err)
{
    const struct look_value *value = &look->value;
    json_t *shape = NULL;

    TRY(api_json_set(json, "name", json_string(api_request_name(rq)), err));
    if (checkpoint != NULL)
        TRY(api_json_set(json, "checkpoint", json_string(checkpoint), err));
    TRY(api_json_set(json, "dtype", json_string(dtype_name(value->type.dtype)), err));
    TRY(api_describe_shape(&value->type.shape, &shape, err));
    TRY(api_json_set(json, "shape", shape, err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)value->revision), err));
    if (checkpoint == NULL)
        TRY(api_json_set(json, "version", json_integer((json_int_t)value->version), err));
    return api_json_set(json, "step", look->has_step ? json_integer(look->step) : json_null(), err);
}

static enum err_code
set_digest(const struct statistics *statistics, json_t *json, struct err *err)
{
    char digest[32];

    if (!statistics->has_crc32c)
        return api_json_set(json, "digest", json_null(), err);
    snprintf(digest, sizeof digest, "crc32c:%08" PRIx32, statistics->crc32c);
    return api_json_set(json, "digest", json_string(digest), err);
}

enum err_code
api_statistics(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct look_spec spec = {.model = api_request_model(rq), .name = api_request_name(rq)};
    AUTO(look) look = {.snapshot = NULL};
    AUTO_CALL(api_json_release) json_t *json = NULL;
    struct statistics statistics;
    bool done = false;

    TRY(api_request_query_copy(rq, "checkpoint", &spec.checkpoint, err));
    TRY(look_open(api_request_service(rq), &spec, &look, err));
    TRY(reply_etag(rq, rp, &look, &done, err));
    if (done)
        return OK;
    TRY(statistics_take(&look, &statistics, err));
    TRY(api_json_made(json_object(), &json, err));
    TRY(set_source(rq, &look, spec.checkpoint, json, err));
    TRY(api_statistics_set(json, look.value.type.dtype, &statistics, err));
    TRY(set_digest(&statistics, json, err));
    return api_reply_json(rp, 200, TAKE(json), err);
}
