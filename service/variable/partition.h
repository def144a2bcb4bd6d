/* Partitioned variables: how one variable divides into parts along one axis.
 *
 * A variable is kept as one logical tensor whatever its slicing, so a partition is a description:
 * which elements each part holds, what TensorFlow calls it, and the save spec its checkpoints carry
 * for it. The arithmetic is TensorFlow r1.0's (python/ops/partitioned_variables.py,
 * variable_scope.py, variables.py SaveSliceInfo). Pure functions. */
#ifndef SERVICE_VARIABLE_PARTITION_H
#define SERVICE_VARIABLE_PARTITION_H

#include "service/name.h"
#include "service/tensor/tensor.h"

enum {
    PARTITION_PARTS_MAX = 4096,
    /* Estimates past this would overflow with SHAPE_COUNT_MAX elements. */
    PARTITION_STRING_BYTES_MAX = 1 << 16,
    PARTITION_STRING_BYTES_DEFAULT = 16,
    PARTITION_SLICE_BYTES_DEFAULT = 256 << 10,
};

/* count parts along axis; count 0: not partitioned. 1 is a partitioned variable of one part. */
struct partition {
    uint32_t axis, count;
};

enum partition_kind {
    PARTITION_NONE,
    PARTITION_SLICING,            /* slicing, given directly */
    PARTITION_FIXED_SIZE,         /* num_shards */
    PARTITION_VARIABLE_AXIS_SIZE, /* max_shard_bytes, max_shards, bytes_per_string_element */
    PARTITION_MIN_MAX             /* max_partitions, min_slice_size, bytes_per_string_element */
};

/* What a request asks for; fields of other kinds are ignored. Arguments are TensorFlow's, and are
 * taken as r1.0 takes them: min_max minds no max_partitions below 1 (one part), nor numbers below 0
 * where those cancel out. */
struct partition_spec {
    enum partition_kind kind;
    struct shape slicing; /* parts for each dimension */
    int64_t axis;         /* -1 is the last, as Python counts */
    int64_t num_shards, max_shard_bytes, max_partitions, min_slice_size;
    int64_t max_shards; /* 0: no limit */
    int64_t bytes_per_string_element;
};

/* TensorFlow's default arguments. */
struct partition_spec partition_spec_default(enum partition_kind kind);

/* The number of parts for each dimension that the spec makes of this type (not PARTITION_NONE),
 * which partition_of_slicing may still refuse. ERR_INVALID_ARGUMENT in TensorFlow's words: an
 * argument out of its bounds, no such axis, rank 0. Where r1.0 has words of Python alone
 * (IndexError, ZeroDivisionError), those of min_max or of the slicing stand for them. */
ERR_MUST_CHECK enum err_code partition_slicing(const struct partition_spec *spec,
                                               const struct tensor_type *type,
                                               struct shape *slicing, struct err *err);
/* The one axis that `slicing` divides; axis 0 when it divides none. ERR_INVALID_ARGUMENT in
 * TensorFlow's words: another rank, rank 0, no parts, two axes, more parts than elements; and more
 * than PARTITION_PARTS_MAX. */
ERR_MUST_CHECK enum err_code partition_of_slicing(const struct shape *shape,
                                                  const struct shape *slicing,
                                                  struct partition *out, struct err *err);
/* Both; PARTITION_NONE gives count 0. */
ERR_MUST_CHECK enum err_code partition_choose(const struct partition_spec *spec,
                                              const struct tensor_type *type, struct partition *out,
                                              struct err *err);
/* Whether a partition read from a record goes with its shape. */
bool partition_fits(const struct partition *partition, const struct shape *shape);
/* Back again: [1,4]. */
struct shape partition_slicing_of(const struct partition *partition, const struct shape *shape);

/* One part. */
struct partition_part {
    struct shape shape;
    uint64_t offset[SHAPE_RANK_MAX]; /* of its first element, one for each dimension */
};

/* Part `index` < count. Even parts; what remains goes to the first ones, one each. */
struct partition_part partition_part_of(const struct partition *partition,
                                        const struct shape *shape, uint32_t index);
/* How many parts, the first ones, have one more along the axis than the others; 0: all are alike.
 */
uint32_t partition_larger_parts(const struct partition *partition, const struct shape *shape);

/* The part that begins at these offsets and has this shape; the partition's count: there is none.
 */
uint32_t partition_part_at(const struct partition *partition, const struct shape *shape,
                           const uint64_t *offset, const struct shape *part);

/* Which shard of a checkpoint each part lies in: so many bytes for each, little-endian. No bytes:
 * all lie in one, `otherwise`. */
enum { PARTITION_SHARD_BYTES = 3 };
uint32_t partition_part_shard(struct bytes shards, uint32_t index, uint32_t otherwise);
void partition_put_shard(uint8_t *shards, uint32_t index, uint32_t shard);

/* Texts; each returns out. */
enum {
    PARTITION_NAME_BYTES_MAX = NAME_BYTES_MAX + 32,
    /* Three numbers of up to 20 digits and a separator for each dimension. */
    PARTITION_TEXT_BYTES_MAX = SHAPE_RANK_MAX * 63 + 1,
};
/* "w/part_0" */
const char *partition_part_name(const char *name, uint32_t index,
                                char out[static PARTITION_NAME_BYTES_MAX]);
/* "0:20,22:33", as ?slice= takes it */
const char *partition_part_slice(const struct partition_part *part,
                                 char out[static PARTITION_TEXT_BYTES_MAX]);
/* "20 43 0,20:22,11": the whole shape, then offset and length for each dimension */
const char *partition_part_save_spec(const struct partition_part *part, const struct shape *shape,
                                     char out[static PARTITION_TEXT_BYTES_MAX]);

#endif
