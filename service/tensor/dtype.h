/* Element types. The rows of dtype.def are the only list. */
#ifndef SERVICE_TENSOR_DTYPE_H
#define SERVICE_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/bytes.h"

enum dtype {
#define DTYPE(id, name, size, kind, safetensors, npy, oip, tf, tf_short) DTYPE_##id,
#include "service/tensor/dtype.def"
#undef DTYPE
    DTYPE_COUNT,
    DTYPE_UNSET = DTYPE_COUNT /* "not given" in a request; never stored */
};

enum dtype_kind {
    DTYPE_KIND_BOOL,
    DTYPE_KIND_SIGNED,
    DTYPE_KIND_UNSIGNED,
    DTYPE_KIND_FLOAT,
    DTYPE_KIND_COMPLEX,
    DTYPE_KIND_OPAQUE
};

struct dtype_info {
    const char *name;
    uint32_t size; /* bytes per element; 0 for string */
    enum dtype_kind kind;
    const char *safetensors_name, *npy_descr, *oip_name; /* NULL: not in that format */
    int tf_enum;
    const char *tf_short_name;
};

const struct dtype_info *dtype_info(enum dtype dtype);
const char *dtype_name(enum dtype dtype);
uint32_t dtype_size(enum dtype dtype);
bool dtype_is_float(enum dtype dtype);   /* float16 bfloat16 float32 float64 */
bool dtype_is_integer(enum dtype dtype); /* signed or unsigned */
bool dtype_is_complex(enum dtype dtype);
bool dtype_is_number(enum dtype dtype); /* integers, floats, complex: has + - * / */
/* Of a complex number's parts; any other dtype is its own. */
enum dtype dtype_real(enum dtype dtype);
/* Names, aliases (half float double) and Open Inference Protocol names. False: unknown. */
bool dtype_of_name(struct bytes name, enum dtype *out);
bool dtype_of_safetensors(struct bytes name, enum dtype *out);

#endif
