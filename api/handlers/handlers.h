/* Every handler that api/routes.def names. */
#ifndef API_HANDLERS_HANDLERS_H
#define API_HANDLERS_HANDLERS_H

#include "api/request.h"

#define ROUTE(method, path, operation_id, handler, run, body, query) api_handler handler;
#include "api/routes.def"
#undef ROUTE

#endif
