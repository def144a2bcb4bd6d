/* Private to service/: the names of models by their ids, for those that see records only. One
 * thread at a time. */
#ifndef SERVICE_MODEL_NAMES_H
#define SERVICE_MODEL_NAMES_H

#include "service/record/record.h"

struct model_name {
    uint64_t id; /* 0: this place is free; no id is */
    char name[NAME_MODEL_BYTES_MAX + 1];
};

/* Owns: model_names_drop. Zeroed: empty. */
struct model_names {
    struct model_name *places; /* by hash of the id, then on to the next free one */
    size_t count, capacity;    /* a power of two, at least twice the count */
};

void model_names_drop(struct model_names *names);
/* Ids are never given twice, so what is there stays right. */
ERR_MUST_CHECK enum err_code model_names_add(struct model_names *names, uint64_t id,
                                             struct bytes name, struct err *err);
/* Looks through the view's models for one that is not there. */
ERR_MUST_CHECK enum err_code model_names_get(struct model_names *names,
                                             const struct store_view *view, uint64_t id,
                                             const char **out, struct err *err);

#endif
