/* Private to service/: what a run's guards look at before anything of it is kept. */
#ifndef SERVICE_RUN_RUN_GUARD_H
#define SERVICE_RUN_RUN_GUARD_H

#include "service/run/run.h"

/* Reads every changed floating value once, old beside new, when the run asks for it; of a value
 * whose rows were edited these alone, where what was not finite before may stay so. Sets the
 * report's update norm: the root of the sum of squared changes, in float64, over all variables of
 * real floating types whose shape stayed; a variable without a value before counts from zero.
 * ERR_UNPROCESSABLE names guard, variable and what was found. */
ERR_MUST_CHECK enum err_code run_guard(struct run *run, struct run_report *report, struct err *err);

#endif
