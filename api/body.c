/* The body on its way to the worker, and what handlers read of it. Always true: bytes arrive in
 * order and none twice; `written - read` never passes the pipe; a reader never waits for a client
 * that left. */
#include "api/body.h"

#include <inttypes.h>

#include "api/json/chars.h"
#include "api/json/text.h"
#include "api/observe/memory.h"
#include "store/base/alloc.h"

enum {
    STOP_CHECK_MS = 100,
    /* A reader that wants much is not woken for every piece: it waits for so many bytes, but when
     * there are some, not for long. */
    WAKE_BYTES = 128 * 1024,
    WAKE_MS = 5,
    JSON_READ_BYTES = 64 * 1024,
    FINISH_READ_BYTES = 16 * 1024,
};

struct api_pipe {
    struct condition readable; /* with the request's lock, as everything here */
    uint64_t written, read;
    uint64_t wanted; /* the reader waits for so many */
    bool ended, too_large;
    bool drained; /* worker: the reader has come to the end */
    uint8_t ring[API_PIPE_BYTES];
};

enum err_code
api_body_open(struct api_request *rq, struct err *err)
{
    struct api_pipe *pipe = mem_alloc(sizeof *pipe, err);

    if (pipe == NULL)
        return ERR_NO_MEMORY;
    pipe->written = pipe->read = pipe->wanted = 0;
    pipe->ended = pipe->too_large = pipe->drained = false;
    condition_init(&pipe->readable);
    rq->pipe = pipe;
    return OK;
}

void
api_body_drop(struct api_request *rq)
{
    if (rq->pipe == NULL)
        return;
    condition_drop(&rq->pipe->readable);
    mem_free(rq->pipe);
    rq->pipe = NULL;
}

/* --- HTTP thread --------------------------------------------------------------------------- */

/* Into the ring at position `at`, around its end. */
static void
ring_put(struct api_pipe *pipe, uint64_t at, const uint8_t *data, size_t size)
{
    size_t begin = (size_t)(at % API_PIPE_BYTES);
    size_t first = size < API_PIPE_BYTES - begin ? size : API_PIPE_BYTES - begin;

    memcpy(pipe->ring + begin, data, first);
    memcpy(pipe->ring, data + first, size - first);
}

static void
ring_get(const struct api_pipe *pipe, uint64_t at, uint8_t *out, size_t size)
{
    size_t begin = (size_t)(at % API_PIPE_BYTES);
    size_t first = size < API_PIPE_BYTES - begin ? size : API_PIPE_BYTES - begin;

    memcpy(out, pipe->ring + begin, first);
    memcpy(out + first, pipe->ring, size - first);
}

size_t
api_body_write(struct api_request *rq, struct bytes piece, bool *finished)
{
    struct api_pipe *pipe = rq->pipe;
    size_t done = 0;

    lock_acquire(&rq->lock);
    while (!rq->finished && done < piece.size) {
        uint64_t room = API_PIPE_BYTES - (pipe->written - pipe->read);
        size_t size = piece.size - done < room ? piece.size - done : (size_t)room;

        if (piece.size - done > rq->body_limit - pipe->written) {
            pipe->too_large = true; /* the reader is told; the rest waits for its reply */
            condition_signal(&pipe->readable);
            size = 0;
        }
        if (size == 0) {
            rq->suspended = true;
            MHD_suspend_connection(rq->connection->mhd);
            break;
        }
        lock_release(&rq->lock); /* this part of the ring is the writer's alone */
        ring_put(pipe, pipe->written, piece.data + done, size);
        lock_acquire(&rq->lock);
        if (pipe->written == pipe->read || pipe->written + size - pipe->read >= pipe->wanted)
            condition_signal(&pipe->readable);
        pipe->written += size;
        done += size;
    }
    *finished = rq->finished;
    lock_release(&rq->lock);
    return done;
}

void
api_body_end(struct api_request *rq)
{
    lock_check_held(&rq->lock);
    if (rq->pipe == NULL)
        return;
    rq->pipe->ended = true;
    condition_signal(&rq->pipe->readable);
}

/* --- worker -------------------------------------------------------------------------------- */

static void
resume(struct api_request *rq)
{
    if (!rq->suspended)
        return;
    rq->suspended = false;
    MHD_resume_connection(rq->connection->mhd);
}

/* Waits, with the lock held, until there is something to read or a reason why there will not be.
 * `size`: how much the reader could take. */
static enum err_code
wait_for_bytes(struct api_request *rq, size_t size, struct err *err)
{
    struct api_pipe *pipe = rq->pipe;
    bool waited = false; /* for more than there was */

    if (!rq->body_wanted) {
        rq->body_wanted = true;
        resume(rq);
    }
    pipe->wanted = size == 0 ? 1 : size < WAKE_BYTES ? size : WAKE_BYTES;
    while (pipe->written - pipe->read < pipe->wanted && !waited && !pipe->ended &&
           !pipe->too_large) {
        waited = pipe->written != pipe->read;
        if (atomic_load(&rq->server->stopping))
            return err_set(err, ERR_UNAVAILABLE, "the server stops; the upload was not used");
        (void)condition_wait_ms(&pipe->readable, &rq->lock, waited ? WAKE_MS : STOP_CHECK_MS);
    }
    if (pipe->too_large)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the body is larger than the %" PRIu64 " bytes allowed (setting %s)",
                       rq->body_limit, rq->body_limit_setting);
    if (rq->gone)
        return err_set(err, ERR_UNAVAILABLE,
                       "the client left, or was too slow, before its body ended");
    return OK;
}

static enum err_code
read_pipe(struct api_request *rq, void *out, size_t size, size_t *got, struct err *err)
{
    struct api_pipe *pipe = rq->pipe;
    uint64_t there, at;
    enum err_code code;

    lock_acquire(&rq->lock);
    code = wait_for_bytes(rq, size, err);
    there = pipe->written - pipe->read;
    at = pipe->read;
    lock_release(&rq->lock);
    if (code != OK)
        return code;
    *got = there < size ? (size_t)there : size;
    ring_get(pipe, at, out, *got);
    api_outcome_feed(rq, bytes_of(out, *got));
    pipe->drained = *got == 0;
    lock_acquire(&rq->lock);
    pipe->read += *got;
    if (!rq->gone && pipe->written - pipe->read <= API_PIPE_BYTES / 2)
        resume(rq);
    lock_release(&rq->lock);
    return OK;
}

enum err_code
api_body_finish(struct api_request *rq, struct err *err)
{
    uint8_t rest[FINISH_READ_BYTES];
    size_t got = 0;

    if (rq->pipe == NULL)
        api_outcome_feed(rq, buf_bytes(&rq->gathered));
    /* A client that leaves after its body has ended does not matter any more. */
    while (rq->pipe != NULL && !rq->pipe->drained)
        TRY(read_pipe(rq, rest, sizeof rest, &got, err));
    return OK;
}

uint64_t
api_request_body_length(const struct api_request *rq)
{
    return rq->body_length;
}

enum err_code
api_request_body_read(struct api_request *rq, void *out, size_t size, size_t *got, struct err *err)
{
    size_t left = rq->gathered.size - rq->gathered_read;

    if (left == 0 && rq->pipe != NULL)
        return read_pipe(rq, out, size, got, err);
    *got = left < size ? left : size;
    if (*got > 0)
        memcpy(out, rq->gathered.data + rq->gathered_read, *got);
    rq->gathered_read += *got;
    return OK;
}

enum err_code
api_request_body_peek(struct api_request *rq, void *out, size_t size, size_t *got, struct err *err)
{
    /* A body that flows is looked at by collecting its first bytes; reading begins with them. */
    if (rq->pipe != NULL && rq->gathered.size == 0) {
        uint8_t *room;

        buf_init(&rq->gathered, size);
        TRY(buf_reserve(&rq->gathered, size, &room, err));
        while (rq->gathered.size < size) {
            TRY(read_pipe(rq, room + rq->gathered.size, size - rq->gathered.size, got, err));
            if (*got == 0)
                break;
            buf_commit(&rq->gathered, *got);
        }
    }
    *got = rq->gathered.size < size ? rq->gathered.size : size;
    if (*got > 0)
        memcpy(out, rq->gathered.data, *got);
    return OK;
}

static enum err_code
read_source(void *context, void *out, size_t size, size_t *got, struct err *err)
{
    return api_request_body_read(context, out, size, got, err);
}

struct api_byte_source
api_request_body_source(struct api_request *rq)
{
    return (struct api_byte_source){.context = rq, .read = read_source};
}

enum err_code
api_request_body_exactly(struct api_request *rq, void *out, size_t size, struct err *err)
{
    size_t done = 0, got = 0;

    while (done < size) {
        TRY(api_request_body_read(rq, (uint8_t *)out + done, size - done, &got, err));
        if (got == 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "the body ends after %zu of %zu bytes", done,
                           size);
        done += got;
    }
    return OK;
}

enum err_code
api_request_body_end(struct api_request *rq, struct err *err)
{
    uint8_t byte;
    size_t got = 0;

    TRY(api_request_body_read(rq, &byte, 1, &got, err));
    if (got > 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the body goes on after its content");
    return OK;
}

/* --- JSON ---------------------------------------------------------------------------------- */

static enum err_code
check_json_type(const struct api_request *rq, struct err *err)
{
    struct bytes header = api_request_header(rq, "Content-Type"), type;
    char shown[API_SHOWN_BYTES_MAX + 1];

    if (header.data == NULL || !api_chars_next(&header, ';', &type))
        return OK;
    type = api_chars_trim(type);
    if (type.size == 0 || api_chars_equal(type, "application/json") ||
        api_chars_equal(type, "application/x-www-form-urlencoded"))
        return OK;
    return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE,
                   "a body of type '%s' is not taken here, only application/json",
                   api_text_shown(type, shown));
}

/* All that is left of a streamed body. */
static enum err_code
gather_rest(struct api_request *rq, struct err *err)
{
    uint64_t limit = rq->server->settings->json_body_max_bytes;
    size_t got = 1;

    if (rq->pipe == NULL)
        return OK;
    rq->gathered.size_max = (size_t)limit + JSON_READ_BYTES; /* what was peeked at stays in front */
    while (got > 0) {
        uint8_t *room;

        if (rq->gathered.size > limit)
            return err_set(
                err, ERR_PAYLOAD_TOO_LARGE,
                "a JSON body has at most %" PRIu64 " bytes (setting json_body_max_bytes)", limit);
        TRY(buf_reserve(&rq->gathered, JSON_READ_BYTES, &room, err));
        TRY(read_pipe(rq, room, JSON_READ_BYTES, &got, err));
        buf_commit(&rq->gathered, got);
        TRY(api_memory_take(rq, got, err));
    }
    return OK;
}

enum err_code
api_request_json(struct api_request *rq, struct api_json **out, struct err *err)
{
    const struct settings *settings = rq->server->settings;
    const struct api_json_limits limits = {
        .text_bytes_max = (size_t)settings->json_body_max_bytes,
        .envelope_bytes_max = (size_t)settings->json_envelope_max_bytes,
    };
    struct bytes text;

    if (rq->json == NULL) {
        TRY(check_json_type(rq, err));
        TRY(gather_rest(rq, err));
        text = rq->gathered.size == 0 ? bytes_of_text("{}") : buf_bytes(&rq->gathered);
        TRY(api_json_parse(text, &limits, &rq->json, err));
    }
    *out = rq->json;
    return OK;
}

enum err_code
api_request_value(struct api_request *rq, struct api_value *out, struct err *err)
{
    struct api_json *doc = NULL;

    TRY(api_request_json(rq, &doc, err));
    *out = api_json_root(doc);
    return OK;
}

enum err_code
api_request_object(struct api_request *rq, struct api_object *out, struct err *err)
{
    struct api_value root;

    TRY(api_request_value(rq, &root, err));
    return api_object_of(&root, out, err);
}
