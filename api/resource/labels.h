/* "labels": {"name": "value"}. */
#ifndef API_RESOURCE_LABELS_H
#define API_RESOURCE_LABELS_H

#include <jansson.h>

#include "api/request.h"
#include "service/record/record.h"

/* *given false, and the rest untouched, when there are none. Borrows from the request's arena. */
ERR_MUST_CHECK enum err_code api_labels_take(struct api_request *rq, struct api_object *body,
                                             const struct record_label **out, size_t *count,
                                             bool *given, struct err *err);
/* A new reference. */
ERR_MUST_CHECK enum err_code api_describe_labels(const struct record_texts *labels, json_t **out,
                                                 struct err *err);

#endif
