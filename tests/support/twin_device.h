/* A device that is the CPU's twin in what it computes and a stranger in where: its memory cannot be
 * touched but by its own functions, and holds nonsense until something is uploaded. What works with
 * it needs no more than service/device/engine.h says. */
#ifndef TESTS_SUPPORT_TWIN_DEVICE_H
#define TESTS_SUPPORT_TWIN_DEVICE_H

#include "service/device/engine.h"

/* Of type CPU, so that it can stand in the place of one. */
extern const struct device_kind twin_kind;

/* One that is open: to be closed with device_close. */
void twin_device_open(struct device *out);

/* Since it was opened. */
struct twin_counts {
    uint64_t allocated, held;      /* buffers: ever, and now */
    uint64_t uploaded, downloaded; /* bytes */
    uint64_t kernels, ops;
};
struct twin_counts twin_device_counts(const struct device *device);
/* Allocating fails from the n-th time on, counted from now; UINT64_MAX: never. */
void twin_device_fail_after(const struct device *device, uint64_t n);

#endif
