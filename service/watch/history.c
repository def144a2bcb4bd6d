#include "service/watch/history.h"

#include <float.h>

#include "service/key_walk.h"
#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

void
history_drop(struct history *history)
{
    mem_free(history->snapshots);
    *history = (struct history){.count = 0};
}

static enum err_code
add(struct history *history, struct snapshot_record **out, struct err *err)
{
    struct snapshot_record *list =
        mem_grown(history->snapshots, history->count, &history->capacity, sizeof *list, err);

    if (list == NULL)
        return ERR_NO_MEMORY;
    history->snapshots = list;
    *out = &list[history->count];
    return OK;
}

enum err_code
history_read(const struct look *look, struct history *out, struct err *err)
{
    const struct store_view *view = store_snapshot_view(look->snapshot);
    const struct look_value *value = &look->value;
    struct record_key prefix = record_key_snapshots(look->model_id, value->variable_id);
    struct history_record record;
    AUTO_CURSOR cursor = NULL;
    AUTO(history) history = {.count = 0};
    bool found = false;

    CHECK(value->variable_id != 0);
    TRY(record_get_history(view, look->model_id, value->variable_id, &found, &record, err));
    history.spacing = found ? record.spacing : 0;
    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct snapshot_record *snapshot = NULL;
        struct bytes key, bytes;

        TRY(store_cursor_next(cursor, &found, &key, &bytes, err));
        if (!found)
            break;
        TRY(add(&history, &snapshot, err));
        TRY(record_decode_snapshot(bytes, snapshot, err));
        history.count++;
    }
    *out = TAKE(history);
    return OK;
}

/* What float32 has no number for becomes the nearest one that it has. */
static float
point_of(double number)
{
    if (number > (double)FLT_MAX)
        return FLT_MAX;
    return number < -(double)FLT_MAX ? -FLT_MAX : (float)number;
}

void
history_fill(struct snapshot_record *record, const struct statistics *statistics)
{
    const double base = record_snapshot_base(&statistics->elements);

    record->elements = statistics->elements;
    record->point_count = statistics->point_count;
    for (uint32_t i = 0; i < record->point_count; i++)
        record->points[i] = point_of(statistics->points[i] - base);
}

enum err_code
history_add_current(struct look *look, struct history *history, struct err *err)
{
    const struct look_value *value = &look->value;
    struct snapshot_record *snapshot = NULL;
    struct statistics statistics;

    if (history->count > 0 && history->snapshots[history->count - 1].version == value->version)
        return OK;
    TRY(statistics_take(look, &statistics, err));
    TRY(add(history, &snapshot, err));
    *snapshot = (struct snapshot_record){.version = value->version,
                                         .revision = value->revision,
                                         .time_ms = value->updated_ms,
                                         .has_step = look->has_step,
                                         .step = look->step};
    history_fill(snapshot, &statistics);
    history->count++;
    return OK;
}

int64_t
history_step(const struct snapshot_record *snapshot)
{
    return snapshot->has_step ? snapshot->step : (int64_t)snapshot->version;
}

enum err_code
history_remove(struct store_txn *txn, uint64_t model_id, uint64_t variable_id, struct err *err)
{
    struct record_key head = record_key_history(model_id, variable_id);
    struct record_key snapshots = record_key_snapshots(model_id, variable_id);

    TRY(key_walk_delete(txn, &snapshots, NULL, err));
    return store_delete(txn, record_key_bytes(&head), err);
}
