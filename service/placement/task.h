/* Private to service/: the tasks of this process's cluster by their places, and what is counted by
 * them.
 *
 * A task's place is its number in the order of cluster.h: jobs by name, each one's tasks by number.
 * One place more, after the last, is for what is on none of them: for tasks that are not there now,
 * or for a device that the runtime would not understand. What specifies no task is where the placer
 * puts it: on the first device that fits. */
#ifndef SERVICE_PLACEMENT_TASK_H
#define SERVICE_PLACEMENT_TASK_H

#include <stdatomic.h>

#include "service/device/cluster.h"
#include "service/device/device.h"
#include "service/record/record.h"

/* Spots: for a device of each of a thousand tasks, with few of them in each other's way. */
enum { TASK_MEMO_SPOTS = 4096, TASK_TALLY_FEW = 4 };

/* What a device as it is recorded means here. */
struct task_spot {
    bool known;
    uint32_t place;
    uint32_t note; /* of whoever has the memo; 0 at first */
    char device[RECORD_DEVICE_BYTES_MAX + 1];
    /* On no task: the one it names, "/job:ps/task:7"; or itself, when it is no specification. */
    char missing[RECORD_DEVICE_BYTES_MAX + 1];
};

/* Devices looked up last; for one thread. Zeroed before; owned: task_memo_drop. */
struct task_memo {
    struct task_spot *spots; /* by hash; memory only where there is one */
};

ERR_MUST_CHECK enum err_code task_memo_open(struct task_memo *memo, struct err *err);
void task_memo_drop(struct task_memo *memo);

struct task_counter {
    _Atomic uint64_t commits, written_bytes;
};

/* What the unit that runs has done to a task so far. */
struct task_work {
    uint64_t written_bytes;
    bool touched;
};

struct task_table {
    const struct cluster *cluster; /* borrowed, as the next */
    const struct device_set *devices;
    uint32_t *of_devices;          /* the task's place of each; owned */
    struct task_counter *counters; /* since the start, by place; owned */
    /* For units alone, which are on one thread; owned. */
    struct task_memo memo;
    struct task_work *work; /* by place */
    uint32_t *touched;      /* the places of those that are */
    uint32_t touched_count;
};

/* Of a set that was made of the cluster. Zeroed before; owned: task_table_drop. */
ERR_MUST_CHECK enum err_code task_table_open(struct task_table *table,
                                             const struct cluster *cluster,
                                             const struct device_set *devices, struct err *err);
void task_table_drop(struct task_table *table);

/* Of a device as it is recorded ("": none). Borrows from the memo, until its next use. */
struct task_spot *task_find(const struct task_table *table, struct task_memo *memo,
                            const char *device);

/* (task_parts.c) Calls `visit` for the device of the variable, or of each of its parts, with how
 * much of `bytes` that are spread evenly over its elements lies there. The record is as the view
 * has it. Where the parts are is damaged: as if they all were where the variable is, for what is
 * counted must not keep anybody from deleting it. */
typedef void task_visit(void *context, const char *device, uint64_t bytes);
ERR_MUST_CHECK enum err_code task_each_device(const struct store_view *view,
                                              const struct variable_record *variable,
                                              uint64_t bytes, task_visit *visit, void *context,
                                              struct err *err);

/* --- counting ------------------------------------------------------------------------------- */

/* Of a unit: from its beginning, what it does is noted; at its end it is taken along, and counted
 * once it is committed. A unit that failed leaves nothing: the next one begins anew. */
void task_begin(struct task_table *table);
/* A variable there was changed, and so many bytes of its value written. */
void task_note(struct task_table *table, const char *device, uint64_t written_bytes);
/* Likewise, wherever it is or its parts are (task_parts.c). */
ERR_MUST_CHECK enum err_code task_note_variable(struct task_table *table,
                                                const struct store_view *view,
                                                const struct variable_record *variable,
                                                uint64_t written_bytes, struct err *err);

struct task_share {
    uint32_t place;
    uint64_t written_bytes;
};

/* Zeroed: nothing. Owned: task_tally_drop. */
struct task_tally {
    struct task_share few[TASK_TALLY_FEW], *many; /* many: owned; NULL: they are few */
    uint32_t count;
};

/* In place of what is in the tally: a unit may run again. */
ERR_MUST_CHECK enum err_code task_take(const struct task_table *table, struct task_tally *tally,
                                       struct err *err);
void task_tally_drop(struct task_tally *tally);
/* Any thread. */
void task_count(struct task_table *table, const struct task_tally *tally);

#endif
