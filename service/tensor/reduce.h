/* Reductions: many elements folded into fewer, fed front to back in pieces of any length, so that a
 * tensor need not be in memory.
 *
 * Folding is done in a wide type: float64 for every float type, complex128, int64, uint64 (bool is
 * 0 and 1). So sums and products of float16, bfloat16 and float32 are rounded once, at the end, and
 * those of integers wrap. The order of additions follows from shape and axes alone, never from the
 * pieces: results within the innermost reduced run go to KERNEL_REDUCE_LANES sums by place in the
 * run, which are then added pairwise. Minimum and maximum are NaN where an element is; argmin and
 * argmax pass NaN over, as Eigen's do. */
#ifndef SERVICE_TENSOR_REDUCE_H
#define SERVICE_TENSOR_REDUCE_H

#include "service/tensor/tensor.h"

enum kernel_reduce {
    KERNEL_REDUCE_SUM,
    KERNEL_REDUCE_PROD,
    KERNEL_REDUCE_MIN,
    KERNEL_REDUCE_MAX,
    KERNEL_REDUCE_COUNT
};
/* What is folded: the element, or its absolute value or square (of complex ones |z|^2): floats and
 * complex only. */
enum kernel_reduce_map { KERNEL_REDUCE_PLAIN, KERNEL_REDUCE_ABS, KERNEL_REDUCE_SQUARE };

enum { KERNEL_REDUCE_LANES = 8, KERNEL_REDUCE_CHUNK = 1024, KERNEL_REDUCE_WIDE_BYTES_MAX = 16 };

/* Neighbouring dimensions of one kind, taken together. */
struct kernel_reduce_group {
    uint64_t count;
    uint64_t stride; /* in results; 0: reduced */
};

/* Owns its results and a chunk: kernel_reduction_drop. */
struct kernel_reduction {
    enum kernel_reduce kind;
    enum kernel_reduce_map map;
    enum dtype dtype, wide;
    uint32_t group_count; /* at least 1; the innermost first */
    struct kernel_reduce_group groups[SHAPE_RANK_MAX];
    uint64_t at[SHAPE_RANK_MAX]; /* place of the next element, by group */
    uint64_t result;             /* of that place */
    uint64_t result_count;
    _Alignas(KERNEL_REDUCE_WIDE_BYTES_MAX)
        uint8_t lanes[KERNEL_REDUCE_LANES * KERNEL_REDUCE_WIDE_BYTES_MAX];
    _Alignas(KERNEL_REDUCE_WIDE_BYTES_MAX) uint8_t start[KERNEL_REDUCE_WIDE_BYTES_MAX];
    uint8_t *results; /* of dtype wide */
    uint8_t *chunk;   /* KERNEL_REDUCE_CHUNK elements of dtype wide */
};

/* The type that elements are folded in. */
enum dtype kernel_reduce_wide(enum dtype dtype, enum kernel_reduce_map map);
/* Bit i of `axes`: dimension i is reduced. MIN and MAX are not for complex ones. Without elements
 * the results are 0, 1, the type's greatest and its lowest (infinities of floats). */
ERR_MUST_CHECK enum err_code kernel_reduction_init(struct kernel_reduction *out,
                                                   enum kernel_reduce kind,
                                                   enum kernel_reduce_map map,
                                                   const struct tensor_type *type, uint32_t axes,
                                                   struct err *err);
/* Bytes it allocates. */
uint64_t kernel_reduction_bytes(const struct tensor_type *type, uint32_t axes,
                                enum kernel_reduce_map map);
/* The next `count` elements, at any alignment; altogether no more than the shape has. */
void kernel_reduction_feed(struct kernel_reduction *r, const void *elements, uint64_t count);
/* The results, row-major, as `dtype`; r->results stays as it is. */
void kernel_reduction_finish(const struct kernel_reduction *r, enum dtype dtype, void *out);
void kernel_reduction_drop(struct kernel_reduction *r);

/* The twin: the whole tensor at once, one element at a time. `out` holds the results in the wide
 * type. */
void kernel_reduce_plain(enum kernel_reduce kind, enum kernel_reduce_map map,
                         const struct tensor_type *type, uint32_t axes, const void *elements,
                         void *out);

/* Place of the greatest (or least) element along one dimension, the first of equal ones; 0 where
 * all are NaN. Reals only. Owns `best`: kernel_argminmax_drop. */
struct kernel_argminmax {
    enum dtype dtype, wide;
    bool least;
    uint64_t axis, inner;  /* sizes: of the dimension, of all behind it */
    uint64_t row, column;  /* the next element's place in them */
    int64_t *out;          /* borrowed: results of the elements that come next */
    uint8_t *best, *chunk; /* dtype wide: `inner` and KERNEL_REDUCE_CHUNK of them */
};
/* `out`: a result for every element of the shape without dimension `axis`, which is not empty. */
ERR_MUST_CHECK enum err_code kernel_argminmax_init(struct kernel_argminmax *arg, bool least,
                                                   const struct tensor_type *type, uint32_t axis,
                                                   int64_t *out, struct err *err);
uint64_t kernel_argminmax_bytes(const struct tensor_type *type, uint32_t axis);
void kernel_argminmax_feed(struct kernel_argminmax *arg, const void *elements, uint64_t count);
void kernel_argminmax_drop(struct kernel_argminmax *arg);
void kernel_argminmax_plain(bool least, const struct tensor_type *type, uint32_t axis,
                            const void *elements, int64_t *out);

#endif
