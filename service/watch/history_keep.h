/* Private to service/: snapshots that were taken become records. */
#ifndef SERVICE_WATCH_HISTORY_KEEP_H
#define SERVICE_WATCH_HISTORY_KEEP_H

#include "service/watch/history.h"

struct history_candidate {
    char model[NAME_BYTES_MAX + 1], name[NAME_BYTES_MAX + 1];
    uint64_t model_id, variable_id;
    uint32_t snapshots_max; /* of this variable, with the new one */
    bool taken;             /* the snapshot is there */
    struct snapshot_record snapshot;
};

enum { HISTORY_BATCH = 16 };

struct history_batch {
    uint64_t now_ms;
    size_t count;
    struct history_candidate candidates[HISTORY_BATCH];
    /* What the commit has come to. */
    int64_t snapshots, histories;
};

/* One quiet commit. Of a variable that is gone meanwhile, or another one, nothing is kept. */
ERR_MUST_CHECK enum err_code history_keep(struct store *store, struct history_batch *batch,
                                          struct err *err);

#endif
