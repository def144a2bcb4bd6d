/* How a checkpoint differs from another one, or from the variables as they are.
 *
 * What both sides keep as one is the same and is not read: values, chunks, and gaps that are made
 * alike. Chunks whose checksums differ have changed; all others are compared byte by byte. Nothing
 * is held but a lease while that goes on, so writers do not wait.
 *
 * Tensors are told by name. Of the variables those take part that have a value and are in the
 * collection of what is saved by default, or that the checkpoint names. */
#ifndef SERVICE_SAVING_CHECKPOINT_DIFF_H
#define SERVICE_SAVING_CHECKPOINT_DIFF_H

#include "service/saving/checkpoint.h"
#include "service/tensor/difference.h"

enum checkpoint_measures {
    CHECKPOINT_MEASURE_NONE,       /* what has changed; where checksums tell, nothing is read */
    CHECKPOINT_MEASURE_DIFFERENCE, /* and by how much: what is not shared is read */
    CHECKPOINT_MEASURE_ALL,        /* and in relation to all of it: what is shared is read once */
};

/* As seen from what it is compared with. */
enum checkpoint_tensor_status {
    CHECKPOINT_TENSOR_SAME,
    CHECKPOINT_TENSOR_CHANGED,
    CHECKPOINT_TENSOR_ADDED,   /* the checkpoint has it, the other side has not */
    CHECKPOINT_TENSOR_REMOVED, /* the other way round */
    CHECKPOINT_TENSOR_STATUSES
};

/* Texts borrow from the caller and are not needed after checkpoint_diff_open. */
struct checkpoint_diff_spec {
    const char *name;
    const char *against;       /* another checkpoint; NULL: the variables */
    const char *against_model; /* the other side's; NULL: the same */
    const char *tensor;        /* this one alone; NULL: all, or … */
    const char *prefix;        /* … those whose names begin with it */
    enum checkpoint_measures measures;
};

struct checkpoint_tensor_diff {
    struct bytes name; /* borrows from the diff */
    enum checkpoint_tensor_status status;
    struct tensor_type type, against_type; /* of each side that has it */
    uint64_t size, against_size;           /* bytes */
    bool alike;                            /* both sides have it, with one dtype and one shape */
    bool counted;  /* has changed, alike, and changed elements were counted */
    bool measured; /* and `sums` are its differences: a are the checkpoint's elements */
    bool related;  /* of all of it; else of what is not shared: never without
                      CHECKPOINT_MEASURE_ALL, nor where too much would have to be made */
    struct kernel_difference sums;
    uint64_t changed_bytes;  /* of the changed elements */
    uint64_t unshared_bytes; /* of the checkpoint's, kept apart from the other side's */
    uint64_t compared_bytes; /* read on both sides */
    uint64_t norm_bytes;     /* shared, and read once for the sums */
};

struct checkpoint_diff_totals {
    uint64_t tensors[CHECKPOINT_TENSOR_STATUSES];
    bool measured; /* all that has changed, if anything */
    struct kernel_difference sums;
    uint64_t changed_bytes, unshared_bytes; /* of tensors that have changed */
    uint64_t compared_bytes, norm_bytes;
};

/* Owned: checkpoint_diff_drop. Zeroed: nothing. */
struct checkpoint_diff {
    uint64_t revision;         /* of the checkpoint, */
    uint64_t against_revision; /* and of the other side: of its checkpoint, or of its model */
    enum checkpoint_measures measures;
    struct checkpoint_tensor_diff *tensors; /* in the order of their names' bytes */
    size_t tensor_count, tensor_capacity;
    struct checkpoint_diff_totals totals;
    struct checkpoint_diff_work *work;
};

/* Finds both sides and tells their revisions, which with the spec say all that the diff will be.
 * ERR_NOT_FOUND, ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code checkpoint_diff_open(struct service *service, const char *model,
                                                  const struct checkpoint_diff_spec *spec,
                                                  struct checkpoint_diff *out, struct err *err);
/* Compares, once. Takes as long as reading what differs; call it from a worker. ERR_NOT_FOUND when
 * neither side has the tensor asked for; ERR_PAYLOAD_TOO_LARGE when more of virtual values than
 * expression_bytes_max would have to be made. */
ERR_MUST_CHECK enum err_code checkpoint_diff_run(struct checkpoint_diff *diff, struct err *err);
void checkpoint_diff_drop(struct checkpoint_diff *diff);

/* Of all elements of a tensor, or of all tensors together. The root of the squares' sum. */
double checkpoint_diff_l2(const struct kernel_difference *sums);
/* That in relation to the other side's; 0 where nothing differs, infinite against nothing. */
double checkpoint_diff_relative_l2(const struct kernel_difference *sums);
/* Of the angle between both, within [-1, 1]; false where one has no direction. */
bool checkpoint_diff_cosine(const struct kernel_difference *sums, double *out);

#endif
