/* A tar file as a set of files, unpacked from a stream into the scratch. libarchive reads it, also
 * gzipped; old, ustar, pax and GNU forms. */
#ifndef API_FILE_TAR_READ_H
#define API_FILE_TAR_READ_H

#include "api/file/unpack.h"
#include "api/tensors/byte_source.h"

/* How much of a file api_tar_sniff wants to see, and how much is enough for gzip. */
enum { API_TAR_SNIFF_BYTES = 512, API_GZIP_SNIFF_BYTES = 3 };
/* Whether what begins so may be a tar file: gzip's magic, or a tar header with a right checksum. */
bool api_tar_sniff(struct bytes first);
/* The set is sorted, its files borrow the scratch. Folders, links and devices are left out. Reads
 * the stream to its end. ERR_INVALID_ARGUMENT names the member: damaged, sparse, twice there.
 * ERR_PAYLOAD_TOO_LARGE names the limit. */
ERR_MUST_CHECK enum err_code api_tar_read(const struct api_byte_source *stream,
                                          struct scratch *scratch,
                                          const struct api_unpack_limits *limits,
                                          struct arena *arena, struct api_file_set *out,
                                          struct err *err);

#endif
