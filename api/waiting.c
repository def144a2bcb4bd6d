/* Always true: a request in the list is held by its worker, or parked and held by nobody; who takes
 * it from there gives it back to the pool, once. A look comes after the request was listed, and
 * what happens between a look and the parking is noticed there, so nothing is missed. */
#include "api/waiting.h"

#include <inttypes.h>

#include "api/chars.h"
#include "api/state.h"
#include "store/base/check.h"
#include "store/base/clock.h"

/* --- preferences --------------------------------------------------------------------------- */

enum err_code
api_wait_preferred(struct api_request *rq, struct api_reply *rp, uint64_t *seconds, struct err *err)
{
    struct bytes list = api_request_header(rq, "Prefer"), item;

    *seconds = 0;
    while (api_chars_next(&list, ',', &item)) {
        struct bytes rest = item, name, value;
        uint64_t wanted = 0;

        if (!api_chars_next(&rest, '=', &name) || !api_chars_equal(api_chars_trim(name), "wait"))
            continue;
        value = rest;
        if (!api_chars_next(&rest, ';', &value) || !api_chars_u64(api_chars_trim(value), &wanted))
            continue;
        *seconds = wanted < API_WAIT_SECONDS_MAX ? wanted : API_WAIT_SECONDS_MAX;
        return api_reply_header(rp, "Preference-Applied", err, "wait=%" PRIu64, *seconds);
    }
    return OK;
}

/* --- one request --------------------------------------------------------------------------- */

static void
keep_preferences(struct api_reply *rp)
{
    struct api_request *rq = rp->request;
    struct api_reply kept = {.request = rq};

    for (size_t i = 0; i < rp->header_count; i++)
        if (api_chars_equal(bytes_of_text(rp->headers[i].name), "Preference-Applied") ||
            api_chars_equal(bytes_of_text(rp->headers[i].name), "Idempotency-Replayed"))
            kept.headers[kept.header_count++] = rp->headers[i];
    api_reply_rewind(rp, &kept);
}

enum err_code
api_wait_for(struct api_request *rq, struct api_reply *rp, uint64_t topic, uint64_t seconds,
             api_handler *look, const void *context, struct err *err)
{
    struct api_server *server = rq->server;

    if (!rq->on_worker)
        return err_set(err, ERR_INTERNAL, "only a request on a worker waits");
    keep_preferences(rp);
    rq->wait = (struct api_wait){.woken = true,
                                 .topic = topic,
                                 .deadline_ms = clock_monotonic_ms() + seconds * 1000,
                                 .look = look,
                                 .context = context,
                                 .listed = true};
    lock_acquire(&server->waiting);
    rq->wait.next = server->waiters;
    if (server->waiters != NULL)
        server->waiters->wait.previous = rq;
    server->waiters = rq;
    lock_release(&server->waiting);
    return OK;
}

const void *
api_wait_context(const struct api_request *rq)
{
    return rq->wait.context;
}

bool
api_wait_is_over(const struct api_request *rq)
{
    return rq->wait.over;
}

bool
api_waiting_park(struct api_request *rq)
{
    struct api_server *server = rq->server;
    bool parks;

    CHECK(rq->wait.listed);
    api_json_drop(rq->json); /* what was sent has had its effect */
    rq->json = NULL;
    buf_drop(&rq->gathered);
    lock_acquire(&server->waiting);
    rq->wait.over = server->waiting_ended || clock_monotonic_ms() >= rq->wait.deadline_ms;
    parks = !rq->wait.woken && !rq->wait.over;
    rq->wait.woken = false;
    rq->wait.parked = parks;
    lock_release(&server->waiting);
    return parks;
}

void
api_waiting_leave(struct api_request *rq)
{
    struct api_server *server = rq->server;
    struct api_wait *wait = &rq->wait;

    if (!wait->listed)
        return;
    lock_acquire(&server->waiting);
    if (wait->previous != NULL)
        wait->previous->wait.next = wait->next;
    else
        server->waiters = wait->next;
    if (wait->next != NULL)
        wait->next->wait.previous = wait->previous;
    wait->listed = false;
    lock_release(&server->waiting);
}

/* --- all of them --------------------------------------------------------------------------- */

/* Under the lock. The worker that gets it may be through with it before this returns. */
static void
take_up(struct api_request *rq)
{
    if (!rq->wait.parked) {
        rq->wait.woken = true;
        return;
    }
    rq->wait.parked = false;
    api_pool_resubmit(rq->server->pool, &rq->job);
}

void
api_waiting_wake(void *context, uint64_t topic)
{
    struct api_server *server = context;

    lock_acquire(&server->waiting);
    for (struct api_request *rq = server->waiters; rq != NULL; rq = rq->wait.next)
        if (topic == 0 || rq->wait.topic == topic)
            take_up(rq);
    lock_release(&server->waiting);
}

void
api_waiting_tick(struct api_server *server)
{
    uint64_t now_ms = clock_monotonic_ms();

    lock_acquire(&server->waiting);
    for (struct api_request *rq = server->waiters; rq != NULL; rq = rq->wait.next) {
        if (!rq->wait.parked || now_ms < rq->wait.deadline_ms)
            continue;
        rq->wait.over = true;
        take_up(rq);
    }
    lock_release(&server->waiting);
}

void
api_waiting_end(struct api_server *server)
{
    lock_acquire(&server->waiting);
    server->waiting_ended = true;
    for (struct api_request *rq = server->waiters; rq != NULL; rq = rq->wait.next) {
        if (!rq->wait.parked)
            continue;
        rq->wait.over = true;
        take_up(rq);
    }
    lock_release(&server->waiting);
}
