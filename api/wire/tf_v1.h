/* TensorFlow's V1 checkpoints: one SSTable per file. The record under the empty key, the metadata,
 * tells of every tensor its name, type, shape and slices; each slice has a record of its own under
 * a key that is computed from name and slice (never read back), and in it a TensorProto.
 *
 * A checkpoint is one file PREFIX, or files PREFIX-00000-of-00002 …, each of which is complete in
 * itself; together they have the union of their slices. */
#ifndef API_WIRE_TF_V1_H
#define API_WIRE_TF_V1_H

#include "api/file/tf_message.h"
#include "api/file/tf_parts.h"
#include "api/wire/format.h"

enum {
    API_TF_V1_METADATA_BYTES_MAX = 64 << 20, /* of one file */
    API_TF_V1_SLICES_MAX = 1 << 14,          /* of one tensor */
    API_TF_V1_STRAYS_MAX = 1000, /* records that the metadata of a file does not tell of */
};

/* Numbers of the messages' fields. */
enum {
    API_TF_V1_SAVED_META = 1, /* SavedTensorSlices */
    API_TF_V1_SAVED_DATA = 2,
    API_TF_V1_META_TENSOR = 1, /* SavedTensorSliceMeta */
    API_TF_V1_META_VERSIONS = 2,
    API_TF_V1_TENSOR_NAME = 1, /* SavedSliceMeta */
    API_TF_V1_TENSOR_SHAPE = 2,
    API_TF_V1_TENSOR_TYPE = 3,
    API_TF_V1_TENSOR_SLICE = 4,
    API_TF_V1_SLICE_NAME = 1, /* SavedSlice */
    API_TF_V1_SLICE_SLICE = 2,
    API_TF_V1_SLICE_DATA = 3,
};

/* Names of the metadata pairs in which a checkpoint keeps what of such a file is in no tensor. */
#define API_TF_V1_PAIR_VERSIONS "tensorflow.v1.versions" /* "none": a file of 2015 */
#define API_TF_V1_PAIR_SLICES   "tensorflow.v1.slices"   /* {"name": ["0,2:-", …]} */

/* --- which files --------------------------------------------------------------------------- */

/* In the order of their numbers; in the arena. */
struct api_tf_v1_files {
    struct bytes prefix;
    const struct api_file_entry **files;
    size_t count;
};

/* Of those in the input that are tables and no indexes. ERR_INVALID_ARGUMENT: none, several
 * checkpoints, or one of which a file is missing. */
ERR_MUST_CHECK enum err_code api_tf_v1_find(const struct api_wire_input *input,
                                            struct api_tf_v1_files *out, struct err *err);

/* --- what is in them ----------------------------------------------------------------------- */

struct api_tf_v1_slice {
    struct bytes name_key, part_key; /* its key is both; the first is that of all of its tensor's */
    struct api_extent *extents;      /* of as many dimensions as the tensor has */
    uint64_t count;                  /* elements */
    struct api_file data;            /* its TensorProto, once the table was gone through */
};

/* A tensor, as one file's metadata tells of it. */
struct api_tf_v1_piece {
    struct bytes name;
    struct tensor_type type;
    const char *refused; /* why it cannot be kept; then it has no slices. NULL: it can */
    uint32_t file;
    size_t slice_first, slice_count;
};

/* In the arena. */
struct api_tf_v1_catalog {
    struct arena *arena;
    struct api_tf_v1_piece *pieces; /* file after file, in the order of the metadata */
    size_t piece_count, piece_capacity;
    struct api_tf_v1_slice *slices;
    size_t slice_count, slice_capacity;
    bool without_versions; /* one of the files is */
};

/* Adds what the metadata record of a file tells of. The record may go afterwards. */
ERR_MUST_CHECK enum err_code api_tf_v1_metadata_read(struct bytes record, uint32_t file,
                                                     size_t tensors_max,
                                                     struct api_tf_v1_catalog *io, struct err *err);
/* Goes through the table of one file: adds what it tells of, with the places of the values. */
ERR_MUST_CHECK enum err_code api_tf_v1_scan(const struct api_wire_input *input,
                                            const struct api_file *file, uint32_t number,
                                            struct api_tf_v1_catalog *found, struct err *err);
/* "tensor 'x': " before an error. */
void api_tf_v1_about(struct bytes name, struct err *err);

struct api_tf_v1_tensor {
    struct bytes name;
    struct tensor_type type;
    const char *refused; /* then nothing of what follows is there */
    uint32_t file;       /* the first that tells of it */
    uint64_t size;       /* bytes, as values keep them */
    const struct api_tf_v1_slice **slices;
    uint32_t *files; /* of each slice */
    size_t slice_count;
    struct partition partition; /* that they are the parts of; count 0: of none */
    struct bytes part_shards;
};
/* The tensors of all files in the order in which the metadata tells of them, in the arena.
 * ERR_INVALID_ARGUMENT: pieces of one disagree, or its slices are not all of it. */
ERR_MUST_CHECK enum err_code api_tf_v1_tensors(const struct api_tf_v1_catalog *found,
                                               struct api_tf_v1_tensor **out, size_t *tensor_count,
                                               struct err *err);

/* --- their values -------------------------------------------------------------------------- */

/* Owned: api_tf_v1_source_drop. Borrows the tensors. */
struct api_tf_v1_source;
struct api_tf_v1_source *api_tf_v1_source_make(const struct api_tf_v1_tensor *tensors,
                                               struct err *err);
void api_tf_v1_source_drop(void *source);
/* Of a tensor_source: the bytes of those that are not refused. */
ERR_MUST_CHECK enum err_code api_tf_v1_source_read(void *source, void *out, size_t size,
                                                   struct err *err);

/* --- the format, as format.h has it -------------------------------------------------------- */

bool api_tf_v1_claims(const struct api_wire_input *input);
ERR_MUST_CHECK enum err_code api_tf_v1_open(const struct api_wire_input *input,
                                            struct api_wire_reader *out, struct err *err);
ERR_MUST_CHECK enum err_code api_tf_v1_write(const struct api_wire_export *what,
                                             struct api_layout *out, struct err *err);

/* --- slices, as a checkpoint keeps them ------------------------------------------------------ */

/* All of a dimension, without saying how long that is, in every one. */
bool api_tf_v1_slice_is_plain(const struct api_extent *extents, uint32_t rank);

struct api_tf_v1_slices_of {
    struct bytes name;
    uint32_t rank;
    const struct api_extent *extents; /* one slice after the other */
    size_t count;
};
/* The value of API_TF_V1_PAIR_SLICES: JSON, a list of texts for each name. */
ERR_MUST_CHECK enum err_code api_tf_v1_slices_write(const struct api_tf_v1_slices_of *tensors,
                                                    size_t count, struct buf *out, struct err *err);
/* What was written so, in the arena and sorted by name. ERR_INVALID_ARGUMENT: something else. */
ERR_MUST_CHECK enum err_code api_tf_v1_slices_read(struct bytes text, struct arena *arena,
                                                   struct api_tf_v1_slices_of **out, size_t *count,
                                                   struct err *err);

#endif
