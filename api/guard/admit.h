/* Everything that is decided about a request from its head, before its body and its handler. */
#ifndef API_GUARD_ADMIT_H
#define API_GUARD_ADMIT_H

#include "api/state.h"

/* Gate, names of this server, origin, token, route, scope, rate, query, limits. Fills the request's
 * parsed parts. On failure after which the next request's place is uncertain, reply.close is set.
 * With OPTIONS the reply is made and match.route stays NULL. */
ERR_MUST_CHECK enum err_code api_admit(struct api_request *rq, const char *method,
                                       const char *version, struct err *err);

/* Whether the library is the version whose source was read, so that what it leaves of the head may
 * be looked at byte by byte. With another one we rely on its own strictness. */
bool api_library_is_verified(void);

#endif
