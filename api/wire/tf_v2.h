/* TensorFlow's V2 checkpoints ("tensor bundles"), inside: PREFIX.index, an SSTable of what there is
 * where, and PREFIX.data-00000-of-00001 and so on, the bytes.
 *
 *     key ""     a header: number of shards, byte order, version
 *     key NAME   a tensor: dtype, shape, and where its bytes are and their checksum; or, of a
 *                partitioned one, the slices it lies in
 *     key 00 …   a slice: as a tensor. Its key is computed from name and slice
 *
 * Whatever of an index is kept lies in the request's arena; of the data nothing is. */
#ifndef API_WIRE_TF_V2_H
#define API_WIRE_TF_V2_H

#include "api/file/tf_message.h"
#include "api/file/tf_parts.h"
#include "api/wire/format.h"
#include "api/wire/tf_slices.h"

enum { API_TF_V2_SHARDS_MAX = 99999 }; /* five digits */

/* Numbers of the messages' fields. */
enum {
    API_TF_V2_HEADER_SHARDS = 1, /* BundleHeaderProto */
    API_TF_V2_HEADER_ENDIANNESS = 2,
    API_TF_V2_HEADER_VERSION = 3,

    API_TF_V2_ENTRY_DTYPE = 1, /* BundleEntryProto */
    API_TF_V2_ENTRY_SHAPE = 2,
    API_TF_V2_ENTRY_SHARD = 3,
    API_TF_V2_ENTRY_OFFSET = 4,
    API_TF_V2_ENTRY_SIZE = 5,
    API_TF_V2_ENTRY_CRC = 6,
    API_TF_V2_ENTRY_SLICES = 7
};

/* --- which files (tf_v2_find.c) ------------------------------------------------------------ */

struct api_tf_v2_files {
    const struct api_file_set *set; /* borrowed */
    const struct api_file *index;
    struct bytes prefix; /* of their names */
    uint32_t shards;     /* that the names of data files say */
    char *name;          /* room for such a name, in the arena */
};

/* Whether there is an index that could be meant. */
bool api_tf_v2_claims(const struct api_wire_input *input);
/* The one checkpoint there is, or the one that is asked for. ERR_INVALID_ARGUMENT: none, several.
 */
ERR_MUST_CHECK enum err_code api_tf_v2_find(const struct api_wire_input *input,
                                            struct api_tf_v2_files *out, struct err *err);
/* Settles how many data files there are, given what the header says: a merged checkpoint may have
 * fewer than it says, if the others would hold nothing. */
void api_tf_v2_find_shards(struct api_tf_v2_files *files, uint32_t header_shards);
/* ERR_INVALID_ARGUMENT naming the file that is missing. */
ERR_MUST_CHECK enum err_code api_tf_v2_shard(const struct api_tf_v2_files *files, uint32_t shard,
                                             const struct api_file **out, struct err *err);

/* --- the index (tf_v2_index.c) ------------------------------------------------------------- */

struct api_tf_v2_record {
    struct bytes key, value;
};

struct api_tf_v2_index {
    struct api_tf_v2_record *records; /* by key; in the arena */
    size_t count, capacity;
    uint32_t shards;
    bool big_endian;
};

/* The header is checked. Records that are for nothing (slices of no tensor) are as good as others.
 */
ERR_MUST_CHECK enum err_code api_tf_v2_index_read(const struct api_wire_input *input,
                                                  const struct api_file *file,
                                                  struct api_tf_v2_index *out, struct err *err);
/* NULL: none. */
const struct api_tf_v2_record *api_tf_v2_index_find(const struct api_tf_v2_index *index,
                                                    struct bytes key);

struct api_tf_v2_entry {
    uint64_t dtype; /* TensorFlow's number */
    struct api_tf_shape shape;
    int64_t shard, offset, size;
    uint32_t crc; /* masked */
    size_t slices;
};

ERR_MUST_CHECK enum err_code api_tf_v2_entry_read(struct bytes value, struct api_tf_v2_entry *out,
                                                  struct err *err);
/* The next slice that an entry lists; *left begins as its value. There is one. */
ERR_MUST_CHECK enum err_code api_tf_v2_entry_slice(struct bytes *left, struct api_tf_slice *out,
                                                   struct err *err);

/* --- runs of bytes (tf_v2_piece.c) --------------------------------------------------------- */

/* The bytes of a tensor or a slice where they lie. Of strings those are their lengths as varints, a
 * checksum of the lengths, and their bytes. */
struct api_tf_v2_piece {
    struct api_file file; /* the bytes; of strings: after lengths and their checksum */
    struct api_file lengths;
    enum dtype dtype;
    bool big_endian;
    uint32_t crc;       /* that it says, masked */
    uint32_t crc_begin; /* of what was read before `file`: of lengths */
    uint64_t elements;
    uint64_t size; /* as values keep it */
};

/* Completes a piece whose file is all of its bytes, and of which dtype, byte order, elements and
 * crc are known. Of strings the lengths are read. ERR_INVALID_ARGUMENT: too few bytes, too many, or
 * a checksum that is wrong as far as that can be known now. */
ERR_MUST_CHECK enum err_code api_tf_v2_piece_open(struct api_tf_v2_piece *piece, struct err *err);

struct api_tf_v2_window {
    struct api_file file;
    uint64_t at; /* in the file: behind what the window holds */
    uint8_t *room;
    size_t capacity, begin, end;
};

/* A piece read front to back. Borrows the piece and the rooms. */
struct api_tf_v2_stream {
    const struct api_tf_v2_piece *piece;
    struct api_tf_v2_window bytes, lengths;
    uint32_t crc;
    uint8_t head[sizeof(uint32_t)]; /* length of a string */
    uint32_t head_left;
    uint64_t body_left; /* of that string */
};

enum { API_TF_V2_WINDOW_BYTES_MIN = 64, API_TF_V2_WINDOW_BYTES_MAX = 64 << 10 };

/* Room for a window on a file of `size` bytes: about `most` at most, a multiple of 16. */
size_t api_tf_v2_window_bytes(uint64_t size, size_t most);
/* Twice `capacity` bytes of room. */
void api_tf_v2_stream_init(struct api_tf_v2_stream *stream, const struct api_tf_v2_piece *piece,
                           uint8_t *room, size_t capacity);
/* Both: with the last byte of a piece its checksum is checked. The next `size` bytes of numbers. */
ERR_MUST_CHECK enum err_code api_tf_v2_stream_numbers(struct api_tf_v2_stream *stream, uint8_t *out,
                                                      size_t size, struct err *err);
/* At most `size` bytes of strings, as values keep them, and of at most *left strings: which are
 * counted down as they end. *got: bytes. */
ERR_MUST_CHECK enum err_code api_tf_v2_stream_strings(struct api_tf_v2_stream *stream, uint8_t *out,
                                                      size_t size, uint64_t *left, size_t *got,
                                                      struct err *err);

/* --- tensors (tf_v2_tensors.c) ------------------------------------------------------------- */

struct api_tf_v2_tensor {
    struct api_wire_tensor listed;
    uint64_t offset; /* in the data file of its shard; of the first piece of several */
    uint64_t stored; /* bytes there */
    struct api_tf_v2_piece *pieces;
    size_t count;
    struct api_tf_parts *parts;              /* NULL: one piece that is all of it */
    const struct api_tf_slice_found *slices; /* of each piece; likewise */
};

/* All tensors in the order of their data, and those that cannot be kept; in the arena. */
ERR_MUST_CHECK enum err_code
api_tf_v2_tensors_find(const struct api_wire_input *input, const struct api_tf_v2_files *files,
                       const struct api_tf_v2_index *index, struct api_tf_v2_tensor **out,
                       struct api_wire_catalog *catalog, struct err *err);

/* Says which tensor an error is about. Returns its code. */
enum err_code api_tf_v2_about(struct bytes name, enum err_code code, struct err *err);

/* --- the two halves of the format ---------------------------------------------------------- */

ERR_MUST_CHECK enum err_code api_tf_v2_open(const struct api_wire_input *input,
                                            struct api_wire_reader *out, struct err *err);
ERR_MUST_CHECK enum err_code api_tf_v2_write(const struct api_wire_export *what,
                                             struct api_layout *out, struct err *err);
const char *api_tf_v2_unfit(struct bytes name, const struct tensor_type *type);

#endif
