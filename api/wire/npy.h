/* NumPy .npy: versions 1.0, 2.0, 3.0 read, 1.0 written (data at a multiple of 64).
 * Source: NumPy's documented format; the facts are in the comments of npy.c. */
#ifndef API_WIRE_NPY_H
#define API_WIRE_NPY_H

#include "service/tensor/tensor.h"

enum {
    API_NPY_PREFIX_BYTES = 12,
    API_NPY_HEADER_BYTES_MAX = 65536,
    API_NPY_REFUSED_BYTES_MAX = 200
};

/* What "|V2", two bytes without a meaning, stands for: bfloat16 is written so where NumPy does not
 * know it, and whoever sends it has to say that it is that (npy_v2=bfloat16). */
enum api_npy_v2 { API_NPY_V2_UNKNOWN, API_NPY_V2_BFLOAT16 };

struct api_npy_header {
    struct tensor_type type;
    bool fortran_order; /* column-major data */
    bool big_endian;
    char refused[API_NPY_REFUSED_BYTES_MAX]; /* why its dtype is none of ours; "": it is */
};

/* How many bytes the whole header has, from its first API_NPY_PREFIX_BYTES (fewer: version 1 needs
 * 10). ERR_INVALID_ARGUMENT: not npy, another version, or over API_NPY_HEADER_BYTES_MAX. */
ERR_MUST_CHECK enum err_code api_npy_header_size(struct bytes prefix, size_t *out, struct err *err);
/* `header` begins with the whole header. ERR_INVALID_ARGUMENT: damaged. A dtype that is not ours
 * (objects, texts, structures, long double) is no error: out->refused says which. */
ERR_MUST_CHECK enum err_code api_npy_header_look(struct bytes header, enum api_npy_v2 v2,
                                                 struct api_npy_header *out, struct err *err);
/* The same, but such a dtype is ERR_INVALID_ARGUMENT. The data that follows has tensor_type_bytes.
 */
ERR_MUST_CHECK enum err_code api_npy_header_decode(struct bytes header, enum api_npy_v2 v2,
                                                   struct api_npy_header *out, struct err *err);
/* ERR_NOT_ACCEPTABLE for a dtype npy has no name for. */
ERR_MUST_CHECK enum err_code api_npy_header_encode(const struct tensor_type *type,
                                                   enum api_npy_v2 v2, struct buf *out,
                                                   struct err *err);

/* Big-endian elements become little-endian, in place; complex ones part by part. `size` is a
 * multiple of the element size, so a stream can be swapped piece by piece. */
void api_wire_swap(enum dtype dtype, uint8_t *data, size_t size);
/* Column-major elements of a whole tensor into row-major order. `in` and `out` have
 * tensor_type_bytes each and do not overlap. */
void api_npy_to_row_major(const struct tensor_type *type, const uint8_t *in, uint8_t *out);

#endif
