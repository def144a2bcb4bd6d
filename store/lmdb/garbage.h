/* Chunks nothing names any more, until they may be deleted.
 *
 * Life of an entry: freed in a unit -> given here when the commit is published -> waiting while it
 * is not durable or an older snapshot is open -> held while a lease needs it -> taken by the
 * committer and deleted, at most STORE_DELETE_MAX a transaction. Nothing here is on disk: what a
 * crash leaves behind is swept when the store opens. Handing over never allocates, so a commit
 * cannot fail after it happened. */
#ifndef STORE_LMDB_GARBAGE_H
#define STORE_LMDB_GARBAGE_H

#include <stdatomic.h>

#include "store/base/lock.h"
#include "store/lmdb/pins.h"
#include "store/store.h"

/* Deleting more in one transaction makes the free list's commit slow. */
enum { STORE_DELETE_MAX = 100 };

struct store_freed {
    uint64_t id, family;
    uint64_t revision; /* that freed it; 0: never named, nobody can see it */
};

struct store_freed_block {
    struct store_freed_block *next;
    unsigned count, capacity;
    struct store_freed entries[];
};

struct store_freed_list {
    struct store_freed_block *first, *last;
    uint64_t count;
};

ERR_MUST_CHECK enum err_code store_freed_add(struct store_freed_list *list,
                                             struct store_freed entry, struct err *err);
void store_freed_drop(struct store_freed_list *list);
/* Appends all of `from`, which is empty afterwards. */
void store_freed_move(struct store_freed_list *to, struct store_freed_list *from);

/* Ids on their way out, until their deletion is committed. The committer's thread alone, but for
 * `count`. */
struct store_doomed {
    uint64_t ids[STORE_CLASS_COUNT][STORE_DELETE_MAX];
    _Atomic unsigned count[STORE_CLASS_COUNT];
};

struct store_garbage {
    struct lock lock;
    struct store_freed_list waiting; /* by revision, oldest first */
    struct store_freed_list held;    /* no snapshot needs them, a lease did when last looked */
    struct store_doomed doomed;
    uint64_t pins_seen; /* pins->dropped when `held` was last looked through */
};

void store_garbage_init(struct store_garbage *g);
void store_garbage_drop(struct store_garbage *g);
void store_garbage_give(struct store_garbage *g, struct store_freed_list *list);
/* All of it, also what is on its way out. */
uint64_t store_garbage_count(struct store_garbage *g);

/* Moves up to STORE_DELETE_MAX entries of each class that were freed at or before `revision_max`
 * and that no pin needs to `doomed`. */
void store_garbage_take(struct store_garbage *g, uint64_t revision_max, struct store_pins *pins);

#endif
