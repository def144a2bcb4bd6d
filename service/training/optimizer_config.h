/* The optimizers of a model: which one of the table, with which hyper-parameters, and how its slots
 * are called. What they do to values is told by a run (verbs/apply_gradients.c).
 *
 * Slots and powers are variables like any other: `<variable>/<suffix>`, then
 * `<variable>/<suffix>_1` … A second optimizer with the same suffix goes on counting, as TensorFlow
 * does. They are made by the first step that wants them, and stay when the optimizer is deleted:
 * one of the same name and type that is made then takes them up again. */
#ifndef SERVICE_TRAINING_OPTIMIZER_CONFIG_H
#define SERVICE_TRAINING_OPTIMIZER_CONFIG_H

#include "service/expr/expr.h"
#include "service/name.h"
#include "service/service.h"
#include "service/training/optimizer.h"

struct model_kind;
struct store_view;

enum {
    OPTIMIZER_CONFIGS_MAX = 1000,             /* of one model */
    OPTIMIZER_LEARNING_RATE_BYTES_MAX = 8192, /* of its expression, as recorded */
    OPTIMIZER_SUFFIX_BYTES_MAX = 200,
};

/* One optimizer of a model. Owned: optimizer_config_drop. */
struct optimizer_config {
    uint64_t id, revision;
    char name[NAME_BYTES_MAX + 1];
    const struct optimizer *optimizer;
    void *params;                   /* of optimizer->attrs; owned */
    bool *given;                    /* by row: stated by the client; owned */
    struct expr_tree learning_rate; /* as written: a literal, {"variable": …} or an op; owned */
    char suffix[OPTIMIZER_SUFFIX_BYTES_MAX + 1]; /* optimizer->tf_name, or the client's "name" */
    char global_step[NAME_BYTES_MAX + 1];        /* the variable; "" unless needs_global_step */
    uint32_t slot_base;                          /* the number of its first slot */
    uint32_t power_base;                         /* of its powers; 0: their plain names */
    uint64_t created_ms, updated_ms, created_revision;
};
void optimizer_config_drop(struct optimizer_config *config); /* a zeroed one is fine */

/* ERR_NOT_FOUND naming it. */
ERR_MUST_CHECK enum err_code optimizer_config_load(const struct store_view *view, uint64_t model_id,
                                                   const char *name, struct optimizer_config *out,
                                                   struct err *err);

/* The variable that holds slot `slot` (an index of optimizer->slots; wanted) of `variable`.
 * ERR_INVALID_ARGUMENT when that makes too long a name. */
ERR_MUST_CHECK enum err_code optimizer_config_slot_name(const struct optimizer_config *config,
                                                        const char *variable, uint32_t slot,
                                                        char out[static NAME_BYTES_MAX + 1],
                                                        struct err *err);
/* What follows the variable's name and a slash in it. */
void optimizer_config_slot_suffix(const struct optimizer_config *config, uint32_t slot,
                                  char out[static NAME_BYTES_MAX + 1]);
/* The variable that holds a power: "beta1_power", "beta1_power_1" … */
void optimizer_config_power_name(const struct optimizer_config *config, uint32_t power,
                                 char out[static NAME_BYTES_MAX + 1]);

/* --- changing ------------------------------------------------------------------------------ */

/* What a client states; everything borrowed from the caller. */
struct optimizer_spec {
    const struct optimizer *optimizer; /* NULL: the one that is there */
    const void *params;                /* of optimizer->attrs, over the defaults */
    const bool *given;                 /* by row */
    struct expr_tree *learning_rate;   /* NULL: the default, or as it is; inferred here */
    const char *suffix;                /* NULL: optimizer->tf_name, or as it is */
    const char *global_step;           /* NULL: none, or as it is */
};

/* Made (*created), or given new hyper-parameters: what is not stated is the default again. Another
 * type or suffix than it has is ERR_ALREADY_EXISTS. *out, zeroed: as it is then; it and *created
 * are complete inside the commit. */
ERR_MUST_CHECK enum err_code optimizer_create(struct service *service, const char *model,
                                              const char *name, const struct optimizer_spec *spec,
                                              const struct write_options *options, bool *created,
                                              struct optimizer_config *out, uint64_t *revision,
                                              struct err *err);
/* What is not stated stays. */
ERR_MUST_CHECK enum err_code optimizer_patch(struct service *service, const char *model,
                                             const char *name, const struct optimizer_spec *spec,
                                             const struct write_options *options,
                                             struct optimizer_config *out, uint64_t *revision,
                                             struct err *err);
ERR_MUST_CHECK enum err_code optimizer_delete(struct service *service, const char *model,
                                              const char *name, const struct write_options *options,
                                              uint64_t *revision, struct err *err);

/* --- looking ------------------------------------------------------------------------------- */

ERR_MUST_CHECK enum err_code optimizer_get(struct service *service, const char *model,
                                           const char *name, struct optimizer_config *out,
                                           struct err *err);
typedef enum err_code optimizer_visit(void *context, const struct optimizer_config *config,
                                      struct err *err);
/* In name order after `after` (NULL: from the first), at most count_max. `config` lives for the
 * call. */
ERR_MUST_CHECK enum err_code optimizer_list(struct service *service, const char *model,
                                            const char *after, size_t count_max,
                                            optimizer_visit *visit, void *context, bool *more,
                                            uint64_t *revision, struct err *err);

/* For service/: all of them, in a view. */
ERR_MUST_CHECK enum err_code optimizer_config_each(const struct store_view *view, uint64_t model_id,
                                                   optimizer_visit *visit, void *context,
                                                   struct err *err);
extern const struct model_kind optimizer_config_kind;

#endif
