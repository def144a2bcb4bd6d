/* The engine's own records, under keys that begin with a zero byte and that nobody above can name.
 */
#ifndef STORE_LMDB_SYSTEM_H
#define STORE_LMDB_SYSTEM_H

#include <lmdb.h>

#include "store/base/bytes.h"
#include "store/lmdb/env.h"

enum { STORE_FORMAT_VERSION = 1 };

/* Each is a u64. */
enum store_system_key {
    STORE_SYSTEM_FORMAT,      /* of everything in the folder */
    STORE_SYSTEM_IDENTITY,    /* random, made with the store */
    STORE_SYSTEM_INCARNATION, /* how many times it was opened */
    STORE_SYSTEM_REVISION,    /* of the last unit that changed something */
    STORE_SYSTEM_ORIGIN, /* revision with which it was put back from a backup; may be missing */
    STORE_SYSTEM_CLEAN,  /* there while the store is closed and nothing needs sweeping */
    STORE_SYSTEM_COUNT
};

/* ERR_DATA_LOSS when damaged; *found false when there is none. */
ERR_MUST_CHECK enum err_code store_system_get(const struct store_env *meta, MDB_txn *txn,
                                              enum store_system_key key, bool *found,
                                              uint64_t *value, struct err *err);
ERR_MUST_CHECK enum err_code store_system_put(const struct store_env *meta, MDB_txn *txn,
                                              enum store_system_key key, uint64_t value,
                                              struct err *err);
ERR_MUST_CHECK enum err_code store_system_delete(const struct store_env *meta, MDB_txn *txn,
                                                 enum store_system_key key, struct err *err);
/* How many of the file's records are these. */
ERR_MUST_CHECK enum err_code store_system_count(const struct store_env *meta, MDB_txn *txn,
                                                uint64_t *count, struct err *err);

/* Any record, in its envelope; the txn is one of `meta`. value.data NULL: none there. */
ERR_MUST_CHECK enum err_code store_record_get(const struct store_env *meta, MDB_txn *txn,
                                              struct bytes key, struct bytes *value,
                                              struct err *err);
ERR_MUST_CHECK enum err_code store_record_put(const struct store_env *meta, MDB_txn *txn,
                                              struct bytes key, struct bytes value,
                                              struct err *err);
ERR_MUST_CHECK enum err_code store_record_delete(const struct store_env *meta, MDB_txn *txn,
                                                 struct bytes key, struct err *err);

#endif
