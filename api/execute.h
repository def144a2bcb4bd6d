/* Private to api/: a request is run, here or by a worker, once everything of it is known but its
 * body. */
#ifndef API_EXECUTE_H
#define API_EXECUTE_H

#include "api/state.h"

/* On this thread. Leaves a complete reply, or ERR_DEFER: it is a worker's, or none: it waits. */
enum err_code api_execute(struct api_request *rq);
/* Gives the request to a worker; the connection rests until it is done, or wants the body. HTTP
 * thread. */
enum MHD_Result api_execute_on_worker(struct api_request *rq, enum api_stage stage);

/* The connection rests until the worker, or the reader of the body, resumes it. Under the request's
 * lock. */
void api_execute_suspend(struct api_request *rq);
/* The worker is done, and the request the HTTP thread's. */
bool api_execute_is_finished(struct api_request *rq);

#endif
