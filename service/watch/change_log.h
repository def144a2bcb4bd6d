/* Private to service/: what a unit has changed becomes a part of its commit. It is read off the
 * records the unit has written, so no operation can forget to tell. */
#ifndef SERVICE_WATCH_CHANGE_LOG_H
#define SERVICE_WATCH_CHANGE_LOG_H

#include "service/model_names.h"
#include "service/placement/task.h"
#include "service/service.h"

/* For units alone, which run on one thread. Nothing in it is needed to be right after a unit was
 * undone. Zeroed at first but for `tasks`; owns: change_log_drop. */
struct change_log {
    struct task_table *tasks; /* told which of them changed; borrowed, set before the first unit */
    struct model_names names;
    bool begun;           /* the store is known to have the log's first record */
    uint64_t trimmed;     /* revision that the log was last looked through for what is too old */
    bool restored;        /* this unit has restored a checkpoint: */
    uint64_t restored_id; /* into this model */
    uint64_t restored_count;
    char restored_name[NAME_BYTES_MAX + 1];
};

void change_log_drop(struct change_log *log);

/* Before and after the rest of a unit; *count: how many changes it has. `op` may be NULL. */
void change_log_begin(struct change_log *log);
ERR_MUST_CHECK enum err_code change_log_write(struct change_log *log, struct store_txn *txn,
                                              const struct service_limits *limits, const char *op,
                                              uint64_t *count, struct err *err);
/* In between: what records do not show. */
void change_log_restored(struct change_log *log, uint64_t model_id, const char *checkpoint,
                         uint64_t variables);

#endif
