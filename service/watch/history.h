/* What the elements of variables were, over their versions: snapshots of their statistics, and of
 * their distribution as up to 129 points, from which the elements in any range can be told.
 *
 * A thread of the service's takes them of trainable variables that have changed: of one version of
 * so many at most (history_interval_versions), not sooner than so long after the one before
 * (history_interval_ms), and never with more than a part of one processor (history_cpu_percent).
 * A variable has RECORD_SNAPSHOTS_MAX at most; with one more every second is dropped, and from then
 * on half as many versions get one. Which those are follows from their numbers, so what is left is
 * evenly spaced. All together take history_max_bytes at most: with many variables each has fewer,
 * and new ones get none when that is fewer than HISTORY_SNAPSHOTS_MIN. Virtual variables, and what
 * is no numbers, have none.
 *
 * Its commits are quiet: no revision is theirs. A snapshot goes with its variable. */
#ifndef SERVICE_WATCH_HISTORY_H
#define SERVICE_WATCH_HISTORY_H

#include "service/record/record_history.h"
#include "service/watch/statistics.h"

enum { HISTORY_SNAPSHOTS_MIN = 8 };

/* Owned: history_drop. Oldest first. */
struct history {
    struct snapshot_record *snapshots;
    size_t count, capacity;
    uint64_t spacing; /* versions between them; 0: nothing is kept of it */
};

/* Those kept of the variable looked at. The look must not be settled. */
ERR_MUST_CHECK enum err_code history_read(const struct look *look, struct history *out,
                                          struct err *err);
void history_drop(struct history *history);
/* The value itself as one more, unless its version is there. Settles the look. */
ERR_MUST_CHECK enum err_code history_add_current(struct look *look, struct history *history,
                                                 struct err *err);
/* What is told as the step of a snapshot: the model's, or, where it counted none, the version. */
int64_t history_step(const struct snapshot_record *snapshot);

/* --- for service/ -------------------------------------------------------------------------- */

/* What the statistics come to. `record` has everything but elements and points. */
void history_fill(struct snapshot_record *record, const struct statistics *statistics);
/* Inside a unit: a variable that goes leaves none. */
ERR_MUST_CHECK enum err_code history_remove(struct store_txn *txn, uint64_t model_id,
                                            uint64_t variable_id, struct err *err);

struct history_thread;

/* NULL where nothing is to be kept. Owned: history_thread_stop, which waits for its end. */
ERR_MUST_CHECK enum err_code history_thread_start(struct service *service,
                                                  struct history_thread **out, struct err *err);
/* Kept of all variables, what was deleted since the last count among them; 0 for NULL. Any thread.
 */
uint64_t history_thread_snapshots(const struct history_thread *thread);
void history_thread_interrupt(struct history_thread *thread); /* it will end soon; NULL is fine */
void history_thread_stop(struct history_thread *thread);      /* NULL is fine */

#endif
