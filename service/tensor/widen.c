#include "service/tensor/widen.h"

#include <string.h>

#include "service/tensor/convert.h"
#include "service/tensor/half.h"
#include "service/tensor/vector.h"
#include "store/base/check.h"

VECTOR_FILE

#define WIDEN_RUN(name, type, wide)                                                                \
    VECTOR_CLONES static void name(const void *in, wide *out, uint64_t count)                      \
    {                                                                                              \
        const type *from = in;                                                                     \
                                                                                                   \
        VECTOR_LOOP                                                                                \
        for (uint64_t i = 0; i < count; i++)                                                       \
            out[i] = (wide)from[i];                                                                \
    }

WIDEN_RUN(widen_float, float, double)
WIDEN_RUN(widen_int8, int8_t, double)
WIDEN_RUN(widen_int16, int16_t, double)
WIDEN_RUN(widen_int32, int32_t, double)
WIDEN_RUN(widen_int64, int64_t, double)
WIDEN_RUN(widen_uint8, uint8_t, double)
WIDEN_RUN(widen_uint16, uint16_t, double)
WIDEN_RUN(widen_uint32, uint32_t, double)
WIDEN_RUN(widen_uint64, uint64_t, double)

WIDEN_RUN(floats_of_int8, int8_t, float)
WIDEN_RUN(floats_of_int16, int16_t, float)
WIDEN_RUN(floats_of_uint8, uint8_t, float)
WIDEN_RUN(floats_of_uint16, uint16_t, float)

static void
floats_of_half(const void *in, float *out, uint64_t count)
{
    half_to_floats(in, out, count);
}

static void
floats_of_bfloat16(const void *in, float *out, uint64_t count)
{
    bfloat16_to_floats(in, out, count);
}

static void
floats_of_e4m3fn(const void *in, float *out, uint64_t count)
{
    tensor_floats_of_e4m3fn(in, out, count);
}

static void
floats_of_e5m2(const void *in, float *out, uint64_t count)
{
    const uint8_t *from = in;
    uint16_t halves[KERNEL_WIDEN_MAX];

    for (uint64_t i = 0; i < count; i++)
        halves[i] = (uint16_t)(from[i] << 8);
    half_to_floats(halves, out, count);
}

typedef void widen_floats_run(const void *in, float *out, uint64_t count);

static widen_floats_run *const floats_runs[DTYPE_COUNT] = {
    [DTYPE_FLOAT16] = floats_of_half,
    [DTYPE_BFLOAT16] = floats_of_bfloat16,
    [DTYPE_INT8] = floats_of_int8,
    [DTYPE_INT16] = floats_of_int16,
    [DTYPE_UINT8] = floats_of_uint8,
    [DTYPE_UINT16] = floats_of_uint16,
    [DTYPE_FLOAT8_E4M3FN] = floats_of_e4m3fn,
    [DTYPE_FLOAT8_E5M2] = floats_of_e5m2,
};

bool
kernel_widen_floats_known(enum dtype dtype)
{
    return floats_runs[dtype] != NULL;
}

void
kernel_widen_floats(enum dtype dtype, const void *in, float *out, uint64_t count)
{
    CHECK(count <= KERNEL_WIDEN_MAX);
    floats_runs[dtype](in, out, count);
}

static void
widen_double(const void *in, double *out, uint64_t count)
{
    memcpy(out, in, (size_t)count * sizeof *out);
}

#define WIDEN_THROUGH_FLOATS(name, floats_of)                                                      \
    static void name(const void *in, double *out, uint64_t count)                                  \
    {                                                                                              \
        float floats[KERNEL_WIDEN_MAX];                                                            \
                                                                                                   \
        floats_of(in, floats, count);                                                              \
        widen_float(floats, out, count);                                                           \
    }

WIDEN_THROUGH_FLOATS(widen_half, floats_of_half)
WIDEN_THROUGH_FLOATS(widen_bfloat16, floats_of_bfloat16)
WIDEN_THROUGH_FLOATS(widen_e4m3fn, floats_of_e4m3fn)
WIDEN_THROUGH_FLOATS(widen_e5m2, floats_of_e5m2)

typedef void widen_run(const void *in, double *out, uint64_t count);

static widen_run *const runs[DTYPE_COUNT] = {
    [DTYPE_FLOAT16] = widen_half,
    [DTYPE_BFLOAT16] = widen_bfloat16,
    [DTYPE_FLOAT32] = widen_float,
    [DTYPE_FLOAT64] = widen_double,
    [DTYPE_INT8] = widen_int8,
    [DTYPE_INT16] = widen_int16,
    [DTYPE_INT32] = widen_int32,
    [DTYPE_INT64] = widen_int64,
    [DTYPE_UINT8] = widen_uint8,
    [DTYPE_UINT16] = widen_uint16,
    [DTYPE_UINT32] = widen_uint32,
    [DTYPE_UINT64] = widen_uint64,
    [DTYPE_FLOAT8_E4M3FN] = widen_e4m3fn,
    [DTYPE_FLOAT8_E5M2] = widen_e5m2,
};

bool
kernel_widen_known(enum dtype dtype)
{
    return runs[dtype] != NULL;
}

void
kernel_widen(enum dtype dtype, const void *in, double *out, uint64_t count)
{
    CHECK(count <= KERNEL_WIDEN_MAX);
    runs[dtype](in, out, count);
}
