/* SSTables written byte for byte as TensorFlow's writer does, from entries in the order of their
 * keys. Nothing is held but the index and the restarts of the block that is open: a value may come
 * in pieces, and what is lent is not even looked at when its checksum is known. */
#ifndef API_FILE_SSTABLE_WRITE_H
#define API_FILE_SSTABLE_WRITE_H

#include "store/base/buf.h"

/* Where the bytes go, one run after the other. */
struct api_sstable_sink {
    void *context; /* borrowed */
    /* Bytes that are only there for the call. */
    ERR_MUST_CHECK enum err_code (*append)(void *context, struct bytes bytes, struct err *err);
    /* Bytes that stay as long as what is written is used. NULL: appended like others. */
    ERR_MUST_CHECK enum err_code (*lend)(void *context, struct bytes bytes, struct err *err);
};
struct api_sstable_sink api_sstable_to_buf(struct buf *out);

/* Owned: api_sstable_writer_drop. */
struct api_sstable_writer {
    struct api_sstable_sink sink;
    uint64_t offset;        /* bytes that went out */
    uint64_t block_begin;   /* of the block that is open; ends at offset */
    uint64_t ended_size;    /* of the one before it, which began at ended_begin */
    uint64_t ended_begin;   /* it goes into the index once the next key is known: */
    bool ended;             /* that is still to be done */
    uint64_t value_left;    /* of the entry that was begun */
    uint32_t since_restart; /* entries */
    uint32_t crc;           /* of the open block */
    struct buf restarts;    /* of the open block: offsets, 4 bytes each */
    struct buf index;       /* contents of the index block, without its restarts */
    struct buf index_restarts;
    struct buf key; /* of the last entry */
    struct buf head;
};

void api_sstable_writer_init(struct api_sstable_writer *writer, struct api_sstable_sink sink);
void api_sstable_writer_drop(struct api_sstable_writer *writer);
/* An entry whose value of `value_size` bytes follows, by the next two. Keys ascend.
 * ERR_PAYLOAD_TOO_LARGE: over 2^32 - 1 bytes. */
ERR_MUST_CHECK enum err_code api_sstable_begin(struct api_sstable_writer *writer, struct bytes key,
                                               uint64_t value_size, struct err *err);
ERR_MUST_CHECK enum err_code api_sstable_append(struct api_sstable_writer *writer,
                                                struct bytes piece, struct err *err);
/* Lent: bytes and their CRC-32C. */
ERR_MUST_CHECK enum err_code api_sstable_lend(struct api_sstable_writer *writer, struct bytes piece,
                                              uint32_t crc, struct err *err);
/* Both at once. */
ERR_MUST_CHECK enum err_code api_sstable_add(struct api_sstable_writer *writer, struct bytes key,
                                             struct bytes value, struct err *err);
/* The last block, the index, the footer. */
ERR_MUST_CHECK enum err_code api_sstable_finish(struct api_sstable_writer *writer, struct err *err);

#endif
