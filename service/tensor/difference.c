/* The fast path of differences. float32 and float64 are compared and widened where they lie; other
 * types by blocks that stay in the first-level cache. Lanes are vectors, written out: compilers do
 * not find them in a loop over lanes. */
#include "service/tensor/difference.h"

#include <math.h>
#include <string.h>

#include "service/tensor/vector.h"
#include "service/tensor/widen.h"
#include "store/base/check.h"

VECTOR_FILE

enum { LANES = KERNEL_DIFFERENCE_LANES, HALF = LANES / 2, BLOCK_PARTS = KERNEL_WIDEN_MAX };

typedef double doubles __attribute__((vector_size(HALF * sizeof(double))));
typedef int64_t masks __attribute__((vector_size(HALF * sizeof(int64_t))));
typedef int32_t words __attribute__((vector_size(HALF * sizeof(int32_t))));

/* By lane: the first HALF of them, the others. */
struct sums {
    doubles greatest[2], squares[2], a[2], b[2], products[2];
    masks changed[2]; /* minus one for each part that has */
};

#define NO_SIGN ((int64_t)0x7FFFFFFFFFFFFFFF)

/* One vector of parts p and q, which differ by d; NaN is never the greatest. */
#define ADD_VECTOR(sums, half, p, q, d)                                                            \
    do {                                                                                           \
        masks greater_ = (d) > (sums).greatest[half];                                              \
                                                                                                   \
        (sums).greatest[half] =                                                                    \
            (doubles)(((masks)(d)&greater_) | ((masks)(sums).greatest[half] & ~greater_));         \
        (sums).squares[half] += (d) * (d);                                                         \
        (sums).a[half] += (p) * (p);                                                               \
        (sums).b[half] += (q) * (q);                                                               \
        (sums).products[half] += (p) * (q);                                                        \
    } while (0)

#define ADD_MADE(sums, half, p, q, d)                                                              \
    do {                                                                                           \
        doubles p_, q_, d_;                                                                        \
                                                                                                   \
        memcpy(&p_, p, sizeof p_);                                                                 \
        memcpy(&q_, q, sizeof q_);                                                                 \
        memcpy(&d_, d, sizeof d_);                                                                 \
        ADD_VECTOR(sums, half, p_, q_, d_);                                                        \
    } while (0)

/* Vectors are written out by their elements: of that compilers make the conversions that processors
 * have. */
#define ADD_FLOATS(sums, half, a, b)                                                               \
    do {                                                                                           \
        const float *x_ = a, *y_ = b;                                                              \
        const doubles p_ = {(double)x_[0], (double)x_[1], (double)x_[2], (double)x_[3]};           \
        const doubles q_ = {(double)y_[0], (double)y_[1], (double)y_[2], (double)y_[3]};           \
        words u_, v_;                                                                              \
        masks changed_;                                                                            \
        doubles d_;                                                                                \
                                                                                                   \
        memcpy(&u_, x_, sizeof u_);                                                                \
        memcpy(&v_, y_, sizeof v_);                                                                \
        u_ = u_ != v_;                                                                             \
        changed_ = (masks){u_[0], u_[1], u_[2], u_[3]};                                            \
        d_ = (doubles)((masks)(p_ - q_) & changed_ & NO_SIGN);                                     \
        (sums).changed[half] += changed_;                                                          \
        ADD_VECTOR(sums, half, p_, q_, d_);                                                        \
    } while (0)

#define ADD_DOUBLES(sums, half, a, b)                                                              \
    do {                                                                                           \
        doubles p_, q_, d_;                                                                        \
        masks changed_;                                                                            \
                                                                                                   \
        memcpy(&p_, a, sizeof p_);                                                                 \
        memcpy(&q_, b, sizeof q_);                                                                 \
        changed_ = (masks)p_ != (masks)q_;                                                         \
        d_ = (doubles)((masks)(p_ - q_) & changed_ & NO_SIGN);                                     \
        (sums).changed[half] += changed_;                                                          \
        ADD_VECTOR(sums, half, p_, q_, d_);                                                        \
    } while (0)

VECTOR_CLONES static void
add_floats(struct sums *into, const float *a, const float *b, uint64_t blocks)
{
    struct sums s = *into;

    for (uint64_t i = 0; i < blocks * LANES; i += LANES) {
        ADD_FLOATS(s, 0, a + i, b + i);
        ADD_FLOATS(s, 1, a + i + HALF, b + i + HALF);
    }
    *into = s;
}

VECTOR_CLONES static void
add_doubles(struct sums *into, const double *a, const double *b, uint64_t blocks)
{
    struct sums s = *into;

    for (uint64_t i = 0; i < blocks * LANES; i += LANES) {
        ADD_DOUBLES(s, 0, a + i, b + i);
        ADD_DOUBLES(s, 1, a + i + HALF, b + i + HALF);
    }
    *into = s;
}

/* Of a run beside itself: squares are all there is. */
VECTOR_CLONES static void
add_floats_alone(struct sums *into, const float *a, uint64_t blocks)
{
    struct sums s = *into;

    for (uint64_t i = 0; i < blocks * LANES; i += LANES) {
        const float *x = a + i, *y = a + i + HALF;
        const doubles p = {(double)x[0], (double)x[1], (double)x[2], (double)x[3]};
        const doubles q = {(double)y[0], (double)y[1], (double)y[2], (double)y[3]};

        s.a[0] += p * p;
        s.a[1] += q * q;
    }
    *into = s;
}

VECTOR_CLONES static void
add_doubles_alone(struct sums *into, const double *a, uint64_t blocks)
{
    struct sums s = *into;

    for (uint64_t i = 0; i < blocks * LANES; i += LANES) {
        doubles p, q;

        memcpy(&p, a + i, sizeof p);
        memcpy(&q, a + i + HALF, sizeof q);
        s.a[0] += p * p;
        s.a[1] += q * q;
    }
    *into = s;
}

/* A run in memory of its own: what it lacks to whole blocks is 0, which adds nothing. */
struct block {
    _Alignas(64) double p[BLOCK_PARTS], q[BLOCK_PARTS];
    _Alignas(64) double d[BLOCK_PARTS];         /* absolute differences */
    _Alignas(64) uint64_t changed[BLOCK_PARTS]; /* all ones, or 0 */
    uint64_t count;
};

VECTOR_CLONES static void
add_block(struct sums *into, const struct block *block)
{
    struct sums s = *into;

    for (uint64_t i = 0; i < block->count; i += LANES) {
        ADD_MADE(s, 0, block->p + i, block->q + i, block->d + i);
        ADD_MADE(s, 1, block->p + i + HALF, block->q + i + HALF, block->d + i + HALF);
    }
    *into = s;
}

/* --- making blocks ------------------------------------------------------------------------- */

#define COMPARE_RUN(name, type)                                                                    \
    VECTOR_CLONES static void name(const void *a, const void *b, uint64_t count, uint64_t *out)    \
    {                                                                                              \
        const type *x = a, *y = b;                                                                 \
                                                                                                   \
        VECTOR_LOOP                                                                                \
        for (uint64_t i = 0; i < count; i++)                                                       \
            out[i] = 0 - (uint64_t)(x[i] != y[i]);                                                 \
    }

COMPARE_RUN(compare_1, uint8_t)
COMPARE_RUN(compare_2, uint16_t)
COMPARE_RUN(compare_4, uint32_t)
COMPARE_RUN(compare_8, uint64_t)

static void
compare(uint32_t size, const void *a, const void *b, uint64_t count, uint64_t *out)
{
    CHECK(size == 1 || size == 2 || size == 4 || size == 8);
    if (size == 1)
        compare_1(a, b, count, out);
    else if (size == 2)
        compare_2(a, b, count, out);
    else if (size == 4)
        compare_4(a, b, count, out);
    else
        compare_8(a, b, count, out);
}

VECTOR_CLONES static void
subtract(struct block *block)
{
    for (uint64_t i = 0; i < block->count; i += HALF) {
        doubles p, q;
        masks changed;

        memcpy(&p, block->p + i, sizeof p);
        memcpy(&q, block->q + i, sizeof q);
        memcpy(&changed, block->changed + i, sizeof changed);
        changed &= (masks)(p - q) & NO_SIGN;
        memcpy(block->d + i, &changed, sizeof changed);
    }
}

static void
subtract_int64(const int64_t *a, const int64_t *b, uint64_t count, double *out)
{
    for (uint64_t i = 0; i < count; i++)
        out[i] = (double)(a[i] > b[i] ? (uint64_t)a[i] - (uint64_t)b[i]
                                      : (uint64_t)b[i] - (uint64_t)a[i]);
}

static void
subtract_uint64(const uint64_t *a, const uint64_t *b, uint64_t count, double *out)
{
    for (uint64_t i = 0; i < count; i++)
        out[i] = (double)(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
}

static void
make_block(struct block *block, enum dtype part, const void *a, const void *b, uint64_t count)
{
    const uint64_t whole = (count + LANES - 1) / LANES * LANES;
    const size_t missing = (size_t)(whole - count) * sizeof(double);

    kernel_widen(part, a, block->p, count);
    kernel_widen(part, b, block->q, count);
    compare(dtype_size(part), a, b, count, block->changed);
    memset(block->p + count, 0, missing);
    memset(block->q + count, 0, missing);
    memset(block->d + count, 0, missing);
    memset(block->changed + count, 0, missing);
    block->count = whole;
    if (part == DTYPE_INT64)
        subtract_int64(a, b, count, block->d);
    else if (part == DTYPE_UINT64)
        subtract_uint64(a, b, count, block->d);
    else
        subtract(block);
}

/* --- runs ---------------------------------------------------------------------------------- */

/* What is said of elements of `parts` parts each: changed ones, the greatest of two parts'
 * differences, and those that are not finite. */
VECTOR_CLONES static void
count_changed(const struct block *block, uint64_t parts, struct kernel_difference *out)
{
    uint64_t changed = 0;

    if (parts == 1)
        for (uint64_t i = 0; i < block->count; i++)
            changed -= block->changed[i];
    else
        for (uint64_t i = 0; i < block->count; i += 2)
            changed -= block->changed[i] | block->changed[i + 1];
    out->changed += changed;
}

static void
find_greatest(const struct block *block, struct kernel_difference *out)
{
    for (uint64_t i = 0; i < block->count; i += 2) {
        double distance;

        if ((block->changed[i] | block->changed[i + 1]) == 0)
            continue;
        distance = hypot(block->d[i], block->d[i + 1]);
        out->max_abs = distance > out->max_abs ? distance : out->max_abs;
    }
}

static void
count_nonfinite(const struct block *block, uint64_t parts, struct kernel_difference *out)
{
    for (uint64_t i = 0; i < block->count; i += parts)
        out->nonfinite += !isfinite(block->d[i]) || !isfinite(block->d[i + parts - 1]);
}

/* By blocks; sums NULL: only what is not finite. */
static void
add_by_blocks(enum dtype dtype, const uint8_t *a, const uint8_t *b, uint64_t count,
              struct sums *sums, struct kernel_difference *out)
{
    const uint64_t parts = dtype_is_complex(dtype) ? 2 : 1, step = BLOCK_PARTS / parts;
    const uint32_t size = dtype_size(dtype);
    struct block block;

    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = count - done < step ? count - done : step;
        make_block(&block, dtype_real(dtype), a + done * size, b + done * size, n * parts);
        if (sums == NULL) {
            count_nonfinite(&block, parts, out);
            continue;
        }
        add_block(sums, &block);
        count_changed(&block, parts, out);
        if (parts == 2)
            find_greatest(&block, out);
    }
}

static void
add_run(enum dtype dtype, const void *a, const void *b, bool alone, uint64_t blocks,
        struct sums *sums)
{
    if (dtype == DTYPE_FLOAT32 && alone)
        add_floats_alone(sums, a, blocks);
    else if (dtype == DTYPE_FLOAT32)
        add_floats(sums, a, b, blocks);
    else if (alone)
        add_doubles_alone(sums, a, blocks);
    else
        add_doubles(sums, a, b, blocks);
}

/* float32 and float64: whole blocks where they lie, the rest in memory of its own. */
static void
add_in_place(enum dtype dtype, const uint8_t *a, const uint8_t *b, uint64_t count,
             struct sums *sums, struct kernel_difference *out)
{
    const uint64_t blocks = count / LANES, rest = count % LANES;
    const size_t size = dtype_size(dtype), done = (size_t)(blocks * LANES) * size;
    const bool alone = a == b;
    _Alignas(64) uint8_t x[LANES * sizeof(double)] = {0}, y[LANES * sizeof(double)] = {0};

    memcpy(x, a + done, (size_t)rest * size);
    memcpy(y, b + done, (size_t)rest * size);
    add_run(dtype, a, b, alone, blocks, sums);
    add_run(dtype, x, y, alone, 1, sums);
    if (alone) {
        memcpy(sums->b, sums->a, sizeof sums->b);
        memcpy(sums->products, sums->a, sizeof sums->products);
    }
    for (int i = 0; i < LANES; i++)
        out->changed -= (uint64_t)sums->changed[i / HALF][i % HALF];
}

/* Lanes are added pairwise. */
static double
gather(const doubles lanes[2])
{
    doubles half = lanes[0] + lanes[1];

    return (half[0] + half[2]) + (half[1] + half[3]);
}

bool
kernel_difference_known(enum dtype dtype)
{
    return kernel_widen_known(dtype_real(dtype));
}

void
kernel_difference(enum dtype dtype, const void *a, const void *b, uint64_t count,
                  struct kernel_difference *out)
{
    struct sums sums;

    CHECK(kernel_difference_known(dtype));
    memset(&sums, 0, sizeof sums);
    *out = (struct kernel_difference){0};
    if (dtype == DTYPE_FLOAT32 || dtype == DTYPE_FLOAT64)
        add_in_place(dtype, a, b, count, &sums, out);
    else
        add_by_blocks(dtype, a, b, count, &sums, out);
    out->squares = gather(sums.squares);
    out->a_squares = gather(sums.a);
    out->b_squares = gather(sums.b);
    out->products = gather(sums.products);
    for (int i = 0; i < LANES && !dtype_is_complex(dtype); i++) {
        double greatest = sums.greatest[i / HALF][i % HALF];

        out->max_abs = greatest > out->max_abs ? greatest : out->max_abs;
    }
    if (isnan(out->squares))
        out->max_abs = NAN;
    if (!isfinite(out->squares))
        add_by_blocks(dtype, a, b, count, NULL, out);
}

void
kernel_difference_add(struct kernel_difference *into, const struct kernel_difference *part)
{
    into->changed += part->changed;
    into->nonfinite += part->nonfinite;
    if (isnan(part->max_abs) || part->max_abs > into->max_abs)
        into->max_abs = part->max_abs;
    into->squares += part->squares;
    into->a_squares += part->a_squares;
    into->b_squares += part->b_squares;
    into->products += part->products;
}

uint64_t
kernel_changed(uint32_t element_size, const void *a, const void *b, uint64_t count)
{
    const uint64_t parts = element_size == 16 ? 2 : 1, step = BLOCK_PARTS / parts;
    const uint32_t size = element_size / (uint32_t)parts;
    const uint8_t *x = a, *y = b;
    struct kernel_difference found = {0};
    struct block block;

    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = count - done < step ? count - done : step;
        compare(size, x + done * element_size, y + done * element_size, n * parts, block.changed);
        block.count = n * parts;
        count_changed(&block, parts, &found);
    }
    return found.changed;
}
