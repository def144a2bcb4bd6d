/* What is in a checkpoint as text: what TensorFlow's inspect_checkpoint prints. */
#ifndef API_TENSORS_INSPECT_TEXT_H
#define API_TENSORS_INSPECT_TEXT_H

#include "api/reply.h"
#include "api/request.h"

/* Replies with one line for each tensor, or, as the query asks, with `tensor` or all of them and
 * their values. */
ERR_MUST_CHECK enum err_code api_inspect_text(struct api_request *rq, struct api_reply *rp,
                                              struct err *err);
/* ERR_INVALID_ARGUMENT when the query has arguments that only the text takes. */
ERR_MUST_CHECK enum err_code api_inspect_text_unasked(struct api_request *rq, struct err *err);

#endif
