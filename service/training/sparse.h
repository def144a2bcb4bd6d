/* Rows named by number: what scatter, gather and sparse gradients have in common. Knows no storage.
 *
 * A row is what stands under one value of the first dimension; of scatter_nd, under one value of
 * the first K dimensions, counted through in row-major order. First the types are checked
 * (sparse_check_*), which needs no values; then the indices are read into row numbers
 * (sparse_read_*). Nothing is changed on the way, so that a bad index leaves everything as it was:
 * stricter than TensorFlow, whose kernels stop half-way.
 *
 * Every refusal of types and values is ERR_INVALID_ARGUMENT, is about the variable, and begins
 * "<verb> '<name>': "; the rest has the words of TensorFlow's kernels. */
#ifndef SERVICE_TRAINING_SPARSE_H
#define SERVICE_TRAINING_SPARSE_H

#include "service/tensor/scatter.h"
#include "service/tensor/slice.h"

/* What rows are named of, for the checks and for what they say. Borrows all of it. */
struct sparse_target {
    const char *verb; /* "scatter_add to", "gather from" */
    const char *name; /* the variable's */
    const struct tensor_type *type;
};

/* Row numbers, each below row_count, in the order of the indices; the same one may come again. */
struct sparse {
    uint64_t width;     /* elements of a row */
    uint64_t row_count; /* rows there are */
    uint64_t count;     /* rows named */
    uint64_t *rows;     /* owned */
};

void sparse_drop(struct sparse *sparse);

/* --- types --------------------------------------------------------------------------------- */

/* scatter_*: indices int32 or int64 of any rank; updates of the variable's dtype and of shape
 * indices.shape + params.shape[1:], or one scalar for every index. */
ERR_MUST_CHECK enum err_code sparse_check_scatter(const struct sparse_target *target,
                                                  enum kernel_scatter op,
                                                  const struct tensor_type *indices,
                                                  const struct tensor_type *updates,
                                                  struct err *err);
/* scatter_nd_*: indices [..., K], K from 1 to 5 and at most the variable's rank; updates of shape
 * indices.shape[:-1] + params.shape[K:]. */
ERR_MUST_CHECK enum err_code sparse_check_scatter_nd(const struct sparse_target *target,
                                                     enum kernel_scatter op,
                                                     const struct tensor_type *indices,
                                                     const struct tensor_type *updates,
                                                     struct err *err);
/* gather: *out is the result's type. */
ERR_MUST_CHECK enum err_code sparse_check_gather(const struct sparse_target *target,
                                                 const struct tensor_type *indices,
                                                 struct tensor_type *out, struct err *err);
/* A sparse gradient, as optimizers take it: indices [n], gradient [n, ...]. */
ERR_MUST_CHECK enum err_code sparse_check_gradient(const struct sparse_target *target,
                                                   const struct tensor_type *indices,
                                                   const struct tensor_type *gradient,
                                                   struct err *err);
/* ERR_PAYLOAD_TOO_LARGE when indices of this shape, their row numbers and the order of these take
 * more than bytes_max (expression_max_bytes). */
ERR_MUST_CHECK enum err_code sparse_check_memory(const struct sparse_target *target,
                                                 const struct shape *indices, uint64_t bytes_max,
                                                 struct err *err);

/* ERR_PAYLOAD_TOO_LARGE when the rows, each as often as it is named, have more than elements_max
 * elements (expression_operations_max). */
ERR_MUST_CHECK enum err_code sparse_check_work(const struct sparse_target *target,
                                               const struct sparse *rows, uint64_t elements_max,
                                               struct err *err);

/* --- values; the types have been checked --------------------------------------------------- */

/* Of scatter and gather: "indices[1,0] = 5 is not in [0, 5)". Owned by the caller: sparse_drop. */
ERR_MUST_CHECK enum err_code sparse_read_rows(const struct sparse_target *target,
                                              const struct tensor_view *indices, struct sparse *out,
                                              struct err *err);
/* Of scatter_nd, in r1.0's words and in 1.15's: "Invalid indices: [0,0] = [-1] is not in [0, 6):
 * indices[0] = [-1] does not index into shape [6]". */
ERR_MUST_CHECK enum err_code sparse_read_nd(const struct sparse_target *target,
                                            const struct tensor_view *indices, struct sparse *out,
                                            struct err *err);
/* Of a gradient: "Index 5 at offset 1 in indices is out of range". */
ERR_MUST_CHECK enum err_code sparse_read_gradient(const struct sparse_target *target,
                                                  const struct tensor_view *indices,
                                                  struct sparse *out, struct err *err);
/* No integer is divided by zero: else "updates[1,0] = 0: integer division by zero". */
ERR_MUST_CHECK enum err_code sparse_check_divisors(const struct sparse_target *target,
                                                   enum kernel_scatter op,
                                                   const struct tensor_view *updates,
                                                   struct err *err);

/* --- order and duplicates ------------------------------------------------------------------ */

/* Positions in `rows` by ascending row, those of one row in their order: to go through a value
 * front to back, with the result of going in the order of the indices. *out owned: mem_free. */
ERR_MUST_CHECK enum err_code sparse_order(const struct sparse *sparse, uint64_t **out,
                                          struct err *err);
/* Calls `run` for each longest run of named rows that follow each other both among the rows there
 * are and among the positions; in the order of the positions, or in `order` (sparse_order's).
 * Source and result are counted in elements. */
ERR_MUST_CHECK enum err_code sparse_each_run(const struct sparse *sparse, const uint64_t *order,
                                             slice_run *run, void *context, struct err *err);
/* Each row once, in the order of first occurrence, with the sum of its values added up from zero in
 * their order and dtype (a number's): TensorFlow's unique and unsorted_segment_sum. In place: rows
 * and the rows of `values` (count * width elements) move to the front, count shrinks. */
ERR_MUST_CHECK enum err_code sparse_sum_duplicates(struct sparse *sparse, enum dtype dtype,
                                                   void *values, struct err *err);

#endif
