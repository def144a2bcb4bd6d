/* Always true: the batches follow one another without a gap, from the first one's `from` to
 * `covered`; nothing that listeners are told of happened in (covered, position]. A listener that
 * has entered knows everything up to a revision at or behind the first `from`, or is told that it
 * does not. */
#include "api/feed/feed.h"

#include <inttypes.h>

#include "api/feed/feed_kept.h"
#include "api/state.h"
#include "api/waiting.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/clock.h"
#include "store/base/log.h"

enum {
    STEP_MS = 20, /* between heartbeats */
    WOKEN_MS = 2, /* between those who are woken together */
    WOKEN_AT_ONCE_MIN = 16,
    WOKEN_PARTS = 64,
};

struct api_feed {
    struct api_server *server;
    _Atomic bool pending; /* there are new changes */
    struct lock lock;     /* guards the rest; taken before a stream's */
    struct condition wake;
    bool stops, reads; /* reads: the thread is at the log */
    bool wakes_again;  /* all of them, after next_woken has come to the end */
    unsigned reserved;
    struct api_feed_listener *listeners, *next_woken; /* of those that what is new may concern */
    struct api_feed_kept kept;
    uint64_t position; /* what was read, to be told or not */
    pthread_t thread;
    bool runs;
};

/* What is new as a batch; *out NULL: nothing that was to be told. */
static enum err_code
read_batch(struct api_feed *feed, uint64_t since, bool statistics, struct api_feed_batch **out,
           uint64_t *to, struct err *err)
{
    struct api_feed_batch *batch = NULL;
    enum err_code code;

    *out = NULL;
    TRY(api_feed_batch_open(NULL, &batch, err));
    code = api_feed_batch_read(batch, feed->server->service, since, to, err);
    if (code == OK)
        code = api_feed_batch_close(batch, err);
    if (code == OK && statistics)
        code = api_feed_batch_measure(batch, feed->server->service, err);
    if (code != OK || (batch->count == 0 && batch->lost == 0)) {
        api_feed_batch_drop(batch);
        return code;
    }
    batch->to = *to;
    *out = batch;
    return OK;
}

/* --- the thread ---------------------------------------------------------------------------- */

/* A few at a time, so that others on the same threads do not wait for all of them: those whom what
 * is new concerns. True: there are more. */
static bool
wake_some(struct api_feed *feed)
{
    unsigned left = WOKEN_AT_ONCE_MIN + feed->reserved / WOKEN_PARTS;

    for (; feed->next_woken != NULL && left > 0; feed->next_woken = feed->next_woken->next) {
        struct api_feed_listener *l = feed->next_woken;

        if (api_feed_kept_has(&feed->kept, l->position) &&
            api_feed_kept_next(&feed->kept, l->filter, &l->position) == NULL)
            continue;
        api_stream_wake(l->stream);
        left--;
    }
    if (feed->next_woken == NULL && feed->wakes_again) {
        feed->wakes_again = false;
        feed->next_woken = feed->listeners;
    }
    return feed->next_woken != NULL;
}

static bool
wants_statistics(const struct api_feed *feed)
{
    for (const struct api_feed_listener *l = feed->listeners; l != NULL; l = l->next)
        if (l->filter->statistics)
            return true;
    return false;
}

static void
read_new(struct api_feed *feed)
{
    struct api_feed_batch *batch = NULL;
    struct err err = ERR_INIT;
    uint64_t since = feed->position, to = since;
    const bool statistics = wants_statistics(feed);
    enum err_code code;

    lock_check_held(&feed->lock);
    feed->reads = true;
    lock_release(&feed->lock);
    code = read_batch(feed, since, statistics, &batch, &to, &err);
    lock_acquire(&feed->lock);
    feed->reads = false;
    if (code != OK) {
        log_failure("changes could not be read; they are later", &err);
        atomic_store(&feed->pending, true);
        return;
    }
    feed->position = to;
    if (batch == NULL)
        return;
    batch->from = feed->kept.covered;
    api_feed_kept_add(&feed->kept, batch);
    feed->wakes_again = feed->next_woken != NULL; /* the last ones have their turn first */
    if (!feed->wakes_again)
        feed->next_woken = feed->listeners;
}

/* Heartbeats, and messages that had to wait. When to look again. */
static uint64_t
wake_due(struct api_feed *feed, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;

    for (struct api_feed_listener *l = feed->listeners; l != NULL; l = l->next) {
        uint64_t due_ms = l->silent_ms;

        if (l->delayed && l->message_ms < due_ms)
            due_ms = l->message_ms;
        if (due_ms <= now_ms) {
            api_stream_wake(l->stream);
            due_ms = now_ms + API_FEED_MESSAGE_MS; /* should it not have come to it by then */
        }
        if (due_ms < next_ms)
            next_ms = due_ms;
    }
    return next_ms;
}

/* Reads what is new and tells those who wait for it, outside the lock. */
static void
tell_news(struct api_feed *feed)
{
    atomic_store(&feed->pending, false);
    if (feed->listeners != NULL)
        read_new(feed);
    lock_release(&feed->lock);
    api_waiting_wake(feed->server, SERVICE_TOPIC_CHANGES);
    lock_acquire(&feed->lock);
}

static void *
run(void *context)
{
    struct api_feed *feed = context;
    uint64_t now_ms, next_ms, read_ms = 0;

    lock_acquire(&feed->lock);
    while (!feed->stops) {
        now_ms = clock_monotonic_ms();
        if (atomic_load(&feed->pending) && now_ms >= read_ms) {
            tell_news(feed);
            read_ms = now_ms + API_FEED_MESSAGE_MS;
        }
        next_ms = wake_due(feed, now_ms);
        if (next_ms < now_ms + STEP_MS)
            next_ms = now_ms + STEP_MS; /* a few at a time */
        if (atomic_load(&feed->pending) && read_ms < next_ms)
            next_ms = read_ms;
        if (wake_some(feed))
            next_ms = now_ms + WOKEN_MS;
        if (feed->stops)
            break;
        if (next_ms == UINT64_MAX)
            condition_wait(&feed->wake, &feed->lock);
        else if (next_ms > now_ms)
            (void)condition_wait_ms(&feed->wake, &feed->lock, next_ms - now_ms);
    }
    lock_release(&feed->lock);
    return NULL;
}

void
api_feed_notify(struct api_feed *feed)
{
    if (atomic_load(&feed->pending) || atomic_exchange(&feed->pending, true))
        return;
    lock_acquire(&feed->lock);
    condition_signal(&feed->wake);
    lock_release(&feed->lock);
}

enum err_code
api_feed_start(struct api_server *server, struct api_feed **out, struct err *err)
{
    struct api_feed *feed = mem_zeroed(1, sizeof *feed, err);
    int rc;

    if (feed == NULL)
        return ERR_NO_MEMORY;
    feed->server = server;
    lock_init(&feed->lock);
    condition_init(&feed->wake);
    rc = pthread_create(&feed->thread, NULL, run, feed);
    feed->runs = rc == 0;
    if (!feed->runs) {
        api_feed_stop(feed);
        return err_set(err, ERR_UNAVAILABLE, "the thread of the change feeds does not start: %s",
                       strerror(rc));
    }
    *out = feed;
    return OK;
}

void
api_feed_stop(struct api_feed *feed)
{
    if (feed == NULL)
        return;
    lock_acquire(&feed->lock);
    CHECK(feed->listeners == NULL);
    feed->stops = true;
    condition_signal(&feed->wake);
    lock_release(&feed->lock);
    if (feed->runs)
        (void)pthread_join(feed->thread, NULL);
    api_feed_kept_begin(&feed->kept, 0);
    condition_drop(&feed->wake);
    lock_drop(&feed->lock);
    mem_free(feed);
}

/* --- listeners ----------------------------------------------------------------------------- */

unsigned
api_feed_listeners(struct api_feed *feed)
{
    unsigned count;

    lock_acquire(&feed->lock);
    count = feed->reserved;
    lock_release(&feed->lock);
    return count;
}

bool
api_feed_reserve(struct api_feed *feed)
{
    bool free_place;

    lock_acquire(&feed->lock);
    free_place = feed->reserved < feed->server->settings->subscribers_max;
    feed->reserved += free_place;
    lock_release(&feed->lock);
    return free_place;
}

bool
api_feed_enter(struct api_feed *feed, struct api_feed_listener *listener)
{
    bool enters;

    lock_acquire(&feed->lock);
    if (feed->listeners == NULL && !feed->reads) {
        api_feed_kept_begin(&feed->kept, listener->position);
        feed->position = listener->position;
    }
    enters = api_feed_kept_has(&feed->kept, listener->position);
    if (enters) {
        listener->next = feed->listeners;
        if (listener->next != NULL)
            listener->next->previous = listener;
        feed->listeners = listener;
        listener->silent_ms = clock_monotonic_ms() + listener->heartbeat_ms;
        /* something may have happened since its position and be announced already */
        atomic_store(&feed->pending, true);
        condition_signal(&feed->wake);
    }
    lock_release(&feed->lock);
    return enters;
}

void
api_feed_prod(struct api_feed *feed, struct api_feed_listener *listener)
{
    lock_acquire(&feed->lock);
    listener->silent_ms = 0;
    condition_signal(&feed->wake);
    lock_release(&feed->lock);
}

void
api_feed_leave(struct api_feed *feed, struct api_feed_listener *listener)
{
    lock_acquire(&feed->lock);
    if (listener->previous != NULL)
        listener->previous->next = listener->next;
    else if (feed->listeners == listener)
        feed->listeners = listener->next;
    if (listener->next != NULL)
        listener->next->previous = listener->previous;
    if (feed->next_woken == listener)
        feed->next_woken = listener->next;
    feed->reserved--;
    lock_release(&feed->lock);
}

/* What comes after its position, which it becomes. */
static enum api_feed_next
go_on(struct api_feed *feed, struct api_feed_listener *listener, struct api_feed_batch **batch,
      uint64_t *from)
{
    struct api_feed_batch *found;

    if (!api_feed_kept_has(&feed->kept, listener->position)) {
        listener->position = feed->kept.covered;
        return FEED_GAP;
    }
    found = api_feed_kept_next(&feed->kept, listener->filter, &listener->position);
    if (found == NULL)
        return FEED_NOTHING;
    *from = listener->position;
    if (found->lost > listener->position) {
        listener->position = found->lost;
        return FEED_GAP;
    }
    api_feed_batch_take(found);
    *batch = found;
    listener->position = found->to;
    return FEED_BATCH;
}

enum api_feed_next
api_feed_next(struct api_feed *feed, struct api_feed_listener *listener,
              struct api_feed_batch **batch, uint64_t *from, uint64_t *to)
{
    enum api_feed_next next = FEED_NOTHING;
    uint64_t now_ms = clock_monotonic_ms();

    lock_acquire(&feed->lock);
    *batch = NULL;
    *from = listener->position;
    listener->delayed = now_ms < listener->message_ms;
    if (!listener->delayed)
        next = go_on(feed, listener, batch, from);
    if (next == FEED_NOTHING && now_ms >= listener->silent_ms) {
        next = FEED_HEARTBEAT;
        if (listener->position >= feed->kept.covered && feed->position > listener->position)
            listener->position = feed->position;
        listener->silent_ms = now_ms + listener->heartbeat_ms;
    }
    *to = listener->position;
    lock_release(&feed->lock);
    return next;
}

void
api_feed_told(struct api_feed *feed, struct api_feed_listener *listener)
{
    uint64_t now_ms = clock_monotonic_ms();

    lock_acquire(&feed->lock);
    listener->message_ms = now_ms + API_FEED_MESSAGE_MS;
    listener->silent_ms = now_ms + listener->heartbeat_ms;
    lock_release(&feed->lock);
}
