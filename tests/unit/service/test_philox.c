/* Philox's known answers, seeds, and entropy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/random/parts.h"
#include "tests/vectors/random_cases.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "tests/vectors/random.inc"
#pragma GCC diagnostic pop

static void
blocks_equal_the_published_answers(void **state)
{
    uint32_t out[4];

    (void)state;
    for (size_t i = 0; i < sizeof block_cases / sizeof block_cases[0]; i++) {
        random_philox(block_cases[i].key, block_cases[i].counter, out);
        assert_memory_equal(out, block_cases[i].expected, sizeof out);
    }
}

/* Random123's kat_vectors. */
static void
the_zero_block_is_known(void **state)
{
    const uint32_t zeros[4] = {0}, expected[4] = {0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8};
    uint32_t out[4];

    (void)state;
    random_philox(zeros, zeros, out);
    assert_memory_equal(out, expected, sizeof out);
}

static void
offsets_carry_through_all_128_bits(void **state)
{
    const uint32_t key[2] = {5, 6}, wrapped[4] = {1, 0, 0, 0}, carried[4] = {0, 0, 8, 9};
    struct random_stream stream = {.seeds = {.key = 6ULL << 32 | 5, .counter_high = UINT64_MAX},
                                   .base_block = UINT64_MAX};
    uint32_t out[4], expected[4];

    (void)state;
    random_philox(key, wrapped, expected);
    random_block(&stream, 2, out);
    assert_memory_equal(out, expected, sizeof out);
    stream.seeds.counter_high = (9ULL << 32 | 8) - 1;
    random_philox(key, carried, expected);
    random_block(&stream, 1, out);
    assert_memory_equal(out, expected, sizeof out);
}

static void
seeds_follow_tensorflow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof seed_cases / sizeof seed_cases[0]; i++) {
        const struct seed_case *c = &seed_cases[i];
        struct random_seeds seeds = random_seeds_of(c->has_graph_seed, c->graph_seed,
                                                    c->has_op_seed, c->op_seed, c->default_op_seed);

        assert_int_equal(seeds.key, c->key);
        assert_int_equal(seeds.counter_high, c->counter_high);
    }
}

static void
extreme_seeds_are_reduced_like_python(void **state)
{
    struct random_seeds seeds = random_seeds_of(true, INT64_MIN, true, INT64_MAX, 0);

    (void)state;
    assert_int_equal(seeds.key, 2147483645); /* -2^63 % (2^31 - 1) */
    assert_int_equal(seeds.counter_high, 1); /* 2^63 - 1 = 2 * 2^62 - 1 */
    seeds = random_seeds_of(false, 7, true, 0, 9);
    assert_int_equal(seeds.key, 87654321);
    assert_int_equal(seeds.counter_high, 0);
}

/* FNV-1a 64 of "w" 0 "1.0", reduced. */
static void
derived_seeds_depend_on_name_and_place(void **state)
{
    int64_t root = random_derived_op_seed(bytes_of_text("w"), bytes_of_text(""));
    int64_t inner = random_derived_op_seed(bytes_of_text("w"), bytes_of_text("1.0"));
    int64_t other = random_derived_op_seed(bytes_of_text("w1"), bytes_of_text(".0"));

    (void)state;
    assert_int_equal(random_derived_op_seed(bytes_of("", 0), bytes_of(NULL, 0)),
                     (int64_t)(0xAF63BD4C8601B7DFu % 2147483647u)); /* FNV-1a of one zero byte */
    assert_int_equal(root, random_derived_op_seed(bytes_of_text("w"), bytes_of_text("")));
    assert_int_not_equal(root, inner);
    assert_int_not_equal(inner, other);
    assert_true(inner >= 0 && inner < 2147483647);
}

static void
entropy_differs_from_call_to_call(void **state)
{
    uint64_t a = 0, b = 0;

    (void)state;
    assert_int_equal(random_entropy(&a, NULL), OK);
    assert_int_equal(random_entropy(&b, NULL), OK);
    assert_true(a != b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_equal_the_published_answers),
        cmocka_unit_test(the_zero_block_is_known),
        cmocka_unit_test(offsets_carry_through_all_128_bits),
        cmocka_unit_test(seeds_follow_tensorflow),
        cmocka_unit_test(extreme_seeds_are_reduced_like_python),
        cmocka_unit_test(derived_seeds_depend_on_name_and_place),
        cmocka_unit_test(entropy_differs_from_call_to_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
