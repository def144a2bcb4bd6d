/* SSTables, as TensorFlow writes them: the index of a V2 checkpoint, and a V1 checkpoint as a
 * whole. LevelDB's format of tables, without filters:
 *
 *     file   = data block*  metaindex block  index block  footer
 *     block  = contents  type (0 plain, 1 snappy)  masked CRC-32C of contents and type
 *     footer = handles (offset, size) of the last two, zeros, magic; 48 bytes
 *
 * A table is read once, front to back, in bounded memory: a value is told as the place where it
 * lies, for in V1 files one has gigabytes. What is compressed is unpacked, block by block, into the
 * scratch, and lies there. */
#ifndef API_FILE_SSTABLE_READ_H
#define API_FILE_SSTABLE_READ_H

#include "api/file/file.h"
#include "service/scratch.h"

enum {
    API_SSTABLE_KEY_BYTES_MAX = 64 << 10,
    API_SSTABLE_AT_HAND_BYTES_MAX = 64 << 10, /* of a value that is given as bytes too */
};

struct api_sstable {
    struct api_file file;
    struct scratch *scratch;     /* borrowed */
    uint64_t block_bytes_max;    /* of a compressed block, unpacked: it is held whole meanwhile */
    uint64_t unpacked_bytes_max; /* of all compressed blocks together */
};

struct api_sstable_entry {
    struct bytes key;      /* borrows for the visit */
    struct api_file value; /* a part of the table, or of the scratch; stays */
    struct bytes bytes;    /* the same, for the visit; data NULL: too many to be at hand */
};
typedef enum err_code api_sstable_visit(void *context, const struct api_sstable_entry *entry,
                                        struct err *err);

/* All entries in the order of their keys, which is strictly ascending. Of a block over a megabyte
 * the checksum is known only when its entries have been visited: what was made of them counts when
 * this has returned OK.
 * ERR_INVALID_ARGUMENT: no table, or a broken one, saying what at which byte of the file;
 * ERR_PAYLOAD_TOO_LARGE: unpacks to more than the maximum; the visitor's errors. */
ERR_MUST_CHECK enum err_code api_sstable_read(const struct api_sstable *table,
                                              api_sstable_visit *visit, void *context,
                                              struct err *err);
/* Whether the file ends as a table does. Errors mean no. */
bool api_sstable_looks_like(const struct api_file *file);

#endif
