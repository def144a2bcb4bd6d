/* Casts: TensorFlow's, on CPU.
 *
 * A run is cast in blocks that stay in the first-level cache, in two steps: every source type
 * widens, exactly, into one of five lane types, and every lane type narrows into every target type.
 * So a new type costs one widening and five narrowings, and unaligned memory is met only by memcpy.
 */
#include "service/tensor/convert.h"

#include "service/tensor/half.h"
#include "service/tensor/vector.h"
#include "store/base/check.h"

VECTOR_FILE

enum lane { LANE_INT32, LANE_INT64, LANE_UINT64, LANE_FLOAT, LANE_DOUBLE, LANE_COUNT };

enum { BLOCK_ELEMENTS = 512, ELEMENT_BYTES_MAX = 16 };

/* in and out aligned for their types, not overlapping. */
typedef void cast_run(const void *in, void *out, uint64_t count);

/* C leaves a float outside the integer's range undefined; x86 gives the minimum, and so do we: the
 * operand is replaced by the minimum, which every float type holds exactly. */
static inline int32_t
int32_of_float(float x)
{
    return (int32_t)(x >= -0x1p31f && x < 0x1p31f ? x : -0x1p31f);
}

static inline int32_t
int32_of_double(double x)
{
    return (int32_t)(x > -0x1p31 - 1 && x < 0x1p31 ? x : -0x1p31);
}

static inline int64_t
int64_of_double(double x)
{
    return (int64_t)(x >= -0x1p63 && x < 0x1p63 ? x : -0x1p63);
}

/* What compilers make of the conversion on x86: the upper half is shifted down and back. */
static inline uint64_t
uint64_of_double(double x)
{
    if (x >= 0x1p63)
        return (uint64_t)int64_of_double(x - 0x1p63) ^ (uint64_t)1 << 63;
    return (uint64_t)int64_of_double(x);
}

/* An integer as a double whose last bit tells of what was cut off ("round to odd"): rounding that
 * to fewer than 52 bits equals rounding the integer once. */
static inline double
sticky_double(uint64_t magnitude)
{
    uint64_t cut = magnitude & 0x7FF;

    if (magnitude < (uint64_t)1 << 53)
        return (double)magnitude;
    return (double)((magnitude - cut) | (cut != 0 ? 0x800 : 0));
}

static inline uint16_t
bfloat16_of_int64(int64_t x)
{
    double magnitude = sticky_double(x < 0 ? 0 - (uint64_t)x : (uint64_t)x);

    return bfloat16_of_double(x < 0 ? -magnitude : magnitude);
}

/* A float32 holds every integer up to 2^24, and halves end at 65520: one rounding in effect. */
static inline uint16_t
half_of_int64(int64_t x)
{
    return half_of_float((float)x);
}

#define CAST_RUN(name, source, target, expression)                                                 \
    VECTOR_CLONES static void name(const void *in, void *out, uint64_t count)                      \
    {                                                                                              \
        const source *from = in;                                                                   \
        target *to = out;                                                                          \
                                                                                                   \
        VECTOR_LOOP                                                                                \
        for (uint64_t i = 0; i < count; i++) {                                                     \
            source x = from[i];                                                                    \
            to[i] = (target)(expression);                                                          \
        }                                                                                          \
    }

/* --- widening: exact ------------------------------------------------------------------------ */

CAST_RUN(widen_bool, uint8_t, int32_t, x != 0)
CAST_RUN(widen_int8, int8_t, int32_t, x)
CAST_RUN(widen_int16, int16_t, int32_t, x)
CAST_RUN(widen_int32, int32_t, int32_t, x)
CAST_RUN(widen_int64, int64_t, int64_t, x)
CAST_RUN(widen_uint8, uint8_t, int32_t, x)
CAST_RUN(widen_uint16, uint16_t, int32_t, x)
CAST_RUN(widen_uint32, uint32_t, int64_t, x)
CAST_RUN(widen_uint64, uint64_t, uint64_t, x)
CAST_RUN(widen_float, float, float, x)
CAST_RUN(widen_double, double, double, x)

static void
widen_half(const void *in, void *out, uint64_t count)
{
    half_to_floats(in, out, count);
}

static void
widen_bfloat16(const void *in, void *out, uint64_t count)
{
    bfloat16_to_floats(in, out, count);
}

static const struct {
    cast_run *run; /* NULL: no such cast */
    enum lane lane;
} widen[DTYPE_COUNT] = {
    [DTYPE_BOOL] = {widen_bool, LANE_INT32},         [DTYPE_INT8] = {widen_int8, LANE_INT32},
    [DTYPE_INT16] = {widen_int16, LANE_INT32},       [DTYPE_INT32] = {widen_int32, LANE_INT32},
    [DTYPE_INT64] = {widen_int64, LANE_INT64},       [DTYPE_UINT8] = {widen_uint8, LANE_INT32},
    [DTYPE_UINT16] = {widen_uint16, LANE_INT32},     [DTYPE_UINT32] = {widen_uint32, LANE_INT64},
    [DTYPE_UINT64] = {widen_uint64, LANE_UINT64},    [DTYPE_FLOAT16] = {widen_half, LANE_FLOAT},
    [DTYPE_BFLOAT16] = {widen_bfloat16, LANE_FLOAT}, [DTYPE_FLOAT32] = {widen_float, LANE_FLOAT},
    [DTYPE_FLOAT64] = {widen_double, LANE_DOUBLE},
};

/* --- narrowing: the rules of convert.h ------------------------------------------------------ */

#define NARROW_INTEGER_LANE(lane, source)                                                          \
    CAST_RUN(lane##_to_bool, source, uint8_t, x != 0)                                              \
    CAST_RUN(lane##_to_int8, source, int8_t, x)                                                    \
    CAST_RUN(lane##_to_int16, source, int16_t, x)                                                  \
    CAST_RUN(lane##_to_int32, source, int32_t, x)                                                  \
    CAST_RUN(lane##_to_int64, source, int64_t, x)                                                  \
    CAST_RUN(lane##_to_uint8, source, uint8_t, x)                                                  \
    CAST_RUN(lane##_to_uint16, source, uint16_t, x)                                                \
    CAST_RUN(lane##_to_uint32, source, uint32_t, x)                                                \
    CAST_RUN(lane##_to_uint64, source, uint64_t, x)                                                \
    CAST_RUN(lane##_to_float32, source, float, x)                                                  \
    CAST_RUN(lane##_to_float64, source, double, x)

#define NARROW_FLOAT_LANE(lane, source, to_int32)                                                  \
    CAST_RUN(lane##_to_bool, source, uint8_t, x<0 || x> 0 || x != x)                               \
    CAST_RUN(lane##_to_int8, source, int8_t, to_int32(x))                                          \
    CAST_RUN(lane##_to_int16, source, int16_t, to_int32(x))                                        \
    CAST_RUN(lane##_to_int32, source, int32_t, to_int32(x))                                        \
    CAST_RUN(lane##_to_int64, source, int64_t, int64_of_double((double)x))                         \
    CAST_RUN(lane##_to_uint8, source, uint8_t, to_int32(x))                                        \
    CAST_RUN(lane##_to_uint16, source, uint16_t, to_int32(x))                                      \
    CAST_RUN(lane##_to_uint32, source, uint32_t, int64_of_double((double)x))                       \
    CAST_RUN(lane##_to_uint64, source, uint64_t, uint64_of_double((double)x))                      \
    CAST_RUN(lane##_to_float32, source, float, x)                                                  \
    CAST_RUN(lane##_to_float64, source, double, x)

NARROW_INTEGER_LANE(int32, int32_t)
NARROW_INTEGER_LANE(int64, int64_t)
NARROW_INTEGER_LANE(uint64, uint64_t)
NARROW_FLOAT_LANE(float, float, int32_of_float)
NARROW_FLOAT_LANE(double, double, int32_of_double)

CAST_RUN(int32_to_float16, int32_t, uint16_t, half_of_int64(x))
CAST_RUN(int64_to_float16, int64_t, uint16_t, half_of_int64(x))
CAST_RUN(uint64_to_float16, uint64_t, uint16_t, half_of_float((float)x))
CAST_RUN(double_to_float16, double, uint16_t, half_of_double(x))
CAST_RUN(int32_to_bfloat16, int32_t, uint16_t, bfloat16_of_int64(x))
CAST_RUN(int64_to_bfloat16, int64_t, uint16_t, bfloat16_of_int64(x))
CAST_RUN(uint64_to_bfloat16, uint64_t, uint16_t, bfloat16_of_double(sticky_double(x)))
CAST_RUN(double_to_bfloat16, double, uint16_t, bfloat16_of_double(x))

static void
float_to_float16(const void *in, void *out, uint64_t count)
{
    half_of_floats(in, out, count);
}

static void
float_to_bfloat16(const void *in, void *out, uint64_t count)
{
    bfloat16_of_floats(in, out, count);
}

#define NARROW_ROW(lane)                                                                           \
    {                                                                                              \
        [DTYPE_BOOL] = lane##_to_bool, [DTYPE_INT8] = lane##_to_int8,                              \
        [DTYPE_INT16] = lane##_to_int16, [DTYPE_INT32] = lane##_to_int32,                          \
        [DTYPE_INT64] = lane##_to_int64, [DTYPE_UINT8] = lane##_to_uint8,                          \
        [DTYPE_UINT16] = lane##_to_uint16, [DTYPE_UINT32] = lane##_to_uint32,                      \
        [DTYPE_UINT64] = lane##_to_uint64, [DTYPE_FLOAT16] = lane##_to_float16,                    \
        [DTYPE_BFLOAT16] = lane##_to_bfloat16, [DTYPE_FLOAT32] = lane##_to_float32,                \
        [DTYPE_FLOAT64] = lane##_to_float64,                                                       \
    }

static cast_run *const narrow[LANE_COUNT][DTYPE_COUNT] = {
    [LANE_INT32] = NARROW_ROW(int32),   [LANE_INT64] = NARROW_ROW(int64),
    [LANE_UINT64] = NARROW_ROW(uint64), [LANE_FLOAT] = NARROW_ROW(float),
    [LANE_DOUBLE] = NARROW_ROW(double),
};

/* --- complex, by way of the parts ---------------------------------------------------------- */

/* Every other element of `in`: the real parts. */
static void
pick_even(uint32_t size, const uint8_t *in, uint8_t *out, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        memcpy(out + i * size, in + i * 2 * size, size);
}

static void
spread_even(uint32_t size, const uint8_t *in, uint8_t *out, uint64_t count)
{
    memset(out, 0, count * 2 * size);
    for (uint64_t i = 0; i < count; i++)
        memcpy(out + i * 2 * size, in + i * size, size);
}

/* True where either part is not zero, as bytes. */
static void
complex_truth(enum dtype part, const void *in, uint8_t *out, uint64_t count)
{
    uint8_t parts[2 * BLOCK_ELEMENTS];

    narrow[widen[part].lane][DTYPE_BOOL](in, parts, 2 * count);
    for (uint64_t i = 0; i < count; i++)
        out[i] = parts[2 * i] | parts[2 * i + 1];
}

/* --- blocks --------------------------------------------------------------------------------- */

struct block {
    _Alignas(64) uint8_t bytes[BLOCK_ELEMENTS * ELEMENT_BYTES_MAX];
};

/* At most BLOCK_ELEMENTS, both aligned, neither type complex. */
static void
cast_real_block(enum dtype from, const void *in, enum dtype to, void *out, uint64_t count)
{
    struct block lanes;

    widen[from].run(in, &lanes, count);
    narrow[widen[from].lane][to](&lanes, out, count);
}

static void
cast_block(enum dtype from, const struct block *in, enum dtype to, struct block *out,
           uint64_t count)
{
    struct block real, result;
    const struct block *source = in;

    if (dtype_is_complex(from) && to == DTYPE_BOOL) {
        complex_truth(dtype_real(from), in, out->bytes, count);
        return;
    }
    if (dtype_is_complex(from) && dtype_is_complex(to)) {
        cast_real_block(dtype_real(from), in, dtype_real(to), out, 2 * count);
        return;
    }
    if (dtype_is_complex(from)) {
        pick_even(dtype_size(dtype_real(from)), in->bytes, real.bytes, count);
        source = &real;
    }
    if (!dtype_is_complex(to)) {
        cast_real_block(dtype_real(from), source, to, out, count);
        return;
    }
    cast_real_block(from, source, dtype_real(to), &result, count);
    spread_even(dtype_size(dtype_real(to)), result.bytes, out->bytes, count);
}

bool
tensor_cast_known(enum dtype from, enum dtype to)
{
    return dtype_info(from)->kind != DTYPE_KIND_OPAQUE && dtype_info(to)->kind != DTYPE_KIND_OPAQUE;
}

void
tensor_cast(enum dtype from, const void *in, enum dtype to, void *out, uint64_t count)
{
    const uint64_t block_elements = dtype_is_complex(from) ? BLOCK_ELEMENTS / 2 : BLOCK_ELEMENTS;
    const uint32_t from_size = dtype_size(from), to_size = dtype_size(to);
    const uint8_t *source = in;
    uint8_t *target = out;
    struct block block_in, block_out;

    CHECK(tensor_cast_known(from, to));
    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = count - done < block_elements ? count - done : block_elements;
        if (from == to) {
            memcpy(target + done * to_size, source + done * from_size, n * from_size);
            continue;
        }
        memcpy(&block_in, source + done * from_size, n * from_size);
        cast_block(from, &block_in, to, &block_out, n);
        memcpy(target + done * to_size, &block_out, n * to_size);
    }
}

double
tensor_element_as_double(enum dtype dtype, const void *element)
{
    double value = 0;

    tensor_cast(dtype, element, DTYPE_FLOAT64, &value, 1);
    return value;
}

void
tensor_element_of_double(enum dtype dtype, double value, void *element)
{
    tensor_cast(DTYPE_FLOAT64, &value, dtype, element, 1);
}
