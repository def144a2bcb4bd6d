/* What the whole store takes: its files, and who in it has how much. */
#ifndef SERVICE_USAGE_USAGE_H
#define SERVICE_USAGE_USAGE_H

#include "service/name.h"
#include "service/service.h"
#include "store/store.h"

struct service_usage_model {
    char name[NAME_MODEL_BYTES_MAX + 1];
    uint64_t variables, initialized, variable_bytes;
    uint64_t checkpoints, checkpoint_bytes;
    /* With `stored` only: */
    uint64_t stored_bytes; /* for its variables and checkpoints, each piece once */
    uint64_t unique_bytes; /* of them: freed when the model is deleted */
    uint64_t common_bytes; /* of them: several of its checkpoints share them */
};

/* Owned: service_usage_drop. Zeroed: nothing. */
struct service_usage {
    uint64_t revision;
    struct store_stats store;
    struct service_usage_model *models; /* in name order */
    size_t model_count, model_capacity;
    struct service_usage_model total; /* stored: what models share is counted once */
    bool stored;
    struct service_usage_work *work;
};

/* The revision, and the files: cheap. */
ERR_MUST_CHECK enum err_code service_usage_open(struct service *service, struct service_usage *out,
                                                struct err *err);
/* The models, by their counters; `stored`: and every list of chunks is looked at, once: call it
 * from a worker then. */
ERR_MUST_CHECK enum err_code service_usage_run(struct service_usage *usage, bool stored,
                                               struct err *err);
void service_usage_drop(struct service_usage *usage);

#endif
