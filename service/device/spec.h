/* Device specifications: "/job:ps/replica:0/task:7/device:CPU:0", any part of which may be absent.
 *
 * What is let in, what is refused in which words, and how one is printed are those of TensorFlow
 * r1.0's DeviceSpec (python/framework/device.py). Python lets more in than its runtime places: a
 * job may have any bytes and a number may be negative. What the runtime makes of that is
 * service/device/placer.h's. Pure functions.
 *
 * A spec that these functions made prints in DEVICE_TEXT_BYTES_MAX bytes at most. Whoever sets
 * fields himself calls device_spec_check. */
#ifndef SERVICE_DEVICE_SPEC_H
#define SERVICE_DEVICE_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

enum { DEVICE_TEXT_BYTES_MAX = 255 };

/* All zero: nothing is specified. Type and index are apart, so that an index can be merged alone;
 * it is printed with a type only. A type without an index is any of its devices ("*"). */
struct device_spec {
    bool has_job, has_replica, has_task, has_type, has_index;
    int32_t replica, task, index;
    char job[DEVICE_TEXT_BYTES_MAX + 1];
    char type[DEVICE_TEXT_BYTES_MAX + 1]; /* "CPU"; of "device:TYPE:…" as it was written */
};

/* The parts apart, as DeviceSpec's constructor takes them; NULL: not given. */
struct device_parts {
    const char *job;
    const int64_t *replica, *task;
    const char *type; /* "cpu" and "gpu" become "CPU" and "GPU" */
    const int64_t *index;
};

/* ERR_INVALID_ARGUMENT: Python's words, a number past 32 bits, a text that is too long. */
ERR_MUST_CHECK enum err_code device_spec_parse(const char *text, struct device_spec *out,
                                               struct err *err);
/* Likewise of parts; a job or type with a '/' or ':' would not be read back, and is refused. */
ERR_MUST_CHECK enum err_code device_spec_of_parts(const struct device_parts *parts,
                                                  struct device_spec *out, struct err *err);
/* ERR_INVALID_ARGUMENT when its text would be longer than DEVICE_TEXT_BYTES_MAX. */
ERR_MUST_CHECK enum err_code device_spec_check(const struct device_spec *spec, struct err *err);
/* The canonical text; "" of nothing. Returns out. */
const char *device_spec_print(const struct device_spec *spec,
                              char out[static DEVICE_TEXT_BYTES_MAX + 1]);
/* What `from` specifies wins, field by field. As device_spec_check; then `into` is as it was. */
ERR_MUST_CHECK enum err_code device_spec_merge(struct device_spec *into,
                                               const struct device_spec *from, struct err *err);
/* Whether every field that `filter` specifies is specified alike in `of`. */
bool device_spec_covers(const struct device_spec *filter, const struct device_spec *of);
bool device_spec_equal(const struct device_spec *a, const struct device_spec *b);
bool device_spec_is_empty(const struct device_spec *spec);

/* One `with tf.device(…)`. */
struct device_scope {
    bool resets; /* tf.device(None): hides those around it; spec is not looked at */
    struct device_spec spec;
};

/* What an op made inside all of them gets: per field the innermost that specifies it. Outer to
 * inner. As device_spec_check. */
ERR_MUST_CHECK enum err_code device_scopes_merge(const struct device_scope *scopes, size_t count,
                                                 struct device_spec *out, struct err *err);

#endif
