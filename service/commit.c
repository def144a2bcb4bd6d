#include "service/commit.h"

#include "service/run/outcome_keep.h"
#include "service/state.h"
#include "service/watch/change.h"
#include "service/watch/change_log.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

struct whole_unit {
    struct service *service;
    store_unit *unit;
    void *context;
    const struct write_options *options; /* may be NULL */
    uint64_t changes;
    struct task_tally *tally;
};

/* The unit, what its client is told, and what is told of it to others: all or none. */
static enum err_code
whole_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct whole_unit *u = context;
    struct change_log *log = &u->service->changes;
    const struct service_limits *limits = &u->service->limits;

    task_begin(&u->service->tasks);
    change_log_begin(log);
    TRY(u->unit(txn, u->context, err));
    if (u->options != NULL && u->options->outcome != NULL)
        TRY(outcome_keep(txn, limits, u->options->outcome, err));
    TRY(change_log_write(log, txn, limits, u->options == NULL ? NULL : u->options->op, &u->changes,
                         err));
    return task_take(&u->service->tasks, u->tally, err);
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
    AUTO(task_tally) tally = {0};
    struct whole_unit whole = {
        .service = service, .unit = unit, .context = context, .options = options, .tally = &tally};

    if (outcome != NULL)
        TRY(outcome->seal(outcome->context, outcome->fingerprint, err));
    TRY(update(service, whole_unit, &whole, options, stage, revision, err));
    if (outcome != NULL)
        outcome->kept = true;
    if (whole.changes > 0) {
        task_count(&service->tasks, &tally);
        service_wake_up(service, SERVICE_TOPIC_CHANGES);
    }
    return OK;
}
