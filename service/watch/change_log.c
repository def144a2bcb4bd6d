/* Always true: when the log's first record is there, everything after its floor that a commit
 * changed is in the store, and nothing up to the floor is. */
#include "service/watch/change_log.h"

#include <stdio.h>
#include <string.h>

#include "service/record/record_change.h"
#include "service/state.h"
#include "store/base/scope.h"
#include "store/key.h"

enum {
    TRIM_REVISIONS = 64, /* seldom, for it touches records that nothing else does */
    TRIM_PARTS = 16,     /* but with a commit that wrote down so much */
    TRIM_RECORDS_MAX = 4096,
};

struct noting {
    struct change_log *log;
    const struct store_view *view;
    struct change_writer writer;
};

void
change_log_drop(struct change_log *log)
{
    model_names_drop(&log->names);
}

void
change_log_begin(struct change_log *log)
{
    log->restored = false;
}

void
change_log_restored(struct change_log *log, uint64_t model_id, const char *checkpoint,
                    uint64_t variables)
{
    log->restored = true;
    log->restored_id = model_id;
    log->restored_count = variables;
    snprintf(log->restored_name, sizeof log->restored_name, "%s", checkpoint);
}

/* --- what was changed ---------------------------------------------------------------------- */

static enum err_code
note(struct noting *n, uint64_t model_id, struct change *change, struct err *err)
{
    const char *model = NULL;

    TRY(model_names_get(&n->log->names, n->view, model_id, &model, err));
    change->model = bytes_of_text(model);
    return change_writer_add(&n->writer, change, err);
}

static enum err_code
note_model(void *context, struct bytes key, struct bytes before, struct bytes after,
           struct err *err)
{
    struct noting *n = context;
    struct bytes name = record_key_name(key);
    struct model_record model;
    struct change change = {.kind = CHANGE_MODEL_CHANGED, .name = bytes_of("", 0)};

    if (before.data == NULL)
        change.kind = CHANGE_MODEL_CREATED;
    else if (after.data == NULL)
        change.kind = CHANGE_MODEL_DELETED;
    TRY(record_decode_model(after.data == NULL ? before : after, &model, err));
    TRY(model_names_add(&n->log->names, model.id, name, err));
    return note(n, model.id, &change, err);
}

static enum err_code
note_checkpoint(void *context, struct bytes key, struct bytes before, struct bytes after,
                struct err *err)
{
    struct checkpoint_record was = {0}, is = {0};
    struct change change = {.kind = CHANGE_CHECKPOINT_SAVED, .name = record_key_name(key)};

    if (before.data != NULL)
        TRY(record_decode_checkpoint(before, &was, err));
    if (after.data != NULL)
        TRY(record_decode_checkpoint(after, &is, err));
    if (after.data == NULL)
        change.kind = CHANGE_CHECKPOINT_DELETED;
    else if (before.data != NULL && was.id == is.id)
        change.kind = CHANGE_CHECKPOINT_CHANGED;
    change.count = after.data == NULL ? was.tensors : is.tensors;
    return note(context, record_key_id(key), &change, err);
}

/* Where it was, and where it is. Parts of one that is gone are not known any more. */
static enum err_code
note_tasks(const struct noting *n, const struct variable_record *was,
           const struct variable_record *is, struct err *err)
{
    if (is == NULL || (was != NULL && strcmp(was->device, is->device) != 0))
        task_note(n->log->tasks, was->device, 0);
    return is == NULL ? OK : task_note_variable(n->log->tasks, n->view, is, 0, err);
}

static enum err_code
note_variable(void *context, struct bytes key, struct bytes before, struct bytes after,
              struct err *err)
{
    struct variable_record was, is;
    struct change change = {.kind = CHANGE_VARIABLE_CHANGED, .name = record_key_name(key)};

    if (before.data != NULL)
        TRY(record_decode_variable(before, &was, err));
    if (after.data != NULL)
        TRY(record_decode_variable(after, &is, err));
    if (after.data == NULL)
        change.kind = CHANGE_VARIABLE_DELETED;
    else if (before.data == NULL || was.id != is.id)
        change.kind = CHANGE_VARIABLE_CREATED;
    else if (was.revision == is.revision)
        return OK; /* its bytes lie elsewhere now */
    else if (was.value.kind == VALUE_NONE && is.value.kind != VALUE_NONE)
        change.kind = CHANGE_VARIABLE_INITIALIZED;
    change.version = after.data == NULL ? was.version : is.version;
    TRY(note_tasks(context, before.data == NULL ? NULL : &was, after.data == NULL ? NULL : &is,
                   err));
    return note(context, record_key_id(key), &change, err);
}

static enum err_code
note_all(struct noting *n, struct store_txn *txn, struct err *err)
{
    static const uint8_t kinds[] = {STORE_KEY_MODEL, STORE_KEY_CHECKPOINT, STORE_KEY_VARIABLE};
    static store_change_visit *const visits[] = {note_model, note_checkpoint, note_variable};

    for (size_t i = 0; i < sizeof kinds; i++)
        TRY(store_txn_changes(txn, bytes_of(&kinds[i], 1), visits[i], n, err));
    if (!n->log->restored)
        return OK;
    return note(n, n->log->restored_id,
                &(struct change){.kind = CHANGE_CHECKPOINT_RESTORED,
                                 .count = n->log->restored_count,
                                 .name = bytes_of_text(n->log->restored_name)},
                err);
}

/* --- what is too old ----------------------------------------------------------------------- */

struct trim {
    struct change_log_record log;
    uint64_t changes_max, bytes_max;
    uint64_t revision; /* of this commit, which stays */
    struct buf keys;   /* of records that go */
};

/* Adds what was written since it was last done, in this commit too. */
static enum err_code
count_new(struct trim *t, const struct store_view *view, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_change_log(),
                      after = record_key_changes(t->log.counted, UINT8_MAX);
    struct bytes key, record;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), record_key_bytes(&after), &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            break;
        t->log.bytes += key.size + record.size;
    }
    t->log.counted = t->revision;
    return OK;
}

static bool
is_too_old(const struct trim *t, uint64_t revision)
{
    return revision < t->revision &&
           (t->revision - revision >= t->changes_max || t->log.bytes > t->bytes_max);
}

/* All records of a revision go, or none. */
static enum err_code
choose_old(struct trim *t, const struct store_view *view, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_change_log(),
                      after = record_key_changes(t->log.floor, UINT8_MAX);
    struct bytes key, record;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), record_key_bytes(&after), &cursor, err));
    for (int count = 0;; count++) {
        uint64_t revision;

        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        revision = record_key_change_revision(key);
        if (revision != t->log.floor && (count >= TRIM_RECORDS_MAX || !is_too_old(t, revision)))
            return OK;
        t->log.floor = revision;
        t->log.bytes -= key.size + record.size;
        TRY(buf_append_bytes(&t->keys, key, err));
    }
}

static enum err_code
trim(struct store_txn *txn, struct trim *t, struct err *err)
{
    struct reader keys;
    bool is_short = false;

    TRY(count_new(t, store_txn_view(txn), err));
    /* What is left is for deleting: half of the log goes, and again. */
    TRY(store_txn_is_short(txn, &is_short, err));
    if (is_short && t->bytes_max > t->log.bytes / 2)
        t->bytes_max = t->log.bytes / 2;
    TRY(choose_old(t, store_txn_view(txn), err));
    keys = reader_of(buf_bytes(&t->keys));
    while (keys.left.size > 0)
        TRY(store_delete(txn, reader_bytes(&keys), err));
    return record_put_change_log(txn, &t->log, err);
}

/* The log begins with the first commit that finds none. */
static enum err_code
keep_bounded(struct change_log *log, struct store_txn *txn, const struct service_limits *limits,
             unsigned parts, struct err *err)
{
    struct trim t = {.changes_max = limits->changes_max,
                     .bytes_max = limits->changes_bytes_max,
                     .revision = store_txn_revision(txn)};
    enum err_code code;
    bool found = false;

    if (log->begun && t.revision - log->trimmed < TRIM_REVISIONS && parts < TRIM_PARTS)
        return OK;
    TRY(record_get_change_log(store_txn_view(txn), &found, &t.log, err));
    log->begun = found;
    log->trimmed = t.revision;
    if (!found) {
        t.log = (struct change_log_record){.floor = t.revision - 1, .counted = t.revision - 1};
        return record_put_change_log(txn, &t.log, err);
    }
    buf_init(&t.keys, (size_t)(TRIM_RECORDS_MAX + RECORD_CHANGE_PARTS_MAX) * 16);
    code = trim(txn, &t, err);
    buf_drop(&t.keys);
    return code;
}

enum err_code
change_log_write(struct change_log *log, struct store_txn *txn, const struct service_limits *limits,
                 const char *op, uint64_t *count, struct err *err)
{
    struct noting n = {.log = log, .view = store_txn_view(txn)};
    enum err_code code;
    unsigned parts;

    change_writer_init(&n.writer, txn, op);
    code = note_all(&n, txn, err);
    if (code == OK)
        code = change_writer_close(&n.writer, err);
    *count = n.writer.count;
    parts = n.writer.part;
    change_writer_drop(&n.writer);
    if (code != OK || *count == 0)
        return code;
    return keep_bounded(log, txn, limits, parts, err);
}
