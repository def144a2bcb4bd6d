/* The fast path. float32 is looked at and summed where it lies; other types by blocks of float64
 * that stay in the first-level cache. A block that is not finite throughout is sorted out element
 * by element. */
#include "service/tensor/statistics.h"

#include <math.h>
#include <string.h>

#include "service/tensor/vector.h"
#include "store/base/check.h"

VECTOR_FILE

enum { LANES = KERNEL_STATISTICS_LANES, HALF = LANES / 2, BLOCK = KERNEL_STATISTICS_BLOCK };

_Static_assert(BLOCK % LANES == 0, "a block is whole vectors");

typedef double doubles __attribute__((vector_size(HALF * sizeof(double))));
typedef int64_t masks __attribute__((vector_size(HALF * sizeof(int64_t))));

#define EXPONENT_64 ((int64_t)0x7FF0000000000000)
#define NO_SIGN_64  ((int64_t)0x7FFFFFFFFFFFFFFF)
#define EXPONENT_32 0x7F800000

/* By lane: the first HALF of them, the others. */
struct sums {
    doubles sum[2], absolute[2], shifted[2], squares[2];
};

/* Of a block. */
struct outline {
    uint64_t zero, negative;
    double min, max;
    bool finite;
};

/* Written out by the elements: of that compilers make the conversion that processors have. */
#define HALF_OF(x) ((doubles){(double)(x)[0], (double)(x)[1], (double)(x)[2], (double)(x)[3]})

#define ADD_VECTOR(s, half, x, c)                                                                  \
    do {                                                                                           \
        const doubles x_ = (x), d_ = x_ - (c);                                                     \
                                                                                                   \
        (s).sum[half] += x_;                                                                       \
        (s).absolute[half] += (doubles)((masks)x_ & NO_SIGN_64);                                   \
        (s).shifted[half] += d_;                                                                   \
        (s).squares[half] += d_ * d_;                                                              \
    } while (0)

#define ADD_PLAIN(s, half, x)                                                                      \
    do {                                                                                           \
        const doubles x_ = (x);                                                                    \
                                                                                                   \
        (s).sum[half] += x_;                                                                       \
        (s).absolute[half] += (doubles)((masks)x_ & NO_SIGN_64);                                   \
        (s).squares[half] += x_ * x_;                                                              \
    } while (0)

/* Vectors a and b, a's lanes where the mask is set. */
#define SELECT(mask, a, b) ((doubles)(((masks)(a) & (mask)) | ((masks)(b) & ~(mask))))

/* Whole vectors only. */
VECTOR_CLONES static void
look_at_doubles(const double *x, uint64_t count, struct outline *out)
{
    const doubles first = {x[0], x[0], x[0], x[0]};
    doubles least = first, greatest = first;
    masks zero = {0}, negative = {0}, wild = {0};

    for (uint64_t i = 0; i < count; i += HALF) {
        doubles v;

        memcpy(&v, x + i, sizeof v);
        wild |= ((masks)v & EXPONENT_64) == EXPONENT_64;
        zero += v == 0;
        negative += v < 0;
        least = SELECT(v < least, v, least);
        greatest = SELECT(v > greatest, v, greatest);
    }
    *out = (struct outline){.min = least[0], .max = greatest[0], .finite = true};
    for (int i = 0; i < HALF; i++) {
        out->zero -= (uint64_t)zero[i];
        out->negative -= (uint64_t)negative[i];
        out->min = least[i] < out->min ? least[i] : out->min;
        out->max = greatest[i] > out->max ? greatest[i] : out->max;
        out->finite = out->finite && wild[i] == 0;
    }
}

/* The bits of a float by the order of its value, -0.0 right below 0.0; and back. */
static inline int32_t
order_of(int32_t bits)
{
    return bits ^ (int32_t)((uint32_t)(bits >> 31) >> 1);
}

static double
value_of(int32_t order)
{
    const int32_t bits = order_of(order);
    float value;

    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* By their bits: of integers compilers find the instructions for the lesser and the greater of two.
 */
VECTOR_CLONES static void
look_at_floats(const int32_t *x, uint64_t count, struct outline *out)
{
    int32_t least = INT32_MAX, greatest = INT32_MIN, positive = 0, negative = 0;

    for (uint64_t i = 0; i < count; i++) {
        const int32_t order = order_of(x[i]);

        least = order < least ? order : least;
        greatest = order > greatest ? order : greatest;
        positive += order > 0;
        negative += order < -1;
    }
    *out = (struct outline){.zero = count - (uint64_t)positive - (uint64_t)negative,
                            .negative = (uint64_t)negative,
                            .min = value_of(least),
                            .max = value_of(greatest),
                            .finite = greatest < EXPONENT_32 &&
                                      least > order_of(INT32_MIN | EXPONENT_32)};
}

VECTOR_CLONES static void
add_doubles(const double *x, uint64_t count, double centre, struct sums *out)
{
    const doubles c = {centre, centre, centre, centre};
    struct sums s;

    memset(&s, 0, sizeof s);
    for (uint64_t i = 0; i < count; i += LANES) {
        doubles p, q;

        memcpy(&p, x + i, sizeof p);
        memcpy(&q, x + i + HALF, sizeof q);
        ADD_VECTOR(s, 0, p, c);
        ADD_VECTOR(s, 1, q, c);
    }
    *out = s;
}

VECTOR_CLONES static void
add_floats(const float *x, uint64_t count, double centre, struct sums *out)
{
    const doubles c = {centre, centre, centre, centre};
    struct sums s;

    memset(&s, 0, sizeof s);
    for (uint64_t i = 0; i < count; i += LANES) {
        ADD_VECTOR(s, 0, HALF_OF(x + i), c);
        ADD_VECTOR(s, 1, HALF_OF(x + i + HALF), c);
    }
    *out = s;
}

/* About 0. */
VECTOR_CLONES static void
add_plain_floats(const float *x, uint64_t count, struct sums *out)
{
    struct sums s;

    memset(&s, 0, sizeof s);
    for (uint64_t i = 0; i < count; i += LANES) {
        ADD_PLAIN(s, 0, HALF_OF(x + i));
        ADD_PLAIN(s, 1, HALF_OF(x + i + HALF));
    }
    memcpy(s.shifted, s.sum, sizeof s.shifted);
    *out = s;
}

/* Lanes are added pairwise. */
static double
gather(const doubles lanes[2])
{
    doubles half = lanes[0] + lanes[1];

    return (half[0] + half[2]) + (half[1] + half[3]);
}

static void
put_together(const struct sums *sums, const struct outline *look, uint64_t count,
             struct kernel_statistics *out)
{
    const double shifted = gather(sums->shifted);

    *out = (struct kernel_statistics){.count = count,
                                      .zero = look->zero,
                                      .negative = look->negative,
                                      .min = look->min + 0.0,
                                      .max = look->max + 0.0,
                                      .sum = gather(sums->sum),
                                      .absolute = gather(sums->absolute)};
    out->deviations = gather(sums->squares) - shifted * shifted / (double)count;
    if (!(out->deviations >= 0))
        out->deviations = isnan(out->deviations) ? INFINITY : 0;
}

/* What no whole vector is made of: the lanes go on, element by element. */
static void
look_at_rest(const double *x, uint64_t begin, uint64_t end, struct outline *look)
{
    for (uint64_t i = begin; i < end; i++) {
        look->zero += x[i] == 0;
        look->negative += x[i] < 0;
        look->min = x[i] < look->min ? x[i] : look->min;
        look->max = x[i] > look->max ? x[i] : look->max;
        look->finite = look->finite && isfinite(x[i]);
    }
}

static void
add_rest(const double *x, uint64_t begin, uint64_t end, double centre, struct sums *sums)
{
    for (uint64_t i = begin; i < end; i++) {
        const int half = i % LANES / HALF, lane = i % HALF;
        const double d = x[i] - centre;

        sums->sum[half][lane] += x[i];
        sums->absolute[half][lane] += fabs(x[i]);
        sums->shifted[half][lane] += d;
        sums->squares[half][lane] += d * d;
    }
}

/* False, and nothing is said, where not all are finite. */
static bool
take_finite(const double *x, uint64_t count, struct kernel_statistics *out)
{
    const uint64_t whole = count / LANES * LANES;
    struct outline look = {.min = x[0], .max = x[0], .finite = true};
    struct sums sums;
    double centre;

    memset(&sums, 0, sizeof sums);
    if (whole > 0)
        look_at_doubles(x, whole, &look);
    look_at_rest(x, whole, count, &look);
    if (!look.finite)
        return false;
    centre = kernel_statistics_centre(look.min, look.max, x[0]);
    if (whole > 0)
        add_doubles(x, whole, centre, &sums);
    add_rest(x, whole, count, centre, &sums);
    put_together(&sums, &look, count, out);
    return true;
}

static bool
take_floats(const void *x, uint64_t count, struct kernel_statistics *out)
{
    struct sums sums;
    struct outline look;
    float first;
    double centre;

    look_at_floats(x, count, &look);
    if (!look.finite)
        return false;
    memcpy(&first, x, sizeof first);
    centre = kernel_statistics_centre(look.min, look.max, (double)first);
    if (centre == 0)
        add_plain_floats(x, count, &sums);
    else
        add_floats(x, count, centre, &sums);
    put_together(&sums, &look, count, out);
    return true;
}

static void
take_mixed(const double *x, uint64_t count, struct kernel_statistics *out)
{
    struct kernel_statistics others = {.count = 0};
    double finite[BLOCK];
    uint64_t kept = 0;

    for (uint64_t i = 0; i < count; i++) {
        if (isfinite(x[i]))
            finite[kept++] = x[i];
        else if (isnan(x[i]))
            others.nan++;
        else if (x[i] > 0)
            others.pos_inf++;
        else
            others.neg_inf++;
    }
    others.count = count - kept;
    *out = (struct kernel_statistics){.count = 0};
    if (kept > 0)
        (void)take_finite(finite, kept, out);
    kernel_statistics_add(out, &others);
}

/* The keys of elements that are 64-bit integers. */
VECTOR_CLONES static void
take_keys(const uint64_t *x, uint64_t count, uint64_t flip, struct kernel_statistics *out)
{
    uint64_t least = x[0] ^ flip, greatest = least;

    for (uint64_t i = 1; i < count; i++) {
        const uint64_t key = x[i] ^ flip;

        least = key < least ? key : least;
        greatest = key > greatest ? key : greatest;
    }
    out->min_key = least;
    out->max_key = greatest;
}

static bool
is_long(enum dtype dtype)
{
    return dtype == DTYPE_INT64 || dtype == DTYPE_UINT64;
}

static void
take_block(enum dtype dtype, const void *data, uint64_t count, struct kernel_statistics *out)
{
    const bool whole = count % LANES == 0;
    double wide[BLOCK];
    float floats[BLOCK];

    if (whole && dtype == DTYPE_FLOAT32 && take_floats(data, count, out))
        return;
    if (whole && kernel_statistics_floats(dtype, data, count, floats) &&
        take_floats(floats, count, out))
        return;
    kernel_statistics_widen(dtype, data, count, wide);
    if (!take_finite(wide, count, out))
        take_mixed(wide, count, out);
    if (is_long(dtype))
        take_keys(data, count, kernel_statistics_key(dtype, 0), out);
}

void
kernel_statistics(enum dtype dtype, const void *data, uint64_t count,
                  struct kernel_statistics *into)
{
    const size_t size = dtype_size(dtype);
    const uint8_t *from = data;
    struct kernel_statistics block;

    CHECK(kernel_statistics_known(dtype));
    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = count - done < BLOCK ? count - done : BLOCK;
        take_block(dtype, from + done * size, n, &block);
        kernel_statistics_add(into, &block);
    }
}
