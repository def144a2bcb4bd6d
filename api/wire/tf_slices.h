/* Partitioned tensors of a set, as both of TensorFlow's formats write them: in the slices that its
 * Saver gives them, each with its start and length in every dimension. */
#ifndef API_WIRE_TF_SLICES_H
#define API_WIRE_TF_SLICES_H

#include "api/file/ordered_code.h"
#include "service/variable/tensor_set.h"

/* In how many slices the tensor is written; 0: as a whole, without saying more. Strings are only
 * cut where those of a part lie side by side. */
uint32_t api_tf_slice_count(const struct tensor_set_entry *entry);
/* *out: one extent for each dimension. Each part has its shard; a shard past the last one is 0. */
void api_tf_slice_extents(const struct tensor_set_entry *entry, uint32_t index,
                          struct api_extent out[static SHAPE_RANK_MAX]);
uint32_t api_tf_slice_shard(const struct tensor_set_entry *entry, uint32_t index, uint32_t shards);
/* Elements of a slice, in runs that follow one another in the whole. */
struct api_tf_slice_runs {
    uint64_t first, length, stride, count; /* run i has `length` from first + i * stride on */
};
struct api_tf_slice_runs api_tf_slice_runs_of(const struct tensor_set_entry *entry, uint32_t index);

/* The bytes of numbers in a slice, front to back, as they lie in memory. */
typedef enum err_code api_tf_slice_visit(void *context, struct bytes run, struct err *err);
ERR_MUST_CHECK enum err_code api_tf_slice_each(const struct tensor_set *set,
                                               const struct tensor_set_entry *entry, uint32_t index,
                                               api_tf_slice_visit *visit, void *context,
                                               struct err *err);

/* Whether slices of so many elements together can be all of the tensor. ERR_INVALID_ARGUMENT in
 * TensorFlow's words when there are not enough. */
ERR_MUST_CHECK enum err_code api_tf_slices_cover(struct bytes name, const struct shape *whole,
                                                 size_t count, uint64_t covered, struct err *err);

/* A slice that a file has. */
struct api_tf_slice_found {
    const uint64_t *first, *dims; /* by dimension */
    uint32_t shard;
};
/* The partition that slices which are all of a tensor, none over another, are the parts of; count
 * 0: of none. *part_shards: in the arena; no bytes where all are in one. */
ERR_MUST_CHECK enum err_code api_tf_slices_partition(const struct api_tf_slice_found *slices,
                                                     size_t count, const struct shape *whole,
                                                     struct arena *arena, struct partition *out,
                                                     struct bytes *part_shards, struct err *err);

#endif
