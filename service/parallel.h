/* Threads that share the work of one computation. Work is cut into parts that do not depend on how
 * many threads there are, so results do not either. */
#ifndef SERVICE_PARALLEL_H
#define SERVICE_PARALLEL_H

#include <stdint.h>

#include "store/base/err.h"

struct parallel;

/* threads: those that work together, the caller's included (1: no others are made). The others are
 * started by the first run that has something for them to do. Owned: parallel_close. */
ERR_MUST_CHECK enum err_code parallel_open(uint32_t threads, struct parallel **out,
                                           struct err *err);
void parallel_close(struct parallel *parallel); /* NULL is fine; no run may be under way */
uint32_t parallel_threads(const struct parallel *parallel); /* 1 for NULL */

/* Calls run(context, lane, part) for each part in [0, parts), on several threads at a time, the
 * caller's among them; lane (< parallel_threads) is never used by two at once. Returns when all are
 * done; the error is that of the lowest part that failed, and parts not yet begun are left out.
 * When another run has the threads, the caller does all of it. Any thread. */
typedef enum err_code parallel_run(void *context, uint32_t lane, uint64_t part, struct err *err);
ERR_MUST_CHECK enum err_code parallel_do(struct parallel *parallel, uint64_t parts,
                                         parallel_run *run, void *context, struct err *err);

#endif
