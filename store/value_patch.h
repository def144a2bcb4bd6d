/* Private to store/value_patch*.c: a change of parts of a value, between its opening and its
 * closing. */
#ifndef STORE_VALUE_PATCH_H
#define STORE_VALUE_PATCH_H

#include "store/value.h"
#include "store/value_list.h"

/* A segment with touched chunks. */
struct value_patch_segment {
    struct value_segment list;            /* as it was; renewed by close */
    uint16_t slot[VALUE_SEGMENT_ENTRIES]; /* 1 + place in chunks; 0: untouched */
    struct store_chunk *chunks;           /* the new ones; owned */
    uint16_t chunk_count, chunk_capacity;
};

struct value_patch {
    struct store_txn *txn;
    struct value_ref ref;   /* the caller's reference, given up by close */
    struct value_head head; /* of the value as it was when opened */
    uint64_t fork_id;       /* id of the fork; 0: in place */
    uint8_t *small;         /* VALUE_INLINE, VALUE_RECORD: all bytes; owned */
    bool touched, closed;
    bool failed; /* a chunk has not got its old contents: cannot be closed */
    uint32_t segment_count;
    struct value_patch_segment **segments; /* by number, NULL when untouched; owned */
};

/* Staged ahead of the unit: sealed already, and dropped with its stage. */
static inline bool
value_patch_is_staged(const struct store_chunk *chunk)
{
    return chunk->bytes == NULL;
}

#endif
