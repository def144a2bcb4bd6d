/* OrderedCode: numbers and texts as bytes that sort as they do. Slices of partitioned tensors have
 * their keys in it. Only written here: a slice's key is computed from what the slice is, never read
 * back. */
#ifndef API_FILE_ORDERED_CODE_H
#define API_FILE_ORDERED_CODE_H

#include "store/base/buf.h"

ERR_MUST_CHECK enum err_code api_ordered_unsigned(struct buf *out, uint64_t value, struct err *err);
ERR_MUST_CHECK enum err_code api_ordered_signed(struct buf *out, int64_t value, struct err *err);
ERR_MUST_CHECK enum err_code api_ordered_text(struct buf *out, struct bytes text, struct err *err);

/* A run along one dimension; length API_EXTENT_WHOLE with start 0 is all of it. */
#define API_EXTENT_WHOLE ((int64_t)-1)
struct api_extent {
    int64_t start, length;
};

/* The key that the record of a slice has, in V1 files and in indexes of V2. Every one begins with a
 * zero byte, which no name does. */
ERR_MUST_CHECK enum err_code api_slice_key(struct bytes name, const struct api_extent *extents,
                                           uint32_t rank, struct buf *out, struct err *err);

#endif
