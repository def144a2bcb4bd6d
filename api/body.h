/* The body on its way from the HTTP thread to the worker: a bounded pipe, guarded by the request's
 * lock. The HTTP thread never waits: when the pipe is full it suspends the connection, and the
 * worker resumes it when half of the pipe is free again. */
#ifndef API_BODY_H
#define API_BODY_H

#include "api/state.h"

ERR_MUST_CHECK enum err_code api_body_open(struct api_request *rq, struct err *err);
void api_body_drop(struct api_request *rq);

/* HTTP thread. Takes as many bytes as fit; with bytes left over the connection is suspended, so
 * also when the route's limit is passed. *finished: the worker is done and wants no more. */
size_t api_body_write(struct api_request *rq, struct bytes piece, bool *finished);
/* Nothing more will come. With the request's lock held. */
void api_body_end(struct api_request *rq);
/* Worker. Reads what is left, so that the request's outcome has been fed all of its body. */
ERR_MUST_CHECK enum err_code api_body_finish(struct api_request *rq, struct err *err);

#endif
