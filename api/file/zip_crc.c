/* Many bytes are folded by carry-less multiplication: a number of 128 bits that stands at some
 * place in a message is worth, modulo the polynomial, its two halves times x^(distance + 64) and
 * x^distance at a later place. Four such numbers go along side by side; what is left of them at the
 * end is 16 bytes that have the checksum of the whole, and zlib takes it from there. Polynomials
 * are reflected, and products of reflected numbers are short of one x: the constants have it. */
#include "api/file/zip_crc.h"

#include <string.h>
#include <zlib.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define FAST __attribute__((target("sse4.1,pclmul")))

enum { LANES = 4, LANE_BYTES = 16, FOLDED_BYTES_MIN = 4 * LANES * LANE_BYTES };

static inline __m128i
load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

FAST static inline __m128i
fold(__m128i value, __m128i by, __m128i later)
{
    __m128i first = _mm_clmulepi64_si128(value, by, 0x00);
    __m128i second = _mm_clmulepi64_si128(value, by, 0x11);

    return _mm_xor_si128(_mm_xor_si128(first, second), later);
}

/* All but the last few bytes; *size becomes how many those are. */
FAST static uint32_t
folded(uint32_t crc, const uint8_t *p, size_t *size)
{
    const __m128i by_four = _mm_set_epi64x(0x1C6E41596, 0x154442BD4); /* x^480, x^544 */
    const __m128i by_one = _mm_set_epi64x(0x0CCAA009E, 0x1751997D0);  /* x^96, x^160 */
    __m128i lanes[LANES], all;
    uint8_t left[LANE_BYTES];

    for (int i = 0; i < LANES; i++, p += LANE_BYTES)
        lanes[i] = load(p);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)~crc));
    for (*size -= sizeof lanes; *size >= sizeof lanes; *size -= sizeof lanes)
        for (int i = 0; i < LANES; i++, p += LANE_BYTES)
            lanes[i] = fold(lanes[i], by_four, load(p));
    all = lanes[0];
    for (int i = 1; i < LANES; i++)
        all = fold(all, by_one, lanes[i]);
    memcpy(left, &all, sizeof left);
    /* From a state of nothing: zlib inverts what it is given. */
    return (uint32_t)crc32_z(UINT32_MAX, left, sizeof left);
}

uint32_t
api_zip_crc32(uint32_t crc, const void *data, size_t size)
{
    size_t left = size;

    if (size >= FOLDED_BYTES_MIN && __builtin_cpu_supports("pclmul") &&
        __builtin_cpu_supports("sse4.1"))
        crc = folded(crc, data, &left);
    return (uint32_t)crc32_z(crc, (const uint8_t *)data + (size - left), left);
}

#else

uint32_t
api_zip_crc32(uint32_t crc, const void *data, size_t size)
{
    return (uint32_t)crc32_z(crc, data, size);
}

#endif
