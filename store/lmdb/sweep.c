#include "store/lmdb/sweep.h"

#include <inttypes.h>

#include "store/base/log.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/ids.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/system.h"
#include "store/lmdb/walk.h"
#include "store/value.h"

/* --- what is named ------------------------------------------------------------------------- */

static void
add_named(void *context, uint64_t id, uint64_t family)
{
    (void)family;
    store_ids_add(context, id);
}

static enum err_code
gather_named(const struct store_snapshot *snapshot, struct store_ids *named, struct err *err)
{
    TRY(value_visit_chunks(store_snapshot_view(snapshot), add_named, named, err));
    return store_ids_sort(named, err);
}

/* --- sweeping ------------------------------------------------------------------------------ */

struct gathering {
    struct store *store;
    const struct store_ids *named;
    struct store_freed_list unnamed;
};

static enum err_code
add_unnamed(void *context, uint64_t id, struct bytes record, struct err *err)
{
    struct gathering *g = context;

    (void)record;
    if (atomic_load(&g->store->sweep.stopped))
        return err_set(err, ERR_UNAVAILABLE, "the store is being closed");
    if (store_chunk_number(id) >> STORE_NUMBER_BITS >= g->store->incarnation ||
        store_ids_has(g->named, id))
        return OK;
    return store_freed_add(&g->unnamed, (struct store_freed){.id = id}, err);
}

static enum err_code
sweep_file(struct gathering *g, struct store_env *env, struct err *err)
{
    MDB_txn *txn = NULL;
    enum err_code code;
    uint64_t count;

    TRY(store_env_read_begin(env, &txn, err));
    code = store_walk_file(env, txn, add_unnamed, g, err);
    store_env_read_end(env, txn);
    count = g->unnamed.count;
    if (code == OK && count > 0) {
        log_write(LOG_INFO, "%" PRIu64 " chunks of %s that nothing names are deleted", count,
                  env->name);
        store_garbage_give(&g->store->garbage, &g->unnamed);
        store_committer_poke(g->store);
    }
    store_freed_drop(&g->unnamed);
    return code;
}

static enum err_code
sweep(struct store *store, struct err *err)
{
    struct store_ids named = {0};
    struct gathering g = {.store = store, .named = &named};
    enum err_code code = gather_named(store->sweep.snapshot, &named, err);

    for (int class = 0; class < STORE_CLASS_COUNT && code == OK; class ++)
        code = sweep_file(&g, &store->chunks[class], err);
    store_ids_drop(&named);
    return code;
}

static void *
run(void *context)
{
    struct store *store = context;
    struct store_sweep *s = &store->sweep;
    struct err err = ERR_INIT;

    /* One damaged list must not keep everything else from being served. Nothing is deleted that it
     * might name; the next start tries again, and so it does when this one is stopped. */
    if (sweep(store, &err) != OK) {
        if (!atomic_load(&s->stopped))
            log_failure("looking for chunks that nothing names", &err);
        atomic_store(&store->leaked, true);
    }
    store_snapshot_drop(s->snapshot);
    s->snapshot = NULL;
    lock_acquire(&s->lock);
    s->under_way = false;
    condition_broadcast(&s->ended);
    lock_release(&s->lock);
    return NULL;
}

void
store_sweep_init(struct store_sweep *s)
{
    *s = (struct store_sweep){.started = false};
    lock_init(&s->lock);
    condition_init(&s->ended);
}

void
store_sweep_drop(struct store_sweep *s)
{
    store_snapshot_drop(s->snapshot);
    condition_drop(&s->ended);
    lock_drop(&s->lock);
}

enum err_code
store_sweep_prepare(struct store *store, struct err *err)
{
    return store_snapshot_open(store, &store->sweep.snapshot, err);
}

enum err_code
store_sweep_start(struct store *store, struct err *err)
{
    struct store_sweep *s = &store->sweep;

    if (s->snapshot == NULL)
        return OK;
    s->under_way = true;
    if (pthread_create(&s->thread, NULL, run, store) != 0) {
        s->under_way = false;
        return err_set(err, ERR_NO_MEMORY, "cannot start the thread that looks for garbage");
    }
    s->started = true;
    return OK;
}

void
store_sweep_stop(struct store *store)
{
    struct store_sweep *s = &store->sweep;

    if (!s->started)
        return;
    atomic_store(&s->stopped, true);
    (void)pthread_join(s->thread, NULL);
    s->started = false;
}

void
store_sweep_wait(struct store *store)
{
    struct store_sweep *s = &store->sweep;

    lock_acquire(&s->lock);
    while (s->under_way)
        condition_wait(&s->ended, &s->lock);
    lock_release(&s->lock);
}

bool
store_sweep_is_under_way(struct store *store)
{
    bool under_way;

    lock_acquire(&store->sweep.lock);
    under_way = store->sweep.under_way;
    lock_release(&store->sweep.lock);
    return under_way;
}

/* --- verifying ----------------------------------------------------------------------------- */

static enum err_code
verify_records(struct store *store, struct err *err)
{
    const struct bytes none = {NULL, 0};
    struct store_snapshot *snapshot = NULL;
    struct store_cursor *cursor = NULL;
    struct bytes key, value;
    enum err_code code;
    bool found = true;

    TRY(store_snapshot_open(store, &snapshot, err));
    code = store_cursor_open(store_snapshot_view(snapshot), none, none, &cursor, err);
    while (code == OK && found)
        code = store_cursor_next(cursor, &found, &key, &value, err);
    store_cursor_drop(cursor);
    store_snapshot_drop(snapshot);
    return code;
}

static enum err_code
verify_chunk(void *context, uint64_t id, struct bytes record, struct err *err)
{
    store_ids_add(context, id);
    return store_chunk_check_alone(record, id, err);
}

static enum err_code
verify_file(struct store_env *env, struct store_ids *present, struct err *err)
{
    MDB_txn *txn = NULL;
    enum err_code code;

    TRY(store_env_read_begin(env, &txn, err));
    code = store_walk_file(env, txn, verify_chunk, present, err);
    store_env_read_end(env, txn);
    return code;
}

static enum err_code
verify_named(const struct store_ids *named, const struct store_ids *present, struct err *err)
{
    for (size_t i = 0; i < named->count; i++) {
        if (!store_ids_has(present, named->ids[i]))
            return err_set(err, ERR_DATA_LOSS, "chunk %016" PRIx64 " is missing", named->ids[i]);
    }
    return OK;
}

enum err_code
store_sweep_verify(struct store *store, struct err *err)
{
    struct store_ids named = {0}, present = {0};
    struct store_snapshot *snapshot = NULL;
    enum err_code code = verify_records(store, err);

    if (code == OK)
        code = store_snapshot_open(store, &snapshot, err);
    for (int class = 0; class < STORE_CLASS_COUNT && code == OK; class ++)
        code = verify_file(&store->chunks[class], &present, err);
    if (code == OK)
        code = store_ids_sort(&present, err);
    if (code == OK)
        code = gather_named(snapshot, &named, err);
    if (code == OK)
        code = verify_named(&named, &present, err);
    store_snapshot_drop(snapshot);
    store_ids_drop(&named);
    store_ids_drop(&present);
    return code;
}
