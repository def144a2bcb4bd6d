/* Walking keys in order: the file's and, inside a unit, the unit's own changes merged over them. */
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/record.h"

struct store_cursor {
    const struct store_view *view;
    MDB_cursor *file;
    MDB_val key, value;                /* the file's current one */
    const struct store_change *change; /* the unit's current one */
    bool file_ended, file_used, change_used;
    size_t prefix_size;
    uint8_t prefix[STORE_KEY_BYTES_MAX];
};

static bool
is_inside(const struct store_cursor *c, struct bytes key)
{
    return bytes_start_with(key, bytes_of(c->prefix, c->prefix_size));
}

static struct bytes
file_key(const struct store_cursor *c)
{
    return bytes_of(c->key.mv_data, c->key.mv_size);
}

/* Reads with `op` and notes whether the prefix goes on. */
static enum err_code
step_file(struct store_cursor *c, MDB_cursor_op op, struct err *err)
{
    int rc = mdb_cursor_get(c->file, &c->key, &c->value, op);

    c->file_used = false;
    if (rc == MDB_NOTFOUND) {
        c->file_ended = true;
        return OK;
    }
    TRY(store_mdb_check(err, rc, "read from", c->view->store->meta.name));
    c->file_ended = !is_inside(c, file_key(c));
    return OK;
}

static enum err_code
seek(struct store_cursor *c, struct bytes from, bool after, struct err *err)
{
    c->key = (MDB_val){from.size, (void *)(uintptr_t)from.data};
    TRY(step_file(c, MDB_SET_RANGE, err));
    if (after && !c->file_ended && bytes_equal(file_key(c), from))
        TRY(step_file(c, MDB_NEXT, err));
    if (c->view->unit != NULL)
        c->change = store_overlay_seek(&c->view->unit->overlay, from, after);
    return OK;
}

static enum err_code
open_at(struct store_cursor *c, struct bytes after, struct err *err)
{
    static const uint8_t behind_system_keys = 1;
    struct bytes from = bytes_of(c->prefix, c->prefix_size);
    bool strictly = after.data != NULL && bytes_compare(after, from) >= 0;
    int rc = mdb_cursor_open(c->view->meta, c->view->store->meta.dbi, &c->file);

    TRY(store_mdb_check(err, rc, "open a cursor in", c->view->store->meta.name));
    if (c->view->unit != NULL)
        c->view->unit->cursors_open++;
    if (strictly)
        from = after;
    if (from.size == 0 || from.data[0] == 0) {
        from = bytes_of(&behind_system_keys, 1);
        strictly = false;
    }
    return seek(c, from, strictly, err);
}

enum err_code
store_cursor_open(const struct store_view *view, struct bytes prefix, struct bytes after,
                  struct store_cursor **out, struct err *err)
{
    struct store_cursor *c;
    enum err_code code;

    if (prefix.size > STORE_KEY_BYTES_MAX || after.size > STORE_KEY_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a key is at most %d bytes long",
                       STORE_KEY_BYTES_MAX);
    c = mem_zeroed(1, sizeof *c, err);
    if (c == NULL)
        return ERR_NO_MEMORY;
    c->view = view;
    c->prefix_size = prefix.size;
    if (prefix.size != 0)
        memcpy(c->prefix, prefix.data, prefix.size);
    code = open_at(c, after, err);
    if (code != OK) {
        store_cursor_drop(c);
        return code;
    }
    *out = c;
    return OK;
}

/* Moves past what the last call handed out: not before, because it was borrowed until now. */
static enum err_code
advance(struct store_cursor *c, struct err *err)
{
    if (c->file_used)
        TRY(step_file(c, MDB_NEXT, err));
    if (c->change_used)
        c->change = c->change->next[0];
    c->change_used = false;
    if (c->change != NULL && !is_inside(c, c->change->key))
        c->change = NULL;
    return OK;
}

/* The next key of the two sides; a change hides the file's record at the same key. */
static enum err_code
next_merged(struct store_cursor *c, bool *found, bool *deleted, struct bytes *key,
            struct bytes *value, struct err *err)
{
    int order;

    TRY(advance(c, err));
    *deleted = false;
    *found = !c->file_ended || c->change != NULL;
    if (!*found)
        return OK;
    order = c->change == NULL ? -1 : c->file_ended ? 1 : bytes_compare(file_key(c), c->change->key);
    c->file_used = order <= 0;
    c->change_used = order >= 0;
    if (c->change_used) {
        *key = c->change->key;
        *value = c->change->value;
        *deleted = value->data == NULL;
        return OK;
    }
    *key = file_key(c);
    return store_record_read(*key, bytes_of(c->value.mv_data, c->value.mv_size), value, err);
}

enum err_code
store_cursor_next(struct store_cursor *cursor, bool *found, struct bytes *key, struct bytes *value,
                  struct err *err)
{
    bool deleted;

    do
        TRY(next_merged(cursor, found, &deleted, key, value, err));
    while (*found && deleted);
    return OK;
}

void
store_cursor_drop(struct store_cursor *cursor)
{
    if (cursor == NULL)
        return;
    if (cursor->file != NULL) {
        mdb_cursor_close(cursor->file);
        if (cursor->view->unit != NULL)
            cursor->view->unit->cursors_open--;
    }
    mem_free(cursor);
}
