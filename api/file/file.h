/* A run of bytes of an open file, read at any place: a whole file, or a member of an archive where
 * it lies. Copied by value. Borrows the descriptor, which may be read by several threads. */
#ifndef API_FILE_FILE_H
#define API_FILE_FILE_H

#include "api/tensors/byte_source.h"
#include "store/base/arena.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

struct api_file {
    int descriptor;
    uint64_t begin, size;
};

/* Exactly `size` bytes at `offset`. ERR_INVALID_ARGUMENT when the file ends before them,
 * ERR_INTERNAL when it cannot be read. */
ERR_MUST_CHECK enum err_code api_file_read(const struct api_file *file, uint64_t offset, void *out,
                                           size_t size, struct err *err);
/* *out: [offset, offset + size) of it. ERR_INVALID_ARGUMENT when that is not inside. */
ERR_MUST_CHECK enum err_code api_file_part(const struct api_file *file, uint64_t offset,
                                           uint64_t size, struct api_file *out, struct err *err);

/* All of it, in the arena: for files that are known to be small. */
ERR_MUST_CHECK enum err_code api_file_text(const struct api_file *file, struct arena *arena,
                                           struct bytes *out, struct err *err);

/* A file read front to back: `source` borrows the stream. */
struct api_file_stream {
    struct api_file file;
    uint64_t at;
};
struct api_byte_source api_file_source(struct api_file_stream *stream);

#endif
