/* Variables: definition, listing, deletion, reading. Values change in variable_write.h,
 * initialize.h and checkpoint.h. */
#ifndef SERVICE_VARIABLE_VARIABLE_H
#define SERVICE_VARIABLE_VARIABLE_H

#include "service/device/device.h"
#include "service/expr/expr.h"
#include "service/placement/partition_devices.h"
#include "service/record/record.h"
#include "service/service.h"
#include "service/variable/tensor_set.h"

#define VARIABLE_COLLECTION_GLOBAL    "variables"
#define VARIABLE_COLLECTION_TRAINABLE "trainable_variables"
#define VARIABLE_NAME_DEFAULT         "Variable"
#define VARIABLE_NAME_PARTITIONED     "PartitionedVariable"

/* Devices that a request says of a new variable, outer to inner. */
struct variable_scopes {
    const struct device_scope *around; /* the variable */
    size_t count;
    const struct device_scope *caching; /* further inside: around its read alone */
    size_t caching_count;               /* 0: reads are kept nowhere */
};

/* What to create; everything borrowed from the caller. */
struct variable_spec {
    const char *name; /* NULL: Variable, Variable_1, …; PartitionedVariable when it is one */
    bool uniquify;    /* an existing name becomes name_1 …; else ERR_ALREADY_EXISTS */
    struct expr_tree
        *initial_value;        /* NULL: none, then dtype and shape say what it is; inferred here */
    enum dtype dtype;          /* DTYPE_UNSET: the initial value's */
    const struct shape *shape; /* NULL: the initial value's */
    bool trainable, validate_shape, row_updates;
    bool is_virtual;                /* needs an initial value that can be a recipe (recipe.h) */
    const char *const *collections; /* NULL: the default ones */
    size_t collection_count;
    struct variable_scopes scopes;   /* zeroed: nothing is said of devices */
    struct partition_spec partition; /* zeroed: not partitioned */
};

struct variable_spec variable_spec_default(void);
/* The limits expressions of this service are built and decoded under. */
struct expr_limits variable_expr_limits(const struct service_limits *limits);

/* Seeds a random op drew when the variable was last initialized. */
enum { VARIABLE_DRAW_PATH_BYTES = 64 };
struct variable_draw {
    char path[VARIABLE_DRAW_PATH_BYTES]; /* cut when the expression is deeper */
    uint64_t seed, seed2;
};
enum { VARIABLE_DRAWS_MAX = 64 };

/* One variable as it is shown. Large: keep off deep stacks. Owns initial_value: variable_info_drop.
 */
struct variable_info {
    char name[NAME_BYTES_MAX + 1];
    struct variable_record record; /* its refs are for service/ only */
    bool initialized;
    uint64_t size, bytes; /* elements; bytes of the value it has or would have (string: has) */
    bool has_initial_value;
    struct expr_tree initial_value;
    struct variable_draw draws[VARIABLE_DRAWS_MAX];
    size_t draw_count;
    struct partition_devices part_devices; /* owned */
    const struct device_set *devices;      /* of the process; borrowed from the service */
    bool allow_soft_placement;             /* the model's */
};

void variable_info_drop(struct variable_info *info);
/* The device of the process that the variable, or a part of it, is on by its recorded device; NULL:
 * there is none now. */
const struct device *variable_info_assigned(const struct variable_info *info, const char *device);

/* All or none. `out` has room for `count`; each is dropped by the caller when the call succeeded.
 */
ERR_MUST_CHECK enum err_code variable_create(struct service *service, const char *model,
                                             const struct variable_spec *specs, size_t count,
                                             const struct write_options *options,
                                             struct variable_info *out, uint64_t *revision,
                                             struct err *err);
ERR_MUST_CHECK enum err_code variable_get(struct service *service, const char *model,
                                          const char *name, struct variable_info *out,
                                          struct err *err);
/* dtype, shape (rank 0 while unknown) and revision only: cheap. */
ERR_MUST_CHECK enum err_code variable_type(struct service *service, const char *model,
                                           const char *name, struct tensor_type *type,
                                           uint64_t *revision, struct err *err);
ERR_MUST_CHECK enum err_code variable_delete(struct service *service, const char *model,
                                             const char *name, const struct write_options *options,
                                             uint64_t *revision, struct err *err);

/* What is to be another. */
struct variable_patch_spec {
    bool has_device, has_caching;
    struct variable_scopes scopes; /* with nothing around them, and apart from each other */
};
/* Slots and shadows that are kept for it go where it goes. Its parts are all on its device then.
 * *out: as it is afterwards; dropped by the caller when the call succeeded. */
ERR_MUST_CHECK enum err_code
variable_patch(struct service *service, const char *model, const char *name,
               const struct variable_patch_spec *spec, const struct write_options *options,
               struct variable_info *out, uint64_t *revision, struct err *err);

/* Each NULL/unset field lets everything pass. */
struct variable_filter {
    const char *prefix, *collection;
    const struct device_spec *device; /* what it specifies, of the variable or of a part of it */
    enum dtype dtype;                 /* DTYPE_UNSET: any */
    bool has_trainable, trainable, has_initialized, initialized;
};
typedef enum err_code variable_visit(void *context, const struct variable_info *info,
                                     struct err *err);
/* In name order after `after` (NULL: from the first), at most count_max. `info` lives for the call.
 */
ERR_MUST_CHECK enum err_code variable_list(struct service *service, const char *model,
                                           const struct variable_filter *filter, const char *after,
                                           size_t count_max, variable_visit *visit, void *context,
                                           bool *more, uint64_t *revision, struct err *err);
/* The model's last change: a list's identity. */
ERR_MUST_CHECK enum err_code variable_list_revision(struct service *service, const char *model,
                                                    uint64_t *revision, struct err *err);

/* The current value. `slice`: data NULL = whole; `cast_to`: DTYPE_UNSET = as it is. One entry.
 * `brief`: ERR_DEFER, with nothing done, when it would take long (TENSOR_SET_BRIEF_BYTES_MAX). */
ERR_MUST_CHECK enum err_code variable_read(struct service *service, const char *model,
                                           const char *name, struct bytes slice, enum dtype cast_to,
                                           bool brief, struct tensor_set *out, struct err *err);
/* The rows of the first dimension that `indices` (inferred and drawn here) name, as TensorFlow's
 * gather: of shape indices.shape + the variable's shape[1:]. Reads nothing else. One entry. */
ERR_MUST_CHECK enum err_code variable_gather(struct service *service, const char *model,
                                             const char *name, struct expr_tree *indices,
                                             enum dtype cast_to, struct tensor_set *out,
                                             struct err *err);
/* Several, of one revision: the names given (in that order; ERR_INVALID_ARGUMENT when one comes
 * twice), or all initialized ones that begin with prefix (NULL: any) when names is NULL. The set's
 * step is the value of the variable global_step at that revision, whether it is in the set or not,
 * if it is an int32 or int64 scalar. `outline`: as one (tensor_set.h), for whoever will want little
 * of it. */
ERR_MUST_CHECK enum err_code variable_read_some(struct service *service, const char *model,
                                                const char *const *names, size_t name_count,
                                                const char *prefix, bool outline,
                                                struct tensor_set *out, struct err *err);

#endif
