#include "api/resource/run_one.h"

#include "api/outcome.h"
#include "api/resource/accumulation_json.h"
#include "api/resource/describe.h"
#include "api/resource/device_warning.h"
#include "api/resource/gradients_alone.h"
#include "service/training/optimizer_apply.h"
#include "store/base/scope.h"

void
api_one_drop(struct api_one *one)
{
    api_run_drop(&one->run);
    run_report_drop(&one->report);
    api_parts_drop(&one->parts); /* the run's expressions borrow its tensors */
}

/* The body as a document; what takes tensors may have some beside it, gradients nothing else. */
static enum err_code
open_body(struct api_request *rq, struct api_one *one, struct err *err)
{
    unsigned fields = one->op.verb->fields;

    if ((fields & (VERB_VALUE | VERB_INDICES | VERB_UPDATES | VERB_GRADIENTS | VERB_GRADIENT)) == 0)
        return api_request_json(rq, &one->parts.doc, err);
    TRY(api_parts_open(rq, (fields & VERB_GRADIENTS) != 0, &one->parts, err));
    one->run.tensors = &one->parts.tensors;
    return fields & VERB_GRADIENTS ? api_gradients_alone(rq, &one->parts, err) : OK;
}

/* A save makes something: it is told where. */
static enum err_code
tell_saved(struct api_request *rq, struct api_reply *rp, const struct run_result *result,
           int *status, struct err *err)
{
    if (!result->has_saved)
        return OK;
    *status = result->saved.replaced ? 200 : 201;
    return api_reply_header(rp, "Location", err, "/v1/models/%s/checkpoints/%s",
                            api_request_model(rq), result->saved.name);
}

/* A contribution to an accumulation that is not full: it is told where to look. The revision of one
 * that came too late is that of the step it missed. */
static enum err_code
tell_contributed(struct api_request *rq, struct api_reply *rp,
                 const struct optimizer_applied *applied, int *status, uint64_t *revision,
                 struct err *err)
{
    if (applied == NULL)
        return OK;
    if (applied->contributed == OPTIMIZER_CONTRIBUTED_LATE)
        *revision = applied->late_revision;
    if (applied->contributed != OPTIMIZER_CONTRIBUTED &&
        applied->contributed != OPTIMIZER_CONTRIBUTED_TWICE)
        return OK;
    *status = 202;
    return api_accumulation_location(rq, rp, applied->key, err);
}

static enum err_code
render_one(struct api_request *rq, struct api_reply *rp, const void *made, uint64_t revision,
           struct err *err)
{
    const struct api_one *one = made;
    const struct run_result *result = &one->report.results[0];
    AUTO_CALL(api_json_release) json_t *json = NULL;
    int status = 200;

    TRY(tell_contributed(rq, rp, result->applied, &status, &revision, err));
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_device_warning(rp, one->report.conflicts, err));
    TRY(tell_saved(rq, rp, result, &status, err));
    TRY(api_describe_result(result, &json, err));
    (void)json_object_del(json, "op"); /* the path says it */
    TRY(api_json_set(json, "revision", json_integer((json_int_t)revision), err));
    return api_reply_json(rp, status, TAKE(json), err);
}

enum err_code
api_run_made(struct api_request *rq, struct api_reply *rp, struct api_one *one, struct err *err)
{
    struct write_options options;

    TRY(api_outcome_begin(rq, render_one, one, &options, err));
    one->run.spec.ops = &one->op;
    one->run.spec.op_count = 1;
    TRY(run_execute(api_request_service(rq), api_request_model(rq), &one->run.spec, &options,
                    &one->report, err));
    return api_outcome_reply(rq, rp, one->report.revision, err);
}

enum err_code
api_one_decode(struct api_request *rq, const struct verb *verb, struct api_one *one,
               struct err *err)
{
    struct api_object object;
    struct api_value root;

    one->op.verb = verb;
    TRY(open_body(rq, one, err));
    root = api_json_root(one->parts.doc);
    TRY(api_object_of(&root, &object, err));
    if (verb->fields & VERB_VARIABLE)
        one->op.variable = api_request_name(rq);
    else
        one->op.resource = api_request_name(rq);
    TRY(api_run_decode_op(rq, &object, &one->run, &one->op, err));
    TRY(api_tensor_table_end(&one->parts.tensors, err));
    one->run.spec = run_spec_default();
    one->run.spec.conditional_variable = one->op.variable;
    one->run.spec.conditional_save = one->op.save != NULL;
    one->run.spec.conditional_resource = one->op.resource != NULL;
    one->run.spec.conditional_model =
        one->op.initialize != NULL && one->op.initialize->names == NULL;
    return OK;
}

enum err_code
api_run_one(struct api_request *rq, struct api_reply *rp, const struct verb *verb, struct err *err)
{
    AUTO(api_one) one = {.op = {.verb = verb}};

    TRY(api_one_decode(rq, verb, &one, err));
    return api_run_made(rq, rp, &one, err);
}
