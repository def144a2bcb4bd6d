/* Saving as a request of its own: a run of one operation. */
#include "service/checkpoint.h"
#include "service/run.h"
#include "service/verb.h"
#include "store/base/scope.h"

enum err_code
checkpoint_save(struct service *service, const char *model, const struct checkpoint_save_spec *spec,
                const struct write_options *options, struct checkpoint_info *out,
                uint64_t *revision, struct err *err)
{
    struct run_op op = {.verb = &verb_save, .save = spec};
    struct run_spec run = run_spec_default();
    AUTO(run_report) report = {0};

    run.ops = &op;
    run.op_count = 1;
    run.conditional_save = true;
    TRY(run_execute(service, model, &run, options, &report, err));
    *out = report.results[0].saved;
    *revision = report.revision;
    return OK;
}
