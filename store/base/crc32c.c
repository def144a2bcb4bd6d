/* CRC-32C. Three ways to the same number: tables (everywhere, the reference), the processor's crc32
 * instruction on three streams at once (it takes three cycles but starts every cycle), and no bytes
 * at all when two checksums are joined. Inside, a state is the CRC without its two inversions.
 *
 * Streams are joined by multiplying a state with x^(8*n), n the bytes that follow it, modulo the
 * polynomial. Polynomials are reflected: bit 31 is the coefficient of x^0. */
#include "store/base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#include "store/base/crc32c_table.h"

enum { CRC_POWERS = 31 };
static const uint32_t crc_polynomial = 0x82F63B78;

static uint32_t
plain_state(uint32_t state, const uint8_t *p, size_t size)
{
    for (; size >= 8; size -= 8, p += 8)
        state = crc32c_table[7][p[0] ^ (state & 0xFF)] ^
                crc32c_table[6][p[1] ^ (state >> 8 & 0xFF)] ^
                crc32c_table[5][p[2] ^ (state >> 16 & 0xFF)] ^
                crc32c_table[4][p[3] ^ (state >> 24)] ^ crc32c_table[3][p[4]] ^
                crc32c_table[2][p[5]] ^ crc32c_table[1][p[6]] ^ crc32c_table[0][p[7]];
    for (; size > 0; size--)
        state = state >> 8 ^ crc32c_table[0][(state ^ *p++) & 0xFF];
    return state;
}

uint32_t
crc32c_plain(uint32_t crc, const void *data, size_t size)
{
    return ~plain_state(~crc, data, size);
}

static uint32_t
multiply_plain(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (uint32_t bit = UINT32_C(1) << 31; bit != 0; bit >>= 1) {
        product ^= a & bit ? b : 0;
        b = b >> 1 ^ (b & 1 ? crc_polynomial : 0);
    }
    return product;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>

#define FAST __attribute__((target("sse4.2,pclmul")))

/* Bytes a stream: long pieces first, then short ones, then the rest as one stream. */
enum { LONG_BYTES = 4096, SHORT_BYTES = 256 };

static inline uint64_t
load64(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

/* Two states by one constant each, added. The product of two reflected words is short of one x, and
 * the crc32 instruction multiplies by x^32 as it reduces: so `by` is x^(8*n - 33). */
FAST static inline uint32_t
shift_two(uint64_t a, long long by_a, uint64_t b, long long by_b)
{
    __m128i first =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)a), _mm_cvtsi64_si128(by_a), 0);
    __m128i second =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)b), _mm_cvtsi64_si128(by_b), 0);

    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(first, second)));
}

/* Three neighbouring runs of `size` bytes. by_two and by_one: x^(16*size - 33) and x^(8*size - 33).
 */
FAST static inline uint32_t
three_streams(uint32_t state, const uint8_t *p, size_t size, long long by_two, long long by_one)
{
    uint64_t a = state, b = 0, c = 0;

    for (size_t i = 0; i < size; i += 8) {
        a = _mm_crc32_u64(a, load64(p + i));
        b = _mm_crc32_u64(b, load64(p + size + i));
        c = _mm_crc32_u64(c, load64(p + 2 * size + i));
    }
    return shift_two(a, by_two, b, by_one) ^ (uint32_t)c;
}

/* The product, times x^33. */
FAST static inline uint32_t
multiply_long(uint32_t a, long long b)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(a), _mm_cvtsi64_si128(b), 0);

    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

FAST static uint32_t
fast_multiply(uint32_t a, uint32_t b)
{
    return multiply_long(multiply_long(a, b), 0x97C7A287); /* x^-66 */
}

FAST static uint32_t
fast_state(uint32_t state, const uint8_t *p, size_t size)
{
    uint64_t wide;

    for (; size >= 3 * LONG_BYTES; size -= 3 * LONG_BYTES, p += 3 * LONG_BYTES)
        state = three_streams(state, p, LONG_BYTES, 0x54A86326, 0x82F89C77);
    for (; size >= 3 * SHORT_BYTES; size -= 3 * SHORT_BYTES, p += 3 * SHORT_BYTES)
        state = three_streams(state, p, SHORT_BYTES, 0xDD7E3B0C, 0xB9E02B86);
    wide = state;
    for (; size >= 8; size -= 8, p += 8)
        wide = _mm_crc32_u64(wide, load64(p));
    state = (uint32_t)wide;
    for (; size > 0; size--)
        state = _mm_crc32_u8(state, *p++);
    return state;
}

static bool
is_fast(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t size)
{
    return is_fast() ? ~fast_state(~crc, data, size) : crc32c_plain(crc, data, size);
}

static uint32_t
multiply(uint32_t a, uint32_t b)
{
    return is_fast() ? fast_multiply(a, b) : multiply_plain(a, b);
}

#else

uint32_t
crc32c(uint32_t crc, const void *data, size_t size)
{
    return crc32c_plain(crc, data, size);
}

static uint32_t
multiply(uint32_t a, uint32_t b)
{
    return multiply_plain(a, b);
}

#endif

/* x^(8 * size) */
static uint32_t
shift_of(uint64_t size, uint32_t (*product)(uint32_t a, uint32_t b))
{
    uint32_t shift = UINT32_C(1) << 31; /* 1 */

    /* i begins at 3: eight bits a byte. */
    for (unsigned i = 3; size != 0; size >>= 1, i++)
        if (size & 1)
            shift = product(crc32c_power[i % CRC_POWERS], shift);
    return shift;
}

uint32_t
crc32c_shift_of(uint64_t size_b)
{
    return shift_of(size_b, multiply);
}

/* The inversions of A's end and B's beginning cancel out. */
uint32_t
crc32c_combine_by(uint32_t crc_a, uint32_t crc_b, uint32_t shift)
{
    return multiply(shift, crc_a) ^ crc_b;
}

uint32_t
crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b)
{
    return crc32c_combine_by(crc_a, crc_b, crc32c_shift_of(size_b));
}

uint32_t
crc32c_combine_plain(uint32_t crc_a, uint32_t crc_b, uint64_t size_b)
{
    return multiply_plain(shift_of(size_b, multiply_plain), crc_a) ^ crc_b;
}
