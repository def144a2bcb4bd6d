/* The life of a request, as libmicrohttpd 0.9.75 calls it: begin (request line read), then the
 * access callback once for the head, once for each piece of the body, once at its end and once
 * after each resume, then end.
 *
 * What its source says and this relies on: a reply queued in the head's callback closes the
 * connection afterwards, so requests without a body are run in the callback after it; a connection
 * suspended in the head's callback gets that callback again, before any byte of the body is read;
 * no reply can be queued while a body is coming in. */
#include "api/dispatch.h"

#include "api/body.h"
#include "api/execute.h"
#include "api/guard/admit.h"
#include "api/json/chars.h"
#include "api/observe/access_log.h"
#include "api/observe/memory.h"
#include "api/state.h"
#include "store/base/check.h"
#include "store/base/clock.h"

enum { TOLD_SWALLOW_BYTES_MAX = 16 << 20 };

/* --- the head ------------------------------------------------------------------------------ */

/* The reply is known and the body, if any, not read yet. A short one is read and forgotten, so that
 * the connection can go on; before a long one the connection ends. */
static enum MHD_Result
reply_early(struct api_request *rq)
{
    bool waits = api_request_header(rq, "Expect").data != NULL;

    if (!rq->reply.close &&
        (!rq->has_body || (!waits && rq->body_length <= API_SWALLOW_BYTES_MAX))) {
        api_connection_phase(rq->connection, PHASE_BODY);
        rq->stage = STAGE_SWALLOW;
        return MHD_YES;
    }
    rq->reply.close = true;
    return api_reply_send(rq);
}

/* Past the library; what is still to come is read and forgotten. */
static enum MHD_Result
tell(struct api_request *rq)
{
    rq->stage = STAGE_TOLD;
    rq->swallowed = 0;
    return api_reply_tell(rq) ? MHD_YES : MHD_NO;
}

static enum MHD_Result
refuse(struct api_request *rq, const struct err *err)
{
    api_reply_fail(rq, err);
    /* of a head that fills the connection's memory no room is left for the reply's */
    return api_reply_fits(&rq->reply) ? reply_early(rq) : tell(rq);
}

static enum MHD_Result
start_stream(struct api_request *rq)
{
    uint64_t max = rq->server->settings->uploads_max;
    struct err err = ERR_INIT;

    if (atomic_fetch_add(&rq->server->uploads, 1) >= max) {
        atomic_fetch_sub(&rq->server->uploads, 1);
        (void)err_set(&err, ERR_BUSY, "%u uploads are under way already (setting uploads_max)",
                      (unsigned)max);
        return refuse(rq, &err);
    }
    rq->streams = true;
    if (api_body_open(rq, &err) != OK) {
        atomic_fetch_sub(&rq->server->uploads, 1);
        rq->streams = false;
        return refuse(rq, &err);
    }
    return api_execute_on_worker(rq, STAGE_STARTED);
}

static enum MHD_Result
on_head(struct api_request *rq, const char *method, const char *version)
{
    struct err err = ERR_INIT;

    if (api_admit(rq, method, version, &err) != OK)
        return refuse(rq, &err);
    if (rq->match.route == NULL)
        return reply_early(rq);
    if (!rq->has_body) {
        rq->stage = STAGE_READY;
        return MHD_YES;
    }
    if (!rq->gathers)
        return start_stream(rq);
    if (rq->body_length != UINT64_MAX && api_memory_take(rq, rq->body_length, &err) != OK)
        return refuse(rq, &err);
    api_connection_phase(rq->connection, PHASE_BODY);
    buf_init(&rq->gathered, (size_t)rq->body_limit);
    rq->stage = STAGE_GATHER;
    return MHD_YES;
}

/* --- the body ------------------------------------------------------------------------------ */

static enum MHD_Result
on_swallow(struct api_request *rq, size_t size)
{
    bool declared = rq->body_length != UINT64_MAX;
    uint64_t left = declared ? rq->body_length - rq->received : 0;

    rq->swallowed += size;
    if (rq->stage == STAGE_TOLD)
        return rq->swallowed <= TOLD_SWALLOW_BYTES_MAX ? MHD_YES : MHD_NO;
    if (declared ? left <= API_SWALLOW_BYTES_MAX : rq->swallowed <= API_SWALLOW_BYTES_MAX)
        return MHD_YES;
    return tell(rq);
}

static enum MHD_Result
on_gather(struct api_request *rq, struct bytes piece)
{
    struct err err = ERR_INIT;

    if (piece.size > rq->body_limit - rq->gathered.size) {
        (void)err_set(&err, ERR_PAYLOAD_TOO_LARGE,
                      "the body is larger than the %llu bytes allowed (setting %s)",
                      (unsigned long long)rq->body_limit, rq->body_limit_setting);
    } else if ((rq->body_length != UINT64_MAX || api_memory_take(rq, piece.size, &err) == OK) &&
               buf_append(&rq->gathered, piece.data, piece.size, &err) == OK) {
        return MHD_YES;
    }
    buf_drop(&rq->gathered);
    api_reply_fail(rq, &err);
    rq->stage = STAGE_SWALLOW;
    return on_swallow(rq, piece.size);
}

/* *size: in, the bytes offered; out, those not taken. */
static enum MHD_Result
on_pipe(struct api_request *rq, const char *data, size_t *size)
{
    bool finished = false;
    size_t taken = api_body_write(rq, bytes_of(data, *size), &finished);

    if (finished)
        taken = *size;
    rq->received += taken;
    *size -= taken;
    api_connection_body(rq->connection, taken, *size > 0);
    if (!finished)
        return MHD_YES;
    rq->stage = STAGE_SWALLOW;
    return on_swallow(rq, taken);
}

static enum MHD_Result
on_piece(struct api_request *rq, const char *data, size_t *size)
{
    size_t offered = *size;

    if (rq->stage == STAGE_PIPE)
        return on_pipe(rq, data, size);
    *size = 0;
    rq->received += offered;
    api_connection_body(rq->connection, offered, false);
    if (rq->stage == STAGE_GATHER)
        return on_gather(rq, bytes_of(data, offered));
    CHECK(rq->stage == STAGE_SWALLOW || rq->stage == STAGE_TOLD);
    return on_swallow(rq, offered);
}

/* --- the end of the request, and each resume ----------------------------------------------- */

static enum MHD_Result
on_ready(struct api_request *rq)
{
    if (rq->match.route->run == RUN_WORKER || rq->has_body)
        return api_execute_on_worker(rq, STAGE_WAIT);
    if (api_execute(rq) == ERR_DEFER)
        return api_execute_on_worker(rq, STAGE_WAIT);
    return api_reply_send(rq);
}

/* The worker finished, or asked for the body. */
static enum MHD_Result
on_started(struct api_request *rq)
{
    if (api_execute_is_finished(rq))
        return reply_early(rq);
    rq->stage = STAGE_PIPE;
    api_connection_phase(rq->connection, PHASE_BODY);
    return MHD_YES;
}

static enum MHD_Result
on_pipe_end(struct api_request *rq)
{
    bool finished;

    rq->stage = STAGE_WAIT;
    api_connection_phase(rq->connection, PHASE_WORK);
    lock_acquire(&rq->lock);
    api_body_end(rq);
    finished = rq->finished;
    if (!finished)
        api_execute_suspend(rq);
    lock_release(&rq->lock);
    return finished ? api_reply_send(rq) : MHD_YES;
}

static enum MHD_Result
on_wait(struct api_request *rq)
{
    /* only finish() resumes a connection in this stage, or the reader, when the body was long there
     */
    bool finished;

    lock_acquire(&rq->lock);
    finished = rq->finished;
    if (!finished)
        api_execute_suspend(rq);
    lock_release(&rq->lock);
    return finished ? api_reply_send(rq) : MHD_YES;
}

enum MHD_Result
api_dispatch(void *server, struct MHD_Connection *mhd, const char *url, const char *method,
             const char *version, const char *data, size_t *size, void **request)
{
    struct api_request *rq = *request;

    (void)server;
    (void)mhd;
    (void)url;
    if (rq == NULL)
        return MHD_NO; /* there was no memory for it */
    CHECK(rq->magic == API_REQUEST_MAGIC);
    if (*size > 0)
        return on_piece(rq, data, size);
    switch (rq->stage) {
    case STAGE_HEAD:
        return on_head(rq, method, version);
    case STAGE_GATHER:
    case STAGE_READY:
        return on_ready(rq);
    case STAGE_STARTED:
        return on_started(rq);
    case STAGE_PIPE:
        return on_pipe_end(rq);
    case STAGE_WAIT:
        return on_wait(rq);
    case STAGE_SWALLOW:
        return api_reply_send(rq);
    case STAGE_TOLD:
    case STAGE_REPLY:
        break;
    }
    return MHD_NO;
}

/* `whole`: the reply went out, all of it. The reply is the HTTP thread's when it was handed over;
 * before that a worker may still be at it. */
static void
account(struct api_request *rq, bool whole)
{
    struct api_server *server = rq->server;
    bool replied = rq->stage == STAGE_REPLY || rq->stage == STAGE_TOLD;
    struct api_metrics_request done = {
        .route = rq->match.route,
        .status = replied ? rq->reply.status : 0,
        .us = (replied ? rq->times.replied_us : clock_monotonic_us()) - rq->times.started_us,
        .received_bytes = rq->received,
        .sent_bytes = replied && whole && rq->method != METHOD_HEAD ? rq->reply.size : 0,
    };

    api_metrics_count(server->metrics, &done);
    if (server->access_log != NULL && replied)
        api_access_log_write(server->access_log, rq, whole);
}

void
api_dispatch_forget(struct api_connection *connection)
{
    struct api_request *rq = connection->begun;

    connection->begun = NULL;
    if (rq == NULL)
        return;
    api_request_leave(rq);
    atomic_fetch_sub(&connection->server->requests, 1);
}

void *
api_dispatch_begin(void *context, const char *target, struct MHD_Connection *mhd)
{
    struct api_server *server = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct api_connection *connection = info == NULL ? NULL : info->socket_context;

    if (connection == NULL)
        return NULL;
    api_dispatch_forget(connection);
    connection->begun = api_request_open(connection, target);
    if (connection->begun != NULL)
        atomic_fetch_add(&server->requests, 1);
    return connection->begun;
}

void
api_dispatch_end(void *context, struct MHD_Connection *mhd, void **request,
                 enum MHD_RequestTerminationCode code)
{
    struct api_server *server = context;
    struct api_request *rq = *request;

    (void)mhd;
    if (rq == NULL)
        return;
    CHECK(rq->magic == API_REQUEST_MAGIC);
    *request = NULL;
    if (rq->connection->begun == rq)
        rq->connection->begun = NULL;
    account(rq, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    api_connection_phase(rq->connection, PHASE_HEAD);
    api_request_leave(rq);
    atomic_fetch_sub(&server->requests, 1);
}
