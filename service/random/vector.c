/* The vectorised path: AVX2 and FMA, picked at run time.
 *
 * Blocks are made four at a time into a buffer of words that stays in the first-level cache; from
 * there plain loops make uniforms and integers, and vector_normal.c and vector_double.c make
 * normals. Bits never depend on the path: what is computed here is either exact or keeps its
 * distance from where rounding would change. */
#include "service/random/vector.h"

#include <math.h>

#include "service/random/parts.h"
#include "service/tensor/half.h"
#include "service/tensor/vector.h"

VECTOR_FILE

#ifdef RANDOM_VECTOR

/* --- blocks --------------------------------------------------------------------------------- */

/* Round keys, and the upper half of the counter, repeated in every lane. Only the low 32 bits of
 * each 64-bit lane count: the multiplication reads no others. */
struct schedule {
    __m256i key[PHILOX_ROUNDS][2];
};

RANDOM_VECTOR static void
make_schedule(uint64_t key, struct schedule *out)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);

    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        out->key[round][0] = _mm256_set1_epi32((int32_t)k0);
        out->key[round][1] = _mm256_set1_epi32((int32_t)k1);
        k0 += PHILOX_WEYL_0;
        k1 += PHILOX_WEYL_1;
    }
}

/* Four blocks whose counters have these low halves; 16 words out, block after block. */
RANDOM_VECTOR static inline void
four_blocks(const struct schedule *schedule, __m256i low, __m256i high, uint32_t *out)
{
    const __m256i multiplier_0 = _mm256_set1_epi64x(PHILOX_MULTIPLIER_0);
    const __m256i multiplier_1 = _mm256_set1_epi64x(PHILOX_MULTIPLIER_1);
    __m256i c0 = low, c1 = _mm256_srli_epi64(low, 32);
    __m256i c2 = high, c3 = _mm256_srli_epi64(high, 32);
    __m256i even, odd;

    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const __m256i p0 = _mm256_mul_epu32(c0, multiplier_0);
        const __m256i p1 = _mm256_mul_epu32(c2, multiplier_1);

        c0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c1),
                              schedule->key[round][0]);
        c1 = p1;
        c2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c3),
                              schedule->key[round][1]);
        c3 = p0;
    }
    c0 = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xAA); /* words 0, 1 of each block */
    c2 = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xAA); /* words 2, 3 */
    even = _mm256_unpacklo_epi64(c0, c2);                         /* blocks 0 and 2 */
    odd = _mm256_unpackhi_epi64(c0, c2);                          /* blocks 1 and 3 */
    _mm256_storeu_si256((__m256i_u *)out, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((__m256i_u *)(out + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}

enum { CHUNK_BLOCKS = 256, CHUNK_WORDS = 4 * CHUNK_BLOCKS };

/* Work in progress: which blocks, their words, and float32 results. */
struct chunk {
    uint64_t offset[CHUNK_BLOCKS]; /* ascending, relative to the stream's base */
    _Alignas(64) uint32_t words[CHUNK_WORDS];
    union {
        _Alignas(64) float floats[CHUNK_WORDS];
        _Alignas(64) double doubles[CHUNK_WORDS / 2];
    };
    _Alignas(64) float kept[CHUNK_WORDS];
};

/* The words of chunk->offset[0 .. count). */
RANDOM_VECTOR static void
make_words(const struct random_stream *stream, const struct schedule *schedule, struct chunk *chunk,
           uint64_t count)
{
    const uint64_t base = stream->base_block;
    const bool carry = base + chunk->offset[0] < base;
    const __m256i high =
        _mm256_set1_epi64x((int64_t)(stream->seeds.counter_high + (carry ? 1 : 0)));
    const __m256i base_lanes = _mm256_set1_epi64x((int64_t)base);

    /* The low half of the counter overflows inside this chunk: rare enough for the plain way. */
    if (carry != (base + chunk->offset[count - 1] < base)) {
        for (uint64_t i = 0; i < count; i++)
            random_block(stream, chunk->offset[i], chunk->words + 4 * i);
        return;
    }
    for (uint64_t i = count; i % 4 != 0; i++)
        chunk->offset[i] = 0;
    for (uint64_t i = 0; i < count; i += 4)
        four_blocks(schedule,
                    _mm256_add_epi64(base_lanes,
                                     _mm256_loadu_si256((const __m256i_u *)(chunk->offset + i))),
                    high, chunk->words + 4 * i);
}

/* --- from words to elements ----------------------------------------------------------------- */

/* The low bits of a word in place of the leading mantissa bits of 1.0, less 1: exact, and for the
 * 16-bit types a number they hold exactly. */
VECTOR_CLONES static void
uniform_floats(const uint32_t *words, uint32_t mask, uint32_t shift, float *out, uint64_t count)
{
    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++) {
        uint32_t bits = 0x3F800000 | (words[i] & mask) << shift;
        float value;

        memcpy(&value, &bits, sizeof value);
        out[i] = value - 1.0f;
    }
}

VECTOR_CLONES static void
uniform_doubles(const uint32_t *words, double *out, uint64_t count)
{
    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++) {
        uint64_t bits =
            (uint64_t)0x3FF << 52 | (uint64_t)(words[2 * i] & 0xFFFFF) << 32 | words[2 * i + 1];
        double value;

        memcpy(&value, &bits, sizeof value);
        out[i] = value - 1.0;
    }
}

static void
uniform_int32s(const struct random_stream *stream, const uint32_t *words, uint32_t *out,
               uint64_t count)
{
    const uint32_t low = (uint32_t)stream->low, span = (uint32_t)stream->high - low;

    for (uint64_t i = 0; i < count; i++)
        out[i] = low + words[i] % span;
}

static void
uniform_int64s(const struct random_stream *stream, const uint32_t *words, uint64_t *out,
               uint64_t count)
{
    const uint64_t low = (uint64_t)stream->low, span = (uint64_t)stream->high - low;

    for (uint64_t i = 0; i < count; i++)
        out[i] = low + (words[2 * i] | (uint64_t)words[2 * i + 1] << 32) % span;
}

/* float32 results to the stream's type. */
static void
emit(enum dtype dtype, const float *floats, void *out, uint64_t count)
{
    if (dtype == DTYPE_FLOAT16)
        half_of_floats(floats, out, count);
    else if (dtype == DTYPE_BFLOAT16)
        bfloat16_of_floats(floats, out, count);
    else
        memcpy(out, floats, count * sizeof *floats);
}

static void
uniform_chunk(const struct random_stream *stream, struct chunk *chunk, uint64_t blocks, void *out)
{
    if (stream->dtype == DTYPE_FLOAT64) {
        uniform_doubles(chunk->words, out, 2 * blocks);
    } else if (stream->dtype == DTYPE_INT32) {
        uniform_int32s(stream, chunk->words, out, 4 * blocks);
    } else if (stream->dtype == DTYPE_INT64) {
        uniform_int64s(stream, chunk->words, out, 2 * blocks);
    } else if (stream->dtype == DTYPE_FLOAT32) {
        uniform_floats(chunk->words, RANDOM_MANTISSA_FLOAT, 0, out, 4 * blocks);
    } else {
        const uint32_t bits = stream->dtype == DTYPE_FLOAT16 ? 10 : 7;

        uniform_floats(chunk->words, (1u << bits) - 1, 23 - bits, chunk->floats, 4 * blocks);
        emit(stream->dtype, chunk->floats, out, 4 * blocks);
    }
}

/* --- normals -------------------------------------------------------------------------------- */

/* By the host's libm, one pair at a time. */
static void
make_host_normals(const struct random_stream *stream, struct chunk *chunk, uint64_t blocks)
{
    for (uint64_t i = 0; i < blocks; i++) {
        const uint32_t *words = chunk->words + 4 * i;

        if (stream->dtype == DTYPE_FLOAT64) {
            random_double_pair(stream->profile, words, chunk->doubles + 2 * i);
            continue;
        }
        random_float_pair(stream->profile, words, chunk->floats + 4 * i);
        random_float_pair(stream->profile, words + 2, chunk->floats + 4 * i + 2);
    }
}

/* Normals of the blocks in chunk->words, into chunk->floats or chunk->doubles. */
static void
make_normals(const struct random_stream *stream, struct chunk *chunk, uint64_t blocks)
{
    if (!random_profile_is_portable(stream->profile)) {
        make_host_normals(stream, chunk, blocks);
        return;
    }
    for (uint64_t i = 4 * blocks; i % 16 != 0; i++)
        chunk->words[i] = 0;
    if (stream->dtype == DTYPE_FLOAT64)
        random_double_normals_vector(chunk->words, chunk->doubles, (blocks + 3) / 4 * 4);
    else
        random_normals_vector(stream->profile, chunk->words, chunk->floats,
                              (4 * blocks + 7) / 8 * 8);
}

static void
normal_chunk(const struct random_stream *stream, struct chunk *chunk, uint64_t blocks, void *out)
{
    make_normals(stream, chunk, blocks);
    if (stream->dtype == DTYPE_FLOAT64)
        memcpy(out, chunk->doubles, 2 * blocks * sizeof chunk->doubles[0]);
    else
        emit(stream->dtype, chunk->floats, out, 4 * blocks);
}

/* --- truncated normals ---------------------------------------------------------------------- */

/* Every group of a chunk reads a block; those that are not full then read another, and so on. All
 * groups still pending have read the same number of blocks. */
struct pending {
    uint32_t count;
    uint32_t group[CHUNK_BLOCKS], filled[CHUNK_BLOCKS];
};

static inline bool
is_inside(const void *value, uint32_t size)
{
    float single;
    double wide;

    if (size == sizeof single) {
        memcpy(&single, value, sizeof single);
        return fabsf(single) < 2.0f;
    }
    memcpy(&wide, value, sizeof wide);
    return fabs(wide) < 2.0;
}

/* Append to each pending group what is inside of its new values; what is still not full stays
 * pending. */
static inline __attribute__((always_inline)) void
collect(struct pending *pending, const uint8_t *values, uint32_t size, uint32_t group_size,
        uint8_t *out)
{
    const uint32_t group_bytes = size * group_size;
    uint32_t left = 0;

    for (uint32_t i = 0; i < pending->count; i++, values += group_bytes) {
        const uint32_t group = pending->group[i];
        uint8_t *target = out + group * group_bytes;
        uint32_t filled = pending->filled[i];

        for (uint32_t j = 0; j < group_size && filled < group_size; j++) {
            memcpy(target + filled * size, values + j * size, size);
            filled += is_inside(values + j * size, size);
        }
        pending->group[left] = group;
        pending->filled[left] = filled;
        left += filled < group_size;
    }
    pending->count = left;
}

/* What a group of four keeps: the lanes inside, moved to the front in order, and how many they are.
 */
static const struct {
    int32_t lane[4];
    uint32_t count;
} keep[16] = {
    {{0, 1, 2, 3}, 0}, {{0, 1, 2, 3}, 1}, {{1, 0, 2, 3}, 1}, {{0, 1, 2, 3}, 2},
    {{2, 0, 1, 3}, 1}, {{0, 2, 1, 3}, 2}, {{1, 2, 0, 3}, 2}, {{0, 1, 2, 3}, 3},
    {{3, 0, 1, 2}, 1}, {{0, 3, 1, 2}, 2}, {{1, 3, 0, 2}, 2}, {{0, 1, 3, 2}, 3},
    {{2, 3, 0, 1}, 2}, {{0, 2, 3, 1}, 3}, {{1, 2, 3, 0}, 3}, {{0, 1, 2, 3}, 4},
};

/* The first block of every group, without a branch: five groups of six are full after it. */
RANDOM_VECTOR static void
collect_first(struct pending *pending, const float *values, uint32_t groups, float *out)
{
    const __m128 sign = _mm_set1_ps(-0.0f), limit = _mm_set1_ps(2.0f);
    uint32_t left = 0;

    for (uint32_t i = 0; i < groups; i++) {
        const __m128 four = _mm_loadu_ps(values + 4 * i);
        const int inside = _mm_movemask_ps(_mm_cmplt_ps(_mm_andnot_ps(sign, four), limit));
        const __m128i lanes = _mm_loadu_si128((const __m128i_u *)keep[inside].lane);

        _mm_storeu_ps(out + 4 * i, _mm_permutevar_ps(four, lanes));
        pending->group[left] = i;
        pending->filled[left] = keep[inside].count;
        left += keep[inside].count < 4;
    }
    pending->count = left;
}

static void
truncated_chunk(const struct random_stream *stream, const struct schedule *schedule,
                struct chunk *chunk, uint64_t first_group, uint64_t groups, void *out)
{
    const bool wide = stream->dtype == DTYPE_FLOAT64;
    const uint64_t reserved = random_group_size(stream->dtype) * (RANDOM_RESERVED_WORDS / 4);
    struct pending pending = {.count = (uint32_t)groups};

    for (uint32_t i = 0; i < groups; i++)
        pending.group[i] = i;
    for (uint64_t block = 0; pending.count > 0; block++) {
        for (uint32_t i = 0; i < pending.count; i++)
            chunk->offset[i] = (first_group + pending.group[i]) * reserved + block;
        make_words(stream, schedule, chunk, pending.count);
        make_normals(stream, chunk, pending.count);
        if (wide)
            collect(&pending, (const uint8_t *)chunk->doubles, 8, 2, out);
        else if (block == 0)
            collect_first(&pending, chunk->floats, (uint32_t)groups, chunk->kept);
        else
            collect(&pending, (const uint8_t *)chunk->floats, 4, 4, (uint8_t *)chunk->kept);
    }
    if (!wide)
        emit(stream->dtype, chunk->kept, out, 4 * groups);
}

/* --- the whole ------------------------------------------------------------------------------ */

bool
random_vector_available(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

void
random_fill_vector(const struct random_stream *stream, uint64_t first_group, uint64_t group_count,
                   void *out)
{
    const uint64_t group_bytes = random_group_size(stream->dtype) * dtype_size(stream->dtype);
    uint8_t *target = out;
    struct schedule schedule;
    struct chunk chunk;

    make_schedule(stream->seeds.key, &schedule);
    for (uint64_t n = 0; group_count > 0;
         first_group += n, group_count -= n, target += n * group_bytes) {
        n = group_count < CHUNK_BLOCKS ? group_count : CHUNK_BLOCKS;
        if (stream->kind == RANDOM_TRUNCATED_NORMAL) {
            truncated_chunk(stream, &schedule, &chunk, first_group, n, target);
            continue;
        }
        for (uint64_t i = 0; i < n; i++)
            chunk.offset[i] = first_group + i;
        make_words(stream, &schedule, &chunk, n);
        if (stream->kind == RANDOM_UNIFORM)
            uniform_chunk(stream, &chunk, n, target);
        else
            normal_chunk(stream, &chunk, n, target);
    }
}

#else

bool
random_vector_available(void)
{
    return false;
}

/* Not reached: the vectorised path is not available. */
void
random_fill_vector(const struct random_stream *stream, uint64_t first_group, uint64_t group_count,
                   void *out)
{
    const uint32_t group_size = random_group_size(stream->dtype);

    random_fill_plain(stream, first_group * group_size, group_count * group_size, out);
}

#endif
