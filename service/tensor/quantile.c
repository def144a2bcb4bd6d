/* Sorting by digits of the bits, from the lowest; a digit that all numbers share takes no pass, as
 * the low ones of what was float32. */
#include "service/tensor/quantile.h"

#include <stdbool.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = (64 + DIGIT_BITS - 1) / DIGIT_BITS, BUCKETS = 1 << DIGIT_BITS };

#define SIGN ((uint64_t)1 << 63)

/* Bits by the order of the numbers; and back. */
static uint64_t
key_of(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

static double
number_of(uint64_t key)
{
    const uint64_t bits = key & SIGN ? key & ~SIGN : ~key;
    double number;

    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint32_t
digit_of(uint64_t key, int digit)
{
    return (uint32_t)(key >> (digit * DIGIT_BITS)) % BUCKETS;
}

/* False when all have the same digit, and nothing was done. */
static bool
sort_by(int digit, const uint64_t *from, uint64_t count, uint64_t *to)
{
    uint64_t starts[BUCKETS] = {0}, start = 0;

    for (uint64_t i = 0; i < count; i++)
        starts[digit_of(from[i], digit)]++;
    if (starts[digit_of(from[0], digit)] == count)
        return false;
    for (int i = 0; i < BUCKETS; i++) {
        uint64_t size = starts[i];

        starts[i] = start;
        start += size;
    }
    for (uint64_t i = 0; i < count; i++)
        to[starts[digit_of(from[i], digit)]++] = from[i];
    return true;
}

void
kernel_quantile_sort(double *numbers, uint64_t count, uint64_t *room)
{
    uint64_t *from = room, *to = room + count;

    for (uint64_t i = 0; i < count; i++)
        from[i] = key_of(numbers[i]);
    for (int digit = 0; digit < DIGITS && count > 1; digit++) {
        uint64_t *sorted = to;

        if (!sort_by(digit, from, count, to))
            continue;
        to = from;
        from = sorted;
    }
    for (uint64_t i = 0; i < count; i++)
        numbers[i] = number_of(from[i]);
}

double
kernel_quantile(const double *sorted, uint64_t count, double place)
{
    const double at = place * (double)(count - 1);
    const uint64_t below = (uint64_t)at;
    const double part = at - (double)below;
    double value;

    if (below + 1 >= count || part == 0 || sorted[below] == sorted[below + 1])
        return sorted[below < count ? below : count - 1];
    value = sorted[below] * (1 - part) + sorted[below + 1] * part;
    if (value < sorted[below])
        return sorted[below];
    return value > sorted[below + 1] ? sorted[below + 1] : value;
}
