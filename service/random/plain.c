/* The plain path: one group of elements at a time, as TensorFlow's kernels define it. */
#include <math.h>

#include "service/random/parts.h"
#include "service/tensor/convert.h"

/* --- words to uniforms of 16 bits ----------------------------------------------------------- */
/* The low bits become the mantissa of a number in [1, 2), less 1. */

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

/* --- groups --------------------------------------------------------------------------------- */

static void
uniform_group(const struct random_stream *stream, uint64_t group, uint8_t *out)
{
    const uint32_t size = dtype_size(stream->dtype);
    const uint64_t span = (uint64_t)stream->high - (uint64_t)stream->low;
    struct random_words words = random_words_from(stream, group);

    for (uint32_t i = 0; i < random_group_size(stream->dtype); i++, out += size) {
        const uint32_t a = random_next_word(&words), b = size == 8 ? random_next_word(&words) : 0;
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
            value.single = random_uniform_float(a);
        else if (stream->dtype == DTYPE_FLOAT64)
            value.wide = random_uniform_double(a, b);
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
    struct random_words words = random_words_from(stream, group * blocks);
    float singles[2];
    double doubles[2];

    for (uint32_t filled = 0; filled < group_size;) {
        uint32_t drawn[4];

        for (uint32_t i = 0; i < (wide ? 4 : 2); i++)
            drawn[i] = random_next_word(&words);
        if (wide)
            random_double_pair(stream->profile, drawn, doubles);
        else
            random_float_pair(stream->profile, drawn, singles);
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
