#include "store/lmdb/chunk.h"

#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/crc32c.h"
#include "store/lmdb/wire.h"

enum { CHUNK_VERSION = 1, CLASS_SHIFT = 62 };

static const uint32_t chunk_magic = 0x31434b54; /* "TKC1" */

/* Where things lie in the head. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_FAMILY = 8,
    AT_ID = 16,
    AT_INDEX = 24,
    AT_LENGTH = 28,
    AT_PAYLOAD_CRC = 32,
    AT_ZERO = 36,
    AT_HEAD_CRC = 44
};

uint32_t store_class_bytes(enum store_class class)
{
    CHECK(class == STORE_CLASS_ROWS || class == STORE_CLASS_BULK);
    return class == STORE_CLASS_ROWS ? STORE_ROWS_BYTES : STORE_BULK_BYTES;
}

size_t store_chunk_record_bytes(enum store_class class)
{
    return (size_t)store_class_bytes(class) + STORE_CHUNK_HEAD_BYTES;
}

uint64_t
store_chunk_id(enum store_class class, uint64_t number)
{
    return ((uint64_t) class + 1) << CLASS_SHIFT | number;
}

uint64_t
store_chunk_number(uint64_t id)
{
    return id & (((uint64_t)1 << CLASS_SHIFT) - 1);
}

enum store_class
store_chunk_class(uint64_t id)
{
    switch (id >> CLASS_SHIFT) {
    case 1:
        return STORE_CLASS_ROWS;
    case 2:
        return STORE_CLASS_BULK;
    default:
        return STORE_CLASS_COUNT;
    }
}

uint8_t *
store_chunk_record(const struct store_chunk *chunk)
{
    return chunk->bytes - STORE_CHUNK_HEAD_BYTES;
}

void
store_chunk_prepare(const struct store_chunk *chunk, struct store_chunk_place place)
{
    uint8_t *head = store_chunk_record(chunk);

    memset(head, 0, STORE_CHUNK_HEAD_BYTES);
    wire_put_u32(head + AT_VERSION, CHUNK_VERSION);
    wire_put_u64(head + AT_FAMILY, place.family);
    wire_put_u64(head + AT_ID, chunk->id);
    wire_put_u32(head + AT_INDEX, place.index);
    wire_put_u32(head + AT_LENGTH, chunk->length);
}

void
store_chunk_seal(struct store_chunk *chunk)
{
    uint8_t *head = store_chunk_record(chunk);
    uint32_t room = store_class_bytes(store_chunk_class(chunk->id));

    CHECK(chunk->length <= room);
    CHECK(!store_chunk_is_sealed(head));
    memset(chunk->bytes + chunk->length, 0, room - chunk->length);
    chunk->crc = crc32c(0, chunk->bytes, chunk->length);
    wire_put_u32(head + AT_PAYLOAD_CRC, chunk->crc);
    wire_put_u32(head + AT_MAGIC, chunk_magic);
    wire_put_u32(head + AT_HEAD_CRC, crc32c(0, head, AT_HEAD_CRC));
}

bool
store_chunk_is_sealed(const uint8_t *record)
{
    return wire_get_u32(record + AT_MAGIC) == chunk_magic;
}

static enum err_code
damaged(uint64_t id, const char *how, struct err *err)
{
    return err_set(err, ERR_DATA_LOSS, "chunk %016" PRIx64 " is damaged: %s", id, how);
}

enum err_code
store_chunk_check_head(struct bytes record, uint64_t id, struct err *err)
{
    enum store_class class = store_chunk_class(id);

    if (class == STORE_CLASS_COUNT || record.size != store_chunk_record_bytes(class))
        return damaged(id, "its record has a wrong size", err);
    if (!store_chunk_is_sealed(record.data) ||
        wire_get_u32(record.data + AT_HEAD_CRC) != crc32c(0, record.data, AT_HEAD_CRC))
        return damaged(id, "its header's checksum is wrong", err);
    if (wire_get_u32(record.data + AT_VERSION) != CHUNK_VERSION)
        return damaged(id, "its version is unknown", err);
    if (wire_get_u64(record.data + AT_ID) != id)
        return damaged(id, "another chunk is in its place", err);
    if (wire_get_u32(record.data + AT_LENGTH) > store_class_bytes(class))
        return damaged(id, "its length is impossible", err);
    return OK;
}

uint32_t
store_chunk_length(struct bytes record)
{
    return wire_get_u32(record.data + AT_LENGTH);
}

uint32_t
store_chunk_payload_crc(struct bytes record)
{
    return wire_get_u32(record.data + AT_PAYLOAD_CRC);
}

struct store_chunk_place
store_chunk_place_of(struct bytes record)
{
    return (struct store_chunk_place){.family = wire_get_u64(record.data + AT_FAMILY),
                                      .index = wire_get_u32(record.data + AT_INDEX)};
}

enum err_code
store_chunk_check(struct bytes record, uint64_t id, struct store_chunk_place place, uint32_t length,
                  uint32_t crc, struct bytes *out, struct err *err)
{
    const uint8_t *head = record.data;

    TRY(store_chunk_check_head(record, id, err));
    if (wire_get_u64(head + AT_FAMILY) != place.family ||
        wire_get_u32(head + AT_INDEX) != place.index)
        return err_set(err, ERR_DATA_LOSS,
                       "chunk %016" PRIx64 " is misplaced: it is number %" PRIu32
                       " of family %" PRIu64 ", wanted was number %" PRIu32 " of family %" PRIu64,
                       id, wire_get_u32(head + AT_INDEX), wire_get_u64(head + AT_FAMILY),
                       place.index, place.family);
    if (wire_get_u32(head + AT_LENGTH) != length || wire_get_u32(head + AT_PAYLOAD_CRC) != crc)
        return err_set(err, ERR_DATA_LOSS,
                       "chunk %016" PRIx64 " holds %" PRIu32 " bytes with checksum %08" PRIx32
                       ", its list says %" PRIu32 " with %08" PRIx32,
                       id, wire_get_u32(head + AT_LENGTH), wire_get_u32(head + AT_PAYLOAD_CRC),
                       length, crc);
    *out = bytes_of(record.data + STORE_CHUNK_HEAD_BYTES, length);
    return OK;
}

enum err_code
store_chunk_check_alone(struct bytes record, uint64_t id, struct err *err)
{
    TRY(store_chunk_check_head(record, id, err));
    if (crc32c(0, record.data + STORE_CHUNK_HEAD_BYTES, wire_get_u32(record.data + AT_LENGTH)) !=
        wire_get_u32(record.data + AT_PAYLOAD_CRC))
        return damaged(id, "its payload's checksum is wrong", err);
    return OK;
}

/* --- buffers ------------------------------------------------------------------------------- */

enum { LMDB_PAGE_HEAD_BYTES = 16 };

struct store_buffer {
    struct store_buffer *next;
};

/* 16 MiB of bulk and 4 MiB of rows are kept at most. */
static const unsigned idle_max[STORE_CLASS_COUNT] = {256, 64};

void
store_buffers_init(struct store_buffers *b)
{
    *b = (struct store_buffers){0};
    lock_init(&b->lock);
}

void
store_buffers_drop(struct store_buffers *b)
{
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        while (b->idle[class] != NULL) {
            struct store_buffer *buffer = b->idle[class];

            b->idle[class] = buffer->next;
            mem_free(buffer);
        }
    }
    lock_drop(&b->lock);
}

uint8_t *
store_buffers_take(struct store_buffers *b, enum store_class class, struct err *err)
{
    struct store_buffer *buffer;

    lock_acquire(&b->lock);
    buffer = b->idle[class];
    if (buffer != NULL) {
        b->idle[class] = buffer->next;
        b->idle_count[class]--;
    }
    lock_release(&b->lock);
    if (buffer == NULL)
        buffer = mem_aligned(LMDB_PAGE_HEAD_BYTES + store_chunk_record_bytes(class), err);
    if (buffer == NULL)
        return NULL;
    return (uint8_t *)buffer + LMDB_PAGE_HEAD_BYTES + STORE_CHUNK_HEAD_BYTES;
}

void
store_buffers_give(struct store_buffers *b, enum store_class class, uint8_t *payload)
{
    struct store_buffer *buffer;

    buffer = (void *)(payload - STORE_CHUNK_HEAD_BYTES - LMDB_PAGE_HEAD_BYTES);
    lock_acquire(&b->lock);
    if (b->idle_count[class] < idle_max[class]) {
        buffer->next = b->idle[class];
        b->idle[class] = buffer;
        b->idle_count[class]++;
        buffer = NULL;
    }
    lock_release(&b->lock);
    mem_free(buffer);
}
