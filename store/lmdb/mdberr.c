#include "store/lmdb/mdberr.h"

#include <errno.h>
#include <lmdb.h>

bool
store_mdb_is_full(int rc)
{
    return rc == MDB_MAP_FULL || rc == ENOSPC || rc == EDQUOT || rc == EFBIG;
}

static enum err_code
code_of(int rc)
{
    if (store_mdb_is_full(rc))
        return ERR_FULL;
    switch (rc) {
    case MDB_READERS_FULL:
        return ERR_BUSY;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return ERR_DATA_LOSS;
    case MDB_PANIC:
    case EROFS:
    case EACCES:
    case EAGAIN:
        return ERR_UNAVAILABLE;
    default: /* EIO, and what would be a bug of ours: MDB_BAD_TXN, MDB_BAD_VALSIZE … */
        return ERR_INTERNAL;
    }
}

enum err_code
store_mdb_check(struct err *err, int rc, const char *doing, const char *file)
{
    if (rc == 0)
        return OK;
    return err_set(err, code_of(rc), "cannot %s %s: %s", doing, file, mdb_strerror(rc));
}
