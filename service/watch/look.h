/* A value to be looked at: that of a variable as it is, or of a tensor as a checkpoint has it, and
 * perhaps another one of the same name to compare it with, all of one moment. */
#ifndef SERVICE_WATCH_LOOK_H
#define SERVICE_WATCH_LOOK_H

#include "service/record/record.h"
#include "service/service.h"

struct look_value {
    struct tensor_type type;
    struct value_ref value;
    uint64_t revision; /* of the variable's last change, or of the checkpoint's making */
    uint64_t version;  /* of the variable's value; 0 of a checkpoint's */
    uint64_t variable_id, updated_ms; /* likewise */
};

struct look_spec {
    const char *model, *name;
    const char *checkpoint; /* NULL: the variable */
    bool compared;          /* with the tensor of checkpoint `against`; NULL: with the variable */
    const char *against;
};

/* Owned: look_drop. Holds a snapshot until look_settle: do not keep it long. */
struct look {
    struct service *service; /* borrowed */
    struct store_snapshot *snapshot;
    uint64_t model_id;
    struct look_value value, against; /* against: where it was asked for */
    bool has_step;                    /* the model counts its steps, or the checkpoint tells one */
    int64_t step;
};

/* ERR_NOT_FOUND; ERR_FAILED_PRECONDITION when a variable has no value; ERR_INVALID_ARGUMENT for a
 * name that nothing can have. */
ERR_MUST_CHECK enum err_code look_open(struct service *service, const struct look_spec *spec,
                                       struct look *out, struct err *err);
void look_settle(struct look *look); /* the snapshot ends */
void look_drop(struct look *look);

/* What the model counts its steps in, if it does: an integer scalar named global_step. */
ERR_MUST_CHECK enum err_code look_step(const struct store_view *view, uint64_t model_id, bool *has,
                                       int64_t *step, struct err *err);

#endif
