/* Files of a layout as members of one zip file. */
#ifndef API_FILE_ZIP_WRITE_H
#define API_FILE_ZIP_WRITE_H

#include "api/wire/layout.h"
#include "service/scratch.h"

struct api_zip_options {
    bool deflate;            /* where that makes a member smaller */
    uint64_t modified_ms;    /* of all members; before 1980: the beginning of 1980 */
    struct scratch *scratch; /* for what is deflated; borrowed, outlives `out` */
    const uint32_t *crc32s;  /* of the files; NULL: all bytes are read for them */
};

/* Adds file `name` to `out`. What is stored stays lent from where it lies, and begins at a multiple
 * of 64 bytes. Checksums come first, so that the headers are complete and the file can be read
 * front to back. The same files give the same bytes. */
ERR_MUST_CHECK enum err_code api_zip_write(const struct api_layout *files,
                                           const struct api_zip_options *how, const char *name,
                                           struct api_layout *out, struct err *err);

#endif
