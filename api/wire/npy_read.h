/* One array read front to back, out of a .npy file or a member of an .npz. */
#ifndef API_WIRE_NPY_READ_H
#define API_WIRE_NPY_READ_H

#include "api/tensors/byte_source.h"
#include "api/wire/npy.h"

/* Owned: api_npy_reader_drop. */
struct api_npy_reader {
    const struct api_byte_source *source; /* borrowed */
    const char *place;                    /* borrowed; "the body", "member 'a.npy'" */
    struct tensor_type type;
    uint64_t size; /* bytes of the array, and of the file that they are to come from */
    size_t header_bytes;
    bool swap;             /* big-endian: reversed as it comes */
    struct tensor decoded; /* a column-major array, turned round */
    uint64_t offset;       /* of what is read next */
};

/* Reads the header. What is column-major is read whole, and must not be over memory_bytes_max / 2
 * (expression_max_bytes): ERR_PAYLOAD_TOO_LARGE. */
ERR_MUST_CHECK enum err_code api_npy_reader_open(const struct api_byte_source *source,
                                                 const char *place, enum api_npy_v2 v2,
                                                 uint64_t memory_bytes_max,
                                                 struct api_npy_reader *out, struct err *err);
void api_npy_reader_drop(struct api_npy_reader *reader);
/* The next `size` bytes: whole elements, of at most what is left. Row-major little-endian. */
ERR_MUST_CHECK enum err_code api_npy_reader_read(struct api_npy_reader *reader, void *out,
                                                 size_t size, struct err *err);

#endif
