/* Always true: a message's id is a revision, and whoever has got it knows everything up to there;
 * so that revision is where it goes on when it comes back. */
#include "api/feed/feed_stream.h"

#include <inttypes.h>

#include "api/feed/feed_statistics.h"
#include "api/state.h"
#include "service/version.h"
#include "store/base/alloc.h"
#include "store/base/check.h"

enum {
    MESSAGE_BYTES_MAX = 17 << 20,
    MESSAGE_BYTES_KEPT = 1024, /* of memory, between messages */
    RETRY_MS = 2000,
};

struct subscriber {
    struct api_server *server;
    struct api_feed_listener listener;
    struct api_feed_query query;
    bool last;      /* the stream ends behind what is in `out` */
    uint64_t told;  /* changes */
    uint64_t id;    /* the last one sent */
    struct buf out; /* a message on its way */
    size_t sent;    /* of it */
};

/* --- messages ------------------------------------------------------------------------------ */

static enum err_code
put_gap(struct subscriber *s, uint64_t from, uint64_t to, struct err *err)
{
    s->id = to;
    return buf_printf(&s->out, err,
                      "event: gap\nid: %" PRIu64 "\ndata: {\"from\":%" PRIu64 ",\"to\":%" PRIu64
                      "}\n\n",
                      to, from, to);
}

/* The rest of an event's text, with its statistics before the end. */
static enum err_code
put_rest(struct subscriber *s, const struct api_feed_batch *batch,
         const struct api_feed_event *event, struct err *err)
{
    const uint8_t *text = batch->text.data;

    if (!s->query.filter.statistics || !api_feed_tells_statistics(event->change.kind))
        return buf_append(&s->out, text + event->begin, event->size, err);
    TRY(buf_append(&s->out, text + event->begin, event->size - 1, err));
    TRY(buf_append_text(&s->out, ",\"stats\":", err));
    if (event->statistics_size > 0)
        TRY(buf_append(&s->out, text + event->statistics_begin, event->statistics_size, err));
    else
        TRY(buf_append_text(&s->out, "null", err));
    return buf_append_text(&s->out, "}", err);
}

/* One that the client would not know of by what came after it. */
static enum err_code
put_earlier(struct subscriber *s, const struct api_feed_event *event,
            const struct api_feed_choice *choice, struct err *err)
{
    const struct change change = api_feed_earlier_change(event, choice);

    TRY(api_feed_print(&change, &s->out, err));
    if (!s->query.filter.statistics || !api_feed_tells_statistics(change.kind))
        return OK;
    s->out.size--; /* its end comes behind them: there is something newer */
    return buf_append_text(&s->out, ",\"stats\":null}", err);
}

/* What of the batch happened after `from` and is asked for: nothing at all when there is none. */
static enum err_code
put_changes(struct subscriber *s, const struct api_feed_batch *batch, uint64_t from, uint64_t to,
            struct err *err)
{
    struct api_feed_choice choice;
    uint64_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        const struct api_feed_event *event = batch->events[i];

        if (!api_feed_choose(&s->query.filter, event, from, &choice))
            continue;
        if (count++ == 0)
            TRY(buf_printf(&s->out, err,
                           "event: changes\nid: %" PRIu64 "\ndata: {\"revision\":%" PRIu64
                           ",\"changes\":[",
                           to, to));
        else
            TRY(buf_append_text(&s->out, ",", err));
        if (choice.earlier != NULL) {
            TRY(put_earlier(s, event, &choice, err));
            continue;
        }
        TRY(buf_printf(&s->out, err, "{\"event\":\"%s\"", change_event(choice.kind)));
        TRY(put_rest(s, batch, event, err));
    }
    if (count == 0)
        return OK;
    s->id = to;
    s->told += count;
    s->last = s->told >= s->query.limit;
    return buf_append_text(&s->out, "]}\n\n", err);
}

/* A comment, so that it is noticed when the client is gone; and how far it has got, for one that
 * little happens to. */
static enum err_code
put_heartbeat(struct subscriber *s, uint64_t to, struct err *err)
{
    TRY(buf_append_text(&s->out, ": \n", err));
    if (to == s->id)
        return buf_append_text(&s->out, "\n", err);
    s->id = to;
    return buf_printf(&s->out, err, "id: %" PRIu64 "\n\n", to);
}

/* --- the stream ---------------------------------------------------------------------------- */

static enum err_code
make_message(struct subscriber *s, struct err *err)
{
    struct api_feed *feed = s->server->feed;
    struct api_feed_batch *batch = NULL;
    enum err_code code = OK;
    enum api_feed_next next;
    uint64_t from = 0, to = 0;

    do {
        next = api_feed_next(feed, &s->listener, &batch, &from, &to);
        if (next == FEED_BATCH)
            code = put_changes(s, batch, from, to, err);
        else if (next == FEED_GAP)
            code = put_gap(s, from, to, err);
        else if (next == FEED_HEARTBEAT)
            code = put_heartbeat(s, to, err);
        api_feed_batch_drop(batch);
    } while (code == OK && next == FEED_BATCH && s->out.size == 0);
    if (code == OK && (next == FEED_BATCH || next == FEED_GAP))
        api_feed_told(feed, &s->listener);
    return code;
}

static ssize_t
read_messages(void *owner, uint8_t *out, size_t size)
{
    struct subscriber *s = owner;
    struct err err = ERR_INIT;

    if (s->sent == s->out.size) {
        if (s->last)
            return API_STREAM_END;
        s->out.size = s->sent = 0;
        if (s->out.capacity > MESSAGE_BYTES_KEPT) {
            buf_drop(&s->out);
            buf_init(&s->out, MESSAGE_BYTES_MAX);
        }
        if (make_message(s, &err) != OK)
            return API_STREAM_FAIL;
    }
    if (size > s->out.size - s->sent)
        size = s->out.size - s->sent;
    if (size > 0)
        memcpy(out, s->out.data + s->sent, size);
    s->sent += size;
    return (ssize_t)size;
}

static void
drop(void *owner)
{
    struct subscriber *s = owner;

    api_feed_leave(s->server->feed, &s->listener);
    buf_drop(&s->out);
    mem_free(s);
}

static void
prod(void *owner)
{
    struct subscriber *s = owner;

    api_feed_prod(s->server->feed, &s->listener);
}

static const struct api_stream_source source = {.read = read_messages, .drop = drop, .prod = prod};

/* --- beginning ----------------------------------------------------------------------------- */

static enum err_code
put_hello(struct subscriber *s, struct err *err)
{
    uint64_t revision = service_revision(s->server->service);

    s->id = s->query.since; /* what comes before it the client knows, or does not care for */
    return buf_printf(
        &s->out, err,
        "retry: %d\nevent: hello\nid: %" PRIu64 "\ndata: {\"server\":\"%s\",\"api\":\"v1\","
        "\"store\":\"%s\",\"revision\":%" PRIu64 "}\n\n",
        RETRY_MS, s->id, service_version, service_identity(s->server->service), revision);
}

/* Reads on until the feed has what follows *position. From then on the listener is the feed's. */
static enum err_code
enter(struct subscriber *s, struct api_feed_batch *batch, uint64_t *position, struct err *err)
{
    *position = s->query.since;
    do {
        TRY(api_feed_batch_read(batch, s->server->service, *position, position, err));
        s->listener.position = *position;
    } while (!api_feed_enter(s->server->feed, &s->listener));
    return OK;
}

static enum err_code
begin(struct subscriber *s, struct err *err)
{
    struct api_feed_batch *batch = NULL;
    uint64_t position = 0;
    enum err_code code;

    TRY(api_feed_batch_open(&s->query.filter, &batch, err));
    code = put_hello(s, err);
    if (code == OK)
        code = enter(s, batch, &position, err);
    if (code == OK)
        code = api_feed_batch_close(batch, err);
    if (code == OK && s->query.filter.statistics)
        code = api_feed_batch_measure(batch, s->server->service, err);
    if (code == OK && batch->lost > 0)
        code = put_gap(s, s->query.since, batch->lost, err);
    if (code == OK)
        code = put_changes(s, batch, 0, position, err);
    if (s->told > 0 || batch->lost > 0)
        api_feed_told(s->server->feed, &s->listener);
    api_feed_batch_drop(batch);
    return code;
}

enum err_code
api_feed_stream(struct api_request *rq, struct api_reply *rp, const struct api_feed_query *query,
                struct err *err)
{
    struct api_feed *feed = rq->server->feed;
    struct subscriber *s;

    TRY(api_reply_header(rp, "Cache-Control", err, "no-store"));
    TRY(api_reply_header(rp, "X-Accel-Buffering", err, "no"));
    if (!api_feed_reserve(feed))
        return err_set(err, ERR_UNAVAILABLE,
                       "%" PRIu64 " listen to feeds already (setting subscribers_max)",
                       rq->server->settings->subscribers_max);
    s = mem_zeroed(1, sizeof *s, err);
    if (s == NULL) {
        api_feed_leave(feed, &(struct api_feed_listener){0});
        return ERR_NO_MEMORY;
    }
    s->server = rq->server;
    s->query = *query;
    if (!query->has_since)
        s->query.since = service_revision(rq->server->service);
    s->listener.filter = &s->query.filter;
    s->listener.heartbeat_ms = query->heartbeat_ms;
    buf_init(&s->out, MESSAGE_BYTES_MAX);
    TRY(api_reply_stream(rq, rp, API_EVENT_STREAM, &source, s, &s->listener.stream, err));
    return begin(s, err);
}
