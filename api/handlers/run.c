/* POST …:run: operations on a model's variables, in order, in one commit; and requests that are one
 * operation. */
#include "api/describe.h"
#include "api/handlers/handlers.h"
#include "api/outcome.h"
#include "api/parts.h"
#include "api/reply.h"
#include "api/run_json.h"
#include "service/verb.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { RUN_REPLY_BYTES_MAX = 1 << 30 };

struct made_run {
    struct api_parts parts;
    struct api_run run;
    struct run_report report;
};

static void
made_run_drop(struct made_run *made)
{
    api_run_drop(&made->run);
    run_report_drop(&made->report);
    api_parts_drop(&made->parts); /* the run's expressions borrow its tensors */
}

/* The revision is the report's, too. */
static enum err_code
render_run(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
           struct err *err)
{
    const struct made_run *made = result;
    uint64_t elements_max = api_request_settings(rq)->max_json_elements;
    AUTO(buf) body;

    buf_init(&body, RUN_REPLY_BYTES_MAX);
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_run_print(&made->run.spec, &made->report, elements_max, &body, err));
    return api_reply_buf(rp, 200, "application/json", &body, err);
}

enum err_code
api_run(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(made_run) made = {.report = {0}};
    struct write_options options;
    struct api_value root;

    TRY(api_outcome_begin(rq, render_run, &made, &options, err));
    TRY(api_parts_open(rq, false, &made.parts, err));
    made.run.tensors = &made.parts.tensors;
    root = api_json_root(made.parts.doc);
    TRY(api_run_decode(rq, &root, &made.run, err));
    made.run.spec.conditional_model = true;
    TRY(run_execute(api_request_service(rq), api_request_model(rq), &made.run.spec, &options,
                    &made.report, err));
    return api_outcome_reply(rq, rp, made.report.revision, err);
}

/* What the operation did; the revision is the report's, too. */
static enum err_code
render_one(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
           struct err *err)
{
    const struct run_report *report = result;
    AUTO_CALL(api_json_release) json_t *json = NULL;

    (void)rq;
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_describe_result(&report->results[0], &json, err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)revision), err));
    return api_reply_json(rp, 200, TAKE(json), err);
}

/* The body holds the operation's fields but for the name in the path: of its variable, or of what
 * else it works with. */
static enum err_code
run_one(struct api_request *rq, struct api_reply *rp, const struct verb *verb, struct err *err)
{
    struct run_op op = {.verb = verb};
    AUTO(api_run) run = {.spec = run_spec_default()};
    AUTO(run_report) report = {0};
    struct write_options options;
    struct api_json *doc = NULL;
    struct api_object object;
    struct api_value root;

    TRY(api_outcome_begin(rq, render_one, &report, &options, err));
    TRY(api_request_json(rq, &doc, err));
    root = api_json_root(doc);
    TRY(api_object_of(&root, &object, err));
    if (verb->fields & VERB_VARIABLE)
        op.variable = api_request_name(rq);
    else
        op.resource = api_request_name(rq);
    TRY(api_run_decode_op(rq, &object, &run, &op, err));
    run.spec.ops = &op;
    run.spec.op_count = 1;
    run.spec.conditional_variable = op.variable;
    TRY(run_execute(api_request_service(rq), api_request_model(rq), &run.spec, &options, &report,
                    err));
    return api_outcome_reply(rq, rp, report.revision, err);
}

/* The verb of the route. */
enum err_code
api_variable_verb(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    const struct verb *verb = verb_find(bytes_of_text(api_request_verb(rq)));

    CHECK(verb != NULL);
    return run_one(rq, rp, verb, err);
}

enum err_code
api_apply_gradients(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return run_one(rq, rp, &verb_apply_gradients, err);
}

enum err_code
api_create_slots(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return run_one(rq, rp, &verb_create_slots, err);
}
