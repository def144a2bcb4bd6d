/* Models: namespaces of variables and checkpoints, with a graph-level seed. */
#ifndef SERVICE_MODEL_H
#define SERVICE_MODEL_H

#include "service/record/record.h"
#include "service/service.h"

/* Labels borrow from the caller. */
struct model_spec {
    bool has_seed;
    int64_t seed;
    bool has_labels; /* false: none on creation, unchanged on confirmation */
    const struct record_label *labels;
    size_t label_count;
    bool has_profile, has_seed_mode; /* false: the default on creation, any on confirmation */
    enum random_profile profile;
    enum model_seed_mode seed_mode;
    bool has_quota_bytes, has_quota_variables; /* false: the service's limits on creation, unchanged
                                                  otherwise */
    struct model_quota quota;
    /* Where its variables go; false: nothing on creation, any on confirmation, unchanged otherwise.
     */
    bool has_device, has_soft_placement, has_placement;
    const char *device; /* canonical; "": none */
    bool allow_soft_placement;
    const struct device_setter_args *placement; /* NULL: none */
};

/* What the setter of a model has drawn, and of how many tasks it draws now. */
struct model_drawn {
    uint32_t tasks;
    struct device_setter_state state;
};

/* Plain data; copied by value. Large: keep off deep stacks. Label texts lie in `labels_text`, name
 * and value NUL-terminated each. */
struct model_info {
    char name[NAME_MODEL_BYTES_MAX + 1];
    bool has_seed;
    int64_t seed;
    enum random_profile profile;
    enum model_seed_mode seed_mode;
    uint64_t created_ms, created_revision, revision;
    uint64_t variables, initialized, bytes, checkpoints, checkpoint_bytes;
    struct model_quota quota;
    struct model_devices devices;
    struct model_drawn drawn; /* when it has a placement */
    size_t label_count;
    char labels_text[4096];
};

/* "name", "tf". */
const char *model_seed_mode_name(enum model_seed_mode mode);

/* Create, or confirm that it exists with the same seed, profile, seed mode, device, soft placement
 * and placement (ERR_ALREADY_EXISTS when with another). */
ERR_MUST_CHECK enum err_code model_create(struct service *service, const char *model,
                                          const struct model_spec *spec,
                                          const struct write_options *options, bool *created,
                                          struct model_info *out, uint64_t *revision,
                                          struct err *err);
/* Replaces the labels, and sets quotas: what is over them already stays. Likewise devices, which
 * are for variables that are made from then on; another placement begins with nothing drawn. */
ERR_MUST_CHECK enum err_code model_patch(struct service *service, const char *model,
                                         const struct model_spec *spec,
                                         const struct write_options *options,
                                         struct model_info *out, uint64_t *revision,
                                         struct err *err);
ERR_MUST_CHECK enum err_code model_get(struct service *service, const char *model,
                                       struct model_info *out, struct err *err);
/* Everything in it too. */
ERR_MUST_CHECK enum err_code model_delete(struct service *service, const char *model,
                                          const struct write_options *options, uint64_t *revision,
                                          struct err *err);

/* Bytes stored for the model's variables and checkpoints, what they share counted once. Walks all
 * its lists. */
ERR_MUST_CHECK enum err_code model_unique_bytes(struct service *service, const char *model,
                                                uint64_t *out, struct err *err);

typedef enum err_code model_visit(void *context, const struct model_info *info, struct err *err);
typedef bool model_choice(void *context, const char *name);
/* In name order, beginning after `after` (NULL: from the first), at most count_max of those that
 * are `wanted` (NULL: all); *more: there are others of them. *revision: of the state listed. */
ERR_MUST_CHECK enum err_code model_list(struct service *service, const char *after,
                                        size_t count_max, model_choice *wanted, model_visit *visit,
                                        void *context, bool *more, uint64_t *revision,
                                        struct err *err);

#endif
