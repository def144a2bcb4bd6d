/* Who asks, and whether he may. Without a tokens file everybody who reaches the server may do
 * everything. */
#ifndef API_GUARD_CALLER_H
#define API_GUARD_CALLER_H

#include "api/guard/tickets.h"
#include "api/guard/tokens.h"
#include "api/http/target.h"
#include "api/request.h"

/* Finds the token of the request, if it brings one this server knows; that it brings none, or a
 * wrong one, is no failure yet. ERR_BUSY: too many wrong ones came from its address.
 * ERR_INVALID_ARGUMENT: two Authorization headers. */
ERR_MUST_CHECK enum err_code api_caller_find(struct api_request *rq, struct err *err);
/* After routing, whose outcome is `routed`: passes it on to those who may know it. `query`: raw; of
 * a route that takes one a ticket in it is used up. ERR_UNAUTHENTICATED, ERR_PERMISSION_DENIED,
 * ERR_BUSY when he asks too often. */
ERR_MUST_CHECK enum err_code api_caller_admit(struct api_request *rq, enum err_code routed,
                                              struct bytes query, struct err *err);
/* The request counts as one under way no more: its reply is whole and about to go out, so that who
 * has read it may ask again at once. */
void api_caller_served(struct api_request *rq);
/* Lets go of what the two above took. */
void api_caller_leave(struct api_request *rq);

/* For handlers, about what no path tells. */
/* Whether the caller may know of this model: lists leave out the others. */
bool api_caller_sees(const struct api_request *rq, const char *model);
/* Of a model beside that of the path; NULL and "" are fine. ERR_PERMISSION_DENIED. */
ERR_MUST_CHECK enum err_code api_caller_check_model(struct api_request *rq, const char *model,
                                                    struct err *err);
/* For what needs more than the rest of the operation; `doing` says what. ERR_PERMISSION_DENIED. */
ERR_MUST_CHECK enum err_code api_caller_check_scope(struct api_request *rq, enum api_scope scope,
                                                    const char *doing, struct err *err);
/* A ticket in his name. ERR_BUSY. */
ERR_MUST_CHECK enum err_code api_caller_make_ticket(struct api_request *rq,
                                                    char out[static API_TICKET_BYTES + 1],
                                                    struct err *err);
/* The name of his token; "" without one. Lives as long as rq. */
const char *api_caller_name(const struct api_request *rq);

/* WWW-Authenticate and Retry-After of a refusal. */
ERR_MUST_CHECK enum err_code api_caller_explain(struct api_request *rq, const struct err *problem);
/* RateLimit of any reply; false when there is no limit, or the request was not counted. */
bool api_caller_limit_text(const struct api_request *rq, char *out, size_t size);

#endif
