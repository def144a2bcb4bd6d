/* Restores in JSON: what they are asked by, and the report that they are answered with. */
#ifndef API_RESOURCE_RESTORE_JSON_H
#define API_RESOURCE_RESTORE_JSON_H

#include <jansson.h>

#include "api/request.h"
#include "service/saving/checkpoint.h"

/* "variables" or "prefix_map", the choices and "dry_run"; then the body has to be at its end. *spec
 * borrows from the request's arena. */
ERR_MUST_CHECK enum err_code api_restore_take(struct api_request *rq, struct api_object *body,
                                              struct checkpoint_restore_spec *spec,
                                              struct err *err);
/* Sets the fields of the report: "restored", "created", "not_in_checkpoint": variables; "missing",
 * "unexpected": names in the checkpoint; "mismatched": both sides. */
ERR_MUST_CHECK enum err_code api_restore_describe(json_t *json, const struct restore_report *report,
                                                  struct err *err);
/* Restores into the model in the path and replies; a refusal has the report, too. */
ERR_MUST_CHECK enum err_code api_restore_reply(struct api_request *rq, struct api_reply *rp,
                                               const struct checkpoint_restore_spec *spec,
                                               struct err *err);

#endif
