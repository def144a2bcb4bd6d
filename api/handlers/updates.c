/* Requests that are one operation of a run. */
#include "api/handlers/handlers.h"
#include "api/resource/device_json.h"
#include "api/resource/run_one.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* The verb of the route. */
enum err_code
api_verb(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    const struct verb *verb = verb_find(bytes_of_text(api_request_verb(rq)));

    CHECK(verb != NULL);
    return api_run_one(rq, rp, verb, err);
}

/* The body is empty, or says where it is asked to run. */
enum err_code
api_variable_initialize(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    const char *name = api_request_name(rq);
    struct initialize_spec spec = {.names = &name, .name_count = 1};
    AUTO(api_one) one = {.op = {.verb = &verb_initialize, .initialize = &spec}};
    struct api_object object;

    TRY(api_request_object(rq, &object, err));
    TRY(api_device_take(&object, "device", api_request_arena(rq), &one.op.devices,
                        &one.op.device_count, err));
    TRY(api_object_end(&object, err));
    one.run.spec = run_spec_default();
    return api_run_made(rq, rp, &one, err);
}

enum err_code
api_checkpoint_save(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return api_run_one(rq, rp, &verb_save, err);
}
