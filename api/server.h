/* The HTTP edge: owns the libmicrohttpd daemon, the workers and the watchdog. */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "service/service.h"
#include "service/settings.h"

struct api_server;

/* Listens and serves. Borrows service and settings until api_server_stop. ERR_UNAVAILABLE names the
 * address and the reason when it cannot be bound; refuses a non-loopback address
 * without tokens and TLS unless --insecure. */
ERR_MUST_CHECK enum err_code api_server_start(struct service *service,
                                              const struct settings *settings,
                                              struct api_server **out, struct err *err);
/* "http" or "https", the port in use and the address as text ("127.0.0.1", "[::1]"), for the start
 * line. */
const char *api_server_scheme(const struct api_server *server);
uint16_t api_server_port(const struct api_server *server);
const char *api_server_address(const struct api_server *server);
/* Reads again what may change while it runs: the tokens file, the certificate and its key. What
 * cannot be read stays as it was; the log says so. Any thread, before api_server_stop. */
void api_server_reload(struct api_server *server);
/* Refuses new requests (503), lets those under way finish within shutdown_timeout_ms, stops. */
void api_server_stop(struct api_server *server);

#endif
