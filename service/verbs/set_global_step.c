/* set_global_step: the step that gradients for an accumulator must not be behind. */
#include "service/run/verb.h"
#include "service/training/accumulator_change.h"

static enum err_code
step_set(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    struct accumulator_change *change = NULL;

    TRY(accumulator_change_open(run, op, out, &change, err));
    change->after.global_step = op->accumulator->step;
    return accumulator_change_close(run, change, out, err);
}

const struct verb verb_set_global_step = {
    .name = "set_global_step",
    .summary = "Sets the global step of an accumulator, that local steps are compared with.",
    .fields = VERB_ACCUMULATOR | VERB_STEP | VERB_DEVICE,
    .apply = step_set,
};
