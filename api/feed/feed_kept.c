#include "api/feed/feed_kept.h"

enum {
    BATCHES_MAX = 64,
    BATCH_BYTES_MAX = 8 << 20, /* of all of them together, their last one aside */
};

static void
forget_first(struct api_feed_kept *kept)
{
    struct api_feed_batch *batch = kept->first;

    kept->first = batch->next;
    if (kept->first == NULL)
        kept->last = NULL;
    kept->count--;
    kept->bytes -= batch->text.size;
    api_feed_batch_drop(batch);
}

void
api_feed_kept_begin(struct api_feed_kept *kept, uint64_t revision)
{
    while (kept->first != NULL)
        forget_first(kept);
    kept->covered = revision;
}

void
api_feed_kept_add(struct api_feed_kept *kept, struct api_feed_batch *batch)
{
    if (kept->last == NULL)
        kept->first = batch;
    else
        kept->last->next = batch;
    kept->last = batch;
    kept->count++;
    kept->bytes += batch->text.size;
    kept->covered = batch->to;
    while (kept->first != batch && (kept->count > BATCHES_MAX || kept->bytes > BATCH_BYTES_MAX))
        forget_first(kept);
}

bool
api_feed_kept_has(const struct api_feed_kept *kept, uint64_t revision)
{
    uint64_t first = kept->first == NULL ? kept->covered : kept->first->from;

    return revision >= first;
}

static bool
concerns(const struct api_feed_batch *batch, const struct api_feed_filter *filter,
         uint64_t position)
{
    struct api_feed_choice choice;

    if (batch->lost > position)
        return true;
    for (size_t i = 0; i < batch->count; i++)
        if (api_feed_choose(filter, batch->events[i], position, &choice))
            return true;
    return false;
}

struct api_feed_batch *
api_feed_kept_next(const struct api_feed_kept *kept, const struct api_feed_filter *filter,
                   uint64_t *position)
{
    for (struct api_feed_batch *batch = kept->first; batch != NULL; batch = batch->next) {
        if (batch->to <= *position)
            continue;
        if (concerns(batch, filter, *position))
            return batch;
        *position = batch->to;
    }
    return NULL;
}
