/* How a chunk lies in its file, and the buffers chunks are filled in.
 *
 * A stored chunk fills whole pages: 16 bytes of LMDB's page header, 48 of ours, the payload (so it
 * begins at a multiple of 64), zeros up to the class's size. One length a file keeps its free list
 * flat.
 *
 *      0 u32 magic   4 u32 version   8 u64 family   16 u64 id   24 u32 index   28 u32 length
 *     32 u32 CRC-32C of the payload  36 u64 zero    44 u32 CRC-32C of the 44 bytes before
 *
 * A chunk's id holds its class in the top two bits (1 + class; 0 and 3 are never chunks); its key
 * is the id, big-endian. */
#ifndef STORE_LMDB_CHUNK_H
#define STORE_LMDB_CHUNK_H

#include "store/base/lock.h"
#include "store/store.h"

enum {
    STORE_CHUNK_HEAD_BYTES = 48,
    STORE_CHUNK_KEY_BYTES = 8,
};

/* Bytes of the stored record: 16 368 or 262 128. */
size_t store_chunk_record_bytes(enum store_class class);
uint64_t store_chunk_id(enum store_class class, uint64_t number);

/* Fills in an unsealed header before chunk->bytes; chunk->id and ->length are set. */
void store_chunk_prepare(const struct store_chunk *chunk, struct store_chunk_place place);
bool store_chunk_is_sealed(const uint8_t *record);
/* The stored record of a chunk being filled. */
uint8_t *store_chunk_record(const struct store_chunk *chunk);
/* Checks the header against what the caller's list says. *out borrows from `record`. */
ERR_MUST_CHECK enum err_code store_chunk_check(struct bytes record, uint64_t id,
                                               struct store_chunk_place place, uint32_t length,
                                               uint32_t crc, struct bytes *out, struct err *err);
/* Checks what the header and the id say of each other. */
ERR_MUST_CHECK enum err_code store_chunk_check_head(struct bytes record, uint64_t id,
                                                    struct err *err);
/* Of a checked record. */
uint32_t store_chunk_length(struct bytes record);
uint32_t store_chunk_payload_crc(struct bytes record);
struct store_chunk_place store_chunk_place_of(struct bytes record);
/* Checks everything about a record that can be checked without its list. */
ERR_MUST_CHECK enum err_code store_chunk_check_alone(struct bytes record, uint64_t id,
                                                     struct err *err);

/* Buffers for records being filled, kept for reuse: fresh ones would fault in page by page. A
 * buffer is 16 bytes longer than its record, which makes the payload 64-byte aligned. */
struct store_buffers {
    struct lock lock;
    struct store_buffer *idle[STORE_CLASS_COUNT];
    unsigned idle_count[STORE_CLASS_COUNT];
};

void store_buffers_init(struct store_buffers *b);
void store_buffers_drop(struct store_buffers *b);
/* The payload's address inside a buffer, whose contents are anything; give it back with
 * store_buffers_give. */
uint8_t *store_buffers_take(struct store_buffers *b, enum store_class class, struct err *err);
void store_buffers_give(struct store_buffers *b, enum store_class class, uint8_t *payload);

#endif
