/* Expressions as JSON: what a client writes where a value is expected, and the same printed back.
 *
 *   1.5, [[1, 2], [3, 4]], {"dtype", "shape", "data"}    a literal
 *   {"variable": "w"}, {"initialized_value": "w"}        a value by name; "w:0" is "w"
 *   {"tensor": key}                                      one that came beside the JSON
 *   {"op": name, "args": [ … ], attributes …}            an op of service/ops/ */
#ifndef API_RESOURCE_EXPR_JSON_H
#define API_RESOURCE_EXPR_JSON_H

#include "api/json/jsonio.h"
#include "api/tensors/tensor_table.h"
#include "service/expr/expr.h"

/* `literal_hint`: the dtype of a bare literal that is the whole value, DTYPE_UNSET to leave it
 * weak. *out is owned by the caller: expr_tree_drop; untouched on failure. Not inferred yet.
 * ERR_INVALID_ARGUMENT names the field; ERR_PAYLOAD_TOO_LARGE past limits->literal_bytes_max. */
ERR_MUST_CHECK enum err_code api_expr_decode(const struct api_value *value, enum dtype literal_hint,
                                             const struct expr_limits *limits,
                                             struct expr_tree *out, struct err *err);

/* The same where {"tensor": key} may stand, as an argument and as an attribute. *out borrows from
 * `tensors`, which are not counted against literal_bytes_max. */
ERR_MUST_CHECK enum err_code api_expr_decode_beside(const struct api_value *value,
                                                    enum dtype literal_hint,
                                                    const struct expr_limits *limits,
                                                    struct api_tensor_table *tensors,
                                                    struct expr_tree *out, struct err *err);

/* A new reference: the canonical form of what was written. Large literals are named by dtype and
 * shape only (api/resource/attr_json.h). */
ERR_MUST_CHECK enum err_code api_expr_encode(const struct expr_tree *tree, json_t **out,
                                             struct err *err);

#endif
