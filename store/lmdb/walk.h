/* Visiting every record of a chunk file. */
#ifndef STORE_LMDB_WALK_H
#define STORE_LMDB_WALK_H

#include <lmdb.h>

#include "store/base/bytes.h"
#include "store/lmdb/env.h"

/* An error ends the walk. `record` borrows from the transaction. */
typedef enum err_code store_walk_visit(void *context, uint64_t id, struct bytes record,
                                       struct err *err);
ERR_MUST_CHECK enum err_code store_walk_file(struct store_env *env, MDB_txn *txn,
                                             store_walk_visit *visit, void *context,
                                             struct err *err);

#endif
