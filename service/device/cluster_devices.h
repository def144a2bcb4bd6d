/* The devices of a process: those of all tasks of its cluster. */
#ifndef SERVICE_DEVICE_CLUSTER_DEVICES_H
#define SERVICE_DEVICE_CLUSTER_DEVICES_H

#include "service/device/cluster.h"
#include "service/device/device.h"

/* Those of every kind for each task, `cpus` CPUs among them, in replica 0:
 * "/job:ps/replica:0/task:3/cpu:0". *out is ordered, and owned: device_set_drop.
 * ERR_INVALID_ARGUMENT: more than `devices_max`. */
ERR_MUST_CHECK enum err_code cluster_devices(const struct cluster *cluster, uint32_t cpus,
                                             uint32_t devices_max, struct device_set *out,
                                             struct err *err);

#endif
