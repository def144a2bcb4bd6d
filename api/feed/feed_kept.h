/* Private to api/feed/feed.c: the latest batches, which listeners are told from. They follow one
 * another without a gap, from the first one's `from` to `covered`. Under the feed's lock. */
#ifndef API_FEED_FEED_KEPT_H
#define API_FEED_FEED_KEPT_H

#include "api/feed/feed_batch.h"

/* Zeroed: none. Owned: api_feed_kept_begin. */
struct api_feed_kept {
    struct api_feed_batch *first, *last;
    size_t count, bytes;
    uint64_t covered;
};

/* Forgets all; what comes next happened after this revision. */
void api_feed_kept_begin(struct api_feed_kept *kept, uint64_t revision);
/* Takes the batch, whose `from` is `covered`, and forgets those that are too many then. */
void api_feed_kept_add(struct api_feed_kept *kept, struct api_feed_batch *batch);
/* Whether all that happened after the revision is here, of what was to be told. */
bool api_feed_kept_has(const struct api_feed_kept *kept, uint64_t revision);
/* The first batch that concerns who has this filter and position; the position moves past those
 * that do not. NULL: none. */
struct api_feed_batch *api_feed_kept_next(const struct api_feed_kept *kept,
                                          const struct api_feed_filter *filter, uint64_t *position);

#endif
