/* Floats as NumPy prints them in an array: all alike, so all are looked at before the first is
 * printed. */
#ifndef API_JSON_NUMPY_FLOAT_H
#define API_JSON_NUMPY_FLOAT_H

#include "service/tensor/dtype.h"
#include "store/base/buf.h"

/* Numbers that lie `stride` bytes apart. float16, float32, float64; bfloat16 and the 8-bit floats
 * are printed as the float32 that they are. */
struct api_numpy_floats {
    const uint8_t *data; /* borrowed */
    enum dtype dtype;
    size_t stride_bytes;
    uint64_t count;
};

struct api_numpy_float_format {
    enum dtype dtype;  /* float16, float32 or float64: whose digits count */
    bool plus;         /* positive numbers have a sign, too */
    bool scientific;   /* 1.5e+00 */
    int left, right;   /* widths before and behind the point */
    int exponent_size; /* digits */
    int precision;     /* digits behind the point */
};

/* A number in its width takes at most this. */
enum { API_NUMPY_FLOAT_BYTES_MAX = 96 };

void api_numpy_float_format_of(const struct api_numpy_floats *numbers, bool plus,
                               struct api_numpy_float_format *out);
double api_numpy_float_at(const struct api_numpy_floats *numbers, uint64_t index);
/* Returns the length; no NUL. */
size_t api_numpy_float_print(const struct api_numpy_float_format *format, double value,
                             char out[static API_NUMPY_FLOAT_BYTES_MAX]);

/* A number that stands alone: all its digits, "1.0" or "1e-05"; `bare` without the ".0", and
 * `plus` with a sign whatever it is. `dtype` as the format's. */
size_t api_numpy_float_alone(enum dtype dtype, double value, bool plus, bool bare,
                             char out[static API_NUMPY_FLOAT_BYTES_MAX]);
/* float16, float32 or float64. */
enum dtype api_numpy_float_dtype(enum dtype dtype);

#endif
