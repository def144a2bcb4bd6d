#include "service/device/cluster_devices.h"

#include <inttypes.h>
#include <string.h>

#include "store/base/scope.h"

static enum err_code
add_task(struct device_set *set, const char *job, int32_t task, uint32_t cpus, struct err *err)
{
    struct device_spec spec = {.has_job = true,
                               .has_replica = true,
                               .has_task = true,
                               .task = task,
                               .has_type = true,
                               .has_index = true,
                               .type = "CPU"};

    memcpy(spec.job, job, strlen(job) + 1);
    for (uint32_t i = 0; i < cpus; i++) {
        spec.index = (int32_t)i;
        TRY(device_set_add(set, &spec, err));
    }
    return OK;
}

enum err_code
cluster_devices(const struct cluster *cluster, uint32_t cpus, struct device_set *out,
                struct err *err)
{
    AUTO(device_set) set = {0};

    if (cluster->task_count * cpus > CLUSTER_DEVICES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%zu tasks with %" PRIu32 " CPU devices each are %zu devices, at most %d "
                       "may be there (settings cluster, cpu_devices)",
                       cluster->task_count, cpus, cluster->task_count * cpus, CLUSTER_DEVICES_MAX);
    for (size_t j = 0; j < cluster->job_count; j++)
        for (size_t t = 0; t < cluster->jobs[j].task_count; t++)
            TRY(add_task(&set, cluster->jobs[j].name, cluster->jobs[j].tasks[t].number, cpus, err));
    TRY(device_set_order(&set, err));
    *out = TAKE(set);
    return OK;
}
