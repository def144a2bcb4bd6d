/* Snapshots are dropped by buckets: version / spacing says which bucket one is in, and of each the
 * first one stays. So the first of all versions stays, and, until it has a successor, the newest.
 */
#include "service/watch/history_keep.h"

#include "service/state.h"
#include "store/base/scope.h"

struct versions {
    /* With the new one, and room to see that there is no more. */
    uint64_t list[RECORD_SNAPSHOTS_MAX + 2];
    size_t count;
};

static enum err_code
read_versions(const struct store_view *view, const struct history_candidate *c,
              struct versions *out, struct err *err)
{
    struct record_key prefix = record_key_snapshots(c->model_id, c->variable_id);
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    while (out->count < sizeof out->list / sizeof out->list[0]) {
        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        out->list[out->count++] = record_key_last_number(key);
    }
    return err_set(err, ERR_DATA_LOSS, "variable '%s' has more than %d snapshots", c->name,
                   RECORD_SNAPSHOTS_MAX);
}

static bool
stays(const struct versions *versions, size_t i, uint64_t spacing)
{
    if (i == 0 || i + 1 == versions->count)
        return true;
    return versions->list[i] / spacing != versions->list[i - 1] / spacing;
}

static size_t
count_staying(const struct versions *versions, uint64_t spacing)
{
    size_t count = 0;

    for (size_t i = 0; i < versions->count; i++)
        count += stays(versions, i, spacing);
    return count;
}

/* With the new one there are too many. */
static enum err_code
thin(struct store_txn *txn, const struct history_candidate *c, struct history_record *history,
     struct err *err)
{
    struct versions versions = {.count = 0};
    /* Half of them, and the newest. */
    const size_t enough = (c->snapshots_max + 1) / 2 + 2;

    TRY(read_versions(store_txn_view(txn), c, &versions, err));
    while (count_staying(&versions, history->spacing) > enough && history->spacing < UINT64_MAX / 4)
        history->spacing *= 2;
    for (size_t i = 0; i < versions.count; i++) {
        struct record_key key = record_key_snapshot(c->model_id, c->variable_id, versions.list[i]);

        if (stays(&versions, i, history->spacing))
            continue;
        TRY(store_delete(txn, record_key_bytes(&key), err));
        history->snapshots--;
    }
    return OK;
}

static enum err_code
is_there(const struct store_view *view, const struct history_candidate *c, bool *out,
         struct err *err)
{
    struct model_record model;
    struct variable_record variable;

    TRY(record_get_model(view, c->model, out, &model, err));
    if (!*out)
        return OK;
    *out = model.id == c->model_id;
    if (!*out)
        return OK;
    TRY(record_get_variable(view, c->model_id, c->name, out, &variable, err));
    *out = *out && variable.id == c->variable_id;
    return OK;
}

static enum err_code
keep_one(struct store_txn *txn, const struct history_candidate *c, struct history_batch *batch,
         struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    struct history_record history = {.spacing = 1};
    bool found = false;
    uint32_t before;

    TRY(is_there(view, c, &found, err));
    if (!found)
        return OK;
    TRY(record_get_history(view, c->model_id, c->variable_id, &found, &history, err));
    if (found && history.version >= c->snapshot.version)
        return OK;
    before = found ? history.snapshots : 0;
    TRY(record_put_snapshot(txn, c->model_id, c->variable_id, &c->snapshot, err));
    history.snapshots = before + 1;
    history.version = c->snapshot.version;
    history.taken_ms = batch->now_ms;
    if (history.snapshots > c->snapshots_max)
        TRY(thin(txn, c, &history, err));
    batch->histories += !found;
    batch->snapshots += (int64_t)history.snapshots - (int64_t)before;
    return record_put_history(txn, c->model_id, c->variable_id, &history, err);
}

static enum err_code
keep_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct history_batch *batch = context;

    batch->snapshots = batch->histories = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->candidates[i].taken)
            TRY(keep_one(txn, &batch->candidates[i], batch, err));
    return OK;
}

enum err_code
history_keep(struct store *store, struct history_batch *batch, struct err *err)
{
    const struct store_update_options quietly = {.quiet = true};

    return store_update(store, keep_unit, batch, &quietly, NULL, err);
}
