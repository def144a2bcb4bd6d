/* Which device a variable is on: its specification against the devices that there are.
 *
 * As TensorFlow r1.0's core/common_runtime/simple_placer.cc chooses, and in its words. Placing is
 * for what runs; a variable may be made for a device that nobody has. Pure functions.
 *
 * What differs is told, not chosen: the node is named in front of every refusal; what is beside it
 * has no name, so it goes by its number; "Colocation Debug Info" is left out, for all of a group
 * here is one variable; kernels are told for its dtype alone; and a list of devices ends where the
 * message does. An op that would change a variable from another device is no group: it follows the
 * variable (conflict.h), as r1.0's "Ignoring device specification" has it. */
#ifndef SERVICE_DEVICE_PLACER_H
#define SERVICE_DEVICE_PLACER_H

#include "service/device/device.h"

struct device_place_request {
    const char *node;   /* the variable's name, for messages */
    const char *op;     /* its op, for messages; NULL: VariableV2 */
    const char *device; /* its specification as it is recorded; NULL or "": none */
    /* Specifications of what has to be on the same device. */
    const char *const *colocated;
    size_t colocated_count;
    enum dtype dtype;
    /* Where no device of its type or index will do, any other of its job, replica and task. */
    bool allow_soft_placement;
};

/* The set is ordered; *out borrows from it. Among devices that match and have kernels for the
 * dtype: of the highest priority, the first by name. ERR_INVALID_ARGUMENT: "Cannot assign a device
 * to node 'v': …"; ERR_FAILED_PRECONDITION: the set is empty. */
ERR_MUST_CHECK enum err_code device_place(const struct device_set *set,
                                          const struct device_place_request *request,
                                          const struct device **out, struct err *err);

/* What two nodes want that have to be on one device: `into` gets what `other` specifies too.
 * ERR_INVALID_ARGUMENT, "Cannot merge devices with incompatible jobs: …", when they want different
 * jobs, replicas, tasks, types or indices, as the runtime prints them ("/job:ps/GPU:1"); with soft
 * placement types and indices that differ are left open instead. */
ERR_MUST_CHECK enum err_code device_merge_names(struct device_spec *into,
                                                const struct device_spec *other,
                                                bool allow_soft_placement, struct err *err);

#endif
