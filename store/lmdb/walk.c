/* Walking all chunks that records may name, beside writers.
 *
 * While the committer writes, chunks are in the files that no record names yet, or that garbage
 * does not list yet. `in_step` is held over such moments, so a walk begins when files, garbage and
 * stages agree; from there on its read transactions show that moment. */
#include "store/lmdb/engine.h"
#include "store/lmdb/ids.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/walk.h"
#include "store/lmdb/wire.h"

enum err_code
store_walk_file(struct store_env *env, MDB_txn *txn, store_walk_visit *visit, void *context,
                struct err *err)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    enum err_code code;
    int rc = mdb_cursor_open(txn, env->dbi, &cursor);

    TRY(store_mdb_check(err, rc, "open a cursor in", env->name));
    for (code = OK; code == OK && rc == 0;) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        if (rc != 0)
            break;
        if (key.mv_size != STORE_CHUNK_KEY_BYTES)
            code =
                err_set(err, ERR_DATA_LOSS, "%s holds a key of %zu bytes", env->name, key.mv_size);
        else
            code = visit(context, wire_get_key(key.mv_data), bytes_of(value.mv_data, value.mv_size),
                         err);
    }
    mdb_cursor_close(cursor);
    TRY(code);
    return rc == MDB_NOTFOUND ? OK : store_mdb_check(err, rc, "read from", env->name);
}

static void
add_list(struct store_ids *ids, const struct store_freed_list *list)
{
    for (const struct store_freed_block *b = list->first; b != NULL; b = b->next) {
        for (unsigned i = 0; i < b->count; i++)
            store_ids_add(ids, b->entries[i].id);
    }
}

static void
gather_unnamed(struct store *store, struct store_ids *ids)
{
    const struct store_doomed *doomed = &store->garbage.doomed;

    lock_acquire(&store->stages.lock);
    for (const struct store_stage_entry *s = store->stages.first; s != NULL; s = s->next)
        add_list(ids, &s->ids);
    lock_release(&store->stages.lock);
    lock_acquire(&store->garbage.lock);
    add_list(ids, &store->garbage.waiting);
    add_list(ids, &store->garbage.held);
    lock_release(&store->garbage.lock);
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        for (unsigned i = 0; i < doomed->count[class]; i++)
            store_ids_add(ids, doomed->ids[class][i]);
    }
}

struct walk {
    struct store *store;
    struct store_ids unnamed;
    MDB_txn *txns[STORE_CLASS_COUNT];
    void (*visit)(void *ctx, uint64_t id);
    void *context;
};

static enum err_code
begin(struct walk *w, struct err *err)
{
    for (int class = 0; class < STORE_CLASS_COUNT; class ++)
        TRY(store_env_read_begin(&w->store->chunks[class], &w->txns[class], err));
    gather_unnamed(w->store, &w->unnamed);
    return store_ids_sort(&w->unnamed, err);
}

static void
end(struct walk *w)
{
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        if (w->txns[class] != NULL)
            store_env_read_end(&w->store->chunks[class], w->txns[class]);
    }
    store_ids_drop(&w->unnamed);
}

static enum err_code
visit_named(void *context, uint64_t id, struct bytes record, struct err *err)
{
    struct walk *w = context;

    (void)record;
    (void)err;
    if (!store_ids_has(&w->unnamed, id))
        w->visit(w->context, id);
    return OK;
}

enum err_code
store_chunk_walk(struct store *store, void (*visit)(void *ctx, uint64_t id), void *ctx,
                 struct err *err)
{
    struct walk w = {.store = store, .visit = visit, .context = ctx};
    enum err_code code;

    store_sweep_wait(store); /* what a crash left is not garbage yet */
    store_turn_take(&store->in_step, true);
    code = begin(&w, err);
    store_turn_give(&store->in_step);
    for (int class = 0; class < STORE_CLASS_COUNT && code == OK; class ++)
        code = store_walk_file(&store->chunks[class], w.txns[class], visit_named, &w, err);
    end(&w);
    return code;
}
