/* Tensors in memory: dtype, shape, row-major little-endian bytes.
 * string: each element is a 4-byte little-endian length and that many bytes, one after the other.
 */
#ifndef SERVICE_TENSOR_TENSOR_H
#define SERVICE_TENSOR_TENSOR_H

#include "service/tensor/shape.h"

struct tensor_type {
    enum dtype dtype;
    struct shape shape;
};

/* "float32[2,3]"; returns out. */
enum { TENSOR_TYPE_TEXT_BYTES_MAX = SHAPE_TEXT_BYTES_MAX + 32 };
const char *tensor_type_text(const struct tensor_type *type,
                             char out[static TENSOR_TYPE_TEXT_BYTES_MAX]);
/* count * element size; 0 for string (its size depends on the value). */
uint64_t tensor_type_bytes(const struct tensor_type *type);
bool tensor_type_equal(const struct tensor_type *a, const struct tensor_type *b);

/* Owns `data` (64-byte aligned): tensor_drop. */
struct tensor {
    struct tensor_type type;
    uint8_t *data;
    uint64_t size; /* bytes */
};

/* Borrowed counterpart. */
struct tensor_view {
    struct tensor_type type;
    const uint8_t *data;
    uint64_t size;
};

/* Uninitialized bytes. size_bytes is for string; otherwise it must equal tensor_type_bytes. */
ERR_MUST_CHECK enum err_code tensor_init(struct tensor *out, const struct tensor_type *type,
                                         uint64_t size_bytes, struct err *err);
void tensor_drop(struct tensor *tensor);
struct tensor_view tensor_view_of(const struct tensor *tensor);
/* bool tensors: every byte is 0 or 1. `name` is for the message, `offset` of the first byte too.
 * ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code tensor_bools_check(const char *name, struct bytes bytes,
                                                uint64_t offset, struct err *err);
/* String tensors: lengths add up to size and there are `count` of them. ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code tensor_strings_check(struct bytes bytes, uint64_t count,
                                                  struct err *err);

#endif
