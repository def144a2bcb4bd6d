/* float32 normals, four pairs at a time, in double; under the portable profiles.
 *
 * The logarithm needs a relative error below 2^-49 and sine and cosine one below 2^-47 to round to
 * the right float32 (the true values are never closer than that to where rounding changes). The
 * polynomials are Chebyshev fits with errors of 2^-50 and less; the unit test runs through all 2^23
 * inputs. */
#include "service/random/vector.h"

#include "service/random/parts.h"
#include "service/tensor/vector.h"

VECTOR_FILE

#ifdef RANDOM_VECTOR

RANDOM_VECTOR static inline __m256d
constant(double value)
{
    return _mm256_set1_pd(value);
}

RANDOM_VECTOR static inline __m128
singles(float value)
{
    return _mm_set1_ps(value);
}

RANDOM_VECTOR static inline __m128i
lanes(int32_t value)
{
    return _mm_set1_epi32(value);
}

/* a + x y, rounded twice. */
RANDOM_VECTOR static inline __m128
add_scaled(float a, __m128 x, __m128 y)
{
    return _mm_add_ps(singles(a), _mm_mul_ps(x, y));
}

/* c[0] + c[1] x + ... + c[5] x^5, in pairs so that less waits for less. */
RANDOM_VECTOR static inline __m256d
polynomial(__m256d x, const double c[6])
{
    const __m256d x2 = _mm256_mul_pd(x, x);
    const __m256d low = _mm256_fmadd_pd(x, constant(c[1]), constant(c[0]));
    const __m256d middle = _mm256_fmadd_pd(x, constant(c[3]), constant(c[2]));
    const __m256d high = _mm256_fmadd_pd(x, constant(c[5]), constant(c[4]));

    return _mm256_fmadd_pd(x2, _mm256_fmadd_pd(x2, high, middle), low);
}

/* The low 23 bits of each 64-bit lane as a number in [0, 1): the float32 uniform, held in double.
 */
RANDOM_VECTOR static inline __m256d
uniform(__m256i words)
{
    const __m256i mantissa = _mm256_and_si256(words, _mm256_set1_epi64x(RANDOM_MANTISSA_FLOAT));
    const __m256i bits =
        _mm256_or_si256(_mm256_slli_epi64(mantissa, 29), _mm256_set1_epi64x(0x3FF0000000000000));

    return _mm256_sub_pd(_mm256_castsi256_pd(bits), constant(1.0));
}

/* ln u. u = m 2^k, m in [sqrt(1/2), sqrt(2)), and with s = (m - 1) / (m +
 * 1): ln m = 2 s + s z P(z), z = s^2. */
RANDOM_VECTOR static inline __m256d
log_of(__m256d u)
{
    static const double p[] = {0x1.55555555553b8p-1, 0x1.9999999b86b38p-2, 0x1.2492462aae0ecp-2,
                               0x1.c71fcd18711c4p-3, 0x1.7382d1330ebcfp-3, 0x1.546ad42a9a1a9p-3};
    const __m256i sqrt_half = _mm256_set1_epi64x(0x3FE6A09E667F3BCD);
    const __m256i bias = _mm256_set1_epi64x(0x0200000000000000); /* 32 in the exponent field */
    const __m256i fraction = _mm256_set1_epi64x(0x000FFFFFFFFFFFFF);
    const __m256i bits =
        _mm256_castpd_si256(_mm256_max_pd(u, constant((double)RANDOM_UNIFORM_MIN)));
    /* Seen from sqrt(1/2), the exponent field holds k; biased, so that it is not negative. */
    const __m256i seen = _mm256_add_epi64(_mm256_sub_epi64(bits, sqrt_half), bias);
    const __m256d m =
        _mm256_castsi256_pd(_mm256_add_epi64(_mm256_and_si256(seen, fraction), sqrt_half));
    /* An integer in the last places of 2^52 is a double less 2^52. */
    const __m256d k =
        _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64(seen, 52),
                                                          _mm256_set1_epi64x(0x4330000000000000))),
                      constant(0x1p52 + 32));
    const __m256d f = _mm256_sub_pd(m, constant(1.0));
    const __m256d s = _mm256_div_pd(f, _mm256_add_pd(m, constant(1.0)));
    const __m256d z = _mm256_mul_pd(s, s);
    __m256d log = _mm256_fmadd_pd(_mm256_mul_pd(s, z), polynomial(z, p), _mm256_add_pd(s, s));

    return _mm256_fmadd_pd(k, constant(0x1.62e42fefa39efp-1), log);
}

/* Sun's float32 logarithm (profile.c), operation by operation, without its branches: with k = 0 the
 * one formula gives the bits of the shorter one, and what differs is one term. */
RANDOM_VECTOR static inline __m128
fdlibm_logs(__m128 x)
{
    const __m128i word = _mm_castps_si128(x), fraction = _mm_and_si128(word, lanes(0x7FFFFF));
    const __m128i up = _mm_and_si128(_mm_add_epi32(fraction, lanes(0x95F64 << 3)), lanes(0x800000));
    const __m128 k = _mm_cvtepi32_ps(
        _mm_add_epi32(_mm_sub_epi32(_mm_srli_epi32(word, 23), lanes(127)), _mm_srli_epi32(up, 23)));
    const __m128i scaled = _mm_or_si128(fraction, _mm_xor_si128(up, lanes(0x3F800000)));
    const __m128 f = _mm_sub_ps(_mm_castsi128_ps(scaled), singles(1.0f));
    const __m128 s = _mm_div_ps(f, _mm_add_ps(singles(2.0f), f)), z = _mm_mul_ps(s, s);
    const __m128 w = _mm_mul_ps(z, z), k_low = _mm_mul_ps(k, singles(FDLIBM_LN2_LOW));
    const __m128 odd = _mm_mul_ps(
        z, add_scaled(FDLIBM_LG1, w,
                      add_scaled(FDLIBM_LG3, w, add_scaled(FDLIBM_LG5, w, singles(FDLIBM_LG7)))));
    const __m128 even =
        _mm_mul_ps(w, add_scaled(FDLIBM_LG2, w, add_scaled(FDLIBM_LG4, w, singles(FDLIBM_LG6))));
    const __m128 rest = _mm_add_ps(even, odd);
    const __m128 half_square = _mm_mul_ps(_mm_mul_ps(singles(0.5f), f), f);
    const __m128 tiny_rest = _mm_mul_ps(
        _mm_mul_ps(f, f), _mm_sub_ps(singles(0.5f), _mm_mul_ps(singles(FDLIBM_THIRD), f)));
    const __m128 middle =
        _mm_sub_ps(half_square, _mm_add_ps(_mm_mul_ps(s, _mm_add_ps(half_square, rest)), k_low));
    const __m128 usual = _mm_sub_ps(_mm_mul_ps(s, _mm_sub_ps(f, rest)), k_low);
    const __m128i in_middle = _mm_or_si128(_mm_sub_epi32(fraction, lanes(0x6147A << 3)),
                                           _mm_sub_epi32(lanes(0x6B851 << 3), fraction));
    const __m128i tiny = _mm_cmplt_epi32(
        _mm_and_si128(_mm_add_epi32(fraction, lanes(15)), lanes(0x7FFFFF)), lanes(16));
    __m128 term = _mm_blendv_ps(usual, middle,
                                _mm_castsi128_ps(_mm_cmpgt_epi32(in_middle, _mm_setzero_si128())));

    term = _mm_blendv_ps(term, _mm_sub_ps(tiny_rest, k_low), _mm_castsi128_ps(tiny));
    return _mm_sub_ps(_mm_mul_ps(k, singles(FDLIBM_LN2_HIGH)), _mm_sub_ps(term, f));
}

/* sqrt(-2 ln u): rounded once at the end, or the logarithm too, or Sun's logarithm. */
RANDOM_VECTOR static inline __m128
radius_of(enum random_profile profile, __m256d u)
{
    __m256d log;

    if (profile == RANDOM_PROFILE_LATE_GLIBC_2_26)
        return _mm_sqrt_ps(
            _mm_mul_ps(singles(-2.0f),
                       fdlibm_logs(_mm_max_ps(_mm256_cvtpd_ps(u), singles(RANDOM_UNIFORM_MIN)))));
    log = log_of(u);
    if (profile == RANDOM_PROFILE_FLOAT_CR)
        return _mm_sqrt_ps(_mm_mul_ps(_mm256_cvtpd_ps(log), singles(-2.0f)));
    return _mm256_cvtpd_ps(_mm256_sqrt_pd(_mm256_mul_pd(log, constant(-2.0))));
}

/* Sine and cosine of a float32 in [0, 2 pi], rounded once each. v = j pi/2 + y, |y| <= pi/4. */
RANDOM_VECTOR static inline void
sincos_of(__m128 angle, __m128 *sine, __m128 *cosine)
{
    static const double p_sine[] = {-0x1.5555555555555p-3,  0x1.1111111110bb2p-7,
                                    -0x1.a01a019e83a29p-13, 0x1.71de37967f49ep-19,
                                    -0x1.ae600af77bf94p-26, 0x1.5e0b15ed56699p-33};
    static const double p_cosine[] = {0x1.5555555555555p-5,  -0x1.6c16c16c16967p-10,
                                      0x1.a01a019f4eabep-16, -0x1.27e4fa17d4a58p-22,
                                      0x1.1eeb68e39cf4dp-29, -0x1.907d9f5b4de2bp-37};
    const __m256i sign = _mm256_set1_epi64x(INT64_MIN);
    const __m256d v = _mm256_cvtps_pd(angle);
    /* Rounded to an integer by the last place of 3 * 2^51; its low bits are j. */
    const __m256d shifted = _mm256_fmadd_pd(v, constant(0x1.45f306dc9c883p-1), constant(0x1.8p52));
    const __m256i j_bits = _mm256_castpd_si256(shifted);
    const __m256d j = _mm256_sub_pd(shifted, constant(0x1.8p52));
    /* pi/2 in two parts, the first of 33 bits: its products with j are exact. */
    const __m256d y = _mm256_fnmadd_pd(j, constant(0x1.0b4611a626331p-34),
                                       _mm256_fnmadd_pd(j, constant(0x1.921fb544p+0), v));
    const __m256d z = _mm256_mul_pd(y, y);
    const __m256d s = _mm256_fmadd_pd(_mm256_mul_pd(y, z), polynomial(z, p_sine), y);
    const __m256d c = _mm256_fmadd_pd(_mm256_mul_pd(z, z), polynomial(z, p_cosine),
                                      _mm256_fnmadd_pd(z, constant(0.5), constant(1.0)));
    const __m256d odd = _mm256_castsi256_pd(_mm256_slli_epi64(j_bits, 63));
    const __m256i minus_s = _mm256_slli_epi64(j_bits, 62);
    const __m256i minus_c = _mm256_slli_epi64(_mm256_add_epi64(j_bits, _mm256_set1_epi64x(1)), 62);

    *sine = _mm256_cvtpd_ps(_mm256_xor_pd(_mm256_blendv_pd(s, c, odd),
                                          _mm256_castsi256_pd(_mm256_and_si256(minus_s, sign))));
    *cosine = _mm256_cvtpd_ps(_mm256_xor_pd(_mm256_blendv_pd(c, s, odd),
                                            _mm256_castsi256_pd(_mm256_and_si256(minus_c, sign))));
}

/* Whether one of the angles is one that old glibc rounded its own way. */
RANDOM_VECTOR static inline bool
has_exception(__m256i angle_words)
{
    const __m256i word = _mm256_and_si256(angle_words, _mm256_set1_epi64x(RANDOM_MANTISSA_FLOAT));
    const __m256i any = _mm256_or_si256(
        _mm256_or_si256(_mm256_cmpeq_epi64(word, _mm256_set1_epi64x(RANDOM_ODD_SINE_1)),
                        _mm256_cmpeq_epi64(word, _mm256_set1_epi64x(RANDOM_ODD_SINE_2))),
        _mm256_cmpeq_epi64(word, _mm256_set1_epi64x(RANDOM_ODD_COSINE)));

    return _mm256_testz_si256(any, any) == 0;
}

/* Once in about 700 000 rounds, the plain way; words: radius and angle in turn. */
RANDOM_VECTOR static __attribute__((noinline, cold)) void
apply_exceptions(const uint32_t words[8], float sine[4], float cosine[4])
{
    struct random_factors factors;

    for (int i = 0; i < 4; i++) {
        random_factors_plain(RANDOM_PROFILE_R1_LINUX, words[2 * i], words[2 * i + 1], &factors);
        sine[i] = factors.sine;
        cosine[i] = factors.cosine;
    }
}

RANDOM_VECTOR static inline __attribute__((always_inline)) void
factors_of(enum random_profile profile, const uint32_t words[8], __m128 *radius, __m128 *sine,
           __m128 *cosine)
{
    /* Each 64-bit lane: the radius word below, the angle word above. */
    const __m256i pairs = _mm256_loadu_si256((const __m256i_u *)words);
    const __m256i angle_words = _mm256_srli_epi64(pairs, 32);
    const __m256d turn = _mm256_mul_pd(constant(2 * 0x1.921fb54442d18p+1), uniform(angle_words));

    *radius = radius_of(profile, uniform(pairs));
    sincos_of(_mm256_cvtpd_ps(turn), sine, cosine);
    if (profile != RANDOM_PROFILE_FLOAT_CR && __builtin_expect(has_exception(angle_words), 0)) {
        float s[4], c[4];

        apply_exceptions(words, s, c);
        *sine = _mm_loadu_ps(s);
        *cosine = _mm_loadu_ps(c);
    }
}

RANDOM_VECTOR void
random_factors_vector(enum random_profile profile, const uint32_t words[8],
                      struct random_factors out[4])
{
    float radius[4], sine[4], cosine[4];
    __m128 r, s, c;

    factors_of(profile, words, &r, &s, &c);
    _mm_storeu_ps(radius, r);
    _mm_storeu_ps(sine, s);
    _mm_storeu_ps(cosine, c);
    for (int i = 0; i < 4; i++)
        out[i] = (struct random_factors){radius[i], sine[i], cosine[i]};
}

/* Compiled once for each profile: the target's loop is not to ask which it is. */
RANDOM_VECTOR static inline __attribute__((always_inline)) void
normals_of(enum random_profile profile, const uint32_t *words, float *out, uint64_t count)
{
    for (uint64_t i = 0; i < count; i += 8) {
        __m128 r, s, c;

        factors_of(profile, words + i, &r, &s, &c);
        s = _mm_mul_ps(s, r);
        c = _mm_mul_ps(c, r);
        _mm_storeu_ps(out + i, _mm_unpacklo_ps(s, c));
        _mm_storeu_ps(out + i + 4, _mm_unpackhi_ps(s, c));
    }
}

RANDOM_VECTOR void
random_normals_vector(enum random_profile profile, const uint32_t *words, float *out,
                      uint64_t count)
{
    if (profile == RANDOM_PROFILE_R1_LINUX)
        normals_of(RANDOM_PROFILE_R1_LINUX, words, out, count);
    else if (profile == RANDOM_PROFILE_FLOAT_CR)
        normals_of(RANDOM_PROFILE_FLOAT_CR, words, out, count);
    else
        normals_of(RANDOM_PROFILE_LATE_GLIBC_2_26, words, out, count);
}

#else

/* Not called: the vectorised path is not available. */
void
random_factors_vector(enum random_profile profile, const uint32_t words[8],
                      struct random_factors out[4])
{
    for (int i = 0; i < 4; i++)
        random_factors_plain(profile, words[2 * i], words[2 * i + 1], &out[i]);
}

#endif
