/* What stands before the requests: tokens, the certificate, limits of clients. Parts of the server,
 * opened before it listens, dropped when no thread of its is left. */
#ifndef API_GUARD_GUARD_H
#define API_GUARD_GUARD_H

#include "store/base/err.h"

struct api_server;

/* On failure what was opened is left for api_guard_drop. */
ERR_MUST_CHECK enum err_code api_guard_open(struct api_server *server, struct err *err);
void api_guard_drop(struct api_server *server); /* what was never opened is fine */
/* Reads the files again. Any thread, while the server runs. */
void api_guard_reload(struct api_server *server);

#endif
