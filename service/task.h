/* Private to service/: the tasks of this process's cluster by their places, and what is counted by
 * them.
 *
 * A task's place is its number in the order of cluster.h: jobs by name, each one's tasks by number.
 * One place more, after the last, is for what is on none of them: for tasks that are not there now,
 * or for a device that the runtime would not understand. What specifies no task is where the placer
 * puts it: on the first device that fits. */
#ifndef SERVICE_TASK_H
#define SERVICE_TASK_H

#include <stdatomic.h>

#include "service/device/cluster.h"
#include "service/device/device.h"
#include "service/record.h"

enum { TASK_MEMO_SLOTS = 16, TASK_TALLY_FEW = 8 };

/* Devices looked up last. Zeroed at first; for one thread. */
struct task_memo {
    struct {
        bool known;
        uint32_t place;
        char device[RECORD_DEVICE_BYTES_MAX + 1];
    } slots[TASK_MEMO_SLOTS];
};

struct task_counter {
    _Atomic uint64_t commits, written_bytes;
};

struct task_table {
    const struct cluster *cluster; /* borrowed, as the next */
    const struct device_set *devices;
    uint32_t *of_devices;          /* the task's place of each; owned */
    struct task_counter *counters; /* since the start, by place; owned */
    struct task_memo memo;         /* for units alone, which are on one thread */
};

/* Of a set that was made of the cluster. Zeroed before; owned: task_table_drop. */
ERR_MUST_CHECK enum err_code task_table_open(struct task_table *table,
                                             const struct cluster *cluster,
                                             const struct device_set *devices, struct err *err);
void task_table_drop(struct task_table *table);

/* The place of what is on a device as it is recorded ("": none). */
uint32_t task_place(const struct task_table *table, struct task_memo *memo, const char *device);

/* --- counting ------------------------------------------------------------------------------- */

struct task_share {
    uint64_t written_bytes;
    bool touched;
};

/* What one unit does to each task; counted once it is committed. */
struct task_tally {
    struct task_table *table; /* borrowed */
    struct task_share few[TASK_TALLY_FEW];
    struct task_share *shares; /* by place: few, or owned */
};

ERR_MUST_CHECK enum err_code task_tally_open(struct task_tally *tally, struct task_table *table,
                                             struct err *err);
void task_tally_drop(struct task_tally *tally); /* a zeroed one is fine */
/* What is to be tallied is the unit's from its beginning. */
void task_tally_begin(struct task_tally *tally);
/* A variable there was changed, and so many bytes of its value written; NULL: nobody counts. */
void task_tally_add(struct task_tally *tally, const char *device, uint64_t written_bytes);
/* The unit is committed. Any thread. */
void task_tally_count(const struct task_tally *tally);

#endif
