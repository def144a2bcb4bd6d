/* All 2^23 radii, sines and cosines of the float32 normals under each portable profile, by both
 * paths, against known digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <nettle/sha2.h>

#include "service/random/parts.h"
#include "tests/vectors/random_cases.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "tests/vectors/random.inc"
#pragma GCC diagnostic pop

enum { INPUTS = 1 << 23, STRETCH = 4096 };

struct digests {
    struct sha256_ctx radius, sine, cosine;
};

static void
check_digest(struct sha256_ctx *context, const char *expected)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    char text[2 * SHA256_DIGEST_SIZE + 1];

    sha256_digest(context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(text, expected);
}

/* Both words of input i are i. */
static void
factors(enum random_profile profile, bool vector, uint32_t first, struct random_factors out[4])
{
    uint32_t words[8];

    if (!vector) {
        for (uint32_t i = 0; i < 4; i++)
            random_factors_plain(profile, first + i, first + i, &out[i]);
        return;
    }
    for (uint32_t i = 0; i < 8; i++)
        words[i] = first + i / 2;
    random_factors_vector(profile, words, out);
}

static void
check_all_inputs(const struct table_case *expected, bool vector)
{
    static float radius[STRETCH], sine[STRETCH], cosine[STRETCH];
    struct digests digests;

    sha256_init(&digests.radius);
    sha256_init(&digests.sine);
    sha256_init(&digests.cosine);
    for (uint32_t first = 0; first < INPUTS; first += STRETCH) {
        for (uint32_t i = 0; i < STRETCH; i += 4) {
            struct random_factors out[4];

            factors(expected->profile, vector, first + i, out);
            for (uint32_t j = 0; j < 4; j++) {
                radius[i + j] = out[j].radius;
                sine[i + j] = out[j].sine;
                cosine[i + j] = out[j].cosine;
            }
        }
        sha256_update(&digests.radius, sizeof radius, (const uint8_t *)radius);
        sha256_update(&digests.sine, sizeof sine, (const uint8_t *)sine);
        sha256_update(&digests.cosine, sizeof cosine, (const uint8_t *)cosine);
    }
    check_digest(&digests.radius, expected->radius);
    check_digest(&digests.sine, expected->sine);
    check_digest(&digests.cosine, expected->cosine);
}

static void
check_all_profiles(bool vector)
{
    const size_t count = sizeof table_cases / sizeof table_cases[0];

    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        check_all_inputs(&table_cases[i], vector);
}

static void
every_input_of_the_plain_path_is_as_published(void **state)
{
    (void)state;
    if (getenv("TENSORKEEP_TEST_SLOW_TOOL") != NULL)
        skip();
    check_all_profiles(false);
}

static void
every_input_of_the_vectorised_path_is_as_published(void **state)
{
    (void)state;
    if (getenv("TENSORKEEP_TEST_SLOW_TOOL") != NULL || !random_vector_available())
        skip();
    check_all_profiles(true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_input_of_the_plain_path_is_as_published),
        cmocka_unit_test(every_input_of_the_vectorised_path_is_as_published),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
