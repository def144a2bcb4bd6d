/* What lies on each task of this process's cluster, and what was committed there. */
#ifndef SERVICE_PLACEMENT_TASK_USAGE_H
#define SERVICE_PLACEMENT_TASK_USAGE_H

#include "service/device/device.h"
#include "service/service.h"

enum { TASK_MISSING_MAX = 16 };

struct task_usage {
    uint64_t devices;
    uint64_t variables, initialized; /* of one in parts, each task that has any of them has one */
    uint64_t bytes;                  /* of values; of parts of them that are there */
    /* Since the start: commits that changed a variable there, and bytes of values they wrote. */
    uint64_t commits, written_bytes;
};

/* A task that is not there now: "/job:ps/task:7"; or what else is no device of any task. */
struct task_missing {
    char name[DEVICE_TEXT_BYTES_MAX + 1];
    uint64_t variables;
};

/* Of one revision, but for what was since the start. Owned: task_usages_drop. */
struct task_usages {
    uint64_t revision;
    bool complete;            /* all variables are counted */
    struct task_usage *tasks; /* in the cluster's order, then one of what is on none of them */
    size_t count;             /* of tasks, without that one */
    struct task_missing missing[TASK_MISSING_MAX]; /* those met first, by name */
    size_t missing_count;
    uint64_t unnamed; /* variables on missing tasks that are not named */
};

/* Whose tasks they are; lives as long as the service. */
const struct cluster *service_cluster(const struct service *service);
/* The devices of them all. */
const struct device_set *service_devices(const struct service *service);

/* Looks at every variable, and part that has a device of its own, of all models that have changed
 * since it looked last; but at no more variables once it has seen `places_max`: call it from a
 * worker. ERR_UNAVAILABLE when the service was interrupted. */
ERR_MUST_CHECK enum err_code task_usages_read(struct service *service, uint64_t places_max,
                                              struct task_usages *out, struct err *err);
void task_usages_drop(struct task_usages *usages); /* a zeroed one is fine */

/* (task_tell.c) Logs which tasks there are, if a cluster was given, and warns of variables that are
 * on others. */
void task_usages_tell(struct service *service);

/* What was since the start alone: of the task at this place in the cluster's order, or after the
 * last one of what is on none. Cheap. */
void task_usage_counted(const struct service *service, size_t place, struct task_usage *out);

#endif
