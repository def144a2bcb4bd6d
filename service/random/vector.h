/* The pieces of the vectorised path. RANDOM_VECTOR marks the functions that need AVX2 and FMA; it
 * is not defined where there is no such thing. Private to service/random. */
#ifndef SERVICE_RANDOM_VECTOR_H
#define SERVICE_RANDOM_VECTOR_H

#include "service/random/random.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define RANDOM_VECTOR __attribute__((target("avx2,fma")))
#endif

/* Normals from words, two of them (radius, angle) for two results; count is a multiple of 8 words.
 * A portable profile. */
void random_normals_vector(enum random_profile profile, const uint32_t *words, float *out,
                           uint64_t count);
/* Normals from blocks of four words, two results each; block_count is a multiple of 4. */
void random_double_normals_vector(const uint32_t *words, double *out, uint64_t block_count);

/* Correctly rounded, four at a time; for the tests. uniforms in [1e-7, 1), angles in [0, 2 pi]. */
void random_functions_vector(const double uniforms[4], const double angles[4], double logs[4],
                             double sines[4], double cosines[4]);

#endif
