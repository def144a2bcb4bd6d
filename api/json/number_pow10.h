/* Powers of ten to 128 bits, for reading and printing numbers. */
#ifndef API_JSON_NUMBER_POW10_H
#define API_JSON_NUMBER_POW10_H

#include <stdbool.h>
#include <stdint.h>

enum {
    API_POW10_MIN = -351,
    API_POW10_MAX = 350,
    API_POW10_EXACT_MAX =
        55 /* 5^55 is the last that fits 128 bits; from 0 to here nothing is cut */
};

/* 10^k = (hi * 2^64 + lo) * 2^(api_floor_log2_pow10(k) - 127), rounded down; the top bit is set. */
struct api_pow10 {
    uint64_t hi, lo;
};

struct api_pow10 api_pow10(int k); /* API_POW10_MIN <= k <= API_POW10_MAX */

static inline bool
api_pow10_is_exact(int k)
{
    return k >= 0 && k <= API_POW10_EXACT_MAX;
}

/* floor(log2(10^k)) for |k| <= 1233: 1741647 / 2^19 is log2(10) closely enough. */
static inline int
api_floor_log2_pow10(int k)
{
    return (k * 1741647) >> 19;
}

__extension__ typedef unsigned __int128 api_u128;

#endif
