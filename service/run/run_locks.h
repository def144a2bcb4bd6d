/* What a run waits for before its commit, as sets of service_update_lock_bit. */
#ifndef SERVICE_RUN_RUN_LOCKS_H
#define SERVICE_RUN_RUN_LOCKS_H

#include "service/run/run.h"

/* The locks of a run that is made ahead: those of what it computes. Of a dry run none. */
uint32_t run_locks(const char *model, const struct run_spec *spec);
/* What it changes: the locks, the counters and the state of optimizers that go with it. */
uint32_t run_changes(const char *model, const struct run_spec *spec);
/* What it changes or reads. Names in schedules and in records of the model are not looked up. */
uint32_t run_relies_on(const char *model, const struct run_spec *spec);

#endif
