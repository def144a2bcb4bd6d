/* Rows of attributes, and dtypes, as the catalogues of ops and of optimizers show them. */
#ifndef API_RESOURCE_ATTR_ROWS_H
#define API_RESOURCE_ATTR_ROWS_H

#include <jansson.h>

#include "service/expr/attr.h"

/* [{"name", "kind", "required", "default" (null: none; not for required ones), "min", "max" (where
 * bounded), "choices", "alias" (where there are), "summary"}]; a new reference. */
ERR_MUST_CHECK enum err_code api_attr_rows_json(const struct attr_spec *specs, size_t params_size,
                                                json_t **out, struct err *err);
/* Names of the dtypes in a set of OP_DTYPE bits; a new reference. */
ERR_MUST_CHECK enum err_code api_dtypes_json(uint32_t dtypes, json_t **out, struct err *err);

#endif
