/* Conversions between element types, and half precision.
 *
 * tensor_cast follows TensorFlow's cast on CPU: C conversion, floats to integers truncate; where C
 * leaves the result undefined (out of range, NaN) x86's result for the type is given, by definition
 * here: the integer's minimum for int32/int64 targets of cvtt, and truncation of that to narrower
 * types. To bool: != 0. complex to real drops the imaginary part. float64 -> float16/bfloat16 round
 * once, to nearest even, straight from the source value. OPAQUE types do not convert. */
#ifndef SERVICE_TENSOR_CONVERT_H
#define SERVICE_TENSOR_CONVERT_H

#include "service/tensor/tensor.h"

float half_to_float(uint16_t half);
uint16_t half_of_float(float value); /* nearest even, infinities and NaN kept, denormals exact */
uint16_t half_of_double(double value);
float bfloat16_to_float(uint16_t bits);
uint16_t bfloat16_of_float(float value);
uint16_t bfloat16_of_double(double value);
/* float8 numbers, which float32 holds exactly. */
float tensor_float_of_e4m3fn(uint8_t bits);
float tensor_float_of_e5m2(uint8_t bits);

/* Whether `from` can be cast to `to`. */
bool tensor_cast_known(enum dtype from, enum dtype to);
/* count elements; in and out do not overlap and are at any alignment. */
void tensor_cast(enum dtype from, const void *in, enum dtype to, void *out, uint64_t count);

/* One element as double / from double (rounded once to the dtype), for attributes such as stddev.
 */
double tensor_element_as_double(enum dtype dtype, const void *element);
void tensor_element_of_double(enum dtype dtype, double value, void *element);

#endif
