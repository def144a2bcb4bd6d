/* A cluster: jobs, and the tasks each of them has, by number and address.
 *
 * All tasks of the cluster that a server is started with are that one process's: a task is a name
 * that devices have, variables are pinned to, and counts are kept for. Addresses are told and never
 * connected to. Jobs are in the order of their names, tasks in that of their numbers.
 *
 * Tasks share one store, one environment of LMDB, so a commit over several of them is one commit,
 * and a checkpoint or a backup one moment. An environment for each was measured
 * (tests/bench/environments.c; 2 processors, one disk; four beside one): synced commits are slower,
 * 33 000 a second in place of 48 000 with 64 clients and 4 800 in place of 7 900 with 4, for one
 * sync serves all who wait in one. A commit over four that is all or nothing wants two syncs, one
 * after the other, in each: a quarter to a third of the rate. Without syncs they are alike at about
 * 100 000, of which HTTP brings 15 000. Chunks that are written ahead of a commit would gain, 1 200
 * MB/s in place of 780; on a machine of many disks that is the figure to look at again. */
#ifndef SERVICE_DEVICE_CLUSTER_H
#define SERVICE_DEVICE_CLUSTER_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

enum {
    CLUSTER_JOB_BYTES_MAX = 63,
    CLUSTER_ADDRESS_BYTES_MAX = 255,
};

/* How many there may be: the settings cluster_jobs_max and cluster_tasks_max. */
struct cluster_limits {
    uint32_t jobs_max, tasks_max; /* tasks: of all jobs together */
};

struct cluster_task {
    int32_t number;
    char address[CLUSTER_ADDRESS_BYTES_MAX + 1]; /* as it was given; "": none was */
};

struct cluster_job {
    char name[CLUSTER_JOB_BYTES_MAX + 1];
    struct cluster_task *tasks; /* owned */
    size_t task_count, task_capacity;
    size_t first; /* tasks before its own, in order; set by cluster_sort */
};

/* Owned: cluster_drop. Zeroed but for the limits: no jobs. */
struct cluster {
    struct cluster_limits limits;
    struct cluster_job *jobs;
    size_t job_count, job_capacity;
    size_t task_count; /* of all jobs */
};

void cluster_drop(struct cluster *cluster);

/* One by one, in any order: a job, then its tasks. ERR_INVALID_ARGUMENT: a name that no device can
 * have, a job or a task that is there, a number below 0, an address that is none, too many.
 * `address` of no bytes: none. */
ERR_MUST_CHECK enum err_code cluster_add_job(struct cluster *cluster, struct bytes name,
                                             struct cluster_job **out, struct err *err);
ERR_MUST_CHECK enum err_code cluster_add_task(struct cluster *cluster, struct cluster_job *job,
                                              int64_t number, struct bytes address,
                                              struct err *err);
/* Tasks 0 to count - 1, without addresses. */
ERR_MUST_CHECK enum err_code cluster_add_tasks(struct cluster *cluster, struct cluster_job *job,
                                               int64_t count, struct err *err);
/* When all are there: puts them in order. */
void cluster_sort(struct cluster *cluster);

/* "ps=4" or "ps=4,worker=2". ERR_INVALID_ARGUMENT says where it is wrong. */
ERR_MUST_CHECK enum err_code cluster_parse(const char *text, const struct cluster_limits *limits,
                                           struct cluster *out, struct err *err);
/* What a process without a cluster is: task 0 of job localhost. */
ERR_MUST_CHECK enum err_code cluster_local(struct cluster *out, struct err *err);

/* NULL when there is none of that name. */
const struct cluster_job *cluster_find_job(const struct cluster *cluster, struct bytes name);
const struct cluster_task *cluster_find_task(const struct cluster_job *job, int64_t number);

#endif
