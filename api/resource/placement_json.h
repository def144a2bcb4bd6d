/* Where a model's variables go, in requests and replies: "device", "allow_soft_placement",
 * "placement". */
#ifndef API_RESOURCE_PLACEMENT_JSON_H
#define API_RESOURCE_PLACEMENT_JSON_H

#include "api/json/jsonio.h"
#include "service/model.h"

/* Takes the three fields. What the spec gets of them lies in the arena. */
ERR_MUST_CHECK enum err_code api_placement_take(struct api_object *body, struct arena *arena,
                                                const struct service_limits *limits,
                                                struct model_spec *spec, struct err *err);
/* What was drawn so far; null without a placement. */
ERR_MUST_CHECK enum err_code api_placement_describe_state(const struct model_devices *devices,
                                                          const struct model_drawn *drawn,
                                                          json_t **out, struct err *err);
/* Sets them, and "placement_state". */
ERR_MUST_CHECK enum err_code api_placement_describe(const struct model_info *info, json_t *model,
                                                    struct err *err);

#endif
