/* GPUs: what the placer has to know of them, for devices that a request says there are. Without an
 * engine no process has one. */
#include "service/device/device.h"

/* Of TensorFlow's Variable. */
static bool
has_kernel(enum dtype dtype)
{
    return dtype == DTYPE_FLOAT16 || dtype == DTYPE_FLOAT32 || dtype == DTYPE_FLOAT64;
}

const struct device_kind device_kind_gpu = {
    .type = "GPU",
    .priority = 210,
    .has_kernel = has_kernel,
};
