/* The access log: one JSON line per request on standard error, when the setting access_log is on.
 *
 * Lines are gathered and written by a thread of the log's own, all there are at once: a write for
 * each would take as long as a small request. They come out within API_ACCESS_LOG_DELAY_MS; a
 * process that is killed loses those it has not written. When the reader of standard error is too
 * slow, requests wait for it. */
#ifndef API_OBSERVE_ACCESS_LOG_H
#define API_OBSERVE_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/err.h"

enum { API_ACCESS_LOG_DELAY_MS = 20 };

struct api_access_log;
struct api_request;

/* Owned by the caller: api_access_log_close. */
ERR_MUST_CHECK enum err_code api_access_log_open(struct api_access_log **out, struct err *err);
/* Writes what there is. NULL is fine. */
void api_access_log_close(struct api_access_log *log);

/* HTTP thread, when the request is over. `whole`: its reply went out, all of it. */
void api_access_log_write(struct api_access_log *log, const struct api_request *rq, bool whole);
/* A line without its beginning, which tells the time, and without its end. Any thread. */
void api_access_log_add(struct api_access_log *log, const char *text, size_t size);

#endif
