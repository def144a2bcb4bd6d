/* Private to service/: where variables go that come with their values and not by a request of their
 * own: those of a checkpoint, of a file. What is kept for another variable (model_follow.h) goes
 * where that one is, or goes; the others draw from the model's placement, in their order, as if the
 * kept ones did not come: the order of TensorFlow, where slots are made after what they are of.
 *
 * All in memory and ahead: whoever only asks finds what would be, and that there is no such device.
 */
#ifndef SERVICE_PLACEMENT_MODEL_NEWCOMERS_H
#define SERVICE_PLACEMENT_MODEL_NEWCOMERS_H

#include "service/placement/model_follow.h"
#include "service/placement/model_setter.h"

/* Where a variable is. In the arena. */
struct model_newcomer_home {
    const char *device;
    uint8_t placed;
    /* Of a partitioned variable, else NULL: what is kept for it is in the same parts. */
    const struct model_newcomer_parts *parts;
};

struct model_newcomer {
    const char *name; /* borrowed */
    struct tensor_type type;
    bool trained; /* it is said to be: then its name alone says nothing */
    /* Found out. */
    bool kept;                              /* for another variable: it is not trained */
    const struct model_newcomer_home *home; /* NULL: not placed */
};

/* Zeroed: none. Borrows all it has from the arena, and the model from the caller. */
struct model_newcomers {
    struct device_spec own; /* the request's, inside what the model says; or instead of it */
    bool hides;
    struct model_newcomer *each; /* in the order they came in */
    size_t count, capacity;
    const struct service *service;
    const struct store_view *view;
    const struct model_record *model;
    struct arena *arena;
    struct model_newcomer **by_name; /* of several of one name the one that came first */
    size_t name_count;
    struct model_newcomer_primary *primaries; /* by name likewise */
    struct model_setter setter;
    struct model_follow follow;
};

ERR_MUST_CHECK enum err_code model_newcomers_add(struct model_newcomers *newcomers,
                                                 struct arena *arena,
                                                 const struct model_newcomer *newcomer,
                                                 struct err *err);
/* Where each one goes, of a model that has none of them. `source`: of the model that they come
 * from, or the same. */
ERR_MUST_CHECK enum err_code model_newcomers_place(struct model_newcomers *newcomers,
                                                   const struct service *service,
                                                   const struct store_view *view,
                                                   const struct model_record *model,
                                                   uint64_t source, struct err *err);
/* Whether there are such devices, in the order they came in: as variable_check_device. */
ERR_MUST_CHECK enum err_code model_newcomers_check(const struct model_newcomers *newcomers,
                                                   struct err *err);
/* Sets type, device and parts, of one that is placed: of several of one name, of the first. */
ERR_MUST_CHECK enum err_code model_newcomer_settle(const struct model_newcomer *newcomer,
                                                   struct store_txn *txn,
                                                   struct variable_record *out, struct err *err);
/* Writes down what was drawn. */
ERR_MUST_CHECK enum err_code model_newcomers_put(const struct model_newcomers *newcomers,
                                                 struct store_txn *txn, struct err *err);

#endif
