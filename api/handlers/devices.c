/* What there is to compute on, and where a variable would be: GET /v1/devices, POST
 * /v1/devices:place. */
#include <inttypes.h>

#include "api/guard/caller.h"
#include "api/handlers/handlers.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/resource/device_json.h"
#include "service/parallel.h"
#include "service/placement/device_question.h"
#include "service/placement/task_usage.h"
#include "service/tensor/blas.h"
#include "store/base/scope.h"

enum { STATUS_OK = 200 };

static enum err_code
describe_device(const struct device *device, json_t **out, struct err *err)
{
    return api_json_made(json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:I,s:I}", "name", device->name,
                                   "type", device->spec.type, "job", device->spec.job, "replica",
                                   (int)device->spec.replica, "task", (int)device->spec.task,
                                   "index", (int)device->spec.index, "threads",
                                   (json_int_t)parallel_threads(device->threads), "blas_threads",
                                   (json_int_t)blas_threads()),
                         out, err);
}

static enum err_code
describe_kind(const struct device_set *set, const struct device_kind *kind, json_t **out,
              struct err *err)
{
    AUTO_CALL(api_json_release) json_t *dtypes = NULL;
    size_t count = 0;

    TRY(api_json_made(json_array(), &dtypes, err));
    for (int dtype = 0; dtype < (int)DTYPE_COUNT; dtype++)
        if (kind->has_kernel((enum dtype)dtype))
            TRY(api_json_push(dtypes, json_string(dtype_name((enum dtype)dtype)), err));
    for (size_t i = 0; i < set->count; i++)
        count += set->devices[i].kind == kind;
    return api_json_made(json_pack("{s:s,s:i,s:I,s:O}", "type", kind->type, "priority",
                                   kind->priority, "devices", (json_int_t)count, "dtypes", dtypes),
                         out, err);
}

enum err_code
api_devices_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct service *service = api_request_service(rq);
    const struct device_set *set = service_devices(service);
    AUTO_CALL(api_json_release) json_t *devices = NULL, *kinds = NULL;
    const struct device_kind *kind;
    json_t *part = NULL, *body = NULL;

    TRY(api_json_made(json_array(), &devices, err));
    for (size_t i = 0; i < set->count; i++) {
        TRY(describe_device(&set->devices[i], &part, err));
        TRY(api_json_push(devices, part, err));
    }
    TRY(api_json_made(json_array(), &kinds, err));
    for (size_t i = 0; (kind = device_kind_at(i)) != NULL; i++) {
        TRY(describe_kind(set, kind, &part, err));
        TRY(api_json_push(kinds, part, err));
    }
    TRY(api_json_made(json_pack("{s:O,s:O}", "devices", devices, "kinds", kinds), &body, err));
    return api_reply_json(rp, STATUS_OK, body, err);
}

/* --- placing --------------------------------------------------------------------------------- */

static enum err_code
take_devices(struct api_request *rq, struct api_object *body, const char *field, const char ***out,
             size_t *count, bool *given, struct err *err)
{
    uint32_t limit = service_limits_of(api_request_service(rq))->devices_per_request_max;

    TRY(api_object_texts(body, field, api_request_arena(rq), out, count, given, err));
    if (*count <= limit)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "field '%s' has %zu devices, at most %" PRIu32 " (devices_per_request_max)",
                   field, *count, limit);
}

/* What devices there would be. */
static enum err_code
take_available(struct api_request *rq, struct api_object *body, struct device_set *out, bool *given,
               struct err *err)
{
    const char **names = NULL;
    size_t count = 0;

    TRY(take_devices(rq, body, "available", &names, &count, given, err));
    for (size_t i = 0; i < count; i++) {
        enum err_code code = device_set_add_name(out, names[i], err);

        if (code != OK) {
            err_prefix(err, "field 'available[%zu]'", i);
            return code;
        }
    }
    return device_set_order(out, err);
}

/* What Python's DeviceSpec refuses is malformed to the placer, too: who asks it is told both. */
static enum err_code
take_device(struct api_object *body, struct arena *arena, struct device_question *question,
            struct err *err)
{
    struct device_spec spec;
    struct api_value value;
    const char *text = NULL;

    if (question->assign && api_object_has(body, "device", &value) &&
        api_value_kind(&value) == API_TEXT) {
        enum err_code code;

        TRY(api_value_text(&value, arena, &text, err));
        code = device_spec_parse(text, &spec, err);
        if (code != OK)
            err_prefix(err, "field 'device': Malformed device specification '%.255s'", text);
        TRY(code);
    }
    return api_device_take(body, "device", arena, &question->scopes, &question->scope_count, err);
}

static enum err_code
take_question(struct api_request *rq, struct device_set *available,
              struct device_question *question, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    const char **colocated = NULL;
    struct api_object body;
    bool given = false;

    TRY(api_request_object(rq, &body, err));
    TRY(api_object_bool(&body, "assign", &question->assign, &given, err));
    TRY(take_device(&body, arena, question, err));
    TRY(api_object_text(&body, "name", arena, &question->name, &given, err));
    TRY(api_object_text(&body, "op", arena, &question->op, &given, err));
    TRY(api_object_text(&body, "model", arena, &question->model, &given, err));
    TRY(api_caller_check_model(rq, question->model, err));
    TRY(api_object_dtype(&body, "dtype", &question->dtype, &given, err));
    TRY(api_object_bool(&body, "allow_soft_placement", &question->soft, &question->soft_given,
                        err));
    TRY(take_devices(rq, &body, "colocated_with", &colocated, &question->colocated_count, &given,
                     err));
    question->colocated = colocated;
    TRY(take_available(rq, &body, available, &given, err));
    if (given)
        question->available = available;
    return api_object_end(&body, err);
}

enum err_code
api_device_place(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(device_set) available = {0};
    struct device_question question = device_question_default();
    struct device_answer answer;
    json_t *body = NULL;

    TRY(take_question(rq, &available, &question, err));
    TRY(device_question_answer(api_request_service(rq), &question, &answer, err));
    TRY(api_json_made(json_pack("{s:s,s:s?}", "device", answer.device, "assigned_device",
                                answer.assigned[0] == '\0' ? NULL : answer.assigned),
                      &body, err));
    return api_reply_json(rp, STATUS_OK, body, err);
}
