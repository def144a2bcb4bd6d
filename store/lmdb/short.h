/* Is a data file as long as its meta page says? A file may honestly be shorter: pages at its end
 * that were taken and given back in one transaction were never written. They are in the free list
 * then, all of them. Any other missing page is loss, and touching it would be a SIGBUS. */
#ifndef STORE_LMDB_SHORT_H
#define STORE_LMDB_SHORT_H

#include <lmdb.h>
#include <stdint.h>

#include "store/base/err.h"

struct store_short {
    uint64_t size_bytes;           /* as found */
    uint64_t page_first, page_end; /* missing pages; page_first == page_end: none */
    uint64_t page_bytes;
};

/* Before LMDB opens the file. ERR_DATA_LOSS when it is cut within its first pages or not ours. */
ERR_MUST_CHECK enum err_code store_short_examine(const char *path, struct store_short *out,
                                                 struct err *err);
/* Gives the file its full length, with zeros; store_short_undo takes that back. */
ERR_MUST_CHECK enum err_code store_short_extend(const char *path, const struct store_short *s,
                                                struct err *err);
void store_short_undo(const char *path, const struct store_short *s);
/* With the file open: ERR_DATA_LOSS unless every missing page is in the free list. */
ERR_MUST_CHECK enum err_code store_short_check(MDB_env *env, const char *path,
                                               const struct store_short *s, struct err *err);

#endif
