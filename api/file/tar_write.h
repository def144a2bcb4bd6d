/* Files of a layout as members of one tar file. */
#ifndef API_FILE_TAR_WRITE_H
#define API_FILE_TAR_WRITE_H

#include "api/wire/layout.h"

/* Adds file `name` to `out`: ustar, with pax headers for names over 100 bytes and for sizes of
 * 8 GiB and more. Everything stays lent from where it lies. The same files and time give the same
 * bytes. */
ERR_MUST_CHECK enum err_code api_tar_write(const struct api_layout *files, uint64_t modified_ms,
                                           const char *name, struct api_layout *out,
                                           struct err *err);

#endif
