/* Accumulators as JSON. */
#ifndef API_RESOURCE_ACCUMULATOR_JSON_H
#define API_RESOURCE_ACCUMULATOR_JSON_H

#include <jansson.h>

#include "api/resource/run_json.h"
#include "service/training/accumulator.h"

/* {"dtype": "float32", "shape": [3] | null, "sparse": false}. *shape is where out->shape points. */
ERR_MUST_CHECK enum err_code api_accumulator_take_spec(const struct api_value *body,
                                                       struct accumulator_spec *out,
                                                       struct shape *shape, struct err *err);
/* What an operation on one states: {"gradient": tensor | {"indices": […], "values": tensor},
 * "local_step": 0}, {"num_required": 1} or {"step": 0}, as its verb has it; and "accumulator", when
 * the path has not said which. Trees go to `run` and `op`. The object is not ended here. */
ERR_MUST_CHECK enum err_code
api_accumulator_request_take(struct api_request *rq, struct api_object *object, struct api_run *run,
                             struct run_op *op, struct accumulator_request *out, struct err *err);
/* New references. */
ERR_MUST_CHECK enum err_code api_describe_accumulator(const char *name,
                                                      const struct accumulator_record *record,
                                                      json_t **out, struct err *err);
ERR_MUST_CHECK enum err_code api_describe_accumulated(const struct accumulator_result *result,
                                                      json_t **out, struct err *err);

#endif
