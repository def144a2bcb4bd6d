/* Changes on their way to those who listen: collected from the log, the newest of each name alone,
 * and written as JSON once for all listeners. */
#ifndef API_FEED_FEED_BATCH_H
#define API_FEED_FEED_BATCH_H

#include <stdatomic.h>

#include "service/name.h"
#include "service/watch/change.h"
#include "store/base/arena.h"
#include "store/base/buf.h"

enum {
    API_FEED_EVENTS_MAX = 4096, /* of one message; beyond it the client has to look itself */
    API_FEED_OP_BYTES_MAX = 64,
};

/* Which changes are wanted. */
struct api_feed_filter {
    unsigned kinds;                       /* set of 1 << change_kind */
    char model[NAME_MODEL_BYTES_MAX + 1]; /* "": of all */
    char prefix[NAME_BYTES_MAX + 1];      /* of names; what has none passes */
    bool statistics;                      /* of variables, too */
};

bool api_feed_passes(const struct api_feed_filter *filter, enum change_kind kind,
                     struct bytes model, struct bytes name);

/* {"event": …, "model": …, …}, on one line. */
ERR_MUST_CHECK enum err_code api_feed_print(const struct change *change, struct buf *out,
                                            struct err *err);

/* A change before the newest one, of another kind. */
struct api_feed_earlier {
    struct api_feed_earlier *next; /* before this one; no two of a kind */
    enum change_kind kind;
    uint64_t revision, time_ms, version, count;
    char op[API_FEED_OP_BYTES_MAX + 1];
};

struct api_feed_event {
    struct change change; /* the newest; texts in the batch's memory */
    char op[API_FEED_OP_BYTES_MAX + 1];
    struct api_feed_earlier *earlier; /* for those who do not ask for kinds that came after */
    size_t begin, size;               /* of its text, but for the kind */
    size_t statistics_begin, statistics_size; /* of that part of the text; size 0: it is not made */
};

/* What one is told of an event. */
struct api_feed_choice {
    enum change_kind kind;
    /* The newest that is asked for; NULL: the event's own. */
    const struct api_feed_earlier *earlier;
};

/* Whether it is asked for, and new, by one who knows everything up to `position`; *out: as what. */
bool api_feed_choose(const struct api_feed_filter *filter, const struct api_feed_event *event,
                     uint64_t position, struct api_feed_choice *out);
/* An earlier change as a whole; borrows from both. */
struct change api_feed_earlier_change(const struct api_feed_event *event,
                                      const struct api_feed_choice *choice);

/* What happened in (from, to]. Not changed once it is closed; then any thread. */
struct api_feed_batch {
    _Atomic unsigned references;
    struct api_feed_batch *next; /* the feed's lock */
    uint64_t from, to;
    uint64_t lost; /* revision: what happened up to it is not here, it was too much; 0: all is */
    struct api_feed_event **events; /* by revision */
    size_t count;
    struct buf text;
    /* while it is made */
    const struct api_feed_filter *filter; /* borrowed; NULL: all */
    struct api_feed_event **places;       /* by hash of subject, model and name */
    size_t capacity;
    struct arena arena;
};

/* One reference. */
ERR_MUST_CHECK enum err_code api_feed_batch_open(const struct api_feed_filter *filter,
                                                 struct api_feed_batch **out, struct err *err);
/* change_read's; context is the batch. */
change_visit api_feed_batch_add;
/* Adds what happened after `since`, or, of what is not kept any more, that it is lost. *read: up to
 * where. */
ERR_MUST_CHECK enum err_code api_feed_batch_read(struct api_feed_batch *batch,
                                                 struct service *service, uint64_t since,
                                                 uint64_t *read, struct err *err);
/* What happened up to `revision` is not to be had: whoever does not know it has to look itself. */
void api_feed_batch_lose(struct api_feed_batch *batch, uint64_t revision);
ERR_MUST_CHECK enum err_code api_feed_batch_close(struct api_feed_batch *batch, struct err *err);
/* Adds statistics to what is closed, and nobody else's yet. */
ERR_MUST_CHECK enum err_code api_feed_batch_measure(struct api_feed_batch *batch,
                                                    struct service *service, struct err *err);
void api_feed_batch_take(struct api_feed_batch *batch);
void api_feed_batch_drop(struct api_feed_batch *batch); /* one reference; NULL is fine */

#endif
