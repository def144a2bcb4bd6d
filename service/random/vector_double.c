/* float64 normals, four blocks at a time.
 *
 * TensorFlow's double logarithm, sine and cosine were those of a glibc that rounded correctly. Here
 * each is first found as a sum of two doubles, with a small relative error. Where that leaves no
 * doubt about the nearest double it is the answer; else, about once in five hundred times, exact.c
 * gives it. */
#include "service/random/vector.h"

#include "service/random/exact.h"
#include "service/random/exact_table.h"
#include "service/random/parts.h"
#include "service/tensor/vector.h"

VECTOR_FILE

#ifdef RANDOM_VECTOR

/* Bounds of the relative errors. Measured: 2^-68.9, and 2^-64.1 where sin(pi/64) and the sine of
 * the rest cancel most. */
#define LOG_ERROR  0x1p-66
#define SINE_ERROR 0x1p-63

struct sum {
    __m256d high, low;
};

RANDOM_VECTOR static inline __m256d
constant(double value)
{
    return _mm256_set1_pd(value);
}

RANDOM_VECTOR static inline struct sum
add_ordered(__m256d a, __m256d b) /* |a| >= |b|, or a == 0 */
{
    const __m256d high = _mm256_add_pd(a, b);

    return (struct sum){high, _mm256_sub_pd(b, _mm256_sub_pd(high, a))};
}

RANDOM_VECTOR static inline struct sum
add_exactly(__m256d a, __m256d b)
{
    const __m256d high = _mm256_add_pd(a, b), part = _mm256_sub_pd(high, a);

    return (struct sum){
        high, _mm256_add_pd(_mm256_sub_pd(a, _mm256_sub_pd(high, part)), _mm256_sub_pd(b, part))};
}

RANDOM_VECTOR static inline struct sum
multiply_exactly(__m256d a, __m256d b)
{
    const __m256d high = _mm256_mul_pd(a, b);

    return (struct sum){high, _mm256_fmsub_pd(a, b, high)};
}

/* c[0] + c[1] x + ... + c[count - 1] x^(count - 1) */
RANDOM_VECTOR static inline __m256d
polynomial(__m256d x, const double *c, int count)
{
    __m256d value = constant(c[count - 1]);

    for (int i = count - 2; i >= 0; i--)
        value = _mm256_fmadd_pd(x, value, constant(c[i]));
    return value;
}

/* Two adjacent doubles from each of four places. */
RANDOM_VECTOR static inline struct sum
look_up(const double *table, const int64_t offset[4])
{
    const __m256d even =
        _mm256_set_m128d(_mm_loadu_pd(table + offset[2]), _mm_loadu_pd(table + offset[0]));
    const __m256d odd =
        _mm256_set_m128d(_mm_loadu_pd(table + offset[3]), _mm_loadu_pd(table + offset[1]));

    return (struct sum){_mm256_unpacklo_pd(even, odd), _mm256_unpackhi_pd(even, odd)};
}

/* The nearest doubles, and a bit for each lane where the error might matter. */
RANDOM_VECTOR static inline int
round_sum(struct sum x, double relative_error, __m256d *out)
{
    const struct sum sorted = add_ordered(x.high, x.low);
    const __m256d error = _mm256_mul_pd(sorted.high, constant(relative_error));
    const __m256d one_side = _mm256_add_pd(sorted.high, _mm256_add_pd(sorted.low, error));
    const __m256d other_side = _mm256_add_pd(sorted.high, _mm256_sub_pd(sorted.low, error));

    *out = sorted.high;
    return _mm256_movemask_pd(_mm256_cmp_pd(one_side, other_side, _CMP_NEQ_UQ));
}

/* Each 64-bit lane: the word with the high part below, the other above; 52 bits of them count. */
RANDOM_VECTOR static inline __m256d
uniform(__m256i words)
{
    const __m256i mantissa =
        _mm256_and_si256(_mm256_shuffle_epi32(words, 0xB1), _mm256_set1_epi64x(0x000FFFFFFFFFFFFF));

    return _mm256_sub_pd(
        _mm256_castsi256_pd(_mm256_or_si256(mantissa, _mm256_set1_epi64x(0x3FF0000000000000))),
        constant(1.0));
}

/* ln u, u in [1e-7, 1): the steps of random_exact_log. */
RANDOM_VECTOR static inline struct sum
log_of(__m256d u)
{
    static const double p[] = {1.0 / 3, -1.0 / 4, 1.0 / 5, -1.0 / 6, 1.0 / 7, -1.0 / 8, 1.0 / 9};
    const __m256i sqrt_half = _mm256_set1_epi64x(0x3FE6A09E667F3BCD);
    const __m256i bias = _mm256_set1_epi64x(0x0200000000000000); /* 32 in the exponent field */
    const __m256i seen =
        _mm256_add_epi64(_mm256_sub_epi64(_mm256_castpd_si256(u), sqrt_half), bias);
    const __m256d m = _mm256_castsi256_pd(_mm256_add_epi64(
        _mm256_and_si256(seen, _mm256_set1_epi64x(0x000FFFFFFFFFFFFF)), sqrt_half));
    /* An integer in the last places of 2^52 is a double less 2^52. */
    const __m256d k =
        _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64(seen, 52),
                                                          _mm256_set1_epi64x(0x4330000000000000))),
                      constant(0x1p52 + 32));
    const __m256i j = _mm256_castpd_si256(
        _mm256_fmadd_pd(m, constant(EXACT_LOG_STEPS), constant(0x1p52 - EXACT_LOG_FIRST)));
    int64_t offset[4], next[4];
    struct sum row, f, q, s, t, v;
    __m256d low;

    _mm256_storeu_si256((__m256i_u *)offset,
                        _mm256_slli_epi64(_mm256_and_si256(j, _mm256_set1_epi64x(0xFF)), 2));
    for (int i = 0; i < 4; i++)
        next[i] = offset[i] + 2;
    row = look_up(exact_log[0], offset); /* c, a number near 1/m, and the first part of -ln c */
    /* f = m c - 1, as a sum. */
    f = multiply_exactly(m, row.high);
    f = add_ordered(_mm256_sub_pd(f.high, constant(1.0)), f.low);
    /* f^2 / 2, likewise. */
    q = multiply_exactly(f.high, _mm256_mul_pd(f.high, constant(0.5)));
    q.low = _mm256_fmadd_pd(f.high, f.low, q.low);
    s = add_exactly(_mm256_mul_pd(k, constant(exact_ln2[0])), row.low);
    t = add_exactly(s.high, f.high);
    v = add_exactly(t.high, _mm256_sub_pd(_mm256_setzero_pd(), q.high));
    low = _mm256_mul_pd(_mm256_mul_pd(f.high, _mm256_mul_pd(f.high, f.high)),
                        polynomial(f.high, p, sizeof p / sizeof p[0]));
    low = _mm256_add_pd(low, _mm256_sub_pd(f.low, q.low));
    low = _mm256_add_pd(
        low, _mm256_fmadd_pd(k, constant(exact_ln2[1]), look_up(exact_log[0], next).high));
    low = _mm256_add_pd(low, _mm256_add_pd(s.low, _mm256_add_pd(t.low, v.low)));
    return (struct sum){v.high, low};
}

/* y = x - j pi/64 as a sum, |y| <= pi/128, with the powers of it that sine and cosine share. */
struct reduced {
    struct sum y, half_square;           /* y, y^2 / 2 */
    __m256d sine_rest;                   /* sin y less the first part of y */
    __m256d cosine_rest;                 /* cos y - 1 plus the first part of y^2 / 2 */
    struct sum table_sine, table_cosine; /* of j pi/64 */
};

RANDOM_VECTOR static inline struct reduced
reduce(__m256d x)
{
    static const double p_sine[] = {-1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880};
    static const double p_cosine[] = {1.0 / 24, -1.0 / 720, 1.0 / 40320};
    const __m256d shifted = _mm256_fmadd_pd(x, constant(0x1.45f306dc9c883p+4), constant(0x1.8p52));
    const __m256d j = _mm256_sub_pd(shifted, constant(0x1.8p52));
    const __m256d left = _mm256_fnmadd_pd(j, constant(exact_step[0]), x);
    int64_t offset[4], quarter[4];
    struct reduced r;
    __m256d y2;

    _mm256_storeu_si256(
        (__m256i_u *)offset,
        _mm256_slli_epi64(
            _mm256_and_si256(_mm256_castpd_si256(shifted), _mm256_set1_epi64x(EXACT_TURN - 1)), 1));
    for (int i = 0; i < 4; i++)
        quarter[i] = offset[i] + 2 * EXACT_QUARTER;
    r.table_sine = look_up(exact_sine[0], offset);
    r.table_cosine = look_up(exact_sine[0], quarter);
    r.y = add_exactly(left, _mm256_mul_pd(j, constant(-exact_step[1])));
    r.y = add_ordered(r.y.high, _mm256_fnmadd_pd(j, constant(exact_step[2]), r.y.low));
    r.half_square = multiply_exactly(r.y.high, _mm256_mul_pd(r.y.high, constant(0.5)));
    r.half_square.low = _mm256_fmadd_pd(r.y.high, r.y.low, r.half_square.low);
    y2 = _mm256_mul_pd(r.y.high, r.y.high);
    r.sine_rest = _mm256_fmadd_pd(_mm256_mul_pd(r.y.high, y2), polynomial(y2, p_sine, 4), r.y.low);
    r.cosine_rest =
        _mm256_fmsub_pd(_mm256_mul_pd(y2, y2), polynomial(y2, p_cosine, 3), r.half_square.low);
    return r;
}

/* a cos y + b sin y. */
RANDOM_VECTOR static inline struct sum
rotate(const struct reduced *r, struct sum a, struct sum b)
{
    const struct sum linear = multiply_exactly(b.high, r->y.high);
    const struct sum square = multiply_exactly(a.high, r->half_square.high);
    const struct sum first = add_exactly(a.high, linear.high);
    const struct sum second =
        add_exactly(first.high, _mm256_sub_pd(_mm256_setzero_pd(), square.high));
    __m256d low = _mm256_fnmadd_pd(a.low, r->half_square.high, a.low);

    low = _mm256_fmadd_pd(b.low, r->y.high, low);
    low = _mm256_fmadd_pd(a.high, r->cosine_rest, low);
    low = _mm256_fmadd_pd(b.high, r->sine_rest, low);
    low = _mm256_add_pd(low, _mm256_sub_pd(linear.low, square.low));
    return (struct sum){second.high, _mm256_add_pd(low, _mm256_add_pd(first.low, second.low))};
}

/* --- the answers, exact.c's where there is doubt -------------------------------------------- */

RANDOM_VECTOR static __attribute__((noinline, cold)) __m256d
exact_logs(__m256d u)
{
    double in[4], out[4];

    _mm256_storeu_pd(in, u);
    for (int i = 0; i < 4; i++)
        out[i] = random_exact_log(in[i]);
    return _mm256_loadu_pd(out);
}

RANDOM_VECTOR static __attribute__((noinline, cold)) void
exact_sincos(__m256d angle, __m256d *sine, __m256d *cosine)
{
    double in[4], s[4], c[4];

    _mm256_storeu_pd(in, angle);
    for (int i = 0; i < 4; i++)
        random_exact_sincos(in[i], &s[i], &c[i]);
    *sine = _mm256_loadu_pd(s);
    *cosine = _mm256_loadu_pd(c);
}

RANDOM_VECTOR static inline void
functions_of(__m256d u, __m256d angle, __m256d *log, __m256d *sine, __m256d *cosine)
{
    const struct reduced r = reduce(angle);
    const struct sum minus = {_mm256_sub_pd(_mm256_setzero_pd(), r.table_sine.high),
                              _mm256_sub_pd(_mm256_setzero_pd(), r.table_sine.low)};
    int doubt = round_sum(log_of(u), LOG_ERROR, log);

    if (__builtin_expect(doubt != 0, 0))
        *log = exact_logs(u);
    doubt = round_sum(rotate(&r, r.table_sine, r.table_cosine), SINE_ERROR, sine);
    doubt |= round_sum(rotate(&r, r.table_cosine, minus), SINE_ERROR, cosine);
    if (__builtin_expect(doubt != 0, 0))
        exact_sincos(angle, sine, cosine);
}

RANDOM_VECTOR void
random_functions_vector(const double uniforms[4], const double angles[4], double logs[4],
                        double sines[4], double cosines[4])
{
    __m256d log, sine, cosine;

    functions_of(_mm256_loadu_pd(uniforms), _mm256_loadu_pd(angles), &log, &sine, &cosine);
    _mm256_storeu_pd(logs, log);
    _mm256_storeu_pd(sines, sine);
    _mm256_storeu_pd(cosines, cosine);
}

RANDOM_VECTOR void
random_double_normals_vector(const uint32_t *words, double *out, uint64_t block_count)
{
    for (uint64_t i = 0; i < block_count; i += 4, words += 16, out += 8) {
        const __m256i front = _mm256_loadu_si256((const __m256i_u *)words);
        const __m256i back = _mm256_loadu_si256((const __m256i_u *)(words + 8));
        /* Blocks 0, 2, 1, 3: that order comes undone below. */
        const __m256d u = _mm256_max_pd(uniform(_mm256_unpacklo_epi64(front, back)),
                                        constant(RANDOM_UNIFORM_MIN_DOUBLE));
        const __m256d turn = uniform(_mm256_unpackhi_epi64(front, back));
        __m256d radius, sine, cosine;

        functions_of(u, _mm256_mul_pd(turn, constant(2 * 0x1.921fb54442d18p+1)), &radius, &sine,
                     &cosine);
        radius = _mm256_sqrt_pd(_mm256_mul_pd(radius, constant(-2.0)));
        sine = _mm256_mul_pd(sine, radius);
        cosine = _mm256_mul_pd(cosine, radius);
        _mm256_storeu_pd(out, _mm256_unpacklo_pd(sine, cosine));
        _mm256_storeu_pd(out + 4, _mm256_unpackhi_pd(sine, cosine));
    }
}

#else

/* Not called: the vectorised path is not available. */
void
random_functions_vector(const double uniforms[4], const double angles[4], double logs[4],
                        double sines[4], double cosines[4])
{
    for (int i = 0; i < 4; i++) {
        logs[i] = random_exact_log(uniforms[i]);
        random_exact_sincos(angles[i], &sines[i], &cosines[i]);
    }
}

#endif
