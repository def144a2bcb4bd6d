/* A tensor that lies in parts: rectangles of it, none over another, together all of it.
 *
 * Of the whole, read in row-major order, the parts' elements come in their own row-major order. So
 * every part is read front to back, and all that has to be known is which part is next and for how
 * many elements. No bytes are held here, nor is it known where they lie. */
#ifndef API_FILE_TF_PARTS_H
#define API_FILE_TF_PARTS_H

#include "service/tensor/tensor.h"
#include "store/base/arena.h"

struct api_tf_part {
    uint64_t next;               /* place in the whole of its next run */
    uint64_t run;                /* elements that follow one another in both */
    uint32_t counted;            /* dimensions before those of a run */
    uint64_t *first, *dims, *at; /* by dimension; `at` of the next run */
};

/* In the arena. */
struct api_tf_parts {
    struct shape whole;
    uint64_t strides[SHAPE_RANK_MAX]; /* elements of the whole from one index to the next */
    uint64_t total, covered;          /* elements */
    struct api_tf_part *parts;
    size_t count, capacity;
    uint32_t *waiting; /* a heap of the parts that are not read to their end, the next one first */
    size_t waiting_count;
    uint64_t position, run_left;
};

/* Room for `capacity` parts of a tensor whose shape has passed shape_check. */
ERR_MUST_CHECK enum err_code api_tf_parts_begin(struct api_tf_parts *parts, struct arena *arena,
                                                const struct shape *whole, size_t capacity,
                                                struct err *err);
/* A part that begins at `first` and lies inside the whole. */
ERR_MUST_CHECK enum err_code api_tf_parts_add(struct api_tf_parts *parts, struct arena *arena,
                                              const uint64_t *first, const struct shape *shape,
                                              struct err *err);
/* All are there. ERR_INVALID_ARGUMENT when they have more or fewer elements than the whole. */
ERR_MUST_CHECK enum err_code api_tf_parts_start(struct api_tf_parts *parts, struct err *err);
/* The next elements: *count of part *part, at most `count_max` (at least 1). Not after the last.
 * ERR_INVALID_ARGUMENT where parts overlap or leave a hole. */
ERR_MUST_CHECK enum err_code api_tf_parts_next(struct api_tf_parts *parts, uint64_t count_max,
                                               size_t *part, uint64_t *count, struct err *err);
/* A part alone: its next run is api_tf_part.next and .run. False: that was the last one. */
bool api_tf_part_next_run(const struct api_tf_parts *parts, struct api_tf_part *part);

#endif
