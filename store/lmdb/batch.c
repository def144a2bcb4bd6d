/* One attempt at a commit: units run in a row, then the files are written in the order that a crash
 * cannot hurt: chunks first, then the records that name them.
 *
 * When something fails before the meta file's commit, nothing has happened: chunks that were
 * already written are garbage. When a commit or sync itself fails in a way nobody can judge, the
 * store stops writing. */
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/system.h"
#include "store/lmdb/wire.h"

unsigned
store_lazy_flags(const struct store *store)
{
    return store->config.durability == STORE_DURABLE_INTERVAL ? MDB_NOSYNC : MDB_NOMETASYNC;
}

static unsigned
commit_flags(const struct store *store)
{
    return store->config.durability == STORE_DURABLE_INTERVAL ? MDB_NOSYNC : 0;
}

void
store_fail(struct store *store, const struct err *err)
{
    if (!atomic_exchange(&store->failed, true))
        log_failure("writing the store; it is read-only until the next start", err);
}

/* --- deleting ------------------------------------------------------------------------------ */

static enum err_code
put_deletes(struct store *store, enum store_class class, MDB_txn *txn, struct err *err)
{
    const struct store_doomed *doomed = &store->garbage.doomed;
    struct store_env *env = &store->chunks[class];

    for (unsigned i = 0; i < doomed->count[class]; i++) {
        uint8_t key[STORE_CHUNK_KEY_BYTES];
        MDB_val k = {sizeof key, key};
        int rc;

        wire_put_key(key, doomed->ids[class][i]);
        rc = mdb_del(txn, env->dbi, &k, NULL);
        if (rc != MDB_NOTFOUND)
            TRY(store_mdb_check(err, rc, "delete from", env->name));
    }
    return OK;
}

/* Ends a chunk file's transaction whose changes went well or not. */
static enum err_code
finish_chunks(struct store *store, enum store_class class, MDB_txn *txn, unsigned flags,
              enum err_code code, struct err *err)
{
    struct store_env *env = &store->chunks[class];

    if (code != OK) {
        store_env_write_abort(env, txn);
        return code;
    }
    TRY(store_env_write_commit(env, txn, flags, err));
    store->garbage.doomed.count[class] = 0;
    return OK;
}

static enum err_code
delete_doomed(struct store *store, enum store_class class, struct err *err)
{
    unsigned flags = store_lazy_flags(store);
    MDB_txn *txn = NULL;
    enum err_code code;

    TRY(store_env_write_begin(&store->chunks[class], STORE_WRITER_COMMITTER, &txn, err));
    code = put_deletes(store, class, txn, err);
    return finish_chunks(store, class, txn, flags, code, err);
}

enum err_code
store_batch_delete(struct store *store, enum store_class class, struct err *err)
{
    enum err_code code;

    if (store->garbage.doomed.count[class] == 0)
        return OK;
    store_turn_take(&store->in_step, false);
    code = delete_doomed(store, class, err);
    store_turn_give(&store->in_step);
    return code;
}

/* --- chunks of the batch ------------------------------------------------------------------- */

static enum err_code
put_made(struct store_batch *batch, enum store_class class, MDB_txn *txn, struct err *err)
{
    const struct store_made_list *list = &batch->made[class];
    struct store_env *env = &batch->store->chunks[class];

    for (size_t i = 0; i < list->count; i++) {
        uint8_t key[STORE_CHUNK_KEY_BYTES];
        MDB_val k = {sizeof key, key};
        MDB_val v = {store_chunk_record_bytes(class),
                     list->items[i].payload - STORE_CHUNK_HEAD_BYTES};

        wire_put_key(key, list->items[i].id);
        TRY(store_mdb_check(err, mdb_put(txn, env->dbi, &k, &v, MDB_NOOVERWRITE), "write to",
                            env->name));
    }
    return OK;
}

/* Deletes ride along with the batch's chunks: no sync of their own. */
static enum err_code
write_chunks(struct store_batch *batch, enum store_class class, struct err *err)
{
    struct store *store = batch->store;
    unsigned flags = commit_flags(store);
    MDB_txn *txn = NULL;
    enum err_code code;

    if (batch->made[class].count == 0)
        return OK;
    TRY(store_env_write_begin(&store->chunks[class], STORE_WRITER_COMMITTER, &txn, err));
    code = store_growth_check(
        store, class, (uint64_t)batch->made[class].count * store_chunk_record_bytes(class), err);
    if (code == OK)
        code = put_deletes(store, class, txn, err);
    if (code == OK)
        code = put_made(batch, class, txn, err);
    return finish_chunks(store, class, txn, flags, code, err);
}

/* Chunks whose records will not come: nobody can see them, so they may go at once. */
static void
orphan_made(struct store_batch *batch, enum store_class class)
{
    const struct store_made_list *list = &batch->made[class];
    struct store_freed_list orphans = {0};

    for (size_t i = 0; i < list->count; i++) {
        struct store_freed entry = {.id = list->items[i].id};

        if (store_freed_add(&orphans, entry, NULL) != OK)
            atomic_store(&batch->store->leaked, true);
    }
    store_garbage_give(&batch->store->garbage, &orphans);
}

/* What was staged under the batch's units must be on disk before their records are. */
static enum err_code
sync_stages(struct store *store, const struct store_call *calls, unsigned count, struct err *err)
{
    if (commit_flags(store) != 0)
        return OK; /* one sync point covers all three files */
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        struct store_env *env = &store->chunks[class];
        const struct store_call *call = calls;
        uint64_t needed = 0;

        for (unsigned i = 0; i < count; i++, call = call->next) {
            uint64_t written = 0;

            if (call->stage != NULL && call->code == OK)
                written = store_stage_written(call->stage, (enum store_class) class);
            if (written > needed)
                needed = written;
        }
        if (needed > atomic_load(&env->durable))
            TRY(store_env_sync(env, err));
    }
    return OK;
}

static enum err_code
write_files(struct store_batch *batch, const struct store_call *calls, unsigned count,
            struct err *err)
{
    struct store *store = batch->store;
    enum err_code code = OK;
    int written = 0;

    for (; written < STORE_CLASS_COUNT; written++) {
        code = write_chunks(batch, (enum store_class)written, err);
        if (code != OK)
            break;
    }
    if (code == OK)
        code = sync_stages(store, calls, count, err);
    if (code == OK)
        code = store_system_put(&store->meta, batch->meta, STORE_SYSTEM_REVISION, batch->revision,
                                err);
    if (code == OK) {
        code = store_env_write_commit(&store->meta, batch->meta, commit_flags(store), err);
        batch->meta = NULL;
    }
    if (code != OK && code != ERR_UNKNOWN) {
        while (written-- > 0)
            orphan_made(batch, (enum store_class)written);
    }
    return code;
}

/* --- the attempt --------------------------------------------------------------------------- */

static enum err_code
run_units(struct store_batch *batch, struct store_call *calls, unsigned count, unsigned *done,
          struct err *err)
{
    struct store_call *call = calls;
    struct err own;

    for (*done = 0; *done < count && batch->chunk_bytes < STORE_BATCH_CHUNK_BYTES_MAX;
         (*done)++, call = call->next) {
        bool broken = false;

        own = (struct err)ERR_INIT;
        call->code = store_unit_run(batch, call, &broken, &own);
        if (broken) {
            if (err != NULL)
                *err = own;
            return call->code;
        }
        if (call->err != NULL && call->code != OK)
            *call->err = own;
    }
    return OK;
}

static void
publish(struct store_batch *batch)
{
    struct store *store = batch->store;

    atomic_store(&store->revision, batch->revision);
    if (commit_flags(store) == 0)
        atomic_store(&store->revision_durable, batch->revision);
    store_garbage_give(&store->garbage, &batch->freed);
}

static void
drop_batch(struct store_batch *batch)
{
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        struct store_made_list *list = &batch->made[class];

        while (list->count > 0)
            store_buffers_give(&batch->store->buffers, (enum store_class) class,
                               list->items[--list->count].payload);
        mem_free(list->items);
    }
    store_freed_drop(&batch->freed);
    if (batch->meta != NULL)
        store_env_write_abort(&batch->store->meta, batch->meta);
}

enum err_code
store_batch_attempt(struct store *store, struct store_call *calls, unsigned count, unsigned *done,
                    struct err *err)
{
    uint64_t began_us = clock_monotonic_us();
    struct store_batch batch = {.store = store,
                                .revision = atomic_load(&store->revision),
                                .disk_bytes = store_folder_room_bytes(&store->folder)};
    enum err_code code;

    *done = count;
    TRY(store_env_write_begin(&store->meta, STORE_WRITER_COMMITTER, &batch.meta, err));
    code = run_units(&batch, calls, count, done, err);
    if (code == OK && batch.changed) {
        store_turn_take(&store->in_step, false);
        code = write_files(&batch, calls, *done, err);
        if (code == OK)
            publish(&batch);
        store_turn_give(&store->in_step);
        if (code == OK)
            histogram_add(&store->commits, clock_monotonic_us() - began_us);
    }
    drop_batch(&batch);
    atomic_fetch_add(&store->units, *done);
    return code;
}
