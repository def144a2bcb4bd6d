/* Devices in requests: what "device" may be wherever there is one. */
#ifndef API_RESOURCE_DEVICE_JSON_H
#define API_RESOURCE_DEVICE_JSON_H

#include "api/json/jsonio.h"
#include "service/device/spec.h"

/* `with tf.device(…)` nests; so deep in one field. */
enum { API_DEVICE_SCOPES_MAX = 16 };

/* A text "/job:ps/task:7", the parts {"job", "replica", "task", "device_type", "device_index"},
 * null (hides what is around it), or an array of these, outer to inner. *out in the arena; *count
 * 0: the field is absent, or an empty array. ERR_INVALID_ARGUMENT names the field, in TensorFlow's
 * words where it has some. */
ERR_MUST_CHECK enum err_code api_device_take(struct api_object *object, const char *field,
                                             struct arena *arena, const struct device_scope **out,
                                             size_t *count, struct err *err);
/* Of a value itself. */
ERR_MUST_CHECK enum err_code api_device_scopes(const struct api_value *value, struct arena *arena,
                                               const struct device_scope **out, size_t *count,
                                               struct err *err);

#endif
