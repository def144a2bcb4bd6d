/* Tensors that came beside the JSON of a request, by key: what {"tensor": key} stands for.
 *
 * They are read from safetensors as they come, each straight into memory of its own, and never
 * copied again: expressions borrow them, once or many times, so a table outlives every tree that
 * was read with it. Each must be used: a key with a typo would else change nothing and say nothing.
 */
#ifndef API_TENSORS_TENSOR_TABLE_H
#define API_TENSORS_TENSOR_TABLE_H

#include "api/json/jsonio.h"
#include "api/tensors/byte_source.h"

struct api_tensor_entry {
    struct bytes key;     /* UTF-8; borrows from the arena */
    struct tensor tensor; /* owned */
    bool used;
};

/* Owns its tensors: api_tensor_table_drop. All zero: there is none, {"tensor"} is refused. */
struct api_tensor_table {
    struct api_tensor_entry *entries; /* owned; by key */
    size_t count;
    const char *place;            /* static, for messages: "the part 'tensors'"; NULL: none */
    const struct bytes *metadata; /* name, value, name, value …; by name; from the arena */
    size_t metadata_count;        /* pairs */
};

struct api_tensor_limits {
    uint64_t bytes_max; /* of all tensors (tensor_parts_max_bytes) */
    size_t tensors_max; /* variables_per_request_max */
};

/* Reads all that `source` has, a whole safetensors file, from the place that is so called in
 * messages. ERR_INVALID_ARGUMENT for what is wrong in it, ERR_PAYLOAD_TOO_LARGE past the limits,
 * before memory is taken. *out untouched on failure. */
ERR_MUST_CHECK enum err_code api_tensor_table_read(const struct api_byte_source *source,
                                                   const char *place,
                                                   const struct api_tensor_limits *limits,
                                                   struct arena *arena,
                                                   struct api_tensor_table *out, struct err *err);
void api_tensor_table_drop(struct api_tensor_table *table);

/* The entry of that key, now used; NULL when there is none. Borrows from the table. */
const struct api_tensor_entry *api_tensor_table_use(struct api_tensor_table *table,
                                                    struct bytes key);
/* The value that the file's __metadata__ has under that name; data NULL when it has none. */
struct bytes api_tensor_table_metadata(const struct api_tensor_table *table, const char *name);

/* Whether a value is {"tensor": …}. */
bool api_tensor_table_is_meant(const struct api_value *value);
/* {"tensor": key}: the object's field is ticked off, the entry used. `table` may be NULL. The view
 * borrows from the table. ERR_INVALID_ARGUMENT names the key and those there are. */
ERR_MUST_CHECK enum err_code api_tensor_table_take(struct api_tensor_table *table,
                                                   struct api_object *object, struct arena *arena,
                                                   struct tensor_view *out, struct err *err);
/* When all of the request was read: ERR_INVALID_ARGUMENT names the tensors that nothing used. */
ERR_MUST_CHECK enum err_code api_tensor_table_end(const struct api_tensor_table *table,
                                                  struct err *err);

#endif
