/* Runs of half-precision numbers to and from float32; convert.h has the single conversions and the
 * rules. in and out are element-aligned and do not overlap. */
#ifndef SERVICE_TENSOR_HALF_H
#define SERVICE_TENSOR_HALF_H

#include <stdint.h>

void half_to_floats(const uint16_t *in, float *out, uint64_t count);
void half_of_floats(const float *in, uint16_t *out, uint64_t count);
void bfloat16_to_floats(const uint16_t *in, float *out, uint64_t count);
void bfloat16_of_floats(const float *in, uint16_t *out, uint64_t count);
/* float8, which float32 holds exactly. */
void tensor_floats_of_e4m3fn(const uint8_t *in, float *out, uint64_t count);

#endif
