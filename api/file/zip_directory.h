/* What a zip file says is in it. */
#ifndef API_FILE_ZIP_DIRECTORY_H
#define API_FILE_ZIP_DIRECTORY_H

#include "api/file/unpack.h"

struct api_zip_member {
    struct bytes name; /* NUL-terminated, without one inside */
    uint16_t method;   /* API_ZIP_STORED or API_ZIP_DEFLATED */
    bool plain;        /* a file: no folder, no symbolic link */
    uint32_t crc32;
    uint64_t packed_bytes, bytes;
    uint64_t header; /* where its local header stands */
    uint64_t data;   /* and its data: packed_bytes of them, all inside the file */
};

struct api_zip_directory {
    struct api_zip_member *members; /* in the arena, as the directory has them */
    size_t count;
};

/* Everything that can be checked without unpacking is: sizes, limits, methods, that no two members
 * lie on one another. ERR_INVALID_ARGUMENT names the member; ERR_PAYLOAD_TOO_LARGE the limit. */
ERR_MUST_CHECK enum err_code api_zip_directory_read(const struct api_file *zip,
                                                    const struct api_unpack_limits *limits,
                                                    struct arena *arena,
                                                    struct api_zip_directory *out, struct err *err);

#endif
