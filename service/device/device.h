/* Devices that there are: their kinds, and sets of them by their runtime names. */
#ifndef SERVICE_DEVICE_DEVICE_H
#define SERVICE_DEVICE_DEVICE_H

#include "service/device/spec.h"
#include "service/tensor/dtype.h"

struct device_engine; /* service/device/engine.h */
struct parallel;      /* service/parallel.h */

/* What devices of one type have in common. */
struct device_kind {
    const char *type;                     /* "CPU"; "" of types that are not known here */
    int priority;                         /* the placer takes the highest that will do */
    bool (*has_kernel)(enum dtype dtype); /* whether variables of this dtype can be there */
    /* NULL: none is built in, so no process has such devices. */
    const struct device_engine *engine;
};

#define DEVICE_KIND(name) extern const struct device_kind device_kind_##name;
#include "service/device/kinds.def"
#undef DEVICE_KIND

/* The i-th of the table, NULL past the end. */
const struct device_kind *device_kind_at(size_t index);
/* Of the type of a device; never NULL: unknown types have one kind together, and no kernels. */
const struct device_kind *device_kind_of(const char *type);

struct device {
    struct device_spec spec; /* complete */
    char name[DEVICE_TEXT_BYTES_MAX + 1];
    const struct device_kind *kind;
    /* Of one that was opened (device_open). */
    bool opened;
    struct parallel *threads; /* of the host, that compute for it; owned; NULL: whoever asks */
    void *state;              /* its engine's own */
};

/* Makes the device ready to compute, as its kind's engine does it. Owned: device_close. */
ERR_MUST_CHECK enum err_code device_open(struct device *device, uint32_t threads, struct err *err);
void device_close(struct device *device); /* one that was not opened is fine */

/* Owns its devices. After device_set_order they are sorted by name, as bytes. */
struct device_set {
    struct device *devices;
    size_t count, capacity;
    uint32_t checksum; /* of all names, once they are in order: another set has another */
};

void device_set_drop(struct device_set *set);
/* One more, by its complete spec; its name is r1.0's: "/job:ps/replica:0/task:0/cpu:0".
 * ERR_INVALID_ARGUMENT: a part is not given, or not as the runtime wants it. */
ERR_MUST_CHECK enum err_code device_set_add(struct device_set *set, const struct device_spec *spec,
                                            struct err *err);
/* Likewise, under the name that is given. */
ERR_MUST_CHECK enum err_code device_set_add_name(struct device_set *set, const char *name,
                                                 struct err *err);
/* To be called when all are in. ERR_INVALID_ARGUMENT: one is there twice. */
ERR_MUST_CHECK enum err_code device_set_order(struct device_set *set, struct err *err);

/* What the runtime makes of a spec: a '*' for a job or type is as if it were not given. False: it
 * is none to the runtime, for a job or type is not [A-Za-z][A-Za-z0-9_]*, or a number is negative.
 */
bool device_spec_to_runtime(const struct device_spec *spec, struct device_spec *out);

#endif
