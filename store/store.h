/* What an engine gives: immutable chunks, and a conditional, atomic commit of many keys over one
 * root. Nothing in this header says which engine it is; nothing above store/ may assume one.
 *
 * Life of a commit: store_update queues a unit; the committer takes all waiting units, runs each
 * against the current state, holds its puts back until the unit succeeded, and commits the batch
 * with one sync. Every unit that changed something has a revision of its own, growing by one.
 *
 * Life of a chunk: staged or made in a unit -> named by a list in a committed record -> freed by a
 * later unit -> deleted once no snapshot and no lease can still see it. Chunks that nothing names
 * after a crash are looked for, and deleted, from when the store opens.
 *
 * Threads: everything here may be called from any thread, except that a store_txn lives and dies
 * inside its unit function. A snapshot or lease may move between threads, one user at a time. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/bytes.h"
#include "store/base/err.h"
#include "store/base/histogram.h"

struct store;
struct store_view; /* one consistent state to read from: a snapshot, or a transaction in progress */
struct store_snapshot; /* one revision, for a short look-up; never held across a client's network */
struct store_txn;      /* one unit of work in progress */
struct store_stage;    /* chunks written before anything names them */
struct store_lease;    /* keeps chunks readable after their snapshot is gone */
struct store_cursor;

/* --- opening ------------------------------------------------------------------------------- */

enum store_durability {
    STORE_DURABLE_COMMIT,  /* synced before the reply */
    STORE_DURABLE_INTERVAL /* at most interval_ms of acknowledged work lost by a power cut, none by
                              kill */
};

/* Makes bytes [offset, offset + size) of a value that is kept as a recipe (value.h), the same ones
 * whenever it is asked. What a recipe says is not the store's business. Any thread.
 * ERR_DATA_LOSS when the recipe is none. */
typedef enum err_code store_recipe_make(struct bytes recipe, uint64_t offset, uint64_t size,
                                        uint8_t *out, struct err *err);

struct store_config {
    const char *directory; /* created 0700 when missing; refused when another server holds it */
    enum store_durability durability;
    uint32_t interval_ms;        /* for STORE_DURABLE_INTERVAL */
    uint64_t map_size_bytes;     /* address space per file; halved until it opens */
    uint64_t size_max_bytes;     /* files together; 0 = only the disk limits */
    uint64_t disk_reserve_bytes; /* free disk kept back for deletes */
    uint32_t readers_max;        /* snapshots open at once, over all threads */
    uint32_t batch_units_max;    /* units per commit */
    bool must_exist;             /* ERR_NOT_FOUND, and nothing made, when there is no store yet */
    bool verify_at_open;         /* full check before serving */
    bool force_file_system;      /* open even on a network or overlay file system */
    store_recipe_make *recipe_make; /* NULL: this store keeps no recipes */
};

/* Sensible values for everything but the directory. */
struct store_config store_config_default(const char *directory);

/* On success *out is owned by the caller: store_close, after the last snapshot, lease and stage.
 * Fails with ERR_UNAVAILABLE (in use, unsuitable file system), ERR_DATA_LOSS (truncated, damaged,
 * unknown format version: nothing is touched then), ERR_FULL, ERR_INTERNAL. */
ERR_MUST_CHECK enum err_code store_open(const struct store_config *config, struct store **out,
                                        struct err *err);
/* Waits for queued units, syncs, marks the store clean. NULL is fine. */
void store_close(struct store *store);

/* --- reading ------------------------------------------------------------------------------- */

ERR_MUST_CHECK enum err_code store_snapshot_open(struct store *store, struct store_snapshot **out,
                                                 struct err *err);
void store_snapshot_drop(struct store_snapshot *snapshot); /* NULL is fine */
const struct store_view *store_snapshot_view(const struct store_snapshot *snapshot);
uint64_t store_view_revision(const struct store_view *view);
struct store *store_of_view(const struct store_view *view); /* borrowed */
/* NULL when the store was opened without. */
store_recipe_make *store_recipe_maker(const struct store *store);

/* The record at `key`; out->data == NULL when there is none. Borrows from the view: valid until the
 * snapshot is dropped, or until the transaction's next put or delete. At any address: memcpy, no
 * casts. ERR_DATA_LOSS when the record's checksum is wrong. */
ERR_MUST_CHECK enum err_code store_get(const struct store_view *view, struct bytes key,
                                       struct bytes *out, struct err *err);

/* Keys that begin with `prefix`, in byte order, beginning after the key `after` (data NULL: from
 * the first). In a transaction its own puts and deletes are seen; do not put or delete while
 * iterating. The cursor is owned by the caller: store_cursor_drop before the view goes. */
ERR_MUST_CHECK enum err_code store_cursor_open(const struct store_view *view, struct bytes prefix,
                                               struct bytes after, struct store_cursor **out,
                                               struct err *err);
/* *found false at the end. key and value borrow until the next call on this cursor. After
 * ERR_DATA_LOSS *key is that of the damaged record, and the next call goes on behind it. */
ERR_MUST_CHECK enum err_code store_cursor_next(struct store_cursor *cursor, bool *found,
                                               struct bytes *key, struct bytes *value,
                                               struct err *err);
void store_cursor_drop(struct store_cursor *cursor); /* NULL is fine */

/* --- chunks -------------------------------------------------------------------------------- */

/* Two sizes, each in a place of its own: one size per free list keeps allocation at constant cost.
 */
enum store_class { STORE_CLASS_ROWS, STORE_CLASS_BULK, STORE_CLASS_COUNT };
enum {
    STORE_ROWS_BYTES = 16320,  /* payload; 255 * 64 */
    STORE_BULK_BYTES = 262080, /* payload; 4095 * 64 */
};
enum { STORE_KEY_BYTES_MAX = 500, STORE_RECORD_BYTES_MAX = 16320 };

/* What a chunk belongs to; written into it and compared when it is read. */
struct store_chunk_place {
    uint64_t family; /* values copied from one another share it */
    uint32_t index;  /* position in the value */
};

/* A new chunk being filled: write `length` bytes at `bytes` (64-byte aligned), then
 * store_chunk_seal. */
struct store_chunk {
    uint64_t id; /* tells its class too */
    uint8_t *bytes;
    uint32_t length;
    uint32_t crc; /* of the payload; set by store_chunk_seal */
};

enum store_class store_chunk_class(uint64_t id);
uint32_t store_class_bytes(enum store_class class); /* payload bytes of a chunk */
/* The store_new_id a chunk's id was made of: tells what was made before what. */
uint64_t store_chunk_number(uint64_t id);
/* Computes the checksum and completes the chunk's header. Exactly once, before its unit returns or
 * its stage is read or published. */
void store_chunk_seal(struct store_chunk *chunk);

/* A committed (or, in its own transaction or stage, new) chunk's payload. Borrows from the view; a
 * lease makes it outlive a snapshot. ERR_DATA_LOSS when missing, misplaced, or of another length or
 * crc field. The payload itself is checked by store_chunk_verify only. */
ERR_MUST_CHECK enum err_code store_chunk_read(const struct store_view *view, uint64_t id,
                                              struct store_chunk_place place, uint32_t length,
                                              uint32_t crc, struct bytes *out, struct err *err);
/* Like store_chunk_read, and recomputes the payload's checksum. */
ERR_MUST_CHECK enum err_code store_chunk_verify(const struct store_view *view, uint64_t id,
                                                struct store_chunk_place place, uint32_t length,
                                                uint32_t crc, struct bytes *out, struct err *err);

/* Every chunk that committed records may name: not those freed and waiting to be deleted, nor those
 * of a stage that is not published. In no order. */
ERR_MUST_CHECK enum err_code store_chunk_walk(struct store *store,
                                              void (*visit)(void *ctx, uint64_t id), void *ctx,
                                              struct err *err);

/* --- leases -------------------------------------------------------------------------------- */

/* Empty lease; it postpones the deletion of every chunk of the families added to it, as they are in
 * the snapshot they are added from, and of nothing else. Drop it soon: it costs disk space. */
ERR_MUST_CHECK enum err_code store_lease_open(struct store *store, struct store_lease **out,
                                              struct err *err);
/* The snapshot must still be open. After it is dropped the chunk bytes read from it stay valid. */
ERR_MUST_CHECK enum err_code store_lease_add(struct store_lease *lease,
                                             const struct store_snapshot *snapshot, uint64_t family,
                                             struct err *err);
/* Every family at once: what a copy of the whole store reads. */
ERR_MUST_CHECK enum err_code store_lease_add_all(struct store_lease *lease,
                                                 const struct store_snapshot *snapshot,
                                                 struct err *err);
void store_lease_drop(struct store_lease *lease); /* NULL is fine; any thread */

/* --- writing ------------------------------------------------------------------------------- */

/* One unit of work. Runs on the committer's thread, possibly more than once (a batch that hits a
 * full disk is run again unit by unit), so it must depend on `context` and the view alone and set
 * its results anew each time. An error undoes this unit and no other. Keep it short: others wait.
 */
typedef enum err_code store_unit(struct store_txn *txn, void *context, struct err *err);

struct store_update_options {
    /* Its chunks, all sealed, are made durable first; NULL when none. Taken on success: gone, and
     * dropped as a whole when the unit changed nothing. Otherwise still the caller's. */
    struct store_stage *stage;
    bool durable; /* sync before returning whatever the mode */
    /* What it writes is no state that anybody waits for: it gets no revision. Then it may put and
     * delete records, but neither make nor free chunks. */
    bool quiet;
};

/* Runs `unit` in the next commit and waits for it. *revision: this unit's, or the current one when
 * it changed nothing. Fails with the unit's own error; ERR_FULL (nothing changed); ERR_UNKNOWN (the
 * commit may or may not have happened); ERR_UNAVAILABLE (closing, or stopped after a failed sync).
 */
ERR_MUST_CHECK enum err_code store_update(struct store *store, store_unit *unit, void *context,
                                          const struct store_update_options *options,
                                          uint64_t *revision, struct err *err);

const struct store_view *store_txn_view(const struct store_txn *txn);
uint64_t store_txn_revision(const struct store_txn *txn); /* the one this unit will have */
/* Whether only units that make the records no larger may still be committed. */
ERR_MUST_CHECK enum err_code store_txn_is_short(const struct store_txn *txn, bool *is_short,
                                                struct err *err);
/* ERR_CONFLICT unless the record at `key` equals `value` (data NULL: unless there is none). */
ERR_MUST_CHECK enum err_code store_expect(struct store_txn *txn, struct bytes key,
                                          struct bytes value, struct err *err);
/* What the unit has done so far to records whose keys begin with `prefix`, in key order; data NULL:
 * there was none before the unit, or is none after. All borrow until `visit` returns, which may put
 * and delete records of other prefixes. */
typedef enum err_code store_change_visit(void *context, struct bytes key, struct bytes before,
                                         struct bytes after, struct err *err);
ERR_MUST_CHECK enum err_code store_txn_changes(const struct store_txn *txn, struct bytes prefix,
                                               store_change_visit *visit, void *context,
                                               struct err *err);
/* Copies key and value. At most STORE_RECORD_BYTES_MAX. */
ERR_MUST_CHECK enum err_code store_put(struct store_txn *txn, struct bytes key, struct bytes value,
                                       struct err *err);
/* Fine when there is nothing at `key`. */
ERR_MUST_CHECK enum err_code store_delete(struct store_txn *txn, struct bytes key, struct err *err);
/* A chunk made inside the unit: for small updates; big ones are staged. Its bytes are writable
 * until the unit returns. */
ERR_MUST_CHECK enum err_code store_txn_chunk(struct store_txn *txn, enum store_class class,
                                             struct store_chunk_place place, uint32_t length,
                                             struct store_chunk *out, struct err *err);
/* Nothing names this chunk any more once the unit is committed. */
ERR_MUST_CHECK enum err_code store_chunk_free(struct store_txn *txn, uint64_t family, uint64_t id,
                                              struct err *err);
/* A number never given before and never again, also after a restart. Any thread. */
uint64_t store_new_id(struct store *store);
struct store *store_of_txn(const struct store_txn *txn);

/* --- staging ------------------------------------------------------------------------------- */

/* Big values are written ahead of the commit that names them, a bounded piece at a time, so small
 * commits get in between. One thread at a time. */
ERR_MUST_CHECK enum err_code store_stage_open(struct store *store, struct store_stage **out,
                                              struct err *err);
/* A chunk to fill. May first write out what was sealed before; chunks handed out and not yet sealed
 * stay valid. At most 16 unsealed at once. */
ERR_MUST_CHECK enum err_code store_stage_chunk(struct store_stage *stage, enum store_class class,
                                               struct store_chunk_place place, uint32_t length,
                                               struct store_chunk *out, struct err *err);
/* A sealed chunk's payload, also before the stage is published. Borrows until the stage is dropped
 * or its next chunk is asked for. */
ERR_MUST_CHECK enum err_code store_stage_read(struct store_stage *stage, uint64_t id,
                                              uint32_t length, struct bytes *out, struct err *err);
/* Drops what was not published. NULL is fine. */
void store_stage_drop(struct store_stage *stage);
/* From now on staging and the checking of payloads, which may take long, fail with ERR_UNAVAILABLE;
 * what is staged already, and everything else, still goes through. For a process that is about to
 * close the store. Any thread. */
void store_interrupt(struct store *store);

/* --- space and health ---------------------------------------------------------------------- */

/* Fails with ERR_FULL when `size_bytes` more would not fit the map, --max-bytes or the disk (less
 * its reserve), naming which. Call before work starts. */
ERR_MUST_CHECK enum err_code store_reserve_check(struct store *store, uint64_t size_bytes,
                                                 struct err *err);
/* The same of bytes beside the data files: only the disk has to have room for them. */
ERR_MUST_CHECK enum err_code store_disk_check(struct store *store, uint64_t size_bytes,
                                              struct err *err);
/* A file in the data folder that has no name and is gone when it is closed. *descriptor is owned by
 * the caller. */
ERR_MUST_CHECK enum err_code store_temporary_file(struct store *store, int *descriptor,
                                                  struct err *err);

/* One of the files that the store is kept in. */
struct store_file_stats {
    const char *name; /* static */
    uint64_t bytes;
    uint64_t free_bytes; /* of them: reusable */
};
enum { STORE_FILES = 1 + STORE_CLASS_COUNT }; /* records; chunks of each class */

struct store_stats {
    uint64_t revision, records, record_bytes;
    uint64_t chunks[STORE_CLASS_COUNT], chunk_bytes[STORE_CLASS_COUNT];
    struct store_file_stats files[STORE_FILES];
    uint64_t file_bytes, free_bytes; /* of the files: all, and reusable inside */
    uint64_t map_bytes;              /* what each file may grow to */
    uint64_t size_max_bytes;         /* what all may grow to together; 0: what the disk has */
    uint64_t disk_free_bytes;        /* on the files' disk, */
    uint64_t disk_reserve_bytes;     /* of which so much is kept back for deletes */
    uint64_t units, queue_units;
    struct histogram_counts commits; /* that changed something: from their first unit to the end */
    struct histogram_counts syncs;   /* of one file each */
    uint64_t garbage_chunks;         /* freed, not deleted yet */
    bool sweeping;                   /* there may be more, left by a crash */
    uint64_t snapshots_open, snapshot_lag; /* revisions since the oldest of them */
    uint64_t leases_open, lease_age_ms_max;
    bool failed; /* stopped writing after a failed sync */
};
ERR_MUST_CHECK enum err_code store_stats_read(struct store *store, struct store_stats *out,
                                              struct err *err);
uint64_t store_revision(struct store *store); /* the newest published */
/* What was told of revisions before this one may be of a history that the store does not have: it
 * was put back from a backup then. 0: it never was. */
uint64_t store_origin(const struct store *store);
const char *
store_identity(const struct store *store); /* 16 hex digits; lives as long as the store */
const char *store_durability_name(const struct store *store);

#endif
