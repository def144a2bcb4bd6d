/* What was kept of variables' values. */
#include <inttypes.h>

#include "service/record/record_history.h"
#include "service/verify/verify_domain_parts.h"

struct history_check {
    uint64_t model_id, variable_id, snapshots, newest;
};

static enum err_code
visit_snapshot(struct domain_check *c, void *context, struct bytes key, struct bytes record,
               struct err *err)
{
    struct history_check *h = context;
    struct snapshot_record snapshot;

    h->snapshots++;
    h->newest = record_key_last_number(key);
    TRY(record_decode_snapshot(record, &snapshot, err));
    if (snapshot.version != h->newest)
        verify_domain_finding(c, "a snapshot of version %" PRIu64 " is kept as that of %" PRIu64,
                              snapshot.version, h->newest);
    return OK;
}

enum err_code
verify_domain_history(struct domain_check *c, uint64_t model_id,
                      const struct variable_record *variable, struct err *err)
{
    struct history_check h = {.model_id = model_id, .variable_id = variable->id};
    struct record_key prefix = record_key_snapshots(model_id, variable->id);
    struct history_record history = {.snapshots = 0};
    bool found = false;

    TRY(verify_domain_scan(c, &prefix, visit_snapshot, &h, err));
    TRY(record_get_history(c->view, model_id, variable->id, &found, &history, err));
    c->seen.histories += found;
    c->seen.snapshots += h.snapshots;
    if (h.snapshots != history.snapshots || h.newest != history.version)
        verify_domain_finding(c,
                              "a variable has %" PRIu64 " snapshots up to version %" PRIu64
                              ", its history says %" PRIu32 " up to %" PRIu64,
                              h.snapshots, h.newest, history.snapshots, history.version);
    if (h.newest > variable->version)
        verify_domain_finding(c, "a variable of version %" PRIu64 " has a snapshot of %" PRIu64,
                              variable->version, h.newest);
    return OK;
}
