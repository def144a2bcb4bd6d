/* Formats that hold a set of tensors: what a checkpoint can be imported from and exported as.
 *
 * One format = one row of list.def and its descriptor, const struct api_wire_format
 * api_wire_<name>. A reader gives a catalog of what there is and then the bytes of all of it, one
 * tensor after the other; a writer gives a layout of files whose bytes lie where they are. Neither
 * holds more in memory than headers. */
#ifndef API_WIRE_FORMAT_H
#define API_WIRE_FORMAT_H

#include "api/file/file_set.h"
#include "api/tensors/byte_source.h"
#include "api/wire/layout.h"
#include "api/wire/npy.h"
#include "service/scratch.h"
#include "service/tensor/tensor.h"
#include "service/variable/tensor_set.h"
#include "service/variable/variable_write.h"
#include "store/base/arena.h"

/* --- reading ------------------------------------------------------------------------------- */

/* Sizes are of the bytes as values keep them: row-major little-endian; an element of a string
 * tensor is u32 little-endian length + bytes. */
struct api_wire_tensor {
    struct bytes name; /* UTF-8, no NUL; borrows from the arena or what was read */
    struct tensor_type type;
    uint64_t size;
    uint32_t shard;             /* of a format that has several data files; else 0 */
    struct partition partition; /* when it lay in the parts of one; count 0: it did not */
    struct bytes part_shards;   /* of each part, as partition.h has it; in the arena */
};

/* A tensor that is there and cannot be kept. */
struct api_wire_refused {
    struct bytes name;
    const char *reason; /* "dtype DT_VARIANT": completes "tensor 'x': " */
};

struct api_wire_catalog {
    struct api_wire_tensor *tensors; /* in the order in which their bytes are read; in the arena */
    size_t count;
    struct api_wire_refused *refused;
    size_t refused_count;
    struct bytes *metadata; /* name, value, name, value …; UTF-8 */
    size_t metadata_count;  /* pairs */
    uint32_t shards;        /* 0: not a format of shards */
};

struct api_wire_limits {
    uint64_t bytes_max;        /* tensors together, unpacked: import_max_bytes */
    uint32_t tensors_max;      /* variables_per_request_max */
    uint64_t memory_bytes_max; /* one tensor that must be held whole: expression_max_bytes */
};

struct api_wire_input {
    struct service *service;
    struct arena *arena; /* of the request: the catalog lies in it */
    const struct api_wire_limits *limits;
    /* One of two: the bytes front to back … */
    const struct api_byte_source *stream;
    uint64_t stream_size; /* UINT64_MAX: unknown */
    /* … or files, sorted by name, with a place for what has to be unpacked (borrowed; opened). */
    const struct api_file_set *files;
    struct scratch *scratch;
    const char *prefix; /* which of several checkpoints in the files; NULL: there must be one */
    const char *tensor; /* name of a tensor that comes without one; never NULL */
    enum api_npy_v2 npy_v2;
};

/* Owned: api_wire_reader_drop. */
struct api_wire_reader {
    struct api_wire_catalog catalog;
    /* The bytes of all tensors of the catalog, in its order; a read never spans two tensors. What
     * only shows when it is read (checksums, values out of range, bytes that follow) is an error of
     * the read that meets it, at the latest of the one that takes the last byte. */
    struct tensor_source source;
    void *state; /* owned; NULL: nothing to drop */
    void (*drop)(void *state);
};

void api_wire_reader_drop(struct api_wire_reader *reader); /* a zeroed one is fine */

/* --- writing ------------------------------------------------------------------------------- */

enum api_wire_compression { API_WIRE_STORED, API_WIRE_DEFLATED };

struct api_wire_export {
    const struct tensor_set *set; /* borrowed; its bytes are lent to the layout */
    const size_t *order;          /* indexes of the set's entries in position order */
    uint32_t shards;              /* at least 1; entries say theirs */
    const struct bytes *metadata; /* pairs */
    size_t metadata_count;
    const char *name; /* of the checkpoint, as a file name: no slashes */
    enum api_wire_compression compression;
    enum api_npy_v2 npy_v2;
    uint64_t modified_ms;    /* what archives tell of their members' age */
    struct scratch *scratch; /* for bytes that have to be made; borrowed, outlives the layout */
};

struct api_wire_format {
    const char *name;       /* "npz": what ?format= says */
    const char *media_type; /* "application/x-npz" */
    bool streams;           /* read front to back from input->stream; else from files */
    bool many_files;        /* written as several files: sent as an archive */
    /* Whether bytes that begin so (at most API_WIRE_SNIFF_BYTES) are of this format; size: of all
     * of them, UINT64_MAX unknown. For formats that stream; else NULL. */
    bool (*sniff)(struct bytes first, uint64_t size);
    /* Whether these files are of this format; only looks, errors mean no. For the others. */
    bool (*claims)(const struct api_wire_input *input);
    /* ERR_INVALID_ARGUMENT says what is wrong with it. *out is zeroed before, and dropped by the
     * caller also after an error. */
    ERR_MUST_CHECK enum err_code (*open)(const struct api_wire_input *input,
                                         struct api_wire_reader *out, struct err *err);
    /* ERR_NOT_ACCEPTABLE naming a tensor that the format cannot hold. NULL: not written. */
    ERR_MUST_CHECK enum err_code (*write)(const struct api_wire_export *what,
                                          struct api_layout *out, struct err *err);
    /* NULL when the format can hold such a tensor, else why not. NULL: as write says. */
    const char *(*unfit)(struct bytes name, const struct tensor_type *type);
    bool in_state; /* TensorFlow's file "checkpoint" tells of such, beside them */
    bool lends;    /* write reads no bytes of the set, and lends each run of it once */
    bool deflates; /* minds `compression` */
    bool holds_v2; /* can hold bfloat16 as API_NPY_V2_BFLOAT16 says, whatever unfit says */
};

enum { API_WIRE_SNIFF_BYTES = 64 };

/* In the order of list.def; NULL past the end. */
const struct api_wire_format *api_wire_format_at(size_t index);
const struct api_wire_format *api_wire_format_find(struct bytes name);          /* NULL: none */
const struct api_wire_format *api_wire_format_of_type(struct bytes media_type); /* likewise */

#define FORMAT(name) extern const struct api_wire_format api_wire_##name;
#include "api/wire/list.def"
#undef FORMAT

#endif
