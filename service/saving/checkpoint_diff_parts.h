/* Private to the comparison of checkpoints: what one look at both sides leaves to be compared when
 * the snapshot is gone. */
#ifndef SERVICE_SAVING_CHECKPOINT_DIFF_PARTS_H
#define SERVICE_SAVING_CHECKPOINT_DIFF_PARTS_H

#include "service/saving/checkpoint_diff.h"
#include "service/state.h"
#include "store/base/arena.h"
#include "store/value_head.h"

/* Two runs of one tensor's bytes. NULL: a gap, to be made. */
struct diff_part {
    const uint8_t *a, *b; /* under the lease */
    uint64_t offset;      /* of their first byte in the value */
    uint32_t size;        /* bytes */
    uint32_t pair;
};

struct diff_parts {
    struct diff_part *list; /* owned */
    size_t count, capacity;
};

/* A run of a string tensor. */
struct diff_run {
    const uint8_t *data; /* NULL: a gap */
    uint64_t offset, size;
};

struct diff_runs {
    struct diff_run *list; /* owned */
    size_t count, capacity;
};

/* What of a tensor is to be compared. */
struct diff_pair {
    size_t tensor;                            /* its place in the diff */
    const struct value_head *a_head, *b_head; /* what gaps are made of; NULL: there are none */
    size_t run_first, a_runs, b_runs;         /* of a string tensor: both sides' runs */
    bool strings;
};

struct checkpoint_diff_work {
    struct service *service; /* borrowed */
    struct store_snapshot *snapshot;
    struct store_lease *lease;
    uint64_t checkpoint_id;
    uint64_t against_id; /* of the checkpoint, or of the model whose variables they are */
    bool against_variables;
    const char *tensor, *prefix, *checkpoint; /* in the arena; NULL as in the spec */
    struct arena arena;
    struct diff_pair *pairs; /* owned */
    size_t pair_count, pair_capacity;
    struct diff_parts parts;  /* to be compared */
    struct diff_parts shared; /* a is b: read for the sums of tensors that have changed */
    struct diff_runs runs;
    uint8_t *small;      /* two small values; owned */
    uint64_t made_bytes; /* by recipes, of what was noted */
};

/* One value of each side. */
struct diff_values {
    const struct value_ref *a, *b;
};

/* While the snapshot is open: tensor number `index`, which both sides have. What is small is
 * compared at once; of the rest parts are noted. */
ERR_MUST_CHECK enum err_code checkpoint_diff_pair(struct checkpoint_diff *diff, size_t index,
                                                  struct diff_values values, struct err *err);
/* When it is gone: everything noted, on all threads. */
ERR_MUST_CHECK enum err_code checkpoint_diff_compare(struct checkpoint_diff *diff, struct err *err);
/* One string tensor, element by element. */
ERR_MUST_CHECK enum err_code checkpoint_diff_strings(const struct checkpoint_diff *diff,
                                                     const struct diff_pair *pair,
                                                     struct checkpoint_tensor_diff *tensor,
                                                     struct err *err);
/* The sums of a run of elements of this type; of what is no number the count of changes alone. */
void checkpoint_diff_elements(enum dtype dtype, enum checkpoint_measures measures, const uint8_t *a,
                              const uint8_t *b, uint64_t size, struct kernel_difference *out);

#endif
