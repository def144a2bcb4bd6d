/* Small files that hold secrets, or decide who is let in: tokens, keys, certificates. */
#ifndef API_GUARD_SECRET_FILE_H
#define API_GUARD_SECRET_FILE_H

#include "store/base/buf.h"

/* Reads a regular file into *out, which has its size limit from its buf_init. `strangers`: the bits
 * of its mode that must not be set, so that nobody else reads or writes it; it must be ours, or
 * root's. `what` names it in errors: "tokens". ERR_INVALID_ARGUMENT, ERR_UNAVAILABLE. */
ERR_MUST_CHECK enum err_code api_secret_file_read(const char *path, const char *what,
                                                  unsigned strangers, struct buf *out,
                                                  struct err *err);
/* The same, but root may read anybody's: who changes a file for its owner does not trust in it. */
ERR_MUST_CHECK enum err_code api_secret_file_read_to_change(const char *path, const char *what,
                                                            unsigned strangers, struct buf *out,
                                                            struct err *err);

#endif
