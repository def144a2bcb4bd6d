/* Private to service/: what was counted of each model's variables on tasks, remembered.
 *
 * Whatever changes a model's variables gives its usage record another revision: while that is the
 * same, so are the counts, and who asks again looks only at models that have changed. Bounded: when
 * there is no more room, all is forgotten. Any thread. */
#ifndef SERVICE_PLACEMENT_TASK_CENSUS_H
#define SERVICE_PLACEMENT_TASK_CENSUS_H

#include "service/placement/task_usage.h"

/* About 24 bytes for each task that a model has something on: 1000 models on 600 tasks each. */
enum { TASK_CENSUS_BYTES_MAX = 16 << 20 };

struct task_census;

ERR_MUST_CHECK enum err_code task_census_open(struct task_census **out, struct err *err);
void task_census_drop(struct task_census *census); /* NULL is fine */

/* Adds what the model has at this revision of its usage; false: that is not known. */
bool task_census_add(struct task_census *census, uint64_t model_id, uint64_t revision,
                     struct task_usages *usages);
/* What the model has is what `after` has more than `before`, which the one is made of the other by
 * looking at all its variables. Nothing is lost but time when it cannot be kept. */
void task_census_keep(struct task_census *census, uint64_t model_id, uint64_t revision,
                      const struct task_usages *before, const struct task_usages *after);

/* The number in `missing` of a task that is not there, with no variables when it is new there;
 * TASK_MISSING_MAX: it cannot be named. */
size_t task_missing_find(struct task_usages *usages, const char *name);

#endif
