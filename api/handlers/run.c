/* POST …:run: operations on a model's variables, in order, in one commit. */
#include "api/handlers/handlers.h"
#include "api/reply.h"
#include "api/run_json.h"
#include "store/base/scope.h"

enum { RUN_REPLY_BYTES_MAX = 1 << 30 };

enum err_code
api_run(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_run) run = {0};
    AUTO(run_report) report = {0};
    AUTO(buf) body;
    struct write_options options;
    struct api_json *doc = NULL;
    struct api_value root;

    buf_init(&body, RUN_REPLY_BYTES_MAX);
    TRY(api_request_write_options(rq, &options, err));
    TRY(api_request_json(rq, &doc, err));
    root = api_json_root(doc);
    TRY(api_run_decode(rq, &root, &run, err));
    run.spec.conditional_model = true;
    TRY(run_execute(api_request_service(rq), api_request_model(rq), &run.spec, &options, &report,
                    err));
    TRY(api_reply_revision(rp, report.revision, err));
    TRY(api_run_print(&run.spec, &report, api_request_settings(rq)->max_json_elements, &body, err));
    return api_reply_buf(rp, 200, "application/json", &body, err);
}
