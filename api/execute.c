/* Running a handler, and whose the request is meanwhile. */
#include "api/execute.h"

#include "api/http/pack.h"
#include "api/waiting.h"
#include "store/base/check.h"
#include "store/base/clock.h"

enum { STATUS_ACCEPTED = 202 };

static enum err_code
answer(struct api_request *rq, struct err *err)
{
    bool replayed = false;

    if (rq->wait.look != NULL)
        return rq->wait.look(rq, &rq->reply, err);
    if (rq->on_worker)
        TRY(api_outcome_open(rq, &replayed, err));
    if (!replayed)
        return rq->match.route->handler(rq, &rq->reply, err);
    /* what was accepted then may be done by now, or be waited for again */
    return rq->reply.status == STATUS_ACCEPTED ? api_wait_again(rq, &rq->reply, err) : OK;
}

enum err_code
api_execute(struct api_request *rq)
{
    struct err err = ERR_INIT;
    enum err_code code = answer(rq, &err);

    if (code == ERR_DEFER && !rq->on_worker) {
        api_reply_reset(&rq->reply);
        return code;
    }
    if (code == OK && rq->reply.kind == REPLY_NONE && rq->wait.look != NULL && !rq->wait.over)
        return OK;
    if (code == OK && rq->reply.kind == REPLY_NONE)
        code = err_set(&err, ERR_INTERNAL, "the handler gave no reply");
    if (code != OK) {
        (void)err_set(&err, code, "%s", err_title(code));
        if (code == ERR_UNKNOWN)
            api_outcome_explain(rq, &err);
        api_reply_fail(rq, &err);
    } else {
        api_pack_reply(rq);
    }
    return OK;
}

/* An upload that was read. */
static void
end_upload(struct api_request *rq)
{
    if (rq->streams)
        atomic_fetch_sub(&rq->server->uploads, 1);
    rq->streams = false;
}

/* The worker's last touch: afterwards the request is the HTTP thread's, or gone. */
static void
finish(struct api_request *rq)
{
    unsigned left;

    end_upload(rq);
    lock_acquire(&rq->lock);
    rq->finished = true;
    left = --rq->references;
    if (rq->suspended) {
        rq->suspended = false;
        MHD_resume_connection(rq->connection->mhd);
    }
    lock_release(&rq->lock);
    if (left == 0)
        api_request_free(rq);
}

static void
run_job(struct api_job *job)
{
    struct api_request *rq =
        (struct api_request *)(void *)((char *)job - offsetof(struct api_request, job));

    CHECK(rq->magic == API_REQUEST_MAGIC);
    rq->on_worker = true;
    api_timing_work(&rq->times);
    (void)api_execute(rq);
    while (rq->reply.kind == REPLY_NONE) {
        end_upload(rq);
        if (api_waiting_has_acted(rq))
            api_outcome_close(rq);
        api_timing_rest(&rq->times);
        if (api_waiting_park(rq))
            return; /* another worker may have it by now */
        api_timing_work(&rq->times);
        (void)api_execute(rq);
    }
    api_outcome_close(rq);
    api_waiting_leave(rq);
    api_timing_rest(&rq->times);
    finish(rq);
}

void
api_execute_suspend(struct api_request *rq)
{
    lock_check_held(&rq->lock);
    rq->suspended = true;
    MHD_suspend_connection(rq->connection->mhd);
}

enum MHD_Result
api_execute_on_worker(struct api_request *rq, enum api_stage stage)
{
    struct err err = ERR_INIT;

    rq->stage = stage;
    rq->job.run = run_job;
    api_connection_phase(rq->connection, PHASE_WORK);
    lock_acquire(&rq->lock);
    rq->references++;
    api_execute_suspend(rq);
    lock_release(&rq->lock);
    rq->times.queued_us = clock_monotonic_us();
    if (api_pool_submit(rq->server->pool, &rq->job, &err) != OK) {
        rq->times.queued_us = 0;
        api_reply_fail(rq, &err);
        finish(rq);
    }
    return MHD_YES;
}

bool
api_execute_is_finished(struct api_request *rq)
{
    bool finished;

    lock_acquire(&rq->lock);
    finished = rq->finished;
    lock_release(&rq->lock);
    return finished;
}
