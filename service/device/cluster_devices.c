#include "service/device/cluster_devices.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service/device/engine.h"
#include "store/base/scope.h"

/* Of a kind, in each task. */
static uint32_t
count_of(const struct device_kind *kind, uint32_t cpus)
{
    return kind->engine == NULL ? 0 : kind->engine->count(cpus);
}

static enum err_code
check_count(const struct cluster *cluster, uint32_t cpus, uint32_t devices_max, struct err *err)
{
    uint64_t each = 0;

    for (size_t k = 0; device_kind_at(k) != NULL; k++)
        each += count_of(device_kind_at(k), cpus);
    if (cluster->task_count * each <= devices_max)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%zu tasks with %" PRIu64 " devices each are %" PRIu64
                   " devices, at most %" PRIu32
                   " may be there (settings cluster, cpu_devices, cluster_devices_max)",
                   cluster->task_count, each, cluster->task_count * each, devices_max);
}

static enum err_code
add_task(struct device_set *set, const char *job, int32_t task, uint32_t cpus, struct err *err)
{
    struct device_spec spec = {.has_job = true,
                               .has_replica = true,
                               .has_task = true,
                               .task = task,
                               .has_type = true,
                               .has_index = true};
    const struct device_kind *kind;

    memcpy(spec.job, job, strlen(job) + 1);
    for (size_t k = 0; (kind = device_kind_at(k)) != NULL; k++) {
        snprintf(spec.type, sizeof spec.type, "%s", kind->type);
        for (uint32_t i = 0; i < count_of(kind, cpus); i++) {
            spec.index = (int32_t)i;
            TRY(device_set_add(set, &spec, err));
        }
    }
    return OK;
}

enum err_code
cluster_devices(const struct cluster *cluster, uint32_t cpus, uint32_t devices_max,
                struct device_set *out, struct err *err)
{
    AUTO(device_set) set = {0};

    TRY(check_count(cluster, cpus, devices_max, err));
    for (size_t j = 0; j < cluster->job_count; j++)
        for (size_t t = 0; t < cluster->jobs[j].task_count; t++)
            TRY(add_task(&set, cluster->jobs[j].name, cluster->jobs[j].tasks[t].number, cpus, err));
    TRY(device_set_order(&set, err));
    *out = TAKE(set);
    return OK;
}
