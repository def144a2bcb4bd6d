/* Tables made block by block, right ones and wrong ones. */
#ifndef TESTS_UNIT_API_SSTABLE_MAKING_H
#define TESTS_UNIT_API_SSTABLE_MAKING_H

#include "api/file/crc_mask.h"
#include "api/file/varint.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum { SSTABLE_PLAIN, SSTABLE_SNAPPY, SSTABLE_OTHER };

struct sstable_making {
    struct buf table, index;
    uint32_t restarts[32], restart_count;
};

#define SSTABLE_WORKS(call) assert_int_equal((call), OK)

static inline void
sstable_making_init(struct sstable_making *making)
{
    *making = (struct sstable_making){.restart_count = 0};
    buf_init(&making->table, 64 << 20);
    buf_init(&making->index, 1 << 20);
}

static inline void
sstable_making_drop(struct sstable_making *making)
{
    buf_drop(&making->table);
    buf_drop(&making->index);
}

static inline void
sstable_append_entry(struct buf *block, uint32_t shared, struct bytes rest, struct bytes value)
{
    SSTABLE_WORKS(api_varint_append(block, shared, NULL));
    SSTABLE_WORKS(api_varint_append(block, rest.size, NULL));
    SSTABLE_WORKS(api_varint_append(block, value.size, NULL));
    SSTABLE_WORKS(buf_append(block, rest.data, rest.size, NULL));
    SSTABLE_WORKS(buf_append(block, value.data, value.size, NULL));
}

static inline void
sstable_append_restarts(struct buf *block, const uint32_t *restarts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        SSTABLE_WORKS(buf_append_u32(block, restarts[i], NULL));
    SSTABLE_WORKS(buf_append_u32(block, count, NULL));
}

/* Contents as they are stored, their type and checksum. Returns where they begin. */
static inline uint64_t
sstable_put_block(struct sstable_making *making, struct bytes contents, uint8_t type)
{
    uint64_t begin = making->table.size;
    uint32_t crc = crc32c(crc32c(0, contents.data, contents.size), &type, 1);

    SSTABLE_WORKS(buf_append(&making->table, contents.data, contents.size, NULL));
    SSTABLE_WORKS(buf_append_byte(&making->table, type, NULL));
    SSTABLE_WORKS(buf_append_u32(&making->table, api_crc_mask(crc), NULL));
    return begin;
}

static inline void
sstable_index_block(struct sstable_making *making, const char *key, uint64_t offset, uint64_t size)
{
    AUTO(buf) handle = {0};

    buf_init(&handle, 100);
    SSTABLE_WORKS(api_varint_append(&handle, offset, NULL));
    SSTABLE_WORKS(api_varint_append(&handle, size, NULL));
    making->restarts[making->restart_count++] = (uint32_t)making->index.size;
    sstable_append_entry(&making->index, 0, bytes_of_text(key), buf_bytes(&handle));
}

static inline void
sstable_add_block(struct sstable_making *making, const char *key, struct bytes contents,
                  uint8_t type)
{
    sstable_index_block(making, key, sstable_put_block(making, contents, type), contents.size);
}

static inline struct bytes
sstable_end(struct sstable_making *making)
{
    static const uint8_t magic[] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};
    uint64_t metaindex = sstable_put_block(making, bytes_of("\0\0\0\0\1\0\0\0", 8), SSTABLE_PLAIN),
             index;
    size_t footer;

    sstable_append_restarts(&making->index, making->restarts, making->restart_count);
    index = sstable_put_block(making, buf_bytes(&making->index), SSTABLE_PLAIN);
    footer = making->table.size;
    SSTABLE_WORKS(api_varint_append(&making->table, metaindex, NULL));
    SSTABLE_WORKS(api_varint_append(&making->table, 8, NULL));
    SSTABLE_WORKS(api_varint_append(&making->table, index, NULL));
    SSTABLE_WORKS(api_varint_append(&making->table, making->index.size, NULL));
    while (making->table.size < footer + 40)
        SSTABLE_WORKS(buf_append_byte(&making->table, 0, NULL));
    SSTABLE_WORKS(buf_append(&making->table, magic, sizeof magic, NULL));
    return buf_bytes(&making->table);
}

/* A block of two entries, whose values are "value". */
static inline void
sstable_append_two(struct buf *block, const char *first, const char *second)
{
    static const uint32_t front = 0;

    buf_init(block, 1000);
    sstable_append_entry(block, 0, bytes_of_text(first), bytes_of_text("value"));
    sstable_append_entry(block, 0, bytes_of_text(second), bytes_of_text("value"));
    sstable_append_restarts(block, &front, 1);
}

#endif
