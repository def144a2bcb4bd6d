/* What each operation asks of its caller: api/guard/access.def over what api/routes.def implies. */
#ifndef API_GUARD_ACCESS_H
#define API_GUARD_ACCESS_H

#include "api/guard/tokens.h"
#include "api/router.h"

struct api_access {
    enum api_scope scope;
    bool all_models; /* a token for some models only is not enough */
};

/* One for each route, in the order of the table. Owned by the caller: mem_free. A row of access.def
 * that names no operation is a bug of ours. */
ERR_MUST_CHECK enum err_code api_access_of(const struct api_route *routes, size_t count,
                                           struct api_access **out, struct err *err);

#endif
