/* Those who listen to changes. One thread reads what is new from the log, at most four times a
 * second and once for all listeners, and wakes them; what each is sent is made on its connection's
 * thread, from the batches kept here. Nothing is queued for a listener: it has a place in the
 * revisions, and one that falls behind what is kept here is told that it has missed something. */
#ifndef API_FEED_FEED_H
#define API_FEED_FEED_H

#include "api/feed/feed_batch.h"
#include "api/feed/stream.h"

struct api_feed;
struct api_server;

enum { API_FEED_MESSAGE_MS = 250 }; /* between messages to one listener, at least */

/* Owned by the caller: api_feed_stop. */
ERR_MUST_CHECK enum err_code api_feed_start(struct api_server *server, struct api_feed **out,
                                            struct err *err);
void api_feed_stop(struct api_feed *feed); /* after the last listener left; NULL is fine */
/* There are new changes. Any thread, cheap. */
void api_feed_notify(struct api_feed *feed);
unsigned api_feed_listeners(struct api_feed *feed);

/* The feed's part of a listener. */
struct api_feed_listener {
    struct api_feed_listener *previous, *next; /* from here on: the feed's lock */
    struct api_stream *stream;
    const struct api_feed_filter *filter; /* borrowed */
    uint64_t position;                    /* revision: it knows everything up to it */
    uint64_t message_ms;                  /* not before that time */
    bool delayed;                         /* it was asked before */
    uint64_t heartbeat_ms, silent_ms;     /* every so often; when it is due */
};

/* A place among them, given back with api_feed_leave; false when all subscribers_max are taken. */
bool api_feed_reserve(struct api_feed *feed);
/* From now on it is woken. False: what happened after its position is not here any more, it has to
 * be read from the log first. */
bool api_feed_enter(struct api_feed *feed, struct api_feed_listener *listener);
/* It gets a heartbeat at once. */
void api_feed_prod(struct api_feed *feed, struct api_feed_listener *listener);
/* Also of one that did not enter. Afterwards nobody wakes it. */
void api_feed_leave(struct api_feed *feed, struct api_feed_listener *listener);

enum api_feed_next {
    FEED_NOTHING,
    FEED_BATCH,    /* *batch, of which what happened in (from, to] is new */
    FEED_GAP,      /* what happened in (from, to] is not here */
    FEED_HEARTBEAT /* `to`: it knows everything up to it */
};
/* What the listener is to be told now; its position is `to` then. *batch: one reference of the
 * caller's, or NULL. HTTP thread. */
enum api_feed_next api_feed_next(struct api_feed *feed, struct api_feed_listener *listener,
                                 struct api_feed_batch **batch, uint64_t *from, uint64_t *to);
/* It was told something: the next message has to wait. */
void api_feed_told(struct api_feed *feed, struct api_feed_listener *listener);

#endif
