/* After an unclean stop: chunks that no list names are deleted. */
#ifndef STORE_LMDB_SWEEP_H
#define STORE_LMDB_SWEEP_H

#include "store/base/err.h"

struct store;

/* While the store is opened, before anything else writes. Deletes in bounded transactions. */
ERR_MUST_CHECK enum err_code store_sweep(struct store *store, struct err *err);
/* Checks every record's and every chunk's checksum, and that every named chunk is there. */
ERR_MUST_CHECK enum err_code store_sweep_verify(struct store *store, struct err *err);

#endif
