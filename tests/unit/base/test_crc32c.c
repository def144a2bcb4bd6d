/* CRC-32C against known answers and against a bit-by-bit twin that shares nothing with it but the
 * polynomial. */
#include "store/base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE_MAX_TRIED = 40000 };

/* xorshift64*, for data and lengths that are the same in every run. */
static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static uint32_t
bit_by_bit(const uint8_t *p, size_t size)
{
    uint32_t state = 0xFFFFFFFF;

    for (size_t i = 0; i < size; i++) {
        state ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            state = state >> 1 ^ (state & 1 ? 0x82F63B78 : 0);
    }
    return ~state;
}

static void
fill(uint8_t *p, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(next_random(&seed) >> 56);
}

/* RFC 3720, appendix B.4, and the check value of the CRC catalogues. */
static void
known_answers_come_out(void **state)
{
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];

    (void)state;
    memset(ones, 0xFF, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        up[i] = i;
        down[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c(0, zeros, 32), 0x8A9136AA);
    assert_int_equal(crc32c(0, ones, 32), 0x62A8AB43);
    assert_int_equal(crc32c(0, up, 32), 0x46DD794E);
    assert_int_equal(crc32c(0, down, 32), 0x113FDB5C);
    assert_int_equal(crc32c(0, "", 0), 0);
    assert_int_equal(crc32c_plain(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c_plain(0, zeros, 32), 0x8A9136AA);
}

static void
plain_equals_bit_by_bit_at_every_small_length(void **state)
{
    uint8_t data[300];

    (void)state;
    fill(data, sizeof data, 7);
    for (size_t size = 0; size <= sizeof data; size++)
        assert_int_equal(crc32c_plain(0, data, size), bit_by_bit(data, size));
}

static void
fast_equals_plain_around_every_stream_boundary(void **state)
{
    static uint8_t data[SIZE_MAX_TRIED];
    static const size_t centers[] = {8, 256, 768, 1536, 4096, 12288, 13056, 24576, 36864};

    (void)state;
    fill(data, sizeof data, 11);
    for (size_t c = 0; c < sizeof centers / sizeof centers[0]; c++)
        for (size_t size = centers[c] - 8; size <= centers[c] + 8; size++)
            assert_int_equal(crc32c(0, data + size % 8, size),
                             crc32c_plain(0, data + size % 8, size));
}

static void
fast_equals_plain_at_random_lengths_and_alignments(void **state)
{
    static uint8_t data[SIZE_MAX_TRIED];
    uint64_t seed = 13;

    (void)state;
    fill(data, sizeof data, 17);
    for (int i = 0; i < 400; i++) {
        size_t offset = next_random(&seed) % 64;
        size_t size = next_random(&seed) % (sizeof data - 64);
        uint32_t begin = (uint32_t)next_random(&seed);

        assert_int_equal(crc32c(begin, data + offset, size),
                         crc32c_plain(begin, data + offset, size));
    }
}

static void
a_run_in_pieces_equals_the_run(void **state)
{
    uint8_t data[2000];
    uint64_t seed = 19;

    (void)state;
    fill(data, sizeof data, 23);
    for (int i = 0; i < 100; i++) {
        size_t cut = next_random(&seed) % sizeof data;
        uint32_t head = crc32c(0, data, cut);

        assert_int_equal(crc32c(head, data + cut, sizeof data - cut), crc32c(0, data, sizeof data));
    }
}

static void
combine_equals_concatenation(void **state)
{
    static uint8_t data[SIZE_MAX_TRIED];
    uint64_t seed = 29;

    (void)state;
    fill(data, sizeof data, 31);
    for (int i = 0; i < 200; i++) {
        size_t size = next_random(&seed) % sizeof data;
        size_t cut = size == 0 ? 0 : next_random(&seed) % size;
        uint32_t a = crc32c(0, data, cut), b = crc32c(0, data + cut, size - cut);

        assert_int_equal(crc32c_combine(a, b, size - cut), crc32c(0, data, size));
        assert_int_equal(crc32c_combine_plain(a, b, size - cut), crc32c(0, data, size));
        assert_int_equal(crc32c_combine_by(a, b, crc32c_shift_of(size - cut)),
                         crc32c(0, data, size));
    }
}

static void
combine_with_nothing_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(crc32c_combine(0x12345678, 0, 0), 0x12345678);
    assert_int_equal(crc32c_combine(0, 0xE3069283, 9), 0xE3069283);
    assert_int_equal(crc32c_combine(0, 0, UINT64_MAX), 0);
    assert_int_equal(crc32c_combine_plain(0x12345678, 0, 0), 0x12345678);
}

/* Lengths no test can hold in memory: (a + b) + c = a + (b + c), for b and c near 2^63. */
static void
combine_of_huge_lengths_is_associative(void **state)
{
    uint64_t seed = 37;

    (void)state;
    for (int i = 0; i < 100; i++) {
        uint32_t a = (uint32_t)next_random(&seed), b = (uint32_t)next_random(&seed);
        uint32_t c = (uint32_t)next_random(&seed);
        uint64_t size_b = next_random(&seed) >> 1, size_c = next_random(&seed) >> 1;

        assert_int_equal(crc32c_combine(a, b, size_b), crc32c_combine_plain(a, b, size_b));
        assert_int_equal(crc32c_combine(crc32c_combine(a, b, size_b), c, size_c),
                         crc32c_combine(a, crc32c_combine(b, c, size_c), size_b + size_c));
    }
}

/* 2^40 and 2^63 zero bytes; the numbers are 0xFFFFFFFF * x^(8n) mod the polynomial, worked out
 * apart from this code with whole-number arithmetic. */
static void
doubling_a_run_of_zeros_reaches_the_known_answers(void **state)
{
    uint8_t zero = 0;
    uint32_t doubled = crc32c(0, &zero, 1);

    (void)state;
    for (unsigned i = 0; i < 63; i++) {
        if (i == 40)
            assert_int_equal(doubled, 0x30FCEDC0);
        doubled = crc32c_combine(doubled, doubled, UINT64_C(1) << i);
    }
    assert_int_equal(doubled, 0xF16177D2);
}

static void
one_flipped_bit_is_always_noticed(void **state)
{
    uint8_t data[129];
    uint32_t good;

    (void)state;
    fill(data, sizeof data, 41);
    good = crc32c(0, data, sizeof data);
    for (size_t bit = 0; bit < sizeof data * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(crc32c(0, data, sizeof data), good);
        data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_come_out),
        cmocka_unit_test(plain_equals_bit_by_bit_at_every_small_length),
        cmocka_unit_test(fast_equals_plain_around_every_stream_boundary),
        cmocka_unit_test(fast_equals_plain_at_random_lengths_and_alignments),
        cmocka_unit_test(a_run_in_pieces_equals_the_run),
        cmocka_unit_test(combine_equals_concatenation),
        cmocka_unit_test(combine_with_nothing_changes_nothing),
        cmocka_unit_test(combine_of_huge_lengths_is_associative),
        cmocka_unit_test(doubling_a_run_of_zeros_reaches_the_known_answers),
        cmocka_unit_test(one_flipped_bit_is_always_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
