#include "store/lmdb/sweep.h"

#include <inttypes.h>

#include "store/base/log.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/ids.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/system.h"
#include "store/lmdb/walk.h"
#include "store/lmdb/wire.h"
#include "store/value.h"

/* --- what is named ------------------------------------------------------------------------- */

static void
add_named(void *context, uint64_t id, uint64_t family)
{
    (void)family;
    store_ids_add(context, id);
}

static enum err_code
gather_named(struct store *store, struct store_ids *named, struct err *err)
{
    struct store_snapshot *snapshot = NULL;
    enum err_code code;

    TRY(store_snapshot_open(store, &snapshot, err));
    code = value_visit_chunks(store_snapshot_view(snapshot), add_named, named, err);
    store_snapshot_drop(snapshot);
    TRY(code);
    return store_ids_sort(named, err);
}

/* --- sweeping ------------------------------------------------------------------------------ */

struct gathering {
    const struct store_ids *named;
    struct store_ids unnamed;
};

static enum err_code
add_unnamed(void *context, uint64_t id, struct bytes record, struct err *err)
{
    struct gathering *g = context;

    (void)record;
    (void)err;
    if (!store_ids_has(g->named, id))
        store_ids_add(&g->unnamed, id);
    return OK;
}

static enum err_code
gather_unnamed(struct store_env *env, struct gathering *g, struct err *err)
{
    MDB_txn *txn = NULL;
    enum err_code code;

    TRY(store_env_read_begin(env, &txn, err));
    code = store_walk_file(env, txn, add_unnamed, g, err);
    store_env_read_end(env, txn);
    TRY(code);
    return store_ids_sort(&g->unnamed, err);
}

static enum err_code
delete_some(struct store_env *env, const uint64_t *ids, size_t count, struct err *err)
{
    MDB_txn *txn = NULL;
    int rc = 0;

    TRY(store_env_write_begin(env, STORE_WRITER_COMMITTER, &txn, err));
    for (size_t i = 0; i < count && rc == 0; i++) {
        uint8_t key[STORE_CHUNK_KEY_BYTES];
        MDB_val k = {sizeof key, key};

        wire_put_key(key, ids[i]);
        rc = mdb_del(txn, env->dbi, &k, NULL);
    }
    if (rc != 0) {
        store_env_write_abort(env, txn);
        return store_mdb_check(err, rc, "delete from", env->name);
    }
    return store_env_write_commit(env, txn, MDB_NOMETASYNC, err);
}

static enum err_code
sweep_file(struct store_env *env, const struct store_ids *named, struct err *err)
{
    struct gathering g = {.named = named};
    enum err_code code = gather_unnamed(env, &g, err);
    size_t done = 0;

    while (code == OK && done < g.unnamed.count) {
        size_t left = g.unnamed.count - done;
        size_t count = left < STORE_DELETE_MAX ? left : STORE_DELETE_MAX;

        code = delete_some(env, g.unnamed.ids + done, count, err);
        done += count;
    }
    if (done > 0)
        log_write(LOG_INFO, "%zu chunks of %s that nothing names were deleted", done, env->name);
    store_ids_drop(&g.unnamed);
    return code;
}

enum err_code
store_sweep(struct store *store, struct err *err)
{
    struct store_ids named = {0};
    struct err own = ERR_INIT;
    enum err_code code = gather_named(store, &named, &own);

    if (code == ERR_DATA_LOSS) {
        /* One damaged list must not keep everything else from being served. Nothing is deleted that
         * it might name; the next start tries again. */
        log_failure("looking for chunks that nothing names", &own);
        atomic_store(&store->leaked, true);
        code = OK;
    } else if (code != OK) {
        code = err_set(err, code, "%s", own.text);
    } else {
        for (int class = 0; class < STORE_CLASS_COUNT && code == OK; class ++)
            code = sweep_file(&store->chunks[class], &named, err);
    }
    store_ids_drop(&named);
    return code;
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
    enum err_code code = verify_records(store, err);

    for (int class = 0; class < STORE_CLASS_COUNT && code == OK; class ++)
        code = verify_file(&store->chunks[class], &present, err);
    if (code == OK)
        code = store_ids_sort(&present, err);
    if (code == OK)
        code = gather_named(store, &named, err);
    if (code == OK)
        code = verify_named(&named, &present, err);
    store_ids_drop(&named);
    store_ids_drop(&present);
    return code;
}
