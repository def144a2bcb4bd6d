#include "service/commit.h"

#include "service/outcome_keep.h"
#include "service/state.h"

struct keeping_unit {
    store_unit *unit;
    void *context;
    const struct service_limits *limits;
    const struct write_outcome *outcome;
};

/* The unit, and what its client is told: both or neither. */
static enum err_code
keeping_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct keeping_unit *u = context;

    TRY(u->unit(txn, u->context, err));
    return outcome_keep(txn, u->limits, u->outcome, err);
}

enum err_code
service_commit(struct service *service, store_unit *unit, void *context,
               const struct write_options *options, struct store_stage *stage, uint64_t *revision,
               struct err *err)
{
    const struct store_update_options how = {.stage = stage,
                                             .durable = options != NULL && options->durable};
    struct write_outcome *outcome = options != NULL ? options->outcome : NULL;
    struct keeping_unit keeping = {
        .unit = unit, .context = context, .limits = &service->limits, .outcome = outcome};

    if (outcome == NULL)
        return store_update(service->store, unit, context, &how, revision, err);
    TRY(outcome->seal(outcome->context, outcome->fingerprint, err));
    TRY(store_update(service->store, keeping_unit, &keeping, &how, revision, err));
    outcome->kept = true;
    return OK;
}
