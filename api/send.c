/* The reply on its way out: libmicrohttpd's response, headers every reply has, and the one case it
 * has no way for. Bytes are never copied here: small bodies live as long as the request, lent ones
 * as long as the response. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "api/feed/stream.h"
#include "api/guard/caller.h"
#include "api/state.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

enum {
    POOL_KEPT_BYTES = 8 * 1024, /* of the connection's memory, for heads and the library */
    READER_BLOCK_BYTES = 256 * 1024,
    TELL_HEAD_BYTES = 2048,
};

static const char exposed_headers[] =
    "ETag, Location, Retry-After, Content-Range, Accept-Ranges, Tensorkeep-Revision, Tensor-Dtype, "
    "Tensor-Shape, Repr-Digest, Content-Digest, Content-Disposition, Preference-Applied, "
    "Idempotency-Replayed, Server-Timing, Traceresponse, X-Request-Id, RateLimit, "
    "RateLimit-Policy, Warning, "
    "WWW-Authenticate";

/* --- long lists of spans ------------------------------------------------------------------- */

struct span_reader {
    void *owner;
    void (*release)(void *owner);
    size_t at, begin; /* the current span, and what was taken of it */
    size_t count;
    struct bytes spans[];
};

static ssize_t
read_spans(void *context, uint64_t position, char *out, size_t room)
{
    struct span_reader *reader = context;
    size_t done = 0;

    (void)position; /* asked for in order */
    while (done < room && reader->at < reader->count) {
        struct bytes span = reader->spans[reader->at];
        size_t left = span.size - reader->begin;
        size_t size = left < room - done ? left : room - done;

        memcpy(out + done, span.data + reader->begin, size);
        done += size;
        reader->begin += size;
        if (reader->begin == span.size) {
            reader->at++;
            reader->begin = 0;
        }
    }
    return done == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)done;
}

static void
drop_reader(void *context)
{
    struct span_reader *reader = context;

    reader->release(reader->owner);
    mem_free(reader);
}

static struct MHD_Response *
respond_with_reader(struct api_reply *rp)
{
    size_t spans_size = rp->span_count * sizeof *rp->spans;
    struct span_reader *reader = mem_alloc(sizeof *reader + spans_size, NULL);
    struct MHD_Response *response;

    if (reader == NULL)
        return NULL;
    *reader =
        (struct span_reader){.owner = rp->owner, .release = rp->release, .count = rp->span_count};
    memcpy(reader->spans, rp->spans, spans_size);
    response = MHD_create_response_from_callback(rp->size, READER_BLOCK_BYTES, read_spans, reader,
                                                 drop_reader);
    if (response == NULL)
        mem_free(reader);
    return response;
}

/* libmicrohttpd makes the reply's head in the connection's memory, copies the list of spans (not
 * the bytes) into it, and closes the connection when that does not fit beside the request. */
bool
api_reply_fits(const struct api_reply *rp)
{
    size_t memory = rp->request->server->settings->head_max_bytes * API_CONNECTION_HEADS;
    size_t used = rp->request->head_size + POOL_KEPT_BYTES;

    return used < memory && rp->span_count <= (memory - used) / sizeof(struct MHD_IoVec);
}

static struct MHD_Response *
respond_with_spans(struct api_reply *rp)
{
    struct arena *arena = &rp->request->arena;
    struct MHD_Response *response = NULL;
    struct MHD_IoVec *list;

    if (!api_reply_fits(rp)) {
        response = respond_with_reader(rp);
    } else {
        list = arena_array(arena, rp->span_count, sizeof *list, NULL);
        for (size_t i = 0; list != NULL && i < rp->span_count; i++)
            list[i] = (struct MHD_IoVec){rp->spans[i].data, rp->spans[i].size};
        if (list != NULL)
            response = MHD_create_response_from_iovec(list, (unsigned)rp->span_count, rp->release,
                                                      rp->owner);
    }
    if (response != NULL)
        rp->release = NULL; /* the response's now */
    return response;
}

static struct MHD_Response *
respond_with_bytes(struct bytes bytes)
{
    return MHD_create_response_from_buffer(bytes.size, (void *)(uintptr_t)bytes.data,
                                           MHD_RESPMEM_PERSISTENT);
}

static struct bytes
body_bytes(const struct api_reply *rp)
{
    switch (rp->kind) {
    case REPLY_BUF:
        return buf_bytes(&rp->body);
    case REPLY_STATIC:
        return rp->text;
    case REPLY_EMPTY:
    case REPLY_NONE:
    case REPLY_SPANS:
    case REPLY_STREAM:
        break;
    }
    return bytes_of("", 0);
}

/* --- headers ------------------------------------------------------------------------------- */

/* Calls `put` for each header of the reply; the first false ends it. */
typedef bool header_visitor(void *context, const char *name, const char *value);

static bool
has_header(const struct api_reply *rp, const char *name)
{
    for (size_t i = 0; i < rp->header_count; i++)
        if (strcmp(rp->headers[i].name, name) == 0)
            return true;
    return false;
}

/* What keeps browsers from taking a reply for something else than data. A page of an API browser
 * has a policy of its own. */
static bool
each_guard_header(const struct api_request *rq, header_visitor *put, void *context)
{
    const struct api_reply *rp = &rq->reply;

    return put(context, "X-Content-Type-Options", "nosniff") &&
           (has_header(rp, "Content-Security-Policy") ||
            put(context, "Content-Security-Policy",
                "default-src 'none'; frame-ancestors 'none'")) &&
           put(context, "Referrer-Policy", "no-referrer") &&
           put(context, "Cross-Origin-Resource-Policy",
               rq->cors_origin != NULL ? "cross-origin" : "same-origin") &&
           (!rp->takes_ranges || has_header(rp, "Content-Disposition") ||
            put(context, "Content-Disposition", "attachment")) &&
           (has_header(rp, "Cache-Control") ||
            put(context, "Cache-Control", rp->has_etag ? "no-cache" : "no-store"));
}

static bool
each_cors_header(const struct api_request *rq, header_visitor *put, void *context)
{
    if (rq->cors_origin == NULL)
        return true;
    return put(context, "Access-Control-Allow-Origin", rq->cors_origin) &&
           put(context, "Access-Control-Expose-Headers", exposed_headers);
}

static bool
each_limit_header(const struct api_request *rq, header_visitor *put, void *context)
{
    char limit[96];

    return !api_caller_limit_text(rq, limit, sizeof limit) ||
           (put(context, "RateLimit-Policy", rq->server->rate_policy) &&
            put(context, "RateLimit", limit));
}

static bool
each_trace_header(const struct api_request *rq, header_visitor *put, void *context)
{
    char response[API_TRACE_RESPONSE_BYTES];

    if (!rq->trace.given)
        return true;
    api_trace_response(&rq->trace, response);
    return put(context, "traceresponse", response);
}

static bool
each_header(struct api_request *rq, header_visitor *put, void *context)
{
    struct api_reply *rp = &rq->reply;
    char timing[API_TIMING_BYTES];

    rq->times.replied_us = clock_monotonic_us();
    api_timing_text(&rq->times, timing);
    if (rq->server->settings->cors_origins[0] != '\0')
        api_reply_vary(rp, "Origin");
    for (size_t i = 0; i < rp->header_count; i++)
        if (!put(context, rp->headers[i].name, rp->headers[i].value))
            return false;
    return (rp->media_type == NULL || put(context, "Content-Type", rp->media_type)) &&
           (!rp->has_etag || put(context, "ETag", rp->etag)) &&
           (!rp->takes_ranges || put(context, "Accept-Ranges", "bytes")) &&
           each_guard_header(rq, put, context) &&
           (rp->vary[0] == '\0' || put(context, "Vary", rp->vary)) &&
           each_cors_header(rq, put, context) && each_limit_header(rq, put, context) &&
           put(context, "X-Request-Id", rq->id) && put(context, "Server-Timing", timing) &&
           each_trace_header(rq, put, context) &&
           (!rp->close || put(context, "Connection", "close"));
}

static bool
put_to_response(void *context, const char *name, const char *value)
{
    return MHD_add_response_header(context, name, value) == MHD_YES;
}

/* Not for HEAD: the library would end a body of unknown size with a chunk even where none is sent.
 */
static bool
streams(const struct api_request *rq)
{
    return rq->reply.kind == REPLY_STREAM && !api_request_is_head(rq);
}

static struct MHD_Response *
respond(struct api_request *rq)
{
    struct api_reply *rp = &rq->reply;

    if (rp->kind == REPLY_SPANS)
        return respond_with_spans(rp);
    if (streams(rq))
        return api_stream_respond(rq);
    return respond_with_bytes(body_bytes(rp));
}

enum MHD_Result
api_reply_send(struct api_request *rq)
{
    struct api_reply *rp = &rq->reply;
    struct MHD_Response *response;
    enum MHD_Result queued;

    CHECK(rp->kind != REPLY_NONE);
    if (atomic_load(&rq->server->draining))
        rp->close = true;
    api_connection_phase(rq->connection, streams(rq) ? PHASE_STREAM : PHASE_REPLY);
    response = respond(rq);
    if (response == NULL)
        return MHD_NO;
    rq->stage = STAGE_REPLY;
    if (rp->kind != REPLY_SPANS && !streams(rq))
        api_caller_served(rq);
    queued = each_header(rq, put_to_response, response)
                 ? MHD_queue_response(rq->connection->mhd, (unsigned)rp->status, response)
                 : MHD_NO;
    MHD_destroy_response(response);
    return queued;
}

/* --- past the library ---------------------------------------------------------------------- */

static bool
put_to_text(void *context, const char *name, const char *value)
{
    return buf_printf(context, NULL, "%s: %s\r\n", name, value) == OK;
}

bool
api_reply_tell(struct api_request *rq)
{
    struct api_reply *rp = &rq->reply;
    struct bytes body = body_bytes(rp);
    AUTO(buf) text;
    ssize_t sent;

    buf_init(&text, TELL_HEAD_BYTES + 64 * 1024);
    rp->close = true;
    if (rp->kind == REPLY_SPANS || rp->kind == REPLY_STREAM || rp->kind == REPLY_NONE ||
        buf_printf(&text, NULL, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n", rp->status,
                   MHD_get_reason_phrase_for((unsigned)rp->status), body.size) != OK ||
        !each_header(rq, put_to_text, &text) || buf_append_text(&text, "\r\n", NULL) != OK ||
        buf_append(&text, body.data, body.size, NULL) != OK)
        return false;
    if (rq->server->tls != NULL)
        sent = api_tls_send_last(rq->connection->mhd, buf_bytes(&text)) ? (ssize_t)text.size : -1;
    else
        sent = send(rq->connection->fd, text.data, text.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == (ssize_t)text.size && shutdown(rq->connection->fd, SHUT_WR) == 0;
}
