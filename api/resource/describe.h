/* The domain's things as JSON. */
#ifndef API_RESOURCE_DESCRIBE_H
#define API_RESOURCE_DESCRIBE_H

#include <jansson.h>

#include "service/model.h"
#include "service/saving/checkpoint.h"
#include "service/variable/variable.h"

/* Each: *out is a new reference. ERR_NO_MEMORY. */
ERR_MUST_CHECK enum err_code api_describe_model(const struct model_info *info, json_t **out,
                                                struct err *err);
/* Adds "device", as it is recorded of the variable or of a part of it, and "assigned_device". NULL:
 * which one it is is not known. */
ERR_MUST_CHECK enum err_code api_describe_places(const struct variable_info *info,
                                                 const char *device, json_t *object,
                                                 struct err *err);
ERR_MUST_CHECK enum err_code api_describe_variable(const struct variable_info *info, json_t **out,
                                                   struct err *err);
/* What a write did to one variable: name, dtype, shape, version, revision. */
ERR_MUST_CHECK enum err_code api_describe_change(const struct variable_change *change, json_t **out,
                                                 struct err *err);
ERR_MUST_CHECK enum err_code api_describe_checkpoint(const struct checkpoint_info *info,
                                                     json_t **out, struct err *err);
/* {"name": "value"} of the pairs that checkpoint_inspect gives. */
ERR_MUST_CHECK enum err_code api_describe_metadata(struct bytes pairs, json_t **out,
                                                   struct err *err);
/* Array of dimensions. */
ERR_MUST_CHECK enum err_code api_describe_shape(const struct shape *shape, json_t **out,
                                                struct err *err);
/* Array of the seeds that random ops drew. */
ERR_MUST_CHECK enum err_code api_describe_draws(const struct variable_draw *draws, size_t count,
                                                json_t **out, struct err *err);
/* Array of names, from an array of fixed-size texts `stride` bytes apart. */
ERR_MUST_CHECK enum err_code api_describe_names(const char *names, size_t stride, size_t count,
                                                json_t **out, struct err *err);
/* "2026-01-31T12:00:00.250Z" */
enum { API_TIME_BYTES_MAX = 32 };
const char *api_describe_time(uint64_t wall_ms, char out[static API_TIME_BYTES_MAX]);

/* json_real, which has none for what is not finite: "NaN", "Infinity" or "-Infinity" then. */
json_t *api_json_real(double value);
/* Takes json into *out; NULL means out of memory: *out is unchanged then. */
ERR_MUST_CHECK enum err_code api_json_made(json_t *json, json_t **out, struct err *err);
/* Adds to an object; takes value (NULL: out of memory). */
/* "skipped": [{"name", "reason"}] of an object: tensors that were left out. */
struct api_wire_refused;
ERR_MUST_CHECK enum err_code api_describe_skipped(const struct api_wire_refused *skipped,
                                                  size_t count, json_t *object, struct err *err);
ERR_MUST_CHECK enum err_code api_json_set(json_t *object, const char *key, json_t *value,
                                          struct err *err);
ERR_MUST_CHECK enum err_code api_json_push(json_t *array, json_t *value, struct err *err);
/* For scopes: AUTO_CALL(api_json_release) json_t *x. */
void api_json_release(json_t **json);

#endif
