/* The engine's insides, shared by the files of this folder and by nobody else.
 *
 * Who may touch what:
 *   - the meta file is written by the committer's thread alone; the chunk files by whoever has
 * their turn;
 *   - `revision` and `revision_durable` are published by the committer, read by anyone;
 *   - `failed` is set once and stays: after a failed sync the kernel has dropped pages, nothing
 * that is written afterwards could be trusted.
 *
 * Order over files, always: chunks are on disk before a record names them, and are deleted after
 * the commit that frees them is on disk. */
#ifndef STORE_LMDB_ENGINE_H
#define STORE_LMDB_ENGINE_H

#include <lmdb.h>
#include <stdatomic.h>

#include "store/lmdb/chunk.h"
#include "store/lmdb/committer.h"
#include "store/lmdb/env.h"
#include "store/lmdb/folder.h"
#include "store/lmdb/garbage.h"
#include "store/lmdb/interval.h"
#include "store/lmdb/overlay.h"
#include "store/lmdb/pins.h"
#include "store/lmdb/sweep.h"
#include "store/store.h"

enum {
    STORE_BATCH_CHUNK_BYTES_MAX = 4 << 20, /* a batch takes no further unit past this */
    STORE_STAGE_WRITE_BYTES = 1 << 20,     /* staged bytes a transaction */
    STORE_STAGE_UNSEALED_MAX = 16,
    STORE_NUMBER_BITS = 38, /* ids of one run; an incarnation has 24 bits, so an id has 62 */
    STORE_INCARNATION_MAX = (1 << 24) - 1,
};

/* The three files. */
extern const char *const store_meta_name;
extern const char *const store_chunk_names[STORE_CLASS_COUNT];

struct store_view {
    struct store *store;
    MDB_txn *meta;
    uint64_t revision;
    struct store_txn *unit; /* NULL: a snapshot */
};

struct store_snapshot {
    struct store_view view;
    struct store_snapshot *next, *previous; /* open ones, any order */
    _Atomic uint64_t revision;              /* 0 while not known, which holds all garbage back */
};

struct store_snapshots {
    struct lock lock;
    struct store_snapshot *first;
    uint64_t count;
};

struct store_lease {
    struct store *store;
    struct store_lease *next, *previous;
    struct store_pin *pins;
    uint64_t opened_ms;
};

struct store_leases {
    struct lock lock;
    struct store_lease *first;
    uint64_t count;
};

/* What other threads may see of a stage: the chunks it has in the files. */
struct store_stage_entry {
    struct store_stage_entry *next, *previous;
    struct store_freed_list ids; /* garbage to be, unless published */
};

struct store_stages {
    struct lock lock; /* also over every entry's ids */
    struct store_stage_entry *first;
};

struct store {
    struct store_config config;
    struct store_folder folder;
    char identity[17];
    uint64_t incarnation, origin;
    struct store_env meta;
    struct store_env chunks[STORE_CLASS_COUNT];
    struct store_buffers buffers;
    struct store_snapshots snapshots;
    struct store_leases leases;
    struct store_pins pins;
    struct store_garbage garbage;
    struct store_stages stages;
    struct store_turn in_step; /* taken while files and what is known of them differ */
    struct store_committer committer;
    struct store_sweep sweep;
    struct store_interval interval;
    _Atomic uint64_t next_number;
    _Atomic uint64_t revision, revision_durable;
    _Atomic bool failed;
    _Atomic bool interrupted;
    _Atomic bool leaked;      /* unnamed chunks were forgotten: sweep at the next start */
    struct histogram commits; /* how long they took */
    _Atomic uint64_t units;
};

/* A chunk made in a unit of the batch; the buffer is ours until the batch ends. */
struct store_made {
    uint64_t id;
    uint8_t *payload;
};

struct store_made_list {
    struct store_made *items; /* by id */
    size_t count, capacity;
};

/* One attempt to commit some units. */
struct store_batch {
    struct store *store;
    MDB_txn *meta;
    uint64_t revision; /* of the last unit that changed something that has revisions */
    bool changed;      /* a unit did something */
    struct store_made_list made[STORE_CLASS_COUNT];
    struct store_freed_list freed;
    size_t chunk_bytes;
    uint64_t disk_bytes; /* free on the disk when it began */
};

struct store_txn {
    struct store_view view;
    struct store_batch *batch;
    struct store_overlay overlay;
    struct store_freed_list freed;
    size_t made_before[STORE_CLASS_COUNT];
    unsigned cursors_open;
    bool changed;
};

/* --- units: unit.c ------------------------------------------------------------------------- */

/* Runs a call's unit and, when it succeeds, moves its puts into the batch. Sets the call's
 * revision, and whether anything changed. *broken is set when the engine and not the unit failed:
 * the batch must be given up. */
ERR_MUST_CHECK enum err_code store_unit_run(struct store_batch *batch, struct store_call *call,
                                            bool *broken, struct err *err);
/* The payload of a sealed chunk made in this batch, or NULL. */
const uint8_t *store_batch_find_made(const struct store_batch *batch, uint64_t id);

/* --- space: space.c ------------------------------------------------------------------------ */

/* So many bytes of chunks, about to be written by a transaction that has begun, neither make the
 * store larger than it may be nor take what the disk keeps back. What was checked before work
 * started may have gone to others since. */
ERR_MUST_CHECK enum err_code store_growth_check(struct store *store, enum store_class class,
                                                uint64_t size_bytes, struct err *err);

/* --- batches: batch.c ---------------------------------------------------------------------- */

/* Runs the units of `calls` and commits them together. Every call gets its own result when OK is
 * returned; otherwise none of them happened (ERR_UNKNOWN: nobody can say). Returns in *done how
 * many of the calls were taken: the rest would have made the batch too big. */
ERR_MUST_CHECK enum err_code store_batch_attempt(struct store *store, struct store_call *calls,
                                                 unsigned count, unsigned *done, struct err *err);
/* Deletes what is doomed in a transaction of its own. */
ERR_MUST_CHECK enum err_code store_batch_delete(struct store *store, enum store_class class,
                                                struct err *err);
/* Flags for commits that need not be durable at once. */
unsigned store_lazy_flags(const struct store *store);
void store_fail(struct store *store, const struct err *err);

/* --- snapshots and leases: snapshot.c ------------------------------------------------------- */

void store_snapshots_init(struct store_snapshots *s);
void store_snapshots_drop(struct store_snapshots *s);
/* The smallest revision an open snapshot may have; UINT64_MAX when none is open. */
uint64_t store_snapshots_oldest(struct store_snapshots *s);
void store_leases_init(struct store_leases *l);
void store_leases_drop(struct store_leases *l);

void store_stages_init(struct store_stages *s);
void store_stages_drop(struct store_stages *s);

/* --- staging: stage.c ---------------------------------------------------------------------- */

/* Writes out what is sealed. Every chunk must be. */
ERR_MUST_CHECK enum err_code store_stage_flush(struct store_stage *stage, struct err *err);
/* The number of the commit that holds the stage's last chunk of a class; 0 when there is none. */
uint64_t store_stage_written(const struct store_stage *stage, enum store_class class);
/* Its chunks are named now. Frees the stage. */
void store_stage_published(struct store_stage *stage);
/* ERR_UNAVAILABLE once store_interrupt was called. */
ERR_MUST_CHECK enum err_code store_interrupt_check(const struct store *store, struct err *err);

#endif
