/* Always true: a stream is in its server's list from when it was made until it is dropped, which is
 * before libmicrohttpd lets its connection go; and it is suspended only while it has nothing to
 * send, was not woken since it was last asked, and is not over. Deciding that and suspending are
 * one step under the stream's lock, as waking is, so no wake-up is lost. */
#include "api/feed/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "api/state.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/clock.h"

enum {
    BLOCK_BYTES = 4096,          /* for clients that know no chunks; others fill their own memory */
    SEND_BUFFER_BYTES = 1 << 16, /* of a stream without end, in the kernel */
    SILENCE_MAX_MS = 30000,      /* a client that acknowledges nothing for so long is gone */
};

struct api_stream {
    struct api_stream *previous, *next; /* the server's `streams` lock */
    const struct api_stream_source *source;
    void *owner;
    struct api_request *request;   /* HTTP thread */
    struct api_tokens *tokens;     /* held while the next is used; NULL without one */
    const struct api_token *token; /* of who listens */
    struct lock lock;              /* guards the rest */
    bool woken, suspended;
    bool over, cut; /* the source is not asked any more */
};

static void
enter(struct api_server *server, struct api_stream *stream)
{
    lock_acquire(&server->streams_lock);
    stream->next = server->streams;
    if (stream->next != NULL)
        stream->next->previous = stream;
    server->streams = stream;
    stream->over = server->streams_over && (!stream->source->ends || server->streams_cut);
    stream->cut = stream->over && stream->source->ends;
    lock_release(&server->streams_lock);
}

static void
leave(struct api_server *server, struct api_stream *stream)
{
    lock_acquire(&server->streams_lock);
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        server->streams = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    lock_release(&server->streams_lock);
}

static void
drop(void *context)
{
    struct api_stream *stream = context;

    leave(stream->request->server, stream);
    stream->source->drop(stream->owner);
    api_tokens_drop(stream->tokens);
    lock_drop(&stream->lock);
    mem_free(stream);
}

enum err_code
api_reply_stream(struct api_request *rq, struct api_reply *rp, const char *media_type,
                 const struct api_stream_source *source, void *owner, struct api_stream **out,
                 struct err *err)
{
    struct api_stream *stream = mem_zeroed(1, sizeof *stream, err);

    if (stream == NULL) {
        source->drop(owner);
        return ERR_NO_MEMORY;
    }
    stream->source = source;
    stream->owner = owner;
    stream->request = rq;
    stream->tokens = rq->tokens == NULL ? NULL : api_tokens_hold(rq->tokens);
    stream->token = rq->token;
    lock_init(&stream->lock);
    enter(rq->server, stream);
    rp->media_type = media_type;
    rp->owner = stream;
    rp->release = drop;
    *out = stream;
    return api_reply_begin(rp, REPLY_STREAM, 200, 0);
}

static void
wake(struct api_stream *stream)
{
    lock_check_held(&stream->lock);
    stream->woken = true;
    if (!stream->suspended)
        return;
    stream->suspended = false;
    MHD_resume_connection(stream->request->connection->mhd);
}

void
api_stream_wake(struct api_stream *stream)
{
    lock_acquire(&stream->lock);
    wake(stream);
    lock_release(&stream->lock);
}

/* --- sending ------------------------------------------------------------------------------- */

/* Whether the source is to be asked; what happens from now on is told by a wake-up. */
static bool
begin_reading(struct api_stream *stream, ssize_t *end)
{
    bool over;

    lock_acquire(&stream->lock);
    stream->woken = false;
    over = stream->over;
    *end = stream->cut ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
    lock_release(&stream->lock);
    return !over;
}

/* False: something has happened since it was asked. */
static bool
rest(struct api_stream *stream)
{
    bool rests;

    api_connection_rest(stream->request->connection, true);
    lock_acquire(&stream->lock);
    rests = !stream->woken && !stream->over;
    if (rests) {
        stream->suspended = true;
        MHD_suspend_connection(stream->request->connection->mhd);
    }
    lock_release(&stream->lock);
    return rests;
}

static ssize_t
read_stream(void *context, uint64_t position, char *out, size_t room)
{
    struct api_stream *stream = context;
    ssize_t size;

    (void)position;
    do {
        if (!begin_reading(stream, &size))
            return size;
        size = stream->source->read(stream->owner, (uint8_t *)out, room);
        CHECK(size <= (ssize_t)room);
        if (size == API_STREAM_END)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (size < 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (size > 0) {
            api_connection_rest(stream->request->connection, false);
            stream->request->reply.size += (uint64_t)size;
            return size;
        }
    } while (!rest(stream));
    return 0;
}

/* One that goes on for ever may not hold much of the kernel's memory for a client that reads
 * nothing, and has to notice one that is gone without a word. */
static void
set_socket(int fd)
{
    int bytes = SEND_BUFFER_BYTES;
    unsigned silence_ms = SILENCE_MAX_MS;

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
}

struct MHD_Response *
api_stream_respond(struct api_request *rq)
{
    struct api_reply *rp = &rq->reply;
    struct api_stream *stream = rp->owner;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream, drop);

    if (response == NULL)
        return NULL;
    rp->release = NULL; /* the response's now */
    if (!stream->source->ends)
        set_socket(rq->connection->fd);
    return response;
}

/* --- who listened may not any more --------------------------------------------------------- */

static bool
may_go_on(const struct api_stream *stream, const struct api_tokens *tokens, uint64_t now_ms)
{
    const struct api_token *token = api_tokens_find(tokens, stream->token->digest, now_ms);

    return token != NULL && token->scope >= stream->token->scope &&
           bytes_equal(token->models, stream->token->models);
}

void
api_streams_check(struct api_server *server)
{
    struct api_tokens *tokens =
        server->tokens == NULL ? NULL : api_tokens_file_hold(server->tokens);
    uint64_t now_ms = clock_wall_ms();

    if (tokens == NULL)
        return;
    lock_acquire(&server->streams_lock);
    for (struct api_stream *stream = server->streams; stream != NULL; stream = stream->next) {
        if (stream->token == NULL || may_go_on(stream, tokens, now_ms))
            continue;
        lock_acquire(&stream->lock);
        stream->over = stream->cut = true;
        wake(stream);
        lock_release(&stream->lock);
    }
    lock_release(&server->streams_lock);
    api_tokens_drop(tokens);
}

/* --- whoever listened has left ------------------------------------------------------------- */

/* A client may close its side and go on listening, so it is not ended, but sent something: what
 * comes back from one that is gone ends it. */
void
api_streams_prod(struct api_server *server)
{
    lock_acquire(&server->streams_lock);
    for (struct api_stream *stream = server->streams; stream != NULL; stream = stream->next)
        if (stream->source->prod != NULL && api_request_is_left(stream->request))
            stream->source->prod(stream->owner);
    lock_release(&server->streams_lock);
}

/* --- the server stops ---------------------------------------------------------------------- */

void
api_streams_end(struct api_server *server, bool all)
{
    lock_acquire(&server->streams_lock);
    server->streams_over = true;
    server->streams_cut = server->streams_cut || all;
    for (struct api_stream *stream = server->streams; stream != NULL; stream = stream->next) {
        if (stream->source->ends && !all)
            continue;
        lock_acquire(&stream->lock);
        stream->over = true;
        stream->cut = stream->source->ends;
        wake(stream);
        lock_release(&stream->lock);
    }
    lock_release(&server->streams_lock);
}
