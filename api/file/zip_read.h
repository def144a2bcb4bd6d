/* A zip file as a set of files: stored members are where they lie, deflated ones are unpacked into
 * the scratch. */
#ifndef API_FILE_ZIP_READ_H
#define API_FILE_ZIP_READ_H

#include "api/file/unpack.h"

/* Whether a file that begins so may be a zip file; an empty one counts. */
bool api_zip_sniff(struct bytes first);
/* The set is sorted. Its files borrow zip's descriptor and the scratch (which may be the one that
 * zip itself lies in). Folders and symbolic links are left out. ERR_INVALID_ARGUMENT names the
 * member: damaged, encrypted, of another method, twice there, lying on another.
 * ERR_PAYLOAD_TOO_LARGE names the limit, before anything is unpacked. */
ERR_MUST_CHECK enum err_code api_zip_read(const struct api_file *zip, struct scratch *scratch,
                                          const struct api_unpack_limits *limits,
                                          struct arena *arena, struct api_file_set *out,
                                          struct err *err);

#endif
