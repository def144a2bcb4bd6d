/* Bump memory with one lifetime: everything taken from an arena dies with arena_drop.
 * An arena cannot be made without its maximum. Not thread-safe. Blocks are 16-byte aligned, zeroed.
 */
#ifndef STORE_BASE_ARENA_H
#define STORE_BASE_ARENA_H

#include "store/base/bytes.h"
#include "store/base/err.h"

struct arena {
    struct arena_block *blocks;
    size_t used, size_max; /* bytes handed out, and their limit */
};

void arena_init(struct arena *a, size_t size_max);
void arena_drop(struct arena *a);
/* Borrows from the arena. NULL with ERR_NO_MEMORY (or ERR_PAYLOAD_TOO_LARGE past the maximum). */
void *arena_alloc(struct arena *a, size_t size, struct err *err)
    __attribute__((warn_unused_result));
/* count * size, overflow checked. */
void *arena_array(struct arena *a, size_t count, size_t size, struct err *err)
    __attribute__((warn_unused_result));
/* A list that grows: `items` when it has room for one more than `count`, else a copy with twice the
 * room, and *capacity says so. */
void *arena_grown(struct arena *a, void *items, size_t count, size_t *capacity, size_t size,
                  struct err *err) __attribute__((warn_unused_result));
/* NUL-terminated copy. */
char *arena_text(struct arena *a, struct bytes text, struct err *err)
    __attribute__((warn_unused_result));

#endif
