/* Replies whose bytes come as they are made, for as long as somebody listens: change feeds,
 * backups.
 *
 * The library asks for bytes when the client can take some; when there are none yet, the connection
 * rests and costs no thread until it is woken. Nothing is queued here: what a client is too slow to
 * take stays with the source, and a client slower than reply_rate_min_bytes is ended while bytes
 * wait for it. */
#ifndef API_FEED_STREAM_H
#define API_FEED_STREAM_H

#include <sys/types.h>

#include "api/reply.h"

struct api_stream;

enum {
    API_STREAM_END = -1,  /* that was all */
    API_STREAM_FAIL = -2, /* the client is to notice that something is missing */
};

/* What a stream's bytes come from; static. */
struct api_stream_source {
    /* On the connection's HTTP thread, so briefly: the number of bytes put into `out`; 0: none yet,
     * ask again after api_stream_wake; or one of the above. */
    ssize_t (*read)(void *owner, uint8_t *out, size_t size);
    /* Once, when the stream is over or could not begin, on any thread; read is not called again.
     * When it returns, the stream is gone: nobody may wake it any more. */
    void (*drop)(void *owner);
    /* There has to be something to send before long: it shows whether the client is still there.
     * Any thread; NULL: there always is. */
    void (*prod)(void *owner);
    /* Has an end of its own: a server that stops gives it the time that requests under way have.
     * Others end at once. */
    bool ends;
};

/* Status 200 with the source's bytes, no range, no digest. Takes `owner`, also on failure. *stream:
 * for waking, from now until `drop` is called. */
ERR_MUST_CHECK enum err_code api_reply_stream(struct api_request *rq, struct api_reply *rp,
                                              const char *media_type,
                                              const struct api_stream_source *source, void *owner,
                                              struct api_stream **stream, struct err *err);
/* There may be bytes. Any thread, also with a lock held that `read` or `drop` takes. */
void api_stream_wake(struct api_stream *stream);

/* --- for the server ------------------------------------------------------------------------ */

struct MHD_Response;
struct api_server;

/* The response that reads the reply's stream; NULL without memory. HTTP thread. */
struct MHD_Response *api_stream_respond(struct api_request *rq);
/* Ends those whose caller has lost his token, or whose time is over. Any thread. */
void api_streams_check(struct api_server *server);
/* Finds those whose client has left without waiting for their next heartbeat. Any thread. */
void api_streams_prod(struct api_server *server);
/* Those that have no end of their own are over, now and from now on; `all`: the others are cut. */
void api_streams_end(struct api_server *server, bool all);

#endif
