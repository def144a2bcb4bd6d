/* Gradients as JSON, for apply_gradients as a request of its own and as an operation of a run. */
#ifndef API_RESOURCE_GRADIENTS_JSON_H
#define API_RESOURCE_GRADIENTS_JSON_H

#include "api/resource/run_json.h"
#include "service/training/optimizer_apply.h"

/* {"gradients": {"w": tensor, "emb": {"indices": […], "values": tensor}, "b": null},
 *  "global_step": "global_step", "clip_by_global_norm": 5.0, "base_revision": 905,
 *  "max_staleness": 4, "accumulate": {"replicas": 4, "key": "step-17", "worker": "w3"}}. Trees go
 * to `run`; everything else borrows from the request. The object is not ended here. */
ERR_MUST_CHECK enum err_code api_gradients_take(struct api_request *rq, struct api_object *object,
                                                struct api_run *run,
                                                struct optimizer_gradients *out, struct err *err);
/* {"variables": ["w"]}, without gradients. */
ERR_MUST_CHECK enum err_code api_gradient_variables_take(struct api_request *rq,
                                                         struct api_object *object,
                                                         struct optimizer_gradients *out,
                                                         struct err *err);
/* {"indices": …, "values": …} is a sparse gradient; what else is an object is a tensor, or an
 * expression, of which some have indices too. Opens the object, which borrows from the value. */
bool api_gradient_is_sparse(const struct api_value *value, struct api_object *object);
/* A new reference: what the step did. */
ERR_MUST_CHECK enum err_code api_describe_applied(const struct optimizer_applied *applied,
                                                  json_t **out, struct err *err);

#endif
