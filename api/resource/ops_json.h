/* What expressions may be made of, from the tables that run them. */
#ifndef API_RESOURCE_OPS_JSON_H
#define API_RESOURCE_OPS_JSON_H

#include <jansson.h>

#include "store/base/err.h"

/* {"ops": [{"name", "summary", "args": [names], "args_min", "args_max", "attributes": [{"name",
 * "kind", "required", "default" (null: none; not for required ones), "min", "max" (where bounded),
 * "summary"}], "dtypes": [of the result], "random"}]}; a new reference. */
ERR_MUST_CHECK enum err_code api_ops_json(json_t **out, struct err *err);

#endif
