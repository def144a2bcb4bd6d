/* Private to service/: what a unit has changed becomes a part of its commit. It is read off the
 * records the unit has written, so no operation can forget to tell. */
#ifndef SERVICE_CHANGE_LOG_H
#define SERVICE_CHANGE_LOG_H

#include "service/model_names.h"
#include "service/service.h"
#include "service/task.h"

/* For units alone, which run on one thread. Nothing in it is needed to be right after a unit was
 * undone. Zeroed at first; owns: change_log_drop. */
struct change_log {
    struct model_names names;
    bool begun;       /* the store is known to have the log's first record */
    uint64_t trimmed; /* revision that the log was last looked through for what is too old */
    struct task_tally *tally; /* of this unit, borrowed; NULL: nobody counts */
    bool restored;            /* this unit has restored a checkpoint: */
    uint64_t restored_id;     /* into this model */
    uint64_t restored_count;
    char restored_name[NAME_BYTES_MAX + 1];
};

void change_log_drop(struct change_log *log);

/* Before and after the rest of a unit; *count: how many changes it has. `op` may be NULL. What the
 * unit does to tasks is tallied: task_tally_open. */
void change_log_begin(struct change_log *log, struct task_tally *tally);
ERR_MUST_CHECK enum err_code change_log_write(struct change_log *log, struct store_txn *txn,
                                              const struct service_limits *limits, const char *op,
                                              uint64_t *count, struct err *err);
/* After all that, also of a unit that failed. */
void change_log_end(struct change_log *log);
/* In between: what records do not show. */
void change_log_restored(struct change_log *log, uint64_t model_id, const char *checkpoint,
                         uint64_t variables);
void change_log_wrote(struct change_log *log, const struct variable_record *variable,
                      uint64_t bytes);

#endif
