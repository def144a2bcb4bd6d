/* Reading: records and chunks, from a snapshot or from inside a unit.
 *
 * Chunks are looked up in a read transaction that ends at once; the pointer into the map outlives
 * it. That rests on a property of LMDB's engine, not of its manual: the overflow pages of a record
 * that is neither overwritten nor deleted are never moved or reused. Chunks are never overwritten,
 * and deleted only when no snapshot and no lease can see them. test_store_lease.c holds pointers
 * over many foreign updates to guard this. */
#include <inttypes.h>

#include "store/base/crc32c.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/system.h"
#include "store/lmdb/view.h"
#include "store/lmdb/wire.h"

uint64_t
store_view_revision(const struct store_view *view)
{
    return view->revision;
}

struct store *
store_of_view(const struct store_view *view)
{
    return view->store;
}

store_recipe_make *
store_recipe_maker(const struct store *store)
{
    return store->config.recipe_make;
}

enum err_code
store_key_check(struct bytes key, struct err *err)
{
    if (key.size == 0 || key.size > STORE_KEY_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a key is 1 to %d bytes long, this one %zu",
                       STORE_KEY_BYTES_MAX, key.size);
    if (key.data[0] == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "keys that begin with a zero byte are reserved");
    return OK;
}

enum err_code
store_get(const struct store_view *view, struct bytes key, struct bytes *out, struct err *err)
{
    TRY(store_key_check(key, err));
    if (view->unit != NULL) {
        const struct store_change *change = store_overlay_find(&view->unit->overlay, key);

        if (change != NULL) {
            *out = change->value;
            return OK;
        }
    }
    return store_record_get(&view->store->meta, view->meta, key, out, err);
}

enum err_code
store_chunk_find(struct store *store, uint64_t id, struct bytes *record, struct err *err)
{
    enum store_class class = store_chunk_class(id);
    uint8_t key[STORE_CHUNK_KEY_BYTES];
    MDB_val k = {sizeof key, key}, v = {0, NULL};
    struct store_env *env;
    MDB_txn *txn;
    int rc;

    if (class == STORE_CLASS_COUNT)
        return err_set(err, ERR_DATA_LOSS, "%016" PRIx64 " is not the id of a chunk", id);
    env = &store->chunks[class];
    wire_put_key(key, id);
    TRY(store_env_read_begin(env, &txn, err));
    rc = mdb_get(txn, env->dbi, &k, &v);
    store_env_read_end(env, txn);
    if (rc == MDB_NOTFOUND)
        return err_set(err, ERR_DATA_LOSS, "chunk %016" PRIx64 " is missing", id);
    *record = bytes_of(v.mv_data, v.mv_size);
    return store_mdb_check(err, rc, "read from", env->name);
}

enum err_code
store_chunk_read(const struct store_view *view, uint64_t id, struct store_chunk_place place,
                 uint32_t length, uint32_t crc, struct bytes *out, struct err *err)
{
    const uint8_t *made = view->unit == NULL ? NULL : store_batch_find_made(view->unit->batch, id);
    struct bytes record;

    if (made != NULL)
        record = bytes_of(made - STORE_CHUNK_HEAD_BYTES,
                          store_chunk_record_bytes(store_chunk_class(id)));
    else
        TRY(store_chunk_find(view->store, id, &record, err));
    return store_chunk_check(record, id, place, length, crc, out, err);
}

enum err_code
store_chunk_verify(const struct store_view *view, uint64_t id, struct store_chunk_place place,
                   uint32_t length, uint32_t crc, struct bytes *out, struct err *err)
{
    uint32_t actual;

    TRY(store_interrupt_check(view->store, err));
    TRY(store_chunk_read(view, id, place, length, crc, out, err));
    actual = crc32c(0, out->data, out->size);
    if (actual != crc)
        return err_set(err, ERR_DATA_LOSS,
                       "chunk %016" PRIx64 " is damaged: its %" PRIu32
                       " bytes have checksum %08" PRIx32 ", not %08" PRIx32,
                       id, length, actual, crc);
    return OK;
}
