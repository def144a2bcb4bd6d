/* The one place where engine codes become our errors. */
#ifndef STORE_LMDB_MDBERR_H
#define STORE_LMDB_MDBERR_H

#include <stdbool.h>

#include "store/base/err.h"

/* OK when `rc` is 0; otherwise sets "cannot <doing> <file>: <reason>" and returns the code.
 * `rc` is an LMDB code or an errno. */
enum err_code store_mdb_check(struct err *err, int rc, const char *doing, const char *file);
/* `rc` says by itself that space ran out (EIO does not: the caller looks at the disk). */
bool store_mdb_is_full(int rc);

#endif
