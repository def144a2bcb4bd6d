/* SSTables whose checksums are right: what is behind them is to be reached, so a mutated table gets
 * those that its bytes have. */
#ifndef TESTS_FUZZ_TABLE_H
#define TESTS_FUZZ_TABLE_H

#include "api/file/crc_mask.h"
#include "api/file/varint.h"
#include "store/base/crc32c.h"

enum { TABLE_FOOTER_BYTES = 48, TABLE_TRAILER_BYTES = 5, TABLE_BLOCKS_MAX = 64 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

static inline bool
table_handle(struct bytes *left, uint64_t *offset, uint64_t *size)
{
    return api_varint_read(left, offset) == API_VARINT_READ &&
           api_varint_read(left, size) == API_VARINT_READ;
}

/* The block's contents; its checksum is put right. Empty when there is no such block. */
static inline struct bytes
table_repair_block(uint8_t *data, size_t size, uint64_t offset, uint64_t length)
{
    uint32_t crc;

    if (offset > size || length > size - offset || size - offset - length < TABLE_TRAILER_BYTES)
        return bytes_of("", 0);
    crc = api_crc_mask(crc32c(0, data + offset, (size_t)length + 1));
    memcpy(data + offset + length + 1, &crc, sizeof crc);
    return bytes_of(data + offset, (size_t)length);
}

static inline void
table_repair(uint8_t *data, size_t size)
{
    uint64_t offset = 0, length = 0;
    struct bytes left, index;

    if (size < TABLE_FOOTER_BYTES)
        return;
    left = bytes_of(data + size - TABLE_FOOTER_BYTES, TABLE_FOOTER_BYTES - 8);
    if (!table_handle(&left, &offset, &length))
        return;
    (void)table_repair_block(data, size, offset, length);
    if (!table_handle(&left, &offset, &length))
        return;
    index = table_repair_block(data, size, offset, length);
    for (int i = 0; i < TABLE_BLOCKS_MAX && index.size > 8; i++) {
        uint32_t shared = 0, more = 0, value = 0;
        struct bytes handle;

        if (api_varint_read32(&index, &shared) != API_VARINT_READ ||
            api_varint_read32(&index, &more) != API_VARINT_READ ||
            api_varint_read32(&index, &value) != API_VARINT_READ || more > index.size ||
            value > index.size - more)
            return;
        handle = bytes_of(index.data + more, value);
        index = bytes_of(handle.data + value, index.size - more - value);
        if (table_handle(&handle, &offset, &length))
            (void)table_repair_block(data, size, offset, length);
    }
    /* A block of data may lie over the index: then its checksum is wrong again, as may be. */
}

#endif
