/* Private to service/: kinds of things that a model keeps by name (optimizers, moving averages,
 * accumulators, savers), and what is done with all of them alike. */
#ifndef SERVICE_MODEL_KIND_H
#define SERVICE_MODEL_KIND_H

#include "service/record/record.h"
#include "service/service.h"

struct model_kind {
    const char *noun;   /* "optimizer" */
    const char *plural; /* for messages: "optimizers" */
    uint32_t count_max; /* of one model */
    struct record_key (*key)(uint64_t model_id, const char *name);
};

/* `name` and `record` live for the call. */
typedef enum err_code model_kind_visit(void *context, const char *name, struct bytes record,
                                       struct err *err);

/* In name order after `after` (NULL: from the first), at most count_max. *more: there are others.
 */
ERR_MUST_CHECK enum err_code model_kind_each(const struct store_view *view, uint64_t model_id,
                                             const struct model_kind *kind, const char *after,
                                             size_t count_max, model_kind_visit *visit,
                                             void *context, bool *more, struct err *err);
/* The same for a client, of the newest state; *revision: the model's. ERR_INVALID_ARGUMENT when
 * `after` is longer than any name, ERR_NOT_FOUND of the model. */
ERR_MUST_CHECK enum err_code model_kind_page(struct service *service, const char *model,
                                             const struct model_kind *kind, const char *after,
                                             size_t count_max, model_kind_visit *visit,
                                             void *context, bool *more, uint64_t *revision,
                                             struct err *err);
/* ERR_INVALID_ARGUMENT when `after`, a client's, is longer than any name. */
ERR_MUST_CHECK enum err_code model_kind_check_after(const char *after, struct err *err);
/* ERR_FAILED_PRECONDITION when the model has as many as it may have. */
ERR_MUST_CHECK enum err_code model_kind_check_count(const struct store_view *view,
                                                    uint64_t model_id,
                                                    const struct model_kind *kind, struct err *err);

/* Inside a unit: ERR_NOT_FOUND, ERR_PRECONDITION_FAILED, or all that goes with the thing is gone
 * but its own record. */
typedef enum err_code model_kind_remove(struct store_txn *txn, uint64_t model_id, const char *name,
                                        const struct write_options *options, struct err *err);
/* Deletes one, in a commit. */
ERR_MUST_CHECK enum err_code model_kind_delete(struct service *service, const char *model,
                                               const struct model_kind *kind, const char *name,
                                               model_kind_remove *remove,
                                               const struct write_options *options,
                                               uint64_t *revision, struct err *err);

#endif
