/* Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC
 * 2011. A keyed bijection of a 128-bit counter; ten rounds. Words least significant first. */
#include "service/random/parts.h"

void
random_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];

    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)PHILOX_MULTIPLIER_0 * c0, p1 = (uint64_t)PHILOX_MULTIPLIER_1 * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_WEYL_0;
        k1 += PHILOX_WEYL_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void
random_block(const struct random_stream *stream, uint64_t offset, uint32_t out[4])
{
    uint64_t low = stream->base_block + offset, high = stream->seeds.counter_high;
    const uint32_t key[2] = {(uint32_t)stream->seeds.key, (uint32_t)(stream->seeds.key >> 32)};
    uint32_t counter[4];

    high += low < offset; /* 128-bit addition */
    counter[0] = (uint32_t)low;
    counter[1] = (uint32_t)(low >> 32);
    counter[2] = (uint32_t)high;
    counter[3] = (uint32_t)(high >> 32);
    random_philox(key, counter, out);
}

struct random_words
random_words_from(const struct random_stream *stream, uint64_t block)
{
    return (struct random_words){.stream = stream, .next_block = block, .used = 4};
}

uint32_t
random_next_word(struct random_words *words)
{
    if (words->used == 4) {
        random_block(words->stream, words->next_block++, words->block);
        words->used = 0;
    }
    return words->block[words->used++];
}
