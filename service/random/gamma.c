/* Gamma numbers as TensorFlow's kernel of 2016 draws them: Marsaglia and Tsang, "A simple method
 * for generating gamma variables", ACM TOMS 26, 2000. Every operation is rounded to the dtype, as
 * the kernel's are; no published output was found to hold this against, only its source. */
#include <math.h>

#include "service/random/parts.h"
#include "service/tensor/convert.h"

enum { GAMMA_BLOCKS_PER_OUTPUT_BITS = 8 };

/* Normals and uniforms of one output: whole blocks on demand, the last element of a block first. */
struct gamma_source {
    struct random_stream stream; /* its first block is the output's */
    uint64_t next_block;
    _Alignas(8) uint8_t normals[RANDOM_GROUP_BYTES_MAX];
    _Alignas(8) uint8_t uniforms[RANDOM_GROUP_BYTES_MAX];
    uint32_t normals_left, uniforms_left;
};

static struct gamma_source
source_of(const struct random_stream *stream, uint64_t index)
{
    struct gamma_source source = {.stream = *stream};
    const uint64_t skip = index << GAMMA_BLOCKS_PER_OUTPUT_BITS;

    source.stream.base_block += skip; /* 128-bit addition */
    source.stream.seeds.counter_high +=
        (source.stream.base_block < skip) + (index >> (64 - GAMMA_BLOCKS_PER_OUTPUT_BITS));
    return source;
}

static double
next_of(struct gamma_source *source, enum random_kind kind, uint8_t *group, uint32_t *left)
{
    const enum dtype dtype = source->stream.dtype;

    if (*left == 0) {
        source->stream.kind = kind;
        random_group_plain(&source->stream, source->next_block++, group);
        *left = random_group_size(dtype);
    }
    --*left;
    return tensor_element_as_double(dtype, group + *left * dtype_size(dtype));
}

static double
next_normal(struct gamma_source *source)
{
    return next_of(source, RANDOM_NORMAL, source->normals, &source->normals_left);
}

static double
next_uniform(struct gamma_source *source)
{
    return next_of(source, RANDOM_UNIFORM, source->uniforms, &source->uniforms_left);
}

/* An operation in double, rounded, is that operation in the narrower type: 53 bits are more than
 * twice 24 and two. */
static double
rounded(enum dtype dtype, double value)
{
    if (dtype == DTYPE_FLOAT64)
        return value;
    if (dtype == DTYPE_FLOAT32)
        return (double)(float)value;
    return (double)half_to_float(half_of_float((float)value));
}

/* u < 1 - 0.0331 x^4, or, exactly, ln u < x^2 / 2 + d (1 - v + ln v). */
static bool
accepted(enum dtype t, double x, double v, double u, double d)
{
    const double x2 = rounded(t, x * x);
    double right = rounded(t, rounded(t, rounded(t, 0.0331) * x2) * x2);

    if (u < rounded(t, 1 - right))
        return true;
    right = rounded(t, rounded(t, 1 - v) + rounded(t, log(v)));
    right = rounded(t, rounded(t, rounded(t, 0.5 * x) * x) + rounded(t, d * right));
    return rounded(t, log(u)) < right;
}

double
random_gamma(const struct random_stream *stream, uint64_t index, double alpha)
{
    const enum dtype t = stream->dtype;
    const bool below_one = alpha < 1;
    const double d = rounded(t, alpha + rounded(t, below_one ? 2.0 / 3 : -1.0 / 3));
    const double c = rounded(t, rounded(t, 1.0 / 3) / rounded(t, sqrt(d)));
    struct gamma_source source = source_of(stream, index);

    for (;;) { /* one try in twenty fails at worst */
        const double x = next_normal(&source);
        double v = rounded(t, 1 + rounded(t, c * x)), power;

        if (v <= 0)
            continue;
        v = rounded(t, rounded(t, v * v) * v);
        if (!accepted(t, x, v, next_uniform(&source), d))
            continue;
        if (!below_one)
            return rounded(t, d * v);
        power = rounded(t, pow(next_uniform(&source), rounded(t, 1 / alpha)));
        return rounded(t, rounded(t, d * v) * power);
    }
}
