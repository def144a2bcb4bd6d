/* The order of the additions is fixed here, lane by lane, so that vectors change no bit. */
#include "service/training/optimizer_sums.h"

enum { LANES = 8 };

static double
lanes_sum(const double lanes[static LANES])
{
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
           ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

/* t: what is in memory, float32 or float64. */
OPTIMIZER_INLINE double
squares(enum dtype t, const void *elements, uint64_t count)
{
    double lanes[LANES] = {0};
    uint64_t i = 0;

    for (; count - i >= LANES; i += LANES)
        for (uint64_t k = 0; k < LANES; k++)
            lanes[k] += load(t, elements, i + k) * load(t, elements, i + k);
    for (uint64_t k = 0; i < count; i++, k++)
        lanes[k] += load(t, elements, i) * load(t, elements, i);
    return lanes_sum(lanes);
}

VECTOR_CLONES double
optimizer_squares(enum dtype dtype, const void *elements, uint64_t count)
{
    float block[OPTIMIZER_BLOCK];
    double sum = 0;

    if (dtype == DTYPE_FLOAT64)
        return squares(DTYPE_FLOAT64, elements, count);
    if (dtype == DTYPE_FLOAT32)
        return squares(DTYPE_FLOAT32, elements, count);
    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = count - done < OPTIMIZER_BLOCK ? count - done : OPTIMIZER_BLOCK;
        widen(dtype, elements, done, block, n);
        sum += squares(DTYPE_FLOAT32, block, n);
    }
    return sum;
}
