#include "service/watch/change.h"

#include <inttypes.h>

#include "service/record/record_change.h"
#include "service/state.h"
#include "store/base/check.h"
#include "store/base/scope.h"

static const struct {
    const char *event;
    enum change_subject subject;
} kinds[CHANGE_KIND_COUNT] = {
#define CHANGE(kind, event, subject) {event, SUBJECT_##subject},
#include "service/watch/change.def"
#undef CHANGE
};

const char *
change_event(enum change_kind kind)
{
    CHECK(kind < CHANGE_KIND_COUNT);
    return kinds[kind].event;
}

enum change_subject
change_subject_of(enum change_kind kind)
{
    CHECK(kind < CHANGE_KIND_COUNT);
    return kinds[kind].subject;
}

bool
change_kind_of(struct bytes event, enum change_kind *out)
{
    for (unsigned kind = 0; kind < CHANGE_KIND_COUNT; kind++) {
        if (!bytes_equal(event, bytes_of_text(kinds[kind].event)))
            continue;
        *out = (enum change_kind)kind;
        return true;
    }
    return false;
}

/* --- reading ------------------------------------------------------------------------------- */

static enum err_code
find_range(const struct store_view *view, struct change_range *range, struct err *err)
{
    struct change_log_record log;
    bool found = false;

    range->newest = store_view_revision(view);
    TRY(record_get_change_log(view, &found, &log, err));
    range->oldest = found ? log.floor : range->newest; /* nothing has been written down yet */
    /* Who was told of earlier revisions may have been told by a history that ended with a backup.
     */
    if (range->oldest < store_origin(store_of_view(view)))
        range->oldest = store_origin(store_of_view(view));
    return OK;
}

static enum err_code
check_since(uint64_t since, const struct change_range *range, struct err *err)
{
    if (since < range->oldest)
        return err_set(err, ERR_GONE,
                       "what happened after revision %" PRIu64 " is not kept any more: changes "
                       "since revision %" PRIu64 " are (changes_max, changes_max_bytes)",
                       since, range->oldest);
    if (since > range->newest)
        return err_set(err, ERR_GONE,
                       "revision %" PRIu64 " is not one of this store's: its newest is %" PRIu64,
                       since, range->newest);
    return OK;
}

static enum err_code
read_changes(const struct store_view *view, change_visit *visit, void *context,
             struct change_range *range, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_change_log(),
                      after = record_key_changes(range->read, UINT8_MAX);
    struct bytes key, record;
    bool found = true, enough = false;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), record_key_bytes(&after), &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            break;
        if (enough && record_key_change_revision(key) != range->read)
            return OK;
        range->read = record_key_change_revision(key);
        TRY(record_each_change(key, record, visit, context, &enough, err));
    }
    range->read = range->newest;
    return OK;
}

enum err_code
change_read(struct service *service, uint64_t since, change_visit *visit, void *context,
            struct change_range *range, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;

    *range = (struct change_range){0};
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(find_range(view, range, err));
    if (since == CHANGE_SINCE_OLDEST)
        since = range->oldest;
    TRY(check_since(since, range, err));
    range->read = since;
    return read_changes(view, visit, context, range, err);
}
