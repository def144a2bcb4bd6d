/* What reading and writing share. */
#ifndef STORE_LMDB_VIEW_H
#define STORE_LMDB_VIEW_H

#include "store/store.h"

/* Keys come from the layer above, but may hold names from outside: 1 to STORE_KEY_BYTES_MAX bytes,
 * the first not zero. */
ERR_MUST_CHECK enum err_code store_key_check(struct bytes key, struct err *err);
/* The stored record of a committed chunk; borrows from the map while the chunk is not deleted. */
ERR_MUST_CHECK enum err_code store_chunk_find(struct store *store, uint64_t id,
                                              struct bytes *record, struct err *err);

#endif
