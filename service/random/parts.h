/* What the generators share: Philox's constants, blocks of a stream, and groups of elements.
 * Private to service/random. */
#ifndef SERVICE_RANDOM_PARTS_H
#define SERVICE_RANDOM_PARTS_H

#include "service/random/random.h"

#define PHILOX_MULTIPLIER_0 0xD2511F53u
#define PHILOX_MULTIPLIER_1 0xCD9E8D57u
#define PHILOX_WEYL_0       0x9E3779B9u /* the golden ratio */
#define PHILOX_WEYL_1       0xBB67AE85u /* sqrt(3) - 1 */
enum { PHILOX_ROUNDS = 10 };

enum {
    RANDOM_RESERVED_WORDS = 256, /* what TensorFlow sets aside per output of a truncated normal */
    RANDOM_GROUP_BYTES_MAX = 16,
    RANDOM_MANTISSA_FLOAT = 0x7FFFFF /* the low bits of a word that become a float32 uniform */
};

/* TensorFlow raises a uniform of 0 to this before its logarithm is taken. */
#define RANDOM_UNIFORM_MIN        1.0e-7f
#define RANDOM_UNIFORM_MIN_DOUBLE 1.0e-7

/* The angle words (low 23 bits) for which glibc 2.16 to 2.26 did not round sine or cosine
 * correctly, and the float32 it gave instead. */
enum { RANDOM_ODD_SINE_1 = 2670662, RANDOM_ODD_SINE_2 = 6546207, RANDOM_ODD_COSINE = 926179 };
#define RANDOM_ODD_SINE_1_BITS 0x3F68BDCDu
#define RANDOM_ODD_SINE_2_BITS 0xBF7B5A8Fu
#define RANDOM_ODD_COSINE_BITS 0x3F44D4CCu

/* Sun's float32 logarithm (fdlibm, 1993): ln 2 in two parts, the first short enough that multiples
 * of it by an exponent are exact; coefficients of log((1 + s) / (1 - s)) / s - 2 in s^2; a third.
 */
#define FDLIBM_LN2_HIGH 0x1.62e3p-1f
#define FDLIBM_LN2_LOW  0x1.2fefa2p-17f
#define FDLIBM_LG1      0x1.555556p-1f
#define FDLIBM_LG2      0x1.99999ap-2f
#define FDLIBM_LG3      0x1.24924ap-2f
#define FDLIBM_LG4      0x1.c71c52p-3f
#define FDLIBM_LG5      0x1.74664ap-3f
#define FDLIBM_LG6      0x1.39a09ep-3f
#define FDLIBM_LG7      0x1.2f112ep-3f
#define FDLIBM_THIRD    0x1.555556p-2f

/* Block `offset` of the stream: counter (counter_high << 64) + base_block + offset. */
void random_block(const struct random_stream *stream, uint64_t offset, uint32_t out[4]);

/* Elements made together: 4, or 2 of the 8-byte types. */
uint32_t random_group_size(enum dtype dtype);
/* The group's elements, of which a short last group uses the first. The plain path's heart. */
void random_group_plain(const struct random_stream *stream, uint64_t group,
                        uint8_t out[RANDOM_GROUP_BYTES_MAX]);

/* The three factors of a float32 normal pair, which is sine * radius, cosine * radius. */
struct random_factors {
    float radius, sine, cosine;
};
void random_factors_plain(enum random_profile profile, uint32_t radius_word, uint32_t angle_word,
                          struct random_factors *out);
float random_radius_plain(enum random_profile profile, uint32_t word);
/* Sun's float32 logarithm, operation by operation; x positive and normal. */
float random_fdlibm_logf(float x);
/* Uniforms of [0, 1) from the low bits of words. */
float random_uniform_float(uint32_t word);
double random_uniform_double(uint32_t high, uint32_t low);
/* Two normals from two words (radius, angle), or from four (two each). */
void random_float_pair(enum random_profile profile, const uint32_t words[2], float out[2]);
void random_double_pair(enum random_profile profile, const uint32_t words[4], double out[2]);

/* The words of a stream from some block on, one after the other. */
struct random_words {
    const struct random_stream *stream;
    uint64_t next_block;
    uint32_t block[4];
    uint32_t used;
};
struct random_words random_words_from(const struct random_stream *stream, uint64_t block);
uint32_t random_next_word(struct random_words *words);

/* Whether this processor has what the vectorised path needs; the two calls below require it. */
bool random_vector_available(void);
/* Whole groups [first_group, first_group + group_count); any stream. */
void random_fill_vector(const struct random_stream *stream, uint64_t first_group,
                        uint64_t group_count, void *out);
/* words: radius and angle in turn; a portable profile. */
void random_factors_vector(enum random_profile profile, const uint32_t words[8],
                           struct random_factors out[4]);

#endif
