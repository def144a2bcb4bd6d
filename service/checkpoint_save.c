/* Saving as a request of its own: a run of one operation. */
#include "service/checkpoint.h"
#include "service/run.h"
#include "service/verb.h"

enum err_code
checkpoint_save(struct service *service, const char *model, const struct checkpoint_save_spec *spec,
                const struct write_options *options, struct run_report *out, struct err *err)
{
    struct run_op op = {.verb = &verb_save, .save = spec};
    struct run_spec run = run_spec_default();

    run.ops = &op;
    run.op_count = 1;
    run.conditional_save = true;
    return run_execute(service, model, &run, options, out, err);
}
