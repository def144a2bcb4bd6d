/* CPUs: the host itself. Memory and kernels are those of everything here, so there is nothing to
 * allocate and nothing to move; a device of its own it has in threads that nobody else has. */
#include "service/device/engine.h"
#include "service/parallel.h"

static bool
has_kernel(enum dtype dtype)
{
    return dtype < DTYPE_COUNT;
}

static uint32_t
count(uint32_t cpu_devices)
{
    return cpu_devices;
}

static enum err_code
cpu_open(struct device *device, uint32_t threads, struct err *err)
{
    return parallel_open(threads, &device->threads, err);
}

static void
cpu_close(struct device *device)
{
    parallel_close(device->threads);
    device->threads = NULL;
}

static const struct device_engine engine = {.count = count, .open = cpu_open, .close = cpu_close};

const struct device_kind device_kind_cpu = {
    .type = "CPU",
    .priority = 70,
    .has_kernel = has_kernel,
    .engine = &engine,
};
