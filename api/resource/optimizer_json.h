/* Optimizers as JSON: what a client states of one, one as it is, and the catalogue of all there
 * are.
 */
#ifndef API_RESOURCE_OPTIMIZER_JSON_H
#define API_RESOURCE_OPTIMIZER_JSON_H

#include <jansson.h>

#include "api/request.h"
#include "service/training/optimizer_config.h"

/* What a request states. Owns the learning rate's expression: api_optimizer_drop. The rest borrows
 * from the request's arena. */
struct api_optimizer {
    struct optimizer_spec spec;
    struct expr_tree learning_rate;
};
void api_optimizer_drop(struct api_optimizer *stated);

/* {"type", "name", "learning_rate", "global_step", hyper-parameters}. `optimizer`: the type when
 * "type" is absent; NULL: it is required. ERR_INVALID_ARGUMENT names the field. */
ERR_MUST_CHECK enum err_code api_optimizer_decode(struct api_request *rq,
                                                  const struct api_value *body,
                                                  const struct optimizer *optimizer,
                                                  struct api_optimizer *out, struct err *err);
/* A new reference: {"optimizer", "type", "name", "learning_rate", every hyper-parameter,
 * "global_step" (where it has one), "slots": [{"name", "suffix", "initial"}], "powers": [{"name",
 * "variable", "initial"}], "created", "updated", "revision"}. What is stated reads back as it was.
 */
ERR_MUST_CHECK enum err_code api_describe_optimizer(const struct optimizer_config *config,
                                                    json_t **out, struct err *err);
/* A new reference: {"optimizers": [{"type", "name", "summary", "learning_rate": {"required",
 * "default"}, "attributes": as of ops, "slots": [names], "powers": [names], "dtypes",
 * "needs_global_step", "extension"}]}. */
ERR_MUST_CHECK enum err_code api_optimizers_json(json_t **out, struct err *err);

#endif
