/* After an unclean stop: chunks that no list names become garbage.
 *
 * Looking for them reads all lists and all keys of the chunk files, which in a large store takes
 * longer than anybody wants to wait for a start; so a thread does it while the store serves. It
 * goes by a snapshot taken before the first unit, and by the ids of earlier runs alone: what none
 * of those lists names then, no list ever will. */
#ifndef STORE_LMDB_SWEEP_H
#define STORE_LMDB_SWEEP_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/base/err.h"
#include "store/base/lock.h"

struct store;
struct store_snapshot;

struct store_sweep {
    struct store_snapshot *snapshot; /* the sweep's own, until it is over */
    pthread_t thread;
    bool started;
    _Atomic bool stopped; /* the store is being closed */
    struct lock lock;
    struct condition ended;
    bool under_way;
};

void store_sweep_init(struct store_sweep *s);
void store_sweep_drop(struct store_sweep *s);
/* Before the committer starts. */
ERR_MUST_CHECK enum err_code store_sweep_prepare(struct store *store, struct err *err);
/* After it has; without store_sweep_prepare it does nothing. */
ERR_MUST_CHECK enum err_code store_sweep_start(struct store *store, struct err *err);
/* Before the committer stops. What was not found by then is for the next start. */
void store_sweep_stop(struct store *store);
/* From now on all garbage is known as such. Any thread but the committer's. */
void store_sweep_wait(struct store *store);
bool store_sweep_is_under_way(struct store *store);
/* Checks every record's and every chunk's checksum, and that every named chunk is there. */
ERR_MUST_CHECK enum err_code store_sweep_verify(struct store *store, struct err *err);

#endif
