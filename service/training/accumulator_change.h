/* Private to service/: what one operation of a run does with an accumulator, from the first look at
 * it to its publication with the run. */
#ifndef SERVICE_TRAINING_ACCUMULATOR_CHANGE_H
#define SERVICE_TRAINING_ACCUMULATOR_CHANGE_H

#include "service/run/draft.h"
#include "service/run/run.h"
#include "service/training/accumulation_sum.h"
#include "service/training/accumulator.h"

/* In the draft's arena until the run is published. */
struct accumulator_change {
    const char *name;
    struct accumulator_record before, after;
    struct draft_value *values[ACCUMULATION_ROWS_VALUES]; /* of the new sum */
    bool adds;                                            /* there is a new sum */
};

/* For an operation that names an accumulator: the run relies on its record, and *out is told of in
 * the result. */
ERR_MUST_CHECK enum err_code accumulator_change_open(struct run *run, const struct run_op *op,
                                                     struct run_result *out,
                                                     struct accumulator_change **change,
                                                     struct err *err);
/* The change is the run's to publish. */
ERR_MUST_CHECK enum err_code accumulator_change_close(struct run *run,
                                                      struct accumulator_change *change,
                                                      struct run_result *out, struct err *err);
/* An error is about the accumulator of this name. Returns the code. */
enum err_code accumulator_about(enum err_code code, const char *name, struct err *err);

#endif
