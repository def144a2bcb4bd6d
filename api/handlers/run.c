/* POST …:run: operations on a model's variables, in order, in one commit. */
#include "api/handlers/handlers.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "api/resource/device_warning.h"
#include "api/resource/run_json.h"
#include "api/tensors/parts.h"
#include "service/run/verb.h"
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

/* In bytes: a digit and a comma for each element fetched. */
static uint64_t
least_size(const struct run_report *report)
{
    uint64_t elements = 0;

    for (size_t i = 0; i < report->fetch_count; i++)
        elements += shape_count(&report->fetches[i].type.shape);
    return 2 * elements;
}

/* The revision is the report's, too. */
static enum err_code
render_run(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
           struct err *err)
{
    const struct made_run *made = result;
    AUTO(buf) body;

    (void)rq;
    buf_init(&body, RUN_REPLY_BYTES_MAX);
    TRY(api_outcome_check_size(rq, least_size(&made->report), err));
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_device_warning(rp, made->report.conflicts, err));
    TRY(api_run_print(&made->run.spec, &made->report, &body, err));
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
    if (made.run.spec.op_count == 1)
        options.op = made.run.spec.ops[0].verb->name;
    TRY(run_execute(api_request_service(rq), api_request_model(rq), &made.run.spec, &options,
                    &made.report, err));
    return api_outcome_reply(rq, rp, made.report.revision, err);
}
