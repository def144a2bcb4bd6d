/* The loops of optimizers: the same bits as one element at a time, for every optimizer, dtype, odd
 * length and way a gradient comes, on awkward values and hyper-parameters by chance; rows; sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "service/training/optimizer_element.h"
#include "service/training/optimizer_sums.h"
#include "tests/support/twin_device.h"
#include "tests/unit/service/kernel_inputs.h"

enum { OUTS = 1 + OPTIMIZER_SLOTS_MAX }; /* the variable, then slots */

static struct {
    struct memory in[OUTS], gradient, fast[OUTS], plain[OUTS];
} bench;

static const enum dtype dtypes[] = {DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32, DTYPE_FLOAT64};

/* --- a step by chance ------------------------------------------------------------------------ */

static double
chance(uint32_t *seed, double low, double high)
{
    return low + (high - low) * (double)next_word(seed) * 0x1p-32;
}

static void
make_params(const struct optimizer *o, uint32_t *seed, uint8_t *params)
{
    attr_defaults(o->attrs, params);
    for (const struct attr_spec *spec = o->attrs; spec->name != NULL; spec++) {
        bool keep = (next_word(seed) >> 8 & 3) == 0;

        if (spec->kind == ATTR_KIND_BOOL)
            *(bool *)attr_at(spec, params) = (next_word(seed) >> 9 & 1) != 0;
        else if (!keep && strcmp(spec->name, "learning_rate_power") == 0)
            *(double *)attr_at(spec, params) = chance(seed, -1, 0);
        else if (!keep)
            *(double *)attr_at(spec, params) = chance(seed, 0, 1);
    }
}

static void
make_step(const struct optimizer *o, uint32_t *seed, enum dtype dtype, uint8_t *params,
          struct optimizer_step *step)
{
    make_params(o, seed, params);
    *step = (struct optimizer_step){
        .params = params,
        .dtype = dtype,
        .sparse = (next_word(seed) >> 8 & 1) != 0,
        .learning_rate = chance(seed, 0.001, 1),
        .powers = {chance(seed, 0, 1), chance(seed, 0, 1)},
        .global_step = next_word(seed) >> 8 & 0xFF,
        .sums = {chance(seed, 0, 9), chance(seed, 0, 9)},
    };
}

static struct optimizer_tile
make_tile(const struct optimizer *o, const struct optimizer_step *step, bool listed,
          struct memory in[static OUTS], struct memory out[static OUTS], uint64_t count)
{
    struct optimizer_tile tile = {.count = count,
                                  .variable = &in[0],
                                  .gradient = listed ? &bench.gradient : NULL,
                                  .variable_out = &out[0]};

    for (uint32_t k = 0; k < optimizer_slot_count(o); k++) {
        if (!optimizer_slot_wanted(o, k, step->params))
            continue;
        tile.slots[k] = &in[1 + k];
        tile.slots_out[k] = &out[1 + k];
    }
    return tile;
}

/* --- fast and plain -------------------------------------------------------------------------- */

static void
compare_one(const struct optimizer *o, const struct optimizer_step *step, bool listed,
            uint64_t count)
{
    const uint32_t size = dtype_size(step->dtype);
    struct optimizer_tile fast, plain, in_place;

    memset(bench.fast, 0x5A, sizeof bench.fast);
    memset(bench.plain, 0x5A, sizeof bench.plain);
    fast = make_tile(o, step, listed, bench.in, bench.fast, count);
    plain = make_tile(o, step, listed, bench.in, bench.plain, count);
    o->apply(step, &fast);
    optimizer_apply_plain(o, step, &plain);
    for (uint32_t k = 0; k < OUTS; k++) {
        if (k > 0 && plain.slots[k - 1] == NULL)
            continue;
        same_numbers(step->dtype, bench.fast[k].bytes, bench.plain[k].bytes, count);
        assert_memory_equal(bench.fast[k].bytes + count * size, bench.plain[k].bytes + count * size,
                            size);
    }
    memcpy(bench.fast, bench.in, sizeof bench.fast);
    in_place = make_tile(o, step, listed, bench.fast, bench.fast, count);
    o->apply(step, &in_place);
    for (uint32_t k = 0; k < OUTS; k++)
        if (k == 0 || plain.slots[k - 1] != NULL)
            same_numbers(step->dtype, bench.fast[k].bytes, bench.plain[k].bytes, count);
}

/* A device whose memory is its own takes the same step, to the bit. */
static void
compare_twin(const struct device *twin, const struct optimizer *o,
             const struct optimizer_step *step, bool listed, uint64_t count)
{
    struct optimizer_tile here, there;

    memset(bench.fast, 0x5A, sizeof bench.fast);
    memset(bench.plain, 0x5A, sizeof bench.plain);
    here = make_tile(o, step, listed, bench.in, bench.fast, count);
    there = make_tile(o, step, listed, bench.in, bench.plain, count);
    o->apply(step, &here);
    assert_int_equal(device_step(twin, o, step, &there, NULL), OK);
    assert_memory_equal(bench.plain, bench.fast, sizeof bench.fast);
}

static void
fast_equals_plain_for_every_optimizer_dtype_and_length(void **state)
{
    uint32_t seed = 1;
    enum { TURNS = 4 };
    struct device twin;

    (void)state;
    twin_device_open(&twin);
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
        for (uint32_t k = 0; k < OUTS; k++)
            fill(dtypes[d], &seed, false, &bench.in[k], COUNT_MAX);
        fill(dtypes[d], &seed, false, &bench.gradient, COUNT_MAX);
        for (size_t i = 0; optimizer_at(i) != NULL; i++) {
            const struct optimizer *o = optimizer_at(i);

            for (int turn = 0; turn < TURNS && (o->dtypes >> dtypes[d] & 1) != 0; turn++) {
                _Alignas(16) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
                struct optimizer_step step;

                make_step(o, &seed, dtypes[d], params, &step);
                for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
                    compare_one(o, &step, true, counts[c]);
                    if (step.sparse && o->every_row != NULL)
                        compare_one(o, &step, false, counts[c]);
                }
                compare_twin(&twin, o, &step, true, counts[turn * 5 % 14 + 1]);
                if (step.sparse && o->every_row != NULL)
                    compare_twin(&twin, o, &step, false, counts[turn * 5 % 14 + 1]);
            }
        }
    }
    device_close(&twin);
}

/* --- rounding -------------------------------------------------------------------------------- */

static void
check_rounding(uint32_t bits)
{
    float value;
    double half, brain;

    memcpy(&value, &bits, sizeof value);
    half = nearest_float16(value);
    brain = nearest_bfloat16(value);
    if (value != value) {
        assert_true(half != half && brain != brain);
        return;
    }
    if (half != (double)half_to_float(half_of_float(value)) ||
        brain != (double)bfloat16_to_float(bfloat16_of_float(value)) ||
        !signbit(half) != !signbit(value) || !signbit(brain) != !signbit(value))
        fail_msg("%.9g is rounded to %.9g and %.9g", (double)value, half, brain);
}

/* Every upper half of a float, with the lower halves where rounding turns. */
static void
half_precision_is_rounded_as_conversions_do(void **state)
{
    static const uint32_t low[] = {0, 1, 0xFFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
    uint32_t seed = 7;

    (void)state;
    for (uint32_t high = 0; high < 0x10000; high++) {
        for (size_t i = 0; i < sizeof low / sizeof low[0]; i++)
            check_rounding(high << 16 | low[i]);
        for (uint32_t i = 0; i < 8; i++)
            check_rounding(high << 16 | i << 13 | (next_word(&seed) & 1) << 12);
    }
}

/* --- rows ------------------------------------------------------------------------------------ */

enum { ROW_WIDTH = 5, ROW_COUNT = 40, ROW_ELEMENTS = ROW_WIDTH * ROW_COUNT };

static const uint64_t rows_listed[] = {17, 0, 39, 3, 4, 20}; /* of gradients, in their order */
static const uint64_t rows_order[] = {1, 3, 4, 0, 5, 2};
enum { ROWS_LISTED = sizeof rows_listed / sizeof rows_listed[0] };

/* Element by element what optimizer_apply_rows must do by runs. */
static void
apply_rows_plain(const struct optimizer *o, const struct optimizer_step *step)
{
    const uint32_t size = dtype_size(step->dtype);

    for (uint64_t row = 0; row < ROW_COUNT; row++) {
        struct optimizer_tile tile = make_tile(o, step, false, bench.in, bench.plain, ROW_WIDTH);
        uint64_t skip = row * ROW_WIDTH * size;

        for (uint64_t i = 0; i < ROWS_LISTED; i++)
            if (rows_listed[i] == row)
                tile.gradient = bench.gradient.bytes + i * ROW_WIDTH * size;
        tile.variable = bench.in[0].bytes + skip;
        tile.variable_out = bench.plain[0].bytes + skip;
        for (uint32_t k = 0; k < optimizer_slot_count(o); k++) {
            tile.slots[k] = bench.in[1 + k].bytes + skip;
            tile.slots_out[k] = bench.plain[1 + k].bytes + skip;
        }
        optimizer_apply_plain(o, step, &tile);
    }
}

/* The range [first, first + count) of the rows above. */
static void
apply_range(const struct optimizer *o, const struct optimizer_step *step, uint64_t first,
            uint64_t count)
{
    const struct optimizer_rows rows = {ROW_WIDTH, ROWS_LISTED, rows_listed, rows_order,
                                        &bench.gradient};
    struct optimizer_tile tile = make_tile(o, step, false, bench.in, bench.fast, count);
    uint64_t skip = first * dtype_size(step->dtype);

    tile.variable = bench.in[0].bytes + skip;
    tile.variable_out = bench.fast[0].bytes + skip;
    for (uint32_t k = 0; k < optimizer_slot_count(o); k++) {
        tile.slots[k] = bench.in[1 + k].bytes + skip;
        tile.slots_out[k] = bench.fast[1 + k].bytes + skip;
    }
    assert_int_equal(optimizer_apply_rows(NULL, o, step, &rows, first, &tile, NULL), OK);
}

static void
rows_are_applied_in_ranges_of_any_length(void **state)
{
    static const uint64_t lengths[] = {1, 2, 4, 5, 7, 16, 83, ROW_ELEMENTS};
    static const char *const names[] = {"adam", "adamw", "addsign", "lamb"};
    uint32_t seed = 3;

    (void)state;
    for (uint32_t k = 0; k < OUTS; k++)
        fill(DTYPE_FLOAT32, &seed, false, &bench.in[k], COUNT_MAX);
    fill(DTYPE_FLOAT32, &seed, false, &bench.gradient, COUNT_MAX);
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        const struct optimizer *o = optimizer_find(bytes_of_text(names[n]));
        _Alignas(16) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
        struct optimizer_step step;

        make_step(o, &seed, DTYPE_FLOAT32, params, &step);
        step.sparse = true;
        apply_rows_plain(o, &step);
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            memset(bench.fast, 0x5A, sizeof bench.fast);
            for (uint64_t first = 0; first < ROW_ELEMENTS; first += lengths[i])
                apply_range(o, &step, first,
                            lengths[i] < ROW_ELEMENTS - first ? lengths[i] : ROW_ELEMENTS - first);
            for (uint32_t k = 0; k < 1 + optimizer_slot_count(o); k++)
                same_numbers(DTYPE_FLOAT32, bench.fast[k].bytes, bench.plain[k].bytes,
                             ROW_ELEMENTS);
        }
    }
}

static void
rows_of_nothing_are_nothing(void **state)
{
    const struct optimizer *o = optimizer_find(bytes_of_text("adam"));
    const uint64_t none[1] = {0};
    const struct optimizer_rows no_rows = {ROW_WIDTH, 0, none, none, NULL};
    const struct optimizer_rows no_width = {0, 1, none, none, NULL};
    _Alignas(16) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
    struct optimizer_step step;
    struct optimizer_tile tile;
    uint32_t seed = 4;

    (void)state;
    make_step(o, &seed, DTYPE_FLOAT64, params, &step);
    tile = make_tile(o, &step, false, bench.in, bench.fast, ROW_ELEMENTS);
    for (uint32_t k = 0; k < OUTS; k++)
        fill(DTYPE_FLOAT64, &seed, false, &bench.in[k], ROW_ELEMENTS);
    assert_int_equal(optimizer_apply_rows(NULL, o, &step, &no_rows, 0, &tile, NULL), OK);
    tile = make_tile(o, &step, false, bench.in, bench.plain, ROW_ELEMENTS);
    optimizer_apply_plain(o, &step, &tile);
    same_numbers(DTYPE_FLOAT64, bench.fast[0].bytes, bench.plain[0].bytes, ROW_ELEMENTS);
    memset(bench.fast, 0x5A, sizeof bench.fast);
    memset(bench.plain, 0x5A, sizeof bench.plain);
    tile = make_tile(o, &step, false, bench.in, bench.fast, 0);
    assert_int_equal(optimizer_apply_rows(NULL, o, &step, &no_width, 0, &tile, NULL), OK);
    assert_memory_equal(bench.fast, bench.plain, sizeof bench.fast);
}

/* --- sums ------------------------------------------------------------------------------------ */

static void
squares_are_summed_in_float64(void **state)
{
    static float values[1000];
    double exact = 0, sum;
    uint32_t seed = 5;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        values[i] = (float)chance(&seed, -1, 1);
        exact += (double)values[i] * (double)values[i];
    }
    sum = optimizer_squares(DTYPE_FLOAT32, values, 1000);
    assert_true(fabs(sum - exact) < 1e-12 * exact);
    for (uint64_t count = 0; count < 20; count++) {
        exact = 0;
        for (uint64_t i = 0; i < count; i++)
            exact += (double)values[i] * (double)values[i];
        sum = optimizer_squares(DTYPE_FLOAT32, values, count);
        assert_true(fabs(sum - exact) <= 1e-12 * exact);
    }
}

/* What apply is given as sums: of lars the squares of w and g, for every dtype. */
static void
measures_are_sums_of_squares(void **state)
{
    const struct optimizer *o = optimizer_find(bytes_of_text("lars"));

    (void)state;
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
        _Alignas(16) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
        double sums[OPTIMIZER_SUMS_MAX] = {100, 1000};
        struct optimizer_step step;
        struct optimizer_tile tile;
        uint32_t seed = 6;

        make_step(o, &seed, dtypes[d], params, &step);
        for (uint32_t i = 0; i < 600; i++) {
            uint32_t size = dtype_size(dtypes[d]);

            tensor_element_of_double(dtypes[d], i % 2 == 0 ? 0.5 : -2,
                                     bench.in[0].bytes + i * size);
            tensor_element_of_double(dtypes[d], i % 3 == 0 ? 3 : 0,
                                     bench.gradient.bytes + i * size);
        }
        tile = make_tile(o, &step, true, bench.in, bench.fast, 600);
        o->measure(&step, &tile, sums);
        assert_true(sums[0] == 100 + 300 * 4.25 && sums[1] == 1000 + 200 * 9);
    }
}

/* Range by range the same as in one, up to the order of additions. */
static void
rows_are_measured_like_the_whole(void **state)
{
    const struct optimizer *o = optimizer_find(bytes_of_text("lamb"));
    const struct optimizer_rows rows = {ROW_WIDTH, ROWS_LISTED, rows_listed, rows_order,
                                        &bench.gradient};
    _Alignas(16) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
    double whole[OPTIMIZER_SUMS_MAX] = {0}, parts[OPTIMIZER_SUMS_MAX] = {0};
    struct optimizer_step step;
    struct optimizer_tile tile;
    uint32_t seed = 8;

    (void)state;
    make_step(o, &seed, DTYPE_FLOAT64, params, &step);
    step.sparse = true;
    for (uint32_t i = 0; i < ROW_ELEMENTS; i++) {
        const double value[4] = {chance(&seed, -1, 1), chance(&seed, -1, 1), chance(&seed, 0, 1),
                                 chance(&seed, -1, 1)};

        for (uint32_t k = 0; k < 3; k++)
            memcpy(bench.in[k].bytes + i * sizeof *value, &value[k], sizeof *value);
        memcpy(bench.gradient.bytes + i * sizeof *value, &value[3], sizeof *value);
    }
    tile = make_tile(o, &step, false, bench.in, bench.fast, ROW_ELEMENTS);
    optimizer_measure_rows(o, &step, &rows, 0, &tile, whole);
    for (uint64_t first = 0; first < ROW_ELEMENTS; first += 40) {
        tile.count = 40;
        tile.variable = bench.in[0].bytes + first * sizeof(double);
        for (uint32_t k = 0; k < 2; k++)
            tile.slots[k] = bench.in[1 + k].bytes + first * sizeof(double);
        optimizer_measure_rows(o, &step, &rows, first, &tile, parts);
    }
    for (int i = 0; i < 2; i++)
        assert_true(whole[i] > 0 && fabs(parts[i] - whole[i]) < 1e-12 * whole[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_equals_plain_for_every_optimizer_dtype_and_length),
        cmocka_unit_test(half_precision_is_rounded_as_conversions_do),
        cmocka_unit_test(rows_are_applied_in_ranges_of_any_length),
        cmocka_unit_test(rows_of_nothing_are_nothing),
        cmocka_unit_test(squares_are_summed_in_float64),
        cmocka_unit_test(measures_are_sums_of_squares),
        cmocka_unit_test(rows_are_measured_like_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
