/* The plain path: one group of elements at a time, as TensorFlow's kernels define it. */
#include <math.h>

#include "service/random/exact.h"
#include "service/random/parts.h"
#include "service/tensor/convert.h"

/* The words of a stream from some block on, one after the other. */
struct words {
    const struct random_stream *stream;
    uint64_t next_block;
    uint32_t block[4];
    unsigned used;
};

static struct words
words_from(const struct random_stream *stream, uint64_t block)
{
    return (struct words){.stream = stream, .next_block = block, .used = 4};
}

static uint32_t
next_word(struct words *words)
{
    if (words->used == 4) {
        random_block(words->stream, words->next_block++, words->block);
        words->used = 0;
    }
    return words->block[words->used++];
}

/* --- words to uniforms: the low bits become the mantissa of a number in [1, 2), less 1
 * ---------------- */

static float
uniform_float(uint32_t word)
{
    uint32_t bits = 0x3F800000 | (word & RANDOM_MANTISSA_FLOAT);
    float value;

    memcpy(&value, &bits, sizeof value);
    return value - 1.0f;
}

/* The first word is the high part. */
static double
uniform_double(uint32_t high, uint32_t low)
{
    uint64_t bits = (uint64_t)0x3FF << 52 | (uint64_t)(high & 0xFFFFF) << 32 | low;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value - 1.0;
}

static uint16_t
uniform_half(uint32_t word)
{
    return half_of_float(half_to_float((uint16_t)(15 << 10 | (word & 0x3FF))) - 1.0f);
}

static uint16_t
uniform_bfloat16(uint32_t word)
{
    return bfloat16_of_float(bfloat16_to_float((uint16_t)(127 << 7 | (word & 0x7F))) - 1.0f);
}

/* --- Box-Muller
 * -------------------------------------------------------------------------------------- */

static float
float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The r1.0 wheels for Linux: the logarithm and root in double, rounded once; sine and cosine
 * correctly rounded, as glibc 2.16 to 2.26 had them, with its three exceptions. The true values
 * keep more than ten double ulps from where float32 rounding changes, so any libm gives these bits.
 */
void
random_factors_plain(uint32_t radius_word, uint32_t angle_word, struct random_factors *out)
{
    float uniform = uniform_float(radius_word), angle;

    if (uniform < RANDOM_UNIFORM_MIN)
        uniform = RANDOM_UNIFORM_MIN;
    angle = (float)(2.0 * M_PI * (double)uniform_float(angle_word));
    out->radius = (float)sqrt(-2.0 * log((double)uniform));
    out->sine = (float)sin((double)angle);
    out->cosine = (float)cos((double)angle);
    switch (angle_word & RANDOM_MANTISSA_FLOAT) {
    case RANDOM_ODD_SINE_1:
        out->sine = float_of_bits(RANDOM_ODD_SINE_1_BITS);
        break;
    case RANDOM_ODD_SINE_2:
        out->sine = float_of_bits(RANDOM_ODD_SINE_2_BITS);
        break;
    case RANDOM_ODD_COSINE:
        out->cosine = float_of_bits(RANDOM_ODD_COSINE_BITS);
        break;
    default:
        break;
    }
}

static void
normal_floats(uint32_t radius_word, uint32_t angle_word, float out[2])
{
    struct random_factors factors;

    random_factors_plain(radius_word, angle_word, &factors);
    out[0] = factors.sine * factors.radius;
    out[1] = factors.cosine * factors.radius;
}

static void
normal_doubles(struct words *words, double out[2])
{
    const uint32_t a = next_word(words), b = next_word(words), c = next_word(words);
    double uniform = uniform_double(a, b), sine = 0, cosine = 0, radius;

    if (uniform < RANDOM_UNIFORM_MIN_DOUBLE)
        uniform = RANDOM_UNIFORM_MIN_DOUBLE;
    radius = sqrt(-2.0 * random_exact_log(uniform));
    random_exact_sincos(2.0 * M_PI * uniform_double(c, next_word(words)), &sine, &cosine);
    out[0] = sine * radius;
    out[1] = cosine * radius;
}

/* --- groups
 * ------------------------------------------------------------------------------------------- */

static void
uniform_group(const struct random_stream *stream, uint64_t group, uint8_t *out)
{
    const uint32_t size = dtype_size(stream->dtype);
    const uint64_t span = (uint64_t)stream->high - (uint64_t)stream->low;
    struct words words = words_from(stream, group);

    for (uint32_t i = 0; i < random_group_size(stream->dtype); i++, out += size) {
        const uint32_t a = next_word(&words), b = size == 8 ? next_word(&words) : 0;
        union {
            uint16_t half;
            float single;
            double wide;
            uint64_t integer;
        } value = {0};

        if (stream->dtype == DTYPE_FLOAT16)
            value.half = uniform_half(a);
        else if (stream->dtype == DTYPE_BFLOAT16)
            value.half = uniform_bfloat16(a);
        else if (stream->dtype == DTYPE_FLOAT32)
            value.single = uniform_float(a);
        else if (stream->dtype == DTYPE_FLOAT64)
            value.wide = uniform_double(a, b);
        else if (stream->dtype == DTYPE_INT32) /* wraps as unsigned */
            value.integer = (uint64_t)stream->low + a % (uint32_t)span;
        else /* here the first word is the low part */
            value.integer = (uint64_t)stream->low + (a | (uint64_t)b << 32) % span;
        memcpy(out, &value, size);
    }
}

/* Normals in the precision they are computed in, narrowed to the type. Truncated: values of two
 * standard deviations and beyond are left out, before narrowing, and the words run on. */
static void
normal_group(const struct random_stream *stream, uint64_t group, uint8_t *out)
{
    const bool wide = stream->dtype == DTYPE_FLOAT64;
    const bool truncated = stream->kind == RANDOM_TRUNCATED_NORMAL;
    const uint32_t size = dtype_size(stream->dtype), group_size = random_group_size(stream->dtype);
    const uint64_t blocks = truncated ? group_size * (RANDOM_RESERVED_WORDS / 4) : 1;
    struct words words = words_from(stream, group * blocks);
    float singles[2];
    double doubles[2];

    for (uint32_t filled = 0; filled < group_size;) {
        if (wide) {
            normal_doubles(&words, doubles);
        } else {
            const uint32_t radius = next_word(&words);

            normal_floats(radius, next_word(&words), singles);
        }
        for (uint32_t i = 0; i < 2 && filled < group_size; i++) {
            if (truncated && !(fabs(wide ? doubles[i] : (double)singles[i]) < 2.0))
                continue;
            if (wide)
                memcpy(out + filled * size, &doubles[i], size);
            else
                tensor_cast(DTYPE_FLOAT32, &singles[i], stream->dtype, out + filled * size, 1);
            filled++;
        }
    }
}

void
random_group_plain(const struct random_stream *stream, uint64_t group,
                   uint8_t out[RANDOM_GROUP_BYTES_MAX])
{
    if (stream->kind == RANDOM_UNIFORM)
        uniform_group(stream, group, out);
    else
        normal_group(stream, group, out);
}
