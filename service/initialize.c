/* What initialization of a whole model, or of some of it, tells; and the request for it alone. */
#include "service/initialize.h"

#include "service/run.h"
#include "service/verb.h"
#include "store/base/alloc.h"

void
initialize_report_drop(struct initialize_report *report)
{
    mem_free(report->initialized);
    mem_free(report->skipped);
    mem_free(report->draws);
    mem_free(report->draw_ends);
    *report = (struct initialize_report){0};
}

enum err_code
model_initialize(struct service *service, const char *model, const struct initialize_spec *spec,
                 const struct write_options *options, struct run_report *out, struct err *err)
{
    struct run_op op = {.verb = &verb_initialize, .initialize = spec};
    struct run_spec run = run_spec_default();

    run.ops = &op;
    run.op_count = 1;
    run.conditional_model = spec->names == NULL;
    return run_execute(service, model, &run, options, out, err);
}
