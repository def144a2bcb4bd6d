/* One JSON line per request on standard error, when the setting access_log is on. */
#ifndef API_ACCESS_LOG_H
#define API_ACCESS_LOG_H

#include <stdbool.h>

struct api_request;

/* HTTP thread, when the request is over. `whole`: its reply went out, all of it. */
void api_access_log_write(const struct api_request *rq, bool whole);

#endif
