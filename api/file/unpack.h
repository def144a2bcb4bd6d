/* Archives as sets of files: what they may unpack to, whatever kind they are, and telling which
 * kind one is. */
#ifndef API_FILE_UNPACK_H
#define API_FILE_UNPACK_H

#include "api/file/file_set.h"
#include "service/scratch.h"

enum { API_UNPACK_NAME_BYTES_MAX = 4096 /* of a member */ };

struct api_unpack_limits {
    uint64_t bytes_max; /* all members together: import_max_bytes */
    uint32_t files_max; /* also of members that are left out */
};

/* What is in `file` when that is a zip file, a tar file or a gzipped one; else *unpacked is false.
 * The set is sorted; its files borrow file's descriptor and the scratch, in which `file` may lie.
 * Folders, links and devices are left out. ERR_INVALID_ARGUMENT, ERR_PAYLOAD_TOO_LARGE: as
 * zip_read.h and tar_read.h say. */
ERR_MUST_CHECK enum err_code api_unpack(const struct api_file *file, struct scratch *scratch,
                                        const struct api_unpack_limits *limits, struct arena *arena,
                                        struct api_file_set *out, bool *unpacked, struct err *err);

#endif
