/* Seeded draws: published and modelled numbers of TensorFlow to the last printed digit or bit;
 * every range of a draw equal to that part of the whole; the vectorised path equal to the plain
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/random/parts.h"
#include "service/tensor/kernels.h"
#include "tests/unit/service/draw_cases.h"

enum { RESULT_BYTES_MAX = DRAW_BYTES_MAX, BLOCKS_PER_OUTPUT = 256 };

static uint8_t result[RESULT_BYTES_MAX], other[RESULT_BYTES_MAX];

static bool
is_slow_tool(void)
{
    return getenv("TENSORKEEP_TEST_SLOW_TOOL") != NULL;
}

/* --- known answers -------------------------------------------------------------------------- */

static void
combine(enum kernel_binary op, enum dtype dtype, void *values, uint64_t count, double constant)
{
    uint8_t element[8];

    tensor_element_of_double(dtype, constant, element);
    assert_int_equal(kernel_binary(op, dtype, (struct kernel_operand){values, 1},
                                   (struct kernel_operand){element, 0}, values, count, NULL),
                     OK);
}

/* TensorFlow's Python: standard draw * (top - offset or scale) + offset, each step rounded to the
 * type. */
static void
scale(const struct draw_case *c, void *values)
{
    uint8_t span[8], offset[8];

    if (!dtype_is_float(c->dtype))
        return;
    if (c->kind != RANDOM_UNIFORM) {
        combine(KERNEL_MULTIPLY, c->dtype, values, c->count, c->scale);
    } else {
        tensor_element_of_double(c->dtype, c->top, span);
        tensor_element_of_double(c->dtype, c->offset, offset);
        assert_int_equal(kernel_binary(KERNEL_SUBTRACT, c->dtype, (struct kernel_operand){span, 1},
                                       (struct kernel_operand){offset, 1}, span, 1, NULL),
                         OK);
        assert_int_equal(kernel_binary(KERNEL_MULTIPLY, c->dtype,
                                       (struct kernel_operand){values, 1},
                                       (struct kernel_operand){span, 0}, values, c->count, NULL),
                         OK);
    }
    combine(KERNEL_ADD, c->dtype, values, c->count, c->offset);
}

typedef void fill_function(const struct random_stream *stream, uint64_t first, uint64_t count,
                           void *out);

static uint64_t
draw(const struct draw_case *c, fill_function *fill)
{
    struct random_stream stream = {
        .kind = c->kind, .dtype = c->dtype, .profile = c->profile, .low = c->low, .high = c->high};
    const uint64_t run_bytes = c->count * dtype_size(c->dtype);

    assert_true(run_bytes * c->runs <= RESULT_BYTES_MAX);
    stream.seeds = (struct random_seeds){c->key, c->counter_high};
    if (!c->has_key)
        stream.seeds = random_seeds_of(c->has_graph_seed, c->graph_seed, c->has_op_seed, c->op_seed,
                                       c->default_op_seed);
    for (uint64_t run = 0; run < c->runs; run++) {
        stream.base_block = c->base_block + (c->first_run + run) * c->count * BLOCKS_PER_OUTPUT;
        fill(&stream, 0, c->count, result + run * run_bytes);
        scale(c, result + run * run_bytes);
    }
    return run_bytes * c->runs;
}

static void
check_cases(fill_function *fill)
{
    for (size_t i = 0; i < DRAW_CASES; i++) {
        const struct draw_case *c = &draw_cases[i];
        uint64_t size;

        if (c->skip != NULL)
            continue;
        size = draw(c, fill);
        draw_check(c, result, size);
    }
}

static void
draws_equal_tensorflows(void **state)
{
    const size_t count = DRAW_CASES;
    size_t skipped = 0;

    (void)state;
    for (size_t i = 0; i < count; i++)
        if (draw_cases[i].skip != NULL) {
            skipped++;
            print_message("left out: %s, %s\n", draw_cases[i].id, draw_cases[i].skip);
        }
    check_cases(random_fill);
    assert_true(count - skipped >= 64);
}

static void
plain_draws_equal_tensorflows(void **state)
{
    (void)state;
    check_cases(random_fill_plain);
}

/* --- ranges and paths ----------------------------------------------------------------------- */

static const enum dtype dtypes[] = {DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32,
                                    DTYPE_FLOAT64, DTYPE_INT32,    DTYPE_INT64};
static const enum random_kind kinds[] = {RANDOM_UNIFORM, RANDOM_NORMAL, RANDOM_TRUNCATED_NORMAL};

typedef void stream_check(const struct random_stream *stream);

/* Every kind and type, from bases next to where the counter's halves carry. */
static void
for_each_stream(enum random_profile profile, stream_check *check)
{
    static const uint64_t bases[] = {0, 12345, UINT64_MAX - 700, UINT64_MAX - 40000};
    size_t checked = 0;

    for (size_t k = 0; k < 3; k++)
        for (size_t d = 0; d < 6; d++)
            for (size_t b = 0; b < 4; b++) {
                struct random_stream stream = {.kind = kinds[k],
                                               .dtype = dtypes[d],
                                               .profile = profile,
                                               .seeds = {0x123456789ABCDEF, UINT64_MAX - k},
                                               .base_block = bases[b],
                                               .low = -5,
                                               .high = 94};

                if (!random_kind_known(kinds[k], dtypes[d]))
                    continue;
                check(&stream);
                checked++;
            }
    assert_int_equal(checked, 14 * 4);
}

static void
check_paths(const struct random_stream *stream)
{
    static const uint64_t counts[] = {0, 1,  2,  3,  4,    5,    7,    8,
                                      9, 15, 17, 63, 1021, 1024, 1025, 4099};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const uint64_t size = counts[i] * dtype_size(stream->dtype);

        if (counts[i] > 100 && is_slow_tool())
            continue;
        memset(result, 0x5A, size + 16);
        memset(other, 0x5A, size + 16);
        random_fill(stream, 0, counts[i], result);
        random_fill_plain(stream, 0, counts[i], other);
        assert_memory_equal(result, other, size + 16);
    }
}

static void
fast_equals_plain_for_every_kind_type_profile_and_length(void **state)
{
    (void)state;
    for (unsigned profile = 0; profile < RANDOM_PROFILE_COUNT; profile++)
        for_each_stream((enum random_profile)profile, check_paths);
}

static void
check_ranges(const struct random_stream *stream)
{
    enum { COUNT = 1100 };
    static const uint64_t cuts[] = {0, 1,  2,   3,   4,    5,    6,    7,
                                    8, 13, 500, 511, 1027, 1098, 1099, COUNT};
    const uint32_t size = dtype_size(stream->dtype);

    random_fill(stream, 0, COUNT, other);
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
        for (size_t j = i; j < sizeof cuts / sizeof cuts[0]; j += 1 + j % 3) {
            const uint64_t count = cuts[j] - cuts[i];

            random_fill(stream, cuts[i], count, result);
            assert_memory_equal(result, other + cuts[i] * size, count * size);
            if (count > 16)
                continue;
            random_fill_plain(stream, cuts[i], count, result);
            assert_memory_equal(result, other + cuts[i] * size, count * size);
        }
}

static void
every_range_equals_its_part_of_the_whole(void **state)
{
    (void)state;
    if (is_slow_tool())
        skip();
    for_each_stream(RANDOM_PROFILE_R1_LINUX, check_ranges);
}

static void
far_elements_need_none_before_them(void **state)
{
    const struct random_stream stream = {
        .kind = RANDOM_TRUNCATED_NORMAL, .dtype = DTYPE_FLOAT32, .seeds = {1, 2}};
    const uint64_t far = (uint64_t)1 << 47;
    float fast[11], plain[11];

    (void)state;
    random_fill(&stream, far - 11, 11, fast);
    random_fill_plain(&stream, far - 11, 11, plain);
    assert_memory_equal(fast, plain, sizeof fast);
}

/* --- properties ----------------------------------------------------------------------------- */

static void
values_stay_within_their_bounds(void **state)
{
    enum { COUNT = 100000 };
    struct random_stream stream = {.dtype = DTYPE_FLOAT32, .seeds = {3, 4}, .low = -3, .high = 4};
    const float *floats = (const float *)(const void *)result;
    const int32_t *integers = (const int32_t *)(const void *)result;
    double sum = 0;

    (void)state;
    stream.kind = RANDOM_UNIFORM;
    random_fill(&stream, 0, COUNT, result);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(floats[i] >= 0.0f && floats[i] < 1.0f);
        sum += (double)floats[i];
    }
    assert_true(fabs(sum / COUNT - 0.5) < 0.01);
    stream.kind = RANDOM_TRUNCATED_NORMAL;
    random_fill(&stream, 0, COUNT, result);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(fabsf(floats[i]) < 2.0f);
    stream.kind = RANDOM_UNIFORM;
    stream.dtype = DTYPE_INT32;
    random_fill(&stream, 0, COUNT, result);
    for (size_t i = 0; i < COUNT; i++)
        assert_true(integers[i] >= -3 && integers[i] < 4);
}

static void
the_full_integer_ranges_are_drawn(void **state)
{
    struct random_stream stream = {.kind = RANDOM_UNIFORM,
                                   .dtype = DTYPE_INT64,
                                   .seeds = {3, 4},
                                   .low = INT64_MIN,
                                   .high = INT64_MAX};
    int64_t fast[33], plain[33];
    bool negative = false, positive = false;

    (void)state;
    random_fill(&stream, 0, 33, fast);
    random_fill_plain(&stream, 0, 33, plain);
    assert_memory_equal(fast, plain, sizeof fast);
    for (size_t i = 0; i < 33; i++) {
        negative = negative || fast[i] < 0;
        positive = positive || fast[i] > 0;
    }
    assert_true(negative && positive);
}

static void
kinds_and_types_that_do_not_go_together_are_not_known(void **state)
{
    (void)state;
    assert_false(random_kind_known(RANDOM_NORMAL, DTYPE_INT32));
    assert_false(random_kind_known(RANDOM_TRUNCATED_NORMAL, DTYPE_INT64));
    assert_false(random_kind_known(RANDOM_UNIFORM, DTYPE_UINT8));
    assert_false(random_kind_known(RANDOM_UNIFORM, DTYPE_BOOL));
    assert_false(random_kind_known(RANDOM_NORMAL, DTYPE_COMPLEX64));
    assert_true(random_kind_known(RANDOM_NORMAL, DTYPE_BFLOAT16));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_equal_tensorflows),
        cmocka_unit_test(plain_draws_equal_tensorflows),
        cmocka_unit_test(fast_equals_plain_for_every_kind_type_profile_and_length),
        cmocka_unit_test(every_range_equals_its_part_of_the_whole),
        cmocka_unit_test(far_elements_need_none_before_them),
        cmocka_unit_test(values_stay_within_their_bounds),
        cmocka_unit_test(the_full_integer_ranges_are_drawn),
        cmocka_unit_test(kinds_and_types_that_do_not_go_together_are_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
