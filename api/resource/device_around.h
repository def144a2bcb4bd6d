/* What a request says of the devices of variables that it makes, moves or looks for. */
#ifndef API_RESOURCE_DEVICE_AROUND_H
#define API_RESOURCE_DEVICE_AROUND_H

#include "api/request.h"
#include "api/resource/device_json.h"
#include "service/variable/variable.h"

/* Takes "device" and "caching_device" out of an object that is about a variable. A caching device
 * of null is none. */
ERR_MUST_CHECK enum err_code api_device_take_around(struct api_object *object, struct arena *arena,
                                                    struct variable_scopes *out, struct err *err);
/* The query argument "device". */
ERR_MUST_CHECK enum err_code api_device_query(struct api_request *rq, struct device_spec *out,
                                              bool *given, struct err *err);

#endif
