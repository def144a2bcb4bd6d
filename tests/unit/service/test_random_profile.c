/* Profiles: their names, how far they are apart, the three inputs old glibc rounded its own way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/random/parts.h"
#include "tests/unit/service/draw_cases.h"

static void
normal_pairs_equal_the_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pair_cases / sizeof pair_cases[0]; i++) {
        const uint32_t *expected = pair_cases[i].normals;
        const uint32_t words[2] = {pair_cases[i].radius_word, pair_cases[i].angle_word};
        float normals[2];

        random_float_pair(pair_cases[i].profile, words, normals);
        assert_memory_equal(normals, expected, sizeof normals);
    }
}

static void
profiles_have_names(void **state)
{
    (void)state;
    assert_string_equal(random_profile_name(RANDOM_PROFILE_R1_LINUX), "r1-linux");
    assert_string_equal(random_profile_name(RANDOM_PROFILE_COUNT), "unknown");
    assert_true(random_profile_is_portable(RANDOM_PROFILE_LATE_GLIBC_2_26));
    assert_false(random_profile_is_portable(RANDOM_PROFILE_MODERN_LINUX));
}

/* Whatever the host's libm: radius, sine and cosine are never wrong by more than a unit or two in
 * the last place, and uniforms do not ask. */
static void
profiles_differ_in_the_last_places_only(void **state)
{
    enum { COUNT = 4096 };
    struct random_stream stream = {.kind = RANDOM_NORMAL, .dtype = DTYPE_FLOAT32, .seeds = {1, 2}};
    static float reference[COUNT], floats[COUNT];

    (void)state;
    random_fill(&stream, 0, COUNT, reference);
    for (unsigned profile = 1; profile < RANDOM_PROFILE_COUNT; profile++) {
        size_t differences = 0;

        stream.profile = (enum random_profile)profile;
        random_fill(&stream, 0, COUNT, floats);
        for (size_t i = 0; i < COUNT; i++) {
            assert_true(fabsf(floats[i] - reference[i]) <= 0x1p-21f * fabsf(reference[i]));
            differences += floats[i] != reference[i];
        }
        assert_true(differences > 0);
    }
    stream.kind = RANDOM_UNIFORM;
    random_fill(&stream, 0, COUNT, floats);
    stream.profile = RANDOM_PROFILE_R1_LINUX;
    random_fill(&stream, 0, COUNT, reference);
    assert_memory_equal(floats, reference, sizeof floats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_pairs_equal_the_model),
        cmocka_unit_test(profiles_have_names),
        cmocka_unit_test(profiles_differ_in_the_last_places_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
