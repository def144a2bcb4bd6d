/* Partitioned variables as JSON: how a request asks for parts, and how they are shown.
 *
 *   "slicing": [1, 4]
 *   "partitioner": {"type": "fixed_size", "num_shards", "axis"}
 *                  {"type": "variable_axis_size", "max_shard_bytes", "axis", "max_shards",
 *                   "bytes_per_string_element"}
 *                  {"type": "min_max_variable", "max_partitions", "axis", "min_slice_size",
 *                   "bytes_per_string_element"}
 *
 * Names and defaults are TensorFlow's. A variable without parts has "partitions": null. */
#ifndef API_RESOURCE_PARTITION_JSON_H
#define API_RESOURCE_PARTITION_JSON_H

#include "api/json/jsonio.h"
#include "service/variable/variable.h"

/* Takes "slicing" or "partitioner" out of the object that creates a variable; PARTITION_NONE when
 * neither is there. ERR_INVALID_ARGUMENT names the field; what the values mean for the variable's
 * shape is checked by variable_create. */
ERR_MUST_CHECK enum err_code api_partition_decode(struct api_object *body, struct arena *arena,
                                                  struct partition_spec *out, struct err *err);

/* A new reference: {"slicing": [1, 4]} or null. What lists show. */
ERR_MUST_CHECK enum err_code api_partition_encode(const struct variable_record *record,
                                                  json_t **out, struct err *err);
/* Adds "parts" to the "partitions" of a described variable, if it has any: name, shape, offset,
 * slice, save_spec and devices of each. */
ERR_MUST_CHECK enum err_code api_partition_add_parts(const struct variable_info *info,
                                                     json_t *variable, struct err *err);

#endif
