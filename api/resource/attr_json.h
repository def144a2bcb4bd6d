/* Attributes and literals as JSON, both ways, driven by attr_spec rows. */
#ifndef API_RESOURCE_ATTR_JSON_H
#define API_RESOURCE_ATTR_JSON_H

#include "api/json/jsonio.h"
#include "api/tensors/tensor_table.h"
#include "service/expr/attr.h"
#include "service/expr/expr.h"

/* Literals past these are not printed whole (see api_literal_json). */
enum { API_LITERAL_ELEMENTS_MAX = 100, API_LITERAL_BYTES_MAX = 4096 };

/* A number, a nested list or a tensor object as a literal of the tree. Without a dtype of its own,
 * and with `hint` DTYPE_UNSET, a number is weak (expr.h): int64, or float64 when there is a
 * fraction. */
ERR_MUST_CHECK enum err_code api_literal_decode(const struct api_value *value, enum dtype hint,
                                                const struct expr_limits *limits,
                                                struct expr_tree *tree, struct tensor_view *out,
                                                bool *weak, struct err *err);
/* A new reference: a weak literal, a bool or a text bare, everything else {"dtype", "shape",
 * "data"}. */
ERR_MUST_CHECK enum err_code api_literal_json(const struct tensor_view *literal, bool weak,
                                              json_t **out, struct err *err);

/* Where attributes are written: as fields of `object`, by name or alias, or by their place in
 * `list`, in the order of the rows, as in a Python call. */
struct api_attr_fields {
    const char *op; /* for messages */
    struct api_object *object;
    const struct api_value *list; /* list_count of them */
    size_t list_count;
    struct api_tensor_table *tensors; /* what {"tensor": key} means; NULL: none came */
};

/* Reads every row's value, ticking off its field; null counts as absent except for tensors. params
 * holds the defaults; given[row] says what was there. Literals, and what must live as long, go to
 * `tree`. Bounds are left to attr_check. */
ERR_MUST_CHECK enum err_code api_attrs_decode(const struct api_attr_fields *fields,
                                              const struct attr_spec *specs,
                                              const struct expr_limits *limits,
                                              struct expr_tree *tree, void *params, bool *given,
                                              struct err *err);
/* Adds to `object` every attribute that was given or is not its default. given NULL: only the
 * latter. */
ERR_MUST_CHECK enum err_code api_attrs_json(const struct attr_spec *specs, const void *params,
                                            const bool *given, json_t *object, struct err *err);
/* One attribute's value; *out NULL when it has none (an optional one without a default). */
ERR_MUST_CHECK enum err_code api_attr_json(const struct attr_spec *spec, const void *params,
                                           json_t **out, struct err *err);

#endif
