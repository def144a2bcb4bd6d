/* The plain twin: one element at a time, in the order that the header says. */
#include "service/tensor/statistics.h"

#include <math.h>
#include <string.h>

#include "store/base/check.h"

enum { LANES = KERNEL_STATISTICS_LANES };

/* A block under way. */
struct block {
    struct kernel_statistics s;
    uint64_t kept; /* finite elements so far */
    double x[KERNEL_STATISTICS_BLOCK];
};

static double
pairwise(const double lanes[LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

static void
take(struct block *b, enum dtype dtype, const uint8_t *element)
{
    double x;

    kernel_statistics_widen(dtype, element, 1, &x);
    b->s.count++;
    if (isnan(x))
        b->s.nan++;
    else if (isinf(x) && x > 0)
        b->s.pos_inf++;
    else if (isinf(x))
        b->s.neg_inf++;
    else
        b->x[b->kept++] = x;
}

static void
take_key(struct block *b, enum dtype dtype, const uint8_t *element)
{
    uint64_t bits, key;

    memcpy(&bits, element, sizeof bits);
    key = kernel_statistics_key(dtype, bits);
    if (b->kept == 1 || key < b->s.min_key)
        b->s.min_key = key;
    if (b->kept == 1 || key > b->s.max_key)
        b->s.max_key = key;
}

static void
look(struct block *b)
{
    b->s.min = b->s.max = b->x[0];
    for (uint64_t i = 0; i < b->kept; i++) {
        b->s.zero += b->x[i] == 0;
        b->s.negative += b->x[i] < 0;
        b->s.min = b->x[i] < b->s.min ? b->x[i] : b->s.min;
        b->s.max = b->x[i] > b->s.max ? b->x[i] : b->s.max;
    }
    b->s.min += 0.0;
    b->s.max += 0.0;
}

static void
end(struct block *b)
{
    double sum[LANES] = {0}, absolute[LANES] = {0}, shifted[LANES] = {0}, squares[LANES] = {0};
    double centre, moved;

    if (b->kept == 0)
        return;
    look(b);
    centre = kernel_statistics_centre(b->s.min, b->s.max, b->x[0]);
    for (uint64_t i = 0; i < b->kept; i++) {
        const double d = b->x[i] - centre;

        sum[i % LANES] += b->x[i];
        absolute[i % LANES] += fabs(b->x[i]);
        shifted[i % LANES] += d;
        squares[i % LANES] += d * d;
    }
    moved = pairwise(shifted);
    b->s.sum = pairwise(sum);
    b->s.absolute = pairwise(absolute);
    b->s.deviations = pairwise(squares) - moved * moved / (double)b->kept;
    if (isnan(b->s.deviations))
        b->s.deviations = INFINITY;
    else if (b->s.deviations < 0)
        b->s.deviations = 0;
}

void
kernel_statistics_plain(enum dtype dtype, const void *data, uint64_t count,
                        struct kernel_statistics *into)
{
    const size_t size = dtype_size(dtype);
    const uint8_t *from = data;

    CHECK(kernel_statistics_known(dtype));
    for (uint64_t done = 0; done < count; done += KERNEL_STATISTICS_BLOCK) {
        struct block block = {.kept = 0};

        for (uint64_t i = done; i < count && i < done + KERNEL_STATISTICS_BLOCK; i++) {
            take(&block, dtype, from + i * size);
            if (dtype == DTYPE_INT64 || dtype == DTYPE_UINT64)
                take_key(&block, dtype, from + i * size);
        }
        end(&block);
        kernel_statistics_add(into, &block.s);
    }
}
