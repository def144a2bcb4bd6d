/* One block of an SSTable, read front to back:
 *
 *     contents = entry*  restart offsets (4 bytes each)  their number (4 bytes)
 *     entry    = varints shared, not shared, value size;  rest of the key;  value
 *
 * A key begins with `shared` bytes of the key before it; at a restart offset none are shared. Some
 * readers begin at restart offsets and others at the front, so it is made sure that both find the
 * same entries. */
#ifndef API_FILE_SSTABLE_BLOCK_H
#define API_FILE_SSTABLE_BLOCK_H

#include "api/file/sstable_read.h"
#include "store/base/buf.h"

enum { API_SSTABLE_TRAILER_BYTES = 5, API_SSTABLE_RESTARTS_AT_ONCE = 64 };

struct api_sstable_handle {
    uint64_t offset, size; /* of the contents as stored; the trailer follows */
};

/* Owned: api_sstable_block_drop. The key goes on from block to block. */
struct api_sstable_block {
    const struct api_sstable *table; /* borrowed */
    uint64_t offset;                 /* of the block in the table's file, for messages */
    struct api_file contents;        /* as they are when unpacked */
    uint8_t *window;                 /* owned; bytes [window_first, window_end) of the contents */
    uint64_t window_first, window_end;
    size_t window_room;
    uint64_t at, entry, entries_end; /* in the contents; entry: where the last one began */
    bool summed;                     /* the checksum was right */
    uint32_t crc, crc_stored;        /* of what went through the window */

    uint64_t restart_at, restart_count;    /* restarts passed, and all */
    uint64_t restarts_first, restarts_end; /* which of them are at hand */
    uint32_t restarts[API_SSTABLE_RESTARTS_AT_ONCE];

    struct buf key;
    bool has_key; /* one was read, perhaps in an earlier block */
};

void api_sstable_block_init(struct api_sstable_block *block, const struct api_sstable *table);
void api_sstable_block_drop(struct api_sstable_block *block);
/* Goes on to another block. *unpacked: bytes unpacked so far, of all blocks. */
ERR_MUST_CHECK enum err_code api_sstable_block_open(struct api_sstable_block *block,
                                                    const struct api_sstable_handle *handle,
                                                    uint64_t *unpacked, struct err *err);
/* The next entry; key and bytes borrow until the next call. *ended: there is none, and the block is
 * whole. */
ERR_MUST_CHECK enum err_code api_sstable_block_next(struct api_sstable_block *block,
                                                    struct api_sstable_entry *out, bool *ended,
                                                    struct err *err);

#endif
