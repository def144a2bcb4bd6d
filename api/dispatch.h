/* libmicrohttpd's callbacks: the life of a request. */
#ifndef API_DISPATCH_H
#define API_DISPATCH_H

#include <microhttpd.h>

struct api_connection;

/* Lets go of a request that libmicrohttpd began and never ended, as it does where it refuses a head
 * itself: at the next one of the connection, or with it. HTTP thread. */
void api_dispatch_forget(struct api_connection *connection);
/* MHD_OPTION_URI_LOG_CALLBACK: makes the request, which becomes the connection's context. */
void *api_dispatch_begin(void *server, const char *target, struct MHD_Connection *mhd);
/* MHD_AccessHandlerCallback */
enum MHD_Result api_dispatch(void *server, struct MHD_Connection *mhd, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **request);
/* MHD_RequestCompletedCallback */
void api_dispatch_end(void *server, struct MHD_Connection *mhd, void **request,
                      enum MHD_RequestTerminationCode code);

#endif
