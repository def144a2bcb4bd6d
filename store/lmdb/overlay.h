/* A unit's puts and deletes, held back until the unit has succeeded: a skip list in key order, over
 * memory that dies with the unit. */
#ifndef STORE_LMDB_OVERLAY_H
#define STORE_LMDB_OVERLAY_H

#include "store/base/arena.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

enum { STORE_OVERLAY_LEVELS = 16, STORE_OVERLAY_BYTES_MAX = 1 << 30 };

struct store_change {
    struct bytes key;
    struct bytes value; /* data NULL: deleted */
    uint8_t *room;      /* what `value` lies in */
    size_t room_size;
    unsigned levels;
    struct store_change *next[]; /* levels of them */
};

struct store_overlay {
    struct arena arena;
    struct store_change *first[STORE_OVERLAY_LEVELS];
    uint64_t random;
};

void store_overlay_init(struct store_overlay *o);
void store_overlay_drop(struct store_overlay *o);
/* Copies both; value.data == NULL records a delete. */
ERR_MUST_CHECK enum err_code store_overlay_set(struct store_overlay *o, struct bytes key,
                                               struct bytes value, struct err *err);
/* Borrows until the next set. NULL when the unit did not touch `key`. */
const struct store_change *store_overlay_find(const struct store_overlay *o, struct bytes key);
/* The first change at or after `key` (`after`: strictly after). The next one is ->next[0]. */
const struct store_change *store_overlay_seek(const struct store_overlay *o, struct bytes key,
                                              bool after);

#endif
