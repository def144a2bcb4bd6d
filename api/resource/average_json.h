/* Moving averages as JSON: what a client states of one, one as it is, and updates of it. */
#ifndef API_RESOURCE_AVERAGE_JSON_H
#define API_RESOURCE_AVERAGE_JSON_H

#include "api/resource/run_json.h"
#include "service/training/average.h"
#include "service/training/average_apply.h"

/* What a request states. Owns the expression: api_average_drop. */
struct api_average {
    struct average_spec spec;
    struct expr_tree num_updates;
};
void api_average_drop(struct api_average *stated);

/* {"decay", "num_updates": null, "zero_debias": false, "name"}. */
ERR_MUST_CHECK enum err_code api_average_decode(struct api_request *rq,
                                                const struct api_value *body,
                                                struct api_average *out, struct err *err);
/* A new reference: {"moving_averages", "name", "decay", "num_updates", "zero_debias", "created",
 * "updated", "revision"}. */
ERR_MUST_CHECK enum err_code api_describe_average(const struct average_config *config, json_t **out,
                                                  struct err *err);

/* {"variables": ["w"], "tensors": {"loss": expression}}, for a request of its own and as an
 * operation of a run; there with "moving_averages", the name, which `out` has already here. Trees
 * go to `run`, everything else borrows from the request. The object is not ended. */
ERR_MUST_CHECK enum err_code
api_average_selection_take(struct api_request *rq, struct api_object *object, struct api_run *run,
                           struct average_selection *out, struct err *err);
/* A new reference: {"moving_averages", "decay", "versions": {shadow: version}}. */
ERR_MUST_CHECK enum err_code api_describe_averaged(const struct average_applied *applied,
                                                   json_t **out, struct err *err);

#endif
