/* float64 normals from words, by the correctly rounded functions. */
#include "service/random/vector.h"

#include <math.h>
#include <string.h>

#include "service/random/exact.h"

static double
uniform(uint32_t high, uint32_t low)
{
    uint64_t bits = (uint64_t)0x3FF << 52 | (uint64_t)(high & 0xFFFFF) << 32 | low;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value - 1.0;
}

void
random_double_normals_vector(const uint32_t *words, double *out, uint64_t block_count)
{
    for (uint64_t i = 0; i < block_count; i++, words += 4, out += 2) {
        double radius, sine, cosine;

        radius = sqrt(-2.0 * random_exact_log(fmax(uniform(words[0], words[1]), 1.0e-7)));
        random_exact_sincos(2.0 * M_PI * uniform(words[2], words[3]), &sine, &cosine);
        out[0] = sine * radius;
        out[1] = cosine * radius;
    }
}
