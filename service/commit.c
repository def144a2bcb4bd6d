#include "service/commit.h"

#include "service/outcome_keep.h"
#include "service/state.h"
#include "store/base/clock.h"

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

static enum err_code
update(struct service *service, store_unit *unit, void *context,
       const struct write_options *options, struct store_stage *stage, uint64_t *revision,
       struct err *err)
{
    const struct store_update_options how = {.stage = stage,
                                             .durable = options != NULL && options->durable};
    uint64_t began_us = clock_monotonic_us();
    enum err_code code = store_update(service->store, unit, context, &how, revision, err);

    if (options != NULL && options->commit_us != NULL)
        *options->commit_us += clock_monotonic_us() - began_us;
    return code;
}

enum err_code
service_commit(struct service *service, store_unit *unit, void *context,
               const struct write_options *options, struct store_stage *stage, uint64_t *revision,
               struct err *err)
{
    struct write_outcome *outcome = options != NULL ? options->outcome : NULL;
    struct keeping_unit keeping = {
        .unit = unit, .context = context, .limits = &service->limits, .outcome = outcome};

    if (outcome == NULL)
        return update(service, unit, context, options, stage, revision, err);
    TRY(outcome->seal(outcome->context, outcome->fingerprint, err));
    TRY(update(service, keeping_unit, &keeping, options, stage, revision, err));
    outcome->kept = true;
    return OK;
}
