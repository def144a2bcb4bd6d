/* What the edge's own files share: the server, a connection, a request, a reply. Handlers see none
 * of this; they use api/request.h and api/reply.h.
 *
 * Who touches what. A connection and everything of its request belong to the HTTP thread that
 * serves it, but for one span of time: from the moment the request is given to a worker until
 * `finished` is set, the worker owns the request's parsed parts, arena and reply, and the HTTP
 * thread touches only what stands under `request.lock`. The watchdog reads connections under the
 * registry lock and each connection's own lock. Order of locks: registry, streams or waiting, the
 * feed's, a stream, connection, request, then libmicrohttpd's. */
#ifndef API_STATE_H
#define API_STATE_H

#include <microhttpd.h>
#include <stdatomic.h>
#include <stddef.h>

#include "api/guard/access.h"
#include "api/guard/host.h"
#include "api/guard/rate.h"
#include "api/guard/tickets.h"
#include "api/guard/tls.h"
#include "api/guard/tokens_file.h"
#include "api/http/head.h"
#include "api/observe/access_log.h"
#include "api/observe/metrics.h"
#include "api/observe/timing.h"
#include "api/observe/trace.h"
#include "api/outcome.h"
#include "api/pool.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/router.h"
#include "api/server.h"
#include "store/base/lock.h"

enum {
    API_REQUEST_MAGIC = 0x72657131,
    API_CONNECTION_MAGIC = 0x636f6e31,
    API_REPLY_HEADERS_MAX = 24,
    API_REQUEST_ID_BYTES_MAX = 128,
    API_GATHER_BYTES_MAX = 64 * 1024,        /* declared bodies up to this are collected first */
    API_SWALLOW_BYTES_MAX = 1024 * 1024,     /* of a body nobody wants any more */
    API_REQUEST_ARENA_BYTES_MAX = 256 << 20, /* everything temporary of one request */
    API_SCRATCH_BYTES = 4096,                /* of a request, before its arena */
    /* What libmicrohttpd has for a connection, beside the largest head: for its records of the head
     * and for the reply's head; and heads up to twice as large as may be get here, to be refused in
     * our words. It is cleared between requests: a third of a small request's time at 128 KiB. */
    API_CONNECTION_HEADS = 2,
    API_ETAG_BYTES_MAX = 128,
    API_VARY_BYTES_MAX = 64,
    API_PIPE_BYTES = 1024 * 1024, /* of an upload on its way to the worker */
};

/* --- reply --------------------------------------------------------------------------------- */

enum api_reply_kind { REPLY_NONE, REPLY_EMPTY, REPLY_BUF, REPLY_STATIC, REPLY_SPANS, REPLY_STREAM };

struct api_reply {
    struct api_request *request; /* the one it is part of */
    enum api_reply_kind kind;
    int status;
    const char *media_type;
    struct buf body;     /* REPLY_BUF */
    struct bytes text;   /* REPLY_STATIC: borrowed from the program or the arena */
    struct bytes *spans; /* REPLY_SPANS: in the arena, none empty */
    size_t span_count;
    struct api_sum *sums; /* what is known of them before they are cut; in the arena */
    size_t sum_count;
    bool is_file;               /* gets a digest that reads it unasked, if it is small */
    uint64_t size;              /* of the body, all kinds; of a stream: so far */
    uint64_t range_whole;       /* 416: what the range was not in */
    struct buf failure_members; /* JSON fields a problem document gets besides its own; owned */
    void *owner;                /* of the spans, or the stream; released once */
    void (*release)(void *owner);
    bool close; /* the connection ends with this reply */
    bool has_etag, takes_ranges;
    bool may_pack; /* it may go by gzip: api/http/pack.h */
    char etag[API_ETAG_BYTES_MAX];
    char vary[API_VARY_BYTES_MAX]; /* comma separated */
    size_t header_count;
    struct {
        const char *name, *value; /* static or in the request's memory */
    } headers[API_REPLY_HEADERS_MAX];
};

/* Nothing set, nothing owned. */
void api_reply_reset(struct api_reply *rp);
/* The reply becomes the problem document of `err`. Cannot fail: short of memory it is told in fewer
 * words. */
void api_reply_fail(struct api_request *rq, const struct err *err);
/* What every reply begins with, once. OK, so that it can end a handler. */
enum err_code api_reply_begin(struct api_reply *rp, enum api_reply_kind kind, int status,
                              uint64_t size);
/* Lets the owner of lent bytes go, if there is one. */
void api_reply_release(struct api_reply *rp);
/* As it was when it was copied to *before, without a body: to be rendered again. */
void api_reply_rewind(struct api_reply *rp, const struct api_reply *before);
/* Hands the reply to libmicrohttpd (HTTP thread, in the access callback). MHD_NO ends the
 * connection. */
enum MHD_Result api_reply_send(struct api_request *rq);
/* Whether there is room in the connection's memory, beside the request's head. */
bool api_reply_fits(const struct api_reply *rp);
/* Writes an error past libmicrohttpd, which takes no reply while a body is coming in, and none that
 * does not fit. False when that did not work out. The connection must be closed afterwards. */
bool api_reply_tell(struct api_request *rq);

/* --- request ------------------------------------------------------------------------------- */

/* Where a request stands, seen from its HTTP thread. */
enum api_stage {
    STAGE_HEAD,    /* nothing looked at yet */
    STAGE_GATHER,  /* collecting a small body */
    STAGE_READY,   /* everything is there: run it in the next callback */
    STAGE_STARTED, /* a worker runs it; the body waits in the socket until the worker asks for it */
    STAGE_PIPE,    /* the body flows to the worker */
    STAGE_WAIT,    /* suspended until the worker is done */
    STAGE_SWALLOW, /* the reply is known; the rest of the body is thrown away */
    STAGE_TOLD,    /* the reply was written past libmicrohttpd; the connection is about to end */
    STAGE_REPLY,   /* handed to libmicrohttpd */
};

struct api_argument {
    struct bytes name, value; /* decoded */
};

struct api_pipe;   /* api/body.h */
struct api_stream; /* api/feed/stream.h */
struct api_feed;   /* api/feed/feed.h */

/* A request that waits for something: api/waiting.h. */
struct api_wait {
    struct api_request **link, *next; /* these five: the server's `waiting` lock */
    bool parked;                      /* no thread has it */
    bool woken;                       /* what it waits for may have happened */
    bool over;                        /* it is to be answered now */
    bool listed;
    bool acts; /* it has not had its effect yet */
    uint64_t topic, deadline_ms;
    api_handler *look; /* NULL: it does not wait */
    const void *context;
};

struct api_request {
    uint32_t magic;
    struct api_job job; /* the pool's link */
    struct api_server *server;
    struct api_connection *connection; /* not to be touched once `gone` */
    struct lock lock;                  /* guards the next block, and the pipe */
    unsigned references;               /* HTTP thread, worker */
    bool suspended;                    /* the connection is, by us */
    bool finished;                     /* the reply is complete */
    bool body_wanted;                  /* the worker asked for the body */
    bool gone;                         /* the client left, or the server stops */
    struct api_pipe *pipe;             /* owned; NULL unless streaming */

    /* everything below is cleared at the start of each request */
    enum api_stage stage;
    bool on_worker, method_known;
    bool streams; /* counted among the uploads */
    struct api_times times;
    char *target;             /* raw copy, NUL-terminated; NULL: no memory for it */
    size_t target_size;       /* up to the first NUL */
    const char *target_place; /* where the library had it; only compared */
    enum api_method method;
    struct api_head head;
    size_t head_size;              /* bytes of it */
    struct api_tokens *tokens;     /* held while the next is used; NULL without one */
    const struct api_token *token; /* the caller's; NULL: none, or none this server knows */
    bool has_credentials;          /* right or wrong */
    const char *scope_missing;     /* refused for the lack of it */
    bool is_counted;               /* rate says how often he may ask */
    struct api_rate_state rate;
    uint32_t rate_place;
    uint64_t retry_ms; /* refused until then; 0: nobody knows */
    struct api_match match;
    struct bytes query_text;
    struct api_argument *arguments;
    size_t argument_count;
    bool has_body, gathers; /* gathers: the body is collected before the handler runs */
    uint64_t body_length;   /* declared; UINT64_MAX chunked */
    uint64_t body_limit;
    const char *body_limit_setting;
    uint64_t received, swallowed; /* HTTP thread */
    uint64_t memory_bytes;        /* what it has by api/observe/memory.h */
    struct buf gathered;
    size_t gathered_read;
    struct api_json *json;
    const char *cors_origin;     /* allowed one, or NULL */
    struct api_outcome *outcome; /* its Idempotency-Key in use, in its memory; NULL without one */
    api_render *render;          /* how the write is answered, from render_result */
    const void *render_result;
    struct api_wait wait;
    char id[API_REQUEST_ID_BYTES_MAX + 1];
    struct api_trace trace;
    size_t scratch_used;
    struct arena arena;
    struct api_reply reply;
    /* not cleared */
    struct api_header head_fields[API_HEADERS_MAX];
    _Alignas(16) char scratch[API_SCRATCH_BYTES];
};

/* A fresh request with one reference, the HTTP thread's. NULL when memory is short. */
struct api_request *api_request_open(struct api_connection *connection, const char *target);
/* Memory that lives as long as the request; cheap for little. Uninitialized. */
void *api_request_scratch(struct api_request *rq, size_t size, struct err *err)
    __attribute__((warn_unused_result));
/* Ends the HTTP thread's part: the connection is not to be used any more. */
void api_request_leave(struct api_request *rq);
void api_request_free(struct api_request *rq); /* NULL is fine */
/* Its client has closed its side of the connection, or all of it. Any thread, for a request that
 * waits. */
bool api_request_is_left(struct api_request *rq);
/* Query arguments against the route's list. */
ERR_MUST_CHECK enum err_code api_query_parse(struct api_request *rq, struct bytes raw,
                                             struct err *err);

/* Before the handler, on a worker: takes the request's Idempotency-Key, if it has one and is no
 * look. *replayed: the reply is there already. ERR_INVALID_ARGUMENT, ERR_ABORTED,
 * ERR_UNPROCESSABLE, ERR_BUSY. */
ERR_MUST_CHECK enum err_code api_outcome_open(struct api_request *rq, bool *replayed,
                                              struct err *err);
/* After it, whatever came of it. Fine without a key. */
void api_outcome_close(struct api_request *rq);
/* The next bytes of the body, as they were sent. */
void api_outcome_feed(struct api_request *rq, struct bytes piece);
/* Adds to an ERR_UNKNOWN what the client can do. */
void api_outcome_explain(const struct api_request *rq, struct err *err);

/* --- connection ---------------------------------------------------------------------------- */

enum api_phase { PHASE_HEAD, PHASE_BODY, PHASE_WORK, PHASE_REPLY, PHASE_STREAM };

struct api_connection {
    uint32_t magic;
    struct api_connection *previous, *next; /* registry lock */
    struct api_server *server;
    struct MHD_Connection *mhd;
    int fd;
    struct api_tls_identity *identity; /* HTTP thread: what it shows; NULL without TLS */
    bool over;                         /* beyond the limit: gets 503 */
    bool is_known;                     /* HTTP thread: the last token it has shown was right */
    struct api_request *spare;         /* HTTP thread */
    struct api_request *begun;         /* HTTP thread: begun and not ended by libmicrohttpd */

    struct lock lock; /* guards the rest */
    enum api_phase phase;
    uint64_t since_ms;   /* start of the phase, or of its running stretch */
    uint64_t before_ms;  /* PHASE_BODY: stretches that ended */
    uint64_t body_bytes; /* PHASE_BODY: received */
    bool waiting;        /* PHASE_BODY, PHASE_STREAM: for us, not for the client */
    bool head_begun;     /* PHASE_HEAD: something of the request is there */
    bool base_known;     /* but for PHASE_BODY: base_bytes was read */
    uint64_t base_bytes; /* PHASE_HEAD: received before; of a reply: acknowledged before */
    uint64_t base_ms;
    bool killed;
    unsigned char address[16]; /* of the client, v4 mapped */
    char address_text[48];
    bool is_loopback;
};

/* The client sends nothing any more, or is gone; TCP does not tell these apart before something is
 * sent. */
bool api_connection_is_left(const struct api_connection *c);
void api_connection_phase(struct api_connection *c, enum api_phase phase);
/* Bytes of a body came in; `waiting`: the next ones wait for us. */
void api_connection_body(struct api_connection *c, size_t size, bool waiting);
/* PHASE_STREAM: there is nothing to send; or there is something again. */
void api_connection_rest(struct api_connection *c, bool waiting);
unsigned api_connection_count(struct api_server *server);
/* MHD_NotifyConnectionCallback; its socket context is the connection. */
void api_connection_notify(void *server, struct MHD_Connection *mhd, void **context,
                           enum MHD_ConnectionNotificationCode code);

/* --- server -------------------------------------------------------------------------------- */

struct api_server {
    struct service *service;
    const struct settings *settings;
    struct MHD_Daemon *daemon;
    struct api_pool *pool;
    struct api_router *router;
    struct api_hosts *hosts;
    struct api_access *access;      /* owned; one for each of api_routes */
    struct api_tokens_file *tokens; /* owned; NULL: nobody needs one */
    struct api_tickets *tickets;    /* owned */
    struct api_tls *tls;            /* owned; NULL: plain HTTP */
    struct api_rate *rate;          /* owned; of clients; NULL: no limit */
    struct api_rate *guesses;       /* owned; of wrong tokens, by address; NULL without tokens */
    _Atomic uint64_t guesses_told_ms;
    _Atomic uint64_t token_failures, rate_refusals, slow_ended;
    char rate_policy[64];
    int listener; /* -1 once libmicrohttpd has it */
    uint16_t port;
    char address[64];
    struct api_digest_cache *digests;  /* owned */
    struct api_metrics *metrics;       /* owned */
    struct api_access_log *access_log; /* owned; NULL: there is none */
    uint64_t started_ms;               /* wall clock */
    uint64_t id_seed;                  /* no secret: ids show it */
    _Atomic uint64_t id_counter;
    _Atomic unsigned uploads;                       /* streaming now */
    _Atomic uint64_t requests;                      /* under way */
    _Atomic uint64_t memory_bytes, memory_refusals; /* api/observe/memory.h */
    _Atomic bool draining, stopping;

    struct lock waiting;                        /* guards the next three; taken before the pool's */
    struct api_request *waiters, **waiters_end; /* in the order they came */
    bool waiting_ended;

    struct api_feed *feed; /* owned */

    struct lock streams_lock; /* guards the next three; taken before a stream's */
    struct api_stream *streams;
    bool streams_over, streams_cut; /* those without an end; all */

    struct lock registry; /* guards the next three */
    struct api_connection *connections;
    unsigned connection_count;
    bool watchdog_stop;
    struct condition watchdog_wake; /* with registry */
    pthread_t watchdog;
    bool watchdog_runs;
};

ERR_MUST_CHECK enum err_code api_watchdog_start(struct api_server *server, struct err *err);
void api_watchdog_stop(struct api_server *server);

#endif
