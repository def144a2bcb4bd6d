/* Always true: a request in the list is held by its worker, or parked and held by nobody; who takes
 * it from there gives it back to the pool, once. A look comes after the request was listed, and
 * what happens between a look and the parking is noticed there, so nothing is missed. */
#include "api/waiting.h"

#include <inttypes.h>

#include "api/json/chars.h"
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

/* What acts says again that its commit is durable. */
static void
keep_preferences(struct api_reply *rp, bool acts)
{
    struct api_request *rq = rp->request;
    struct api_reply kept = {.request = rq};

    for (size_t i = 0; i < rp->header_count; i++) {
        struct bytes name = bytes_of_text(rp->headers[i].name);
        bool preference = api_chars_equal(name, "Preference-Applied");

        if (preference ? !acts || strncmp(rp->headers[i].value, "wait=", 5) == 0
                       : api_chars_equal(name, "Idempotency-Replayed"))
            kept.headers[kept.header_count++] = rp->headers[i];
    }
    api_reply_rewind(rp, &kept);
}

static enum err_code
begin(struct api_request *rq, struct api_reply *rp, const struct api_wait *wait, uint64_t seconds,
      struct err *err)
{
    struct api_server *server = rq->server;

    if (!rq->on_worker)
        return err_set(err, ERR_INTERNAL, "only a request on a worker waits");
    keep_preferences(rp, wait->acts);
    rq->wait = *wait;
    rq->wait.woken = true;
    rq->wait.deadline_ms = clock_monotonic_ms() + seconds * 1000;
    rq->wait.listed = true;
    lock_acquire(&server->waiting);
    rq->wait.link = server->waiters_end;
    *server->waiters_end = rq;
    server->waiters_end = &rq->wait.next;
    lock_release(&server->waiting);
    return OK;
}

enum err_code
api_wait_for(struct api_request *rq, struct api_reply *rp, uint64_t topic, uint64_t seconds,
             api_handler *look, const void *context, struct err *err)
{
    const struct api_wait wait = {.topic = topic, .look = look, .context = context};

    return begin(rq, rp, &wait, seconds, err);
}

enum err_code
api_wait_to_act(struct api_request *rq, struct api_reply *rp, uint64_t topic, uint64_t seconds,
                api_handler *look, struct err *err)
{
    const struct api_wait wait = {.topic = topic, .look = look, .acts = true};

    return begin(rq, rp, &wait, seconds, err);
}

bool
api_waits(const struct api_request *rq)
{
    return rq->wait.look != NULL;
}

bool
api_wait_is_turn(const struct api_request *rq)
{
    struct api_server *server = rq->server;
    const struct api_request *each;

    lock_acquire(&server->waiting);
    for (each = server->waiters; each != rq; each = each->wait.next)
        if (each->wait.acts && each->wait.topic == rq->wait.topic)
            break;
    lock_release(&server->waiting);
    return each == rq;
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
    if (rq->wait.acts) {
        keep_preferences(&rq->reply, true);
    } else {
        api_json_drop(rq->json); /* what was sent has had its effect */
        rq->json = NULL;
        buf_drop(&rq->gathered);
    }
    lock_acquire(&server->waiting);
    rq->wait.over = server->waiting_ended || clock_monotonic_ms() >= rq->wait.deadline_ms;
    parks = !rq->wait.woken && !rq->wait.over;
    rq->wait.woken = false;
    rq->wait.parked = parks;
    lock_release(&server->waiting);
    return parks;
}

bool
api_waiting_has_acted(const struct api_request *rq)
{
    return !rq->wait.acts;
}

static void wake(struct api_server *server, uint64_t topic);

void
api_waiting_leave(struct api_request *rq)
{
    struct api_server *server = rq->server;
    struct api_wait *wait = &rq->wait;

    if (!wait->listed)
        return;
    lock_acquire(&server->waiting);
    *wait->link = wait->next;
    if (wait->next != NULL)
        wait->next->wait.link = wait->link;
    else
        server->waiters_end = wait->link;
    wait->listed = false;
    if (wait->acts)
        wake(server, wait->topic); /* the next one's turn */
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

static void
wake(struct api_server *server, uint64_t topic)
{
    lock_check_held(&server->waiting);
    for (struct api_request *rq = server->waiters; rq != NULL; rq = rq->wait.next)
        if (topic == SERVICE_TOPIC_ALL || rq->wait.topic == topic)
            take_up(rq);
}

void
api_waiting_wake(void *context, uint64_t topic)
{
    struct api_server *server = context;

    lock_acquire(&server->waiting);
    wake(server, topic);
    lock_release(&server->waiting);
}

/* Under the lock. */
static void
end(struct api_request *rq)
{
    rq->wait.over = true;
    take_up(rq);
}

void
api_waiting_tick(struct api_server *server)
{
    uint64_t now_ms = clock_monotonic_ms();

    lock_acquire(&server->waiting);
    for (struct api_request *rq = server->waiters; rq != NULL; rq = rq->wait.next)
        if (rq->wait.parked && now_ms >= rq->wait.deadline_ms)
            end(rq);
    lock_release(&server->waiting);
}

void
api_waiting_check(struct api_server *server)
{
    lock_acquire(&server->waiting);
    for (struct api_request *rq = server->waiters; rq != NULL; rq = rq->wait.next)
        if (rq->wait.parked && api_request_is_left(rq))
            end(rq);
    lock_release(&server->waiting);
}

void
api_waiting_end(struct api_server *server)
{
    lock_acquire(&server->waiting);
    server->waiting_ended = true;
    for (struct api_request *rq = server->waiters; rq != NULL; rq = rq->wait.next)
        if (rq->wait.parked)
            end(rq);
    lock_release(&server->waiting);
}
