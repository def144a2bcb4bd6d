#include "store/lmdb/system.h"

#include "store/lmdb/mdberr.h"
#include "store/lmdb/record.h"
#include "store/lmdb/wire.h"

static const char *const key_names[STORE_SYSTEM_COUNT] = {
    [STORE_SYSTEM_FORMAT] = "format",           [STORE_SYSTEM_IDENTITY] = "identity",
    [STORE_SYSTEM_INCARNATION] = "incarnation", [STORE_SYSTEM_REVISION] = "revision",
    [STORE_SYSTEM_ORIGIN] = "origin",           [STORE_SYSTEM_CLEAN] = "clean",
};

enum { KEY_BYTES_MAX = 16 };

static MDB_val
val_of(struct bytes bytes)
{
    return (MDB_val){bytes.size, (void *)(uintptr_t)bytes.data};
}

enum err_code
store_record_get(const struct store_env *meta, MDB_txn *txn, struct bytes key, struct bytes *value,
                 struct err *err)
{
    MDB_val k = val_of(key), v;
    int rc = mdb_get(txn, meta->dbi, &k, &v);

    *value = bytes_of(NULL, 0);
    if (rc == MDB_NOTFOUND)
        return OK;
    TRY(store_mdb_check(err, rc, "read from", meta->name));
    return store_record_read(key, bytes_of(v.mv_data, v.mv_size), value, err);
}

enum err_code
store_record_put(const struct store_env *meta, MDB_txn *txn, struct bytes key, struct bytes value,
                 struct err *err)
{
    MDB_val k = val_of(key), v = {STORE_RECORD_HEAD_BYTES + value.size, NULL};

    TRY(store_mdb_check(err, mdb_put(txn, meta->dbi, &k, &v, MDB_RESERVE), "write to", meta->name));
    store_record_write(v.mv_data, key, value);
    return OK;
}

enum err_code
store_record_delete(const struct store_env *meta, MDB_txn *txn, struct bytes key, struct err *err)
{
    MDB_val k = val_of(key);
    int rc = mdb_del(txn, meta->dbi, &k, NULL);

    return rc == MDB_NOTFOUND ? OK : store_mdb_check(err, rc, "delete from", meta->name);
}

static struct bytes
system_key(enum store_system_key key, uint8_t room[KEY_BYTES_MAX])
{
    size_t size = strlen(key_names[key]);

    room[0] = 0;
    memcpy(room + 1, key_names[key], size);
    return bytes_of(room, size + 1);
}

enum err_code
store_system_get(const struct store_env *meta, MDB_txn *txn, enum store_system_key key, bool *found,
                 uint64_t *value, struct err *err)
{
    uint8_t room[KEY_BYTES_MAX];
    struct bytes bytes;

    *value = 0;
    TRY(store_record_get(meta, txn, system_key(key, room), &bytes, err));
    *found = bytes.data != NULL;
    if (!*found)
        return OK;
    if (bytes.size != sizeof *value)
        return err_set(err, ERR_DATA_LOSS, "the system record '%s' is %zu bytes long, not %zu",
                       key_names[key], bytes.size, sizeof *value);
    *value = wire_get_u64(bytes.data);
    return OK;
}

enum err_code
store_system_put(const struct store_env *meta, MDB_txn *txn, enum store_system_key key,
                 uint64_t value, struct err *err)
{
    uint8_t room[KEY_BYTES_MAX], bytes[sizeof value];

    wire_put_u64(bytes, value);
    return store_record_put(meta, txn, system_key(key, room), bytes_of(bytes, sizeof bytes), err);
}

enum err_code
store_system_delete(const struct store_env *meta, MDB_txn *txn, enum store_system_key key,
                    struct err *err)
{
    uint8_t room[KEY_BYTES_MAX];

    return store_record_delete(meta, txn, system_key(key, room), err);
}

enum err_code
store_system_count(const struct store_env *meta, MDB_txn *txn, uint64_t *count, struct err *err)
{
    *count = 0;
    for (int key = 0; key < STORE_SYSTEM_COUNT; key++) {
        uint64_t value;
        bool found = false;

        TRY(store_system_get(meta, txn, (enum store_system_key)key, &found, &value, err));
        *count += found;
    }
    return OK;
}
