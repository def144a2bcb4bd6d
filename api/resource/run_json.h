/* Runs as JSON: the request of POST …:run, and what a run did. */
#ifndef API_RESOURCE_RUN_JSON_H
#define API_RESOURCE_RUN_JSON_H

#include <jansson.h>

#include "api/request.h"
#include "api/tensors/tensor_table.h"
#include "service/run/run.h"

struct api_run_tree; /* an expression, in the request's arena */

/* A decoded run. Owns its expressions; everything else borrows from the request, and from what came
 * beside its JSON: api_run_drop. */
struct api_run {
    struct api_tensor_table *tensors; /* borrowed: what {"tensor": key} means; NULL: nothing */
    struct run_spec spec;
    struct api_run_tree *trees;
};
void api_run_drop(struct api_run *run);

/* {"require": […], "ops": […], "guards": {…}, "fetches": {…}, "dry_run": false}.
 * ERR_INVALID_ARGUMENT names the field, of an operation also its index; or tensors not used. */
ERR_MUST_CHECK enum err_code api_run_decode(struct api_request *rq, const struct api_value *body,
                                            struct api_run *out, struct err *err);
/* One operation, whose object has been opened: the fields its verb has. Ends the object.
 * op->variable may be set already, from the path. */
ERR_MUST_CHECK enum err_code api_run_decode_op(struct api_request *rq, struct api_object *object,
                                               struct api_run *run, struct run_op *op,
                                               struct err *err);
/* An expression of the run; *out borrows from it. */
ERR_MUST_CHECK enum err_code api_run_take_tree(struct api_request *rq, struct api_run *run,
                                               const struct api_value *value, enum dtype hint,
                                               struct expr_tree **out, struct err *err);
/* The dtype that bare literals for a variable are read in: its own, at once, so that uint64 and
 * float64 keep every digit. DTYPE_UNSET when there is no such variable. */
ERR_MUST_CHECK enum err_code api_run_literal_dtype(struct api_request *rq, const char *variable,
                                                   enum dtype *out, struct err *err);

/* A new reference: {variable: version}. */
ERR_MUST_CHECK enum err_code api_describe_versions(const struct run_version *versions, size_t count,
                                                   json_t **out, struct err *err);
/* A new reference: what an operation did. */
ERR_MUST_CHECK enum err_code api_describe_result(const struct run_result *result, json_t **out,
                                                 struct err *err);
/* A new reference: the catalogue of verbs, with the fields that each takes. */
ERR_MUST_CHECK enum err_code api_verbs_json(json_t **out, struct err *err);
/* The whole reply, fetches included, appended to `out`. ERR_PAYLOAD_TOO_LARGE when it is
 * too long. */
ERR_MUST_CHECK enum err_code api_run_print(const struct run_spec *spec,
                                           const struct run_report *report, struct buf *out,
                                           struct err *err);

#endif
