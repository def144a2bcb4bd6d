/* Exponential moving averages of a model's variables: TensorFlow's ExponentialMovingAverage as a
 * thing of the model. Which variables it averages, and which tensors, is its set; the average of
 * each is kept in a shadow, a variable like any other: `<variable>/<suffix>`. Shadows are made by
 * the run that enters a variable into the set (verbs/moving_averages.c), and stay when the average
 * is deleted. */
#ifndef SERVICE_TRAINING_AVERAGE_H
#define SERVICE_TRAINING_AVERAGE_H

#include "service/expr/expr.h"
#include "service/name.h"
#include "service/service.h"

struct draft;
struct model_kind;
struct model_record;
struct store_txn;
struct store_view;

#define AVERAGE_SUFFIX_DEFAULT      "ExponentialMovingAverage"
#define AVERAGE_COLLECTION_AVERAGED "moving_average_variables"

enum {
    AVERAGES_MAX = 1000,                 /* of one model */
    AVERAGE_EXPRESSION_BYTES_MAX = 8192, /* of num_updates, or of a tensor, as recorded */
    AVERAGE_SUFFIX_BYTES_MAX = 200,
};

/* One of a model. Owned: average_config_drop. */
struct average_config {
    uint64_t id, revision;
    char name[NAME_BYTES_MAX + 1];
    double decay;
    bool has_num_updates, zero_debias;
    struct expr_tree num_updates;              /* as written; owned; with has_num_updates */
    char suffix[AVERAGE_SUFFIX_BYTES_MAX + 1]; /* TensorFlow's name of it */
    uint64_t created_ms, updated_ms, created_revision;
};
void average_config_drop(struct average_config *config); /* a zeroed one is fine */

/* Something it averages: a variable, or the value of an expression. Owned: average_member_drop. */
struct average_member {
    char name[NAME_BYTES_MAX + 1];
    bool is_tensor;
    struct expr_tree value; /* as written; owned; of a tensor */
};
void average_member_drop(struct average_member *member);

/* ERR_NOT_FOUND naming it. */
ERR_MUST_CHECK enum err_code average_config_load(const struct store_view *view, uint64_t model_id,
                                                 const char *name, struct average_config *out,
                                                 struct err *err);
/* ERR_INVALID_ARGUMENT when the shadow would have too long a name. */
ERR_MUST_CHECK enum err_code average_shadow_name(const struct average_config *config,
                                                 const char *variable,
                                                 char out[static NAME_BYTES_MAX + 1],
                                                 struct err *err);

/* --- changing ------------------------------------------------------------------------------ */

/* What a client states; everything borrowed. */
struct average_spec {
    double decay;
    struct expr_tree *num_updates; /* NULL: none; inferred here */
    bool zero_debias;
    const char *suffix; /* NULL: the default, or as it is */
};

/* Made (*created), or given another decay, num_updates and zero_debias. Another suffix than it has
 * is ERR_ALREADY_EXISTS. *out, zeroed: as it is then; it and *created are complete inside the
 * commit. */
ERR_MUST_CHECK enum err_code average_create(struct service *service, const char *model,
                                            const char *name, const struct average_spec *spec,
                                            const struct write_options *options, bool *created,
                                            struct average_config *out, uint64_t *revision,
                                            struct err *err);
/* And its set. */
ERR_MUST_CHECK enum err_code average_delete(struct service *service, const char *model,
                                            const char *name, const struct write_options *options,
                                            uint64_t *revision, struct err *err);

/* --- looking ------------------------------------------------------------------------------- */

typedef enum err_code average_visit(void *context, const struct average_config *config,
                                    struct err *err);
/* In name order after `after` (NULL: from the first), at most count_max. */
ERR_MUST_CHECK enum err_code average_list(struct service *service, const char *model,
                                          const char *after, size_t count_max, average_visit *visit,
                                          void *context, bool *more, uint64_t *revision,
                                          struct err *err);

/* What is told of one, all of one state. */
struct average_looks {
    void *context;
    /* Each of its set, in name order, with its shadow. */
    enum err_code (*member)(void *context, const struct average_member *member, const char *shadow,
                            struct err *err);
    /* What a saver restores, each once: `variable` from the tensor `tensor`. */
    enum err_code (*restore)(void *context, const char *tensor, const char *variable,
                             struct err *err);
    /* Restored from their shadows: these; NULL: trainable and averaged variables. */
    const char *const *averaged;
    size_t averaged_count;
};
/* *model_revision: the model's last change. */
ERR_MUST_CHECK enum err_code average_get(struct service *service, const char *model,
                                         const char *name, const struct average_looks *looks,
                                         struct average_config *out, uint64_t *model_revision,
                                         struct err *err);

/* --- for service/ -------------------------------------------------------------------------- */

extern const struct model_kind average_kind;

typedef enum err_code average_visit_member(void *context, const struct average_member *member,
                                           struct err *err);
/* The set, in name order. */
ERR_MUST_CHECK enum err_code average_each_member(const struct store_view *view, uint64_t average_id,
                                                 average_visit_member *visit, void *context,
                                                 struct err *err);
/* Inside a unit: its set. Not its own record. */
ERR_MUST_CHECK enum err_code average_release(struct store_txn *txn, uint64_t average_id,
                                             struct err *err);

#endif
