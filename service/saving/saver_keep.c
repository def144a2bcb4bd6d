#include "service/saving/saver_keep.h"

#include <stdio.h>

#include "service/key_walk.h"
#include "store/base/scope.h"

enum { MS_PER_HOUR = 3600 * 1000 };

/* --- places -------------------------------------------------------------------------------- */

static enum err_code
append(struct store_txn *txn, struct saver_record *saver, const char *checkpoint,
       uint64_t checkpoint_id, uint64_t saved_ms, struct err *err)
{
    struct last_record last = {.checkpoint_id = checkpoint_id, .saved_ms = saved_ms};

    snprintf(last.name, sizeof last.name, "%s", checkpoint);
    TRY(record_put_last(txn, saver->id, saver->next_place, &last, err));
    TRY(record_put_listed(txn, saver->id, checkpoint, saver->next_place, err));
    saver->next_place++;
    saver->listed++;
    return OK;
}

static enum err_code
take_out(struct store_txn *txn, struct saver_record *saver, const char *checkpoint, bool *found,
         struct err *err)
{
    struct record_key last, listed;
    uint64_t place = 0;

    TRY(record_get_listed(store_txn_view(txn), saver->id, checkpoint, &place, err));
    *found = place != 0;
    if (!*found)
        return OK;
    last = record_key_last(saver->id, place);
    listed = record_key_listed(saver->id, checkpoint);
    TRY(store_delete(txn, record_key_bytes(&last), err));
    TRY(store_delete(txn, record_key_bytes(&listed), err));
    saver->listed--;
    return OK;
}

static enum err_code
oldest(const struct store_view *view, uint64_t saver_id, bool *found, struct last_record *out,
       struct err *err)
{
    struct record_key prefix = record_key_lasts(saver_id);
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    TRY(store_cursor_next(cursor, found, &key, &record, err));
    return *found ? record_decode_last(record, out, err) : OK;
}

/* --- which of them stay -------------------------------------------------------------------- */

uint64_t
saver_keep_later(uint64_t time_ms, double hours)
{
    double later = (double)time_ms + hours * MS_PER_HOUR;

    return later < (double)INT64_MAX ? (uint64_t)later : INT64_MAX;
}

/* Whether a checkpoint that is out of the list is there, and goes. One that was saved after the
 * time that the next one is kept at stays, and that time moves on, as TensorFlow has it. */
static enum err_code
judge(const struct store_view *view, uint64_t model_id, struct saver_record *saver,
      const struct last_record *last, struct checkpoint_record *record, bool *found, bool *goes,
      struct err *err)
{
    TRY(record_get_checkpoint(view, model_id, last->name, found, record, err));
    *goes = *found && record->id == last->checkpoint_id && !record->pinned;
    if (!*goes || last->saved_ms <= saver->next_keep_ms)
        return OK;
    saver->next_keep_ms = saver_keep_later(saver->next_keep_ms, saver->settings.keep_every_hours);
    *goes = false;
    return OK;
}

/* The oldest is out of the list, which is not empty. */
static enum err_code
push_out(struct store_txn *txn, uint64_t model_id, const char *name, struct saver_record *saver,
         struct saver_dropped *out, struct err *err)
{
    struct usage_change change = {0};
    struct checkpoint_record record;
    struct last_record last;
    bool found = false;

    TRY(oldest(store_txn_view(txn), saver->id, &found, &last, err));
    if (found)
        TRY(take_out(txn, saver, last.name, &found, err));
    if (!found)
        return err_set(err, ERR_DATA_LOSS, "the list of saver '%s' is damaged", name);
    TRY(judge(store_txn_view(txn), model_id, saver, &last, &record, &found, &out->removed, err));
    if (found)
        memcpy(out->name, last.name, sizeof out->name);
    if (!out->removed)
        return OK;
    TRY(record_put_saver(txn, model_id, name, saver, err)); /* it is forgotten there already */
    TRY(checkpoint_remove(txn, model_id, last.name, &record, &change, err));
    return service_change_usage(txn, model_id, &change, err);
}

enum err_code
saver_keep_saved(struct store_txn *txn, uint64_t model_id, const char *name,
                 struct saver_record *saver, const char *checkpoint, uint64_t checkpoint_id,
                 uint64_t now_ms, struct saver_dropped *out, struct err *err)
{
    bool found = false;

    *out = (struct saver_dropped){.removed = false};
    snprintf(saver->latest, sizeof saver->latest, "%s", checkpoint);
    saver->latest_id = checkpoint_id;
    saver->revision = store_txn_revision(txn);
    saver->updated_ms = now_ms;
    TRY(take_out(txn, saver, checkpoint, &found, err));
    if (saver->settings.max_to_keep > 0) {
        TRY(append(txn, saver, checkpoint, checkpoint_id, now_ms, err));
        if (saver->listed > saver->settings.max_to_keep)
            TRY(push_out(txn, model_id, name, saver, out, err));
    }
    return record_put_saver(txn, model_id, name, saver, err);
}

static enum err_code
clear(struct store_txn *txn, struct saver_record *saver, struct err *err)
{
    struct record_key lasts = record_key_lasts(saver->id);
    struct record_key listed = record_key_listed(saver->id, "");

    TRY(key_walk_delete(txn, &lasts, NULL, err));
    TRY(key_walk_delete(txn, &listed, NULL, err));
    saver->listed = 0;
    return OK;
}

enum err_code
saver_keep_trim(struct store_txn *txn, uint64_t model_id, const char *name,
                struct saver_record *saver, struct buf *removed, struct err *err)
{
    if (saver->settings.max_to_keep == 0)
        return clear(txn, saver, err);
    while (saver->listed > saver->settings.max_to_keep) {
        struct saver_dropped dropped;

        TRY(push_out(txn, model_id, name, saver, &dropped, err));
        if (dropped.removed)
            TRY(buf_append_bytes(removed, bytes_of_text(dropped.name), err));
    }
    return OK;
}

enum err_code
saver_keep_forget(struct store_txn *txn, uint64_t model_id, const char *checkpoint,
                  const struct checkpoint_record *record, struct err *err)
{
    struct saver_record saver;
    bool found = false;

    if (record->saver_id == 0)
        return OK;
    TRY(record_get_saver(store_txn_view(txn), model_id, record->saver, &found, &saver, err));
    if (!found || saver.id != record->saver_id)
        return OK;
    TRY(take_out(txn, &saver, checkpoint, &found, err));
    if (!found)
        return OK;
    saver.revision = store_txn_revision(txn);
    return record_put_saver(txn, model_id, record->saver, &saver, err);
}

/* --- set by hand --------------------------------------------------------------------------- */

/* Whose saver is gone, or who never had one, is this one's from now on. */
static enum err_code
adopt(struct store_txn *txn, uint64_t model_id, const char *name, const struct saver_record *saver,
      const char *checkpoint, struct checkpoint_record *record, struct err *err)
{
    struct saver_record owner;
    bool found = false;

    if (record->saver_id != 0)
        TRY(record_get_saver(store_txn_view(txn), model_id, record->saver, &found, &owner, err));
    if (found && owner.id == record->saver_id)
        return OK;
    memcpy(record->saver, name, strlen(name) + 1);
    record->saver_id = saver->id;
    record->changed_revision = store_txn_revision(txn);
    return record_put_checkpoint(txn, model_id, checkpoint, record, err);
}

static enum err_code
set_one(struct store_txn *txn, uint64_t model_id, const char *name, struct saver_record *saver,
        const char *checkpoint, bool recover, struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    struct checkpoint_record record;
    uint64_t place = 0;
    bool found = false;

    TRY(name_check("checkpoint", checkpoint, err));
    TRY(record_get_listed(view, saver->id, checkpoint, &place, err));
    if (place != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "checkpoint '%s' is named twice", checkpoint);
    TRY(record_get_checkpoint(view, model_id, checkpoint, &found, &record, err));
    if (!found)
        return recover ? OK : service_find_checkpoint(view, model_id, checkpoint, &record, err);
    TRY(adopt(txn, model_id, name, saver, checkpoint, &record, err));
    snprintf(saver->latest, sizeof saver->latest, "%s", checkpoint);
    saver->latest_id = record.id;
    return append(txn, saver, checkpoint, record.id, record.created_ms, err);
}

enum err_code
saver_keep_set(struct store_txn *txn, uint64_t model_id, const char *name,
               struct saver_record *saver, const struct saver_spec *spec, struct err *err)
{
    if (spec->last_count > SAVER_KEEP_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%zu last checkpoints are named, a saver keeps at most %d", spec->last_count,
                       SAVER_KEEP_MAX);
    TRY(clear(txn, saver, err));
    for (size_t i = 0; i < spec->last_count; i++)
        TRY(set_one(txn, model_id, name, saver, spec->last[i], spec->recover, err));
    return OK;
}

/* --- looking ------------------------------------------------------------------------------- */

enum err_code
saver_each_last(const struct store_view *view, uint64_t saver_id, saver_last_visit *visit,
                void *context, struct err *err)
{
    struct record_key prefix = record_key_lasts(saver_id);
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct last_record last;

        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        TRY(record_decode_last(record, &last, err));
        TRY(visit(context, &last, err));
    }
}

struct search {
    const struct store_view *view;
    uint64_t model_id;
    char *out;
};

static enum err_code
exists(const struct search *search, const char *checkpoint, uint64_t id, bool *out, struct err *err)
{
    struct checkpoint_record record;

    TRY(record_get_checkpoint(search->view, search->model_id, checkpoint, out, &record, err));
    *out = *out && record.id == id;
    return OK;
}

static enum err_code
keep_last(void *context, const struct last_record *last, struct err *err)
{
    struct search *search = context;
    bool found = false;

    TRY(exists(search, last->name, last->checkpoint_id, &found, err));
    if (found)
        memcpy(search->out, last->name, sizeof last->name);
    return OK;
}

/* Newest first, of all of the model. */
static enum err_code
search_all(const struct search *search, uint64_t saver_id, struct err *err)
{
    struct record_key prefix = record_key_orders(search->model_id);
    AUTO_CURSOR cursor = NULL;
    struct bytes key, text;
    bool found = true;

    TRY(store_cursor_open(search->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor,
                          err));
    for (;;) {
        struct checkpoint_record record;
        char name[NAME_BYTES_MAX + 1];

        TRY(store_cursor_next(cursor, &found, &key, &text, err));
        if (!found)
            return OK;
        snprintf(name, sizeof name, "%.*s", (int)text.size, (const char *)text.data);
        TRY(service_find_checkpoint(search->view, search->model_id, name, &record, err));
        if (record.saver_id != saver_id)
            continue;
        memcpy(search->out, name, sizeof name);
        return OK;
    }
}

enum err_code
saver_latest(const struct store_view *view, uint64_t model_id, const struct saver_record *saver,
             char out[static NAME_BYTES_MAX + 1], struct err *err)
{
    struct search search = {.view = view, .model_id = model_id, .out = out};
    bool found = false;

    out[0] = '\0';
    if (saver->latest[0] == '\0')
        return OK;
    TRY(exists(&search, saver->latest, saver->latest_id, &found, err));
    if (found) {
        memcpy(out, saver->latest, sizeof saver->latest);
        return OK;
    }
    TRY(saver_each_last(view, saver->id, keep_last, &search, err));
    return out[0] != '\0' ? OK : search_all(&search, saver->id, err);
}
