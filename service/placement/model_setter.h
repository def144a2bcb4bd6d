/* Private to service/: where new variables of a model go. Its device is the outermost scope, its
 * placement the next one inside (service/device/setter.h), then comes what the request says.
 *
 * Opened for a unit, or for a draft; what was drawn is put beside what was made, in the same commit
 * or in none. The record of what is drawn is read when the first task is wanted: who places nothing
 * pays nothing. */
#ifndef SERVICE_PLACEMENT_MODEL_SETTER_H
#define SERVICE_PLACEMENT_MODEL_SETTER_H

#include "service/record/record.h"
#include "service/service.h"

/* The op of every variable. */
#define MODEL_SETTER_OP "VariableV2"

struct model_setter {
    const struct store_view *view;       /* borrowed, with the model */
    const struct model_devices *devices; /* borrowed */
    uint64_t model_id;
    uint32_t tasks; /* to draw from; 0: nothing is placed */
    struct device_spec scope;
    bool loaded, changed;
    struct device_setter_state state; /* when loaded */
};

/* Tasks are those of the cluster that the service has, unless the placement says how many. */
ERR_MUST_CHECK enum err_code model_setter_tasks(const struct service *service,
                                                const struct device_setter_args *args,
                                                uint32_t *out, struct err *err);
ERR_MUST_CHECK enum err_code model_setter_open(struct model_setter *setter,
                                               const struct service *service,
                                               const struct store_view *view,
                                               const struct model_record *model, struct err *err);
/* The state is known already: nothing is read. */
void model_setter_begin(struct model_setter *setter, const struct device_setter_state *state);

/* The scopes of a request, outer to inner, as what follows takes them. */
ERR_MUST_CHECK enum err_code model_setter_scopes(const struct device_scope *scopes, size_t count,
                                                 struct device_spec *own, bool *hides,
                                                 struct err *err);

/* What is to be placed. */
struct model_setter_op {
    const char *type;
    const struct device_spec *own; /* of the scopes of the request, merged */
    bool hides;                    /* one of them hides the model's */
    const struct tensor_type *tensor;
    bool shape_known;
};
/* One op. *placed: RECORD_PLACED_*, of what came from the model. */
ERR_MUST_CHECK enum err_code model_setter_choose(struct model_setter *setter,
                                                 const struct model_setter_op *op,
                                                 struct device_spec *out, uint8_t *placed,
                                                 struct err *err);

/* Where a variable and its parts go. Owned: variable_places_drop. */
struct variable_places {
    /* Of a partitioned one, what its parts have in common. */
    char device[RECORD_DEVICE_BYTES_MAX + 1];
    uint8_t placed;
    uint32_t part_count; /* 0: all parts are on `device` */
    const char **parts;  /* in their order */
    struct buf texts;    /* of the parts */
};
void variable_places_drop(struct variable_places *places);

/* A variable of this form, each part of a partitioned one by itself, in their order. */
ERR_MUST_CHECK enum err_code model_setter_place(struct model_setter *setter,
                                                const struct variable_form *form,
                                                const struct device_spec *own, bool hides,
                                                struct variable_places *out, struct err *err);
/* The same into a record that names no parts' devices yet. */
ERR_MUST_CHECK enum err_code model_setter_place_record(struct model_setter *setter,
                                                       struct store_txn *txn,
                                                       const struct device_spec *own, bool hides,
                                                       struct variable_record *record,
                                                       struct err *err);
/* Writes down what was drawn, if anything was. */
ERR_MUST_CHECK enum err_code model_setter_put(const struct model_setter *setter,
                                              struct store_txn *txn, struct err *err);

/* Of a device as it is recorded, what the variable's own request said: without what is `placed`.
 * ERR_INVALID_ARGUMENT when an earlier version let something in that is none. */
ERR_MUST_CHECK enum err_code model_setter_own(const char *device, uint8_t placed,
                                              struct device_spec *out, struct err *err);

#endif
