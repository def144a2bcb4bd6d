/* Numbers for operators: since the start, and at the moment. */
#ifndef SERVICE_USAGE_COUNTERS_H
#define SERVICE_USAGE_COUNTERS_H

#include "service/service.h"
#include "service/training/optimizer.h"
#include "store/store.h"

struct service_counters {
    uint64_t steps[OPTIMIZER_COUNT]; /* taken by optimizers of each type, in the table's order */
    uint64_t models;                 /* looked at */
    uint64_t logical_bytes;          /* of their variables and checkpoints, each for itself */
    bool complete;                   /* all models were */
    uint64_t snapshots;              /* of variables, kept as their history */
    struct store_stats store;
};

/* Looks at `models_max` models and no more: all else costs the same however much there is. */
ERR_MUST_CHECK enum err_code service_counters_read(struct service *service, uint64_t models_max,
                                                   struct service_counters *out, struct err *err);

#endif
