/* Casts by their definition, from every type to every type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "service/tensor/convert.h"

/* One double to each integer type, as x86 gives it. */
static void
floats_truncate_and_out_of_range_gives_the_minimum(void **state)
{
    static const struct {
        double from;
        int64_t int64;
        uint64_t uint64;
        int32_t int32; /* int8 to uint16 are its low bits */
        uint32_t uint32;
    } rows[] = {
        {2.9, 2, 2, 2, 2},
        {-2.9, -2, (uint64_t)-2, -2, (uint32_t)-2},
        {-0.5, 0, 0, 0, 0},
        {300, 300, 300, 300, 300},
        {2147483647.5, 2147483647, 2147483647, 2147483647, 2147483647},
        {2147483648.0, 2147483648, 2147483648, INT32_MIN, 2147483648},
        {-2147483648.5, -2147483648, (uint64_t)-2147483648, INT32_MIN, 2147483648},
        {5e9, 5000000000, 5000000000, INT32_MIN, 705032704},
        {0x1p63, INT64_MIN, (uint64_t)1 << 63, INT32_MIN, 0},
        {0x1.8p63, INT64_MIN, (uint64_t)3 << 62, INT32_MIN, 0},
        {0x1p64, INT64_MIN, 0, INT32_MIN, 0},
        {-0x1p63, INT64_MIN, (uint64_t)1 << 63, INT32_MIN, 0},
        {-1e300, INT64_MIN, (uint64_t)1 << 63, INT32_MIN, 0},
        {INFINITY, INT64_MIN, 0, INT32_MIN, 0},
        {NAN, INT64_MIN, (uint64_t)1 << 63, INT32_MIN, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const float single = (float)rows[i].from;
        const bool exact = (double)single == rows[i].from || isnan(single);
        int64_t int64 = 9;
        uint64_t uint64 = 9;
        int32_t int32 = 9;
        uint32_t uint32 = 9;
        uint8_t uint8 = 9;
        int16_t int16 = 9;

        for (int pass = 0; pass < (exact ? 2 : 1); pass++) {
            enum dtype from = pass == 0 ? DTYPE_FLOAT64 : DTYPE_FLOAT32;
            const void *in = pass == 0 ? (const void *)&rows[i].from : &single;

            tensor_cast(from, in, DTYPE_INT64, &int64, 1);
            tensor_cast(from, in, DTYPE_UINT64, &uint64, 1);
            tensor_cast(from, in, DTYPE_INT32, &int32, 1);
            tensor_cast(from, in, DTYPE_UINT32, &uint32, 1);
            tensor_cast(from, in, DTYPE_UINT8, &uint8, 1);
            tensor_cast(from, in, DTYPE_INT16, &int16, 1);
            assert_true(int64 == rows[i].int64);
            assert_true(uint64 == rows[i].uint64);
            assert_true(int32 == rows[i].int32);
            assert_true(uint32 == rows[i].uint32);
            assert_true(uint8 == (uint8_t)rows[i].int32);
            assert_true(int16 == (int16_t)rows[i].int32);
        }
    }
}

static void
integers_wrap_into_narrower_ones(void **state)
{
    const int64_t in[3] = {-1, 0x123456789ABCDEF0, INT64_MIN};
    int8_t int8[3];
    uint16_t uint16[3];
    uint32_t uint32[3];

    (void)state;
    tensor_cast(DTYPE_INT64, in, DTYPE_INT8, int8, 3);
    tensor_cast(DTYPE_INT64, in, DTYPE_UINT16, uint16, 3);
    tensor_cast(DTYPE_INT64, in, DTYPE_UINT32, uint32, 3);
    assert_int_equal(int8[0], -1);
    assert_int_equal(int8[1], (int8_t)0xF0);
    assert_int_equal(uint16[1], 0xDEF0);
    assert_int_equal(uint32[0], 0xFFFFFFFF);
    assert_int_equal(uint32[2], 0);
}

static void
anything_but_zero_is_true(void **state)
{
    const float floats[5] = {0.0f, -0.0f, 1e-45f, NAN, -2.0f};
    const double complexes[6] = {0, 0, 0, -1, NAN, 0};
    const uint8_t bytes[3] = {0, 1, 200};
    uint8_t out[5];
    int32_t numbers[3];

    (void)state;
    tensor_cast(DTYPE_FLOAT32, floats, DTYPE_BOOL, out, 5);
    assert_memory_equal(out, ((const uint8_t[]){0, 0, 1, 1, 1}), 5);
    tensor_cast(DTYPE_COMPLEX128, complexes, DTYPE_BOOL, out, 3);
    assert_memory_equal(out, ((const uint8_t[]){0, 1, 1}), 3);
    tensor_cast(DTYPE_BOOL, bytes, DTYPE_INT32, numbers, 3);
    assert_true(numbers[0] == 0 && numbers[1] == 1 && numbers[2] == 1);
}

static void
complex_numbers_lose_or_gain_an_imaginary_part(void **state)
{
    const float in[6] = {1.5f, 9, -2.75f, 9, 1e30f, 9};
    float out[6] = {7, 7, 7, 7, 7, 7};
    const int16_t integers[3] = {1, -2, 3};
    int64_t whole[3];
    double wide[6];

    (void)state;
    tensor_cast(DTYPE_COMPLEX64, in, DTYPE_INT64, whole, 3);
    assert_true(whole[0] == 1 && whole[1] == -2 && whole[2] == INT64_MIN);
    tensor_cast(DTYPE_INT16, integers, DTYPE_COMPLEX64, out, 3);
    assert_true(out[0] == 1 && out[1] == 0 && out[2] == -2 && out[3] == 0 && out[4] == 3);
    tensor_cast(DTYPE_COMPLEX64, in, DTYPE_COMPLEX128, wide, 3);
    assert_true(wide[0] == 1.5 && wide[1] == 9 && wide[2] == -2.75 && wide[5] == 9);
}

static void
integers_reach_sixteen_bit_floats_with_one_rounding(void **state)
{
    /* 2^32 + 2^24 lies halfway between two bfloat16 numbers; one more must go up, and float32
     * could not tell. The same just below 2^63, where not even double could. */
    const int64_t in[4] = {((int64_t)1 << 32) + (1 << 24), ((int64_t)1 << 32) + (1 << 24) + 1,
                           ((int64_t)1 << 62) + ((int64_t)1 << 54) + 1, -65520};
    uint16_t out[4];

    (void)state;
    tensor_cast(DTYPE_INT64, in, DTYPE_BFLOAT16, out, 4);
    assert_int_equal(out[0], 0x4F80);
    assert_int_equal(out[1], 0x4F81);
    assert_int_equal(out[2], 0x5E81);
    tensor_cast(DTYPE_INT64, in, DTYPE_FLOAT16, out, 4);
    assert_int_equal(out[0], 0x7C00);
    assert_int_equal(out[3], 0xFC00);
}

static bool
is_castable(unsigned dtype)
{
    return dtype_info((enum dtype)dtype)->kind != DTYPE_KIND_OPAQUE;
}

/* Small whole numbers survive every pair of types, at any length and alignment. */
static void
small_integers_survive_every_pair_of_types(void **state)
{
    enum { COUNT = 1027 };
    static uint8_t numbers[COUNT], from_bytes[COUNT * 16 + 1], to_bytes[COUNT * 16 + 2],
        back[COUNT];

    (void)state;
    for (unsigned from = 0; from < DTYPE_COUNT; from++)
        for (unsigned to = 0; to < DTYPE_COUNT; to++) {
            const bool to_bool = from == DTYPE_BOOL || to == DTYPE_BOOL;

            assert_int_equal(tensor_cast_known((enum dtype)from, (enum dtype)to),
                             is_castable(from) && is_castable(to));
            if (!is_castable(from) || !is_castable(to))
                continue;
            for (unsigned i = 0; i < COUNT; i++)
                numbers[i] = (uint8_t)(to_bool ? i % 3 == 0 : i % 127);
            memset(to_bytes, 0xEE, sizeof to_bytes);
            tensor_cast(DTYPE_UINT8, numbers, (enum dtype)from, from_bytes + 1, COUNT);
            tensor_cast((enum dtype)from, from_bytes + 1, (enum dtype)to, to_bytes + 1, COUNT);
            tensor_cast((enum dtype)to, to_bytes + 1, DTYPE_UINT8, back, COUNT);
            assert_memory_equal(back, numbers, COUNT);
            assert_int_equal(to_bytes[0], 0xEE);
            assert_int_equal(to_bytes[1 + COUNT * dtype_size((enum dtype)to)], 0xEE);
        }
}

static void
a_cast_to_the_same_type_keeps_every_bit(void **state)
{
    const uint32_t in[3] = {0x7F800001, 0x80000000, 0xFFFFFFFF};
    const uint8_t odd_bool[3] = {0, 1, 77};
    uint32_t out[3];
    uint8_t out_bool[3];

    (void)state;
    tensor_cast(DTYPE_FLOAT32, in, DTYPE_FLOAT32, out, 3);
    assert_memory_equal(in, out, sizeof in);
    tensor_cast(DTYPE_BOOL, odd_bool, DTYPE_BOOL, out_bool, 3);
    assert_memory_equal(odd_bool, out_bool, 3);
    tensor_cast(DTYPE_FLOAT32, NULL, DTYPE_INT8, NULL, 0);
}

static void
single_elements_go_to_double_and_back(void **state)
{
    uint16_t half = 0;
    float parts[2] = {7, 7};
    int32_t integer = 0;

    (void)state;
    tensor_element_of_double(DTYPE_FLOAT16, 0.1, &half);
    assert_int_equal(half, 0x2E66);
    assert_true(tensor_element_as_double(DTYPE_FLOAT16, &half) == 0.0999755859375);
    tensor_element_of_double(DTYPE_COMPLEX64, 0.5, parts);
    assert_true(parts[0] == 0.5f && parts[1] == 0);
    assert_true(tensor_element_as_double(DTYPE_COMPLEX64, parts) == 0.5);
    tensor_element_of_double(DTYPE_INT32, -7.9, &integer);
    assert_int_equal(integer, -7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_truncate_and_out_of_range_gives_the_minimum),
        cmocka_unit_test(integers_wrap_into_narrower_ones),
        cmocka_unit_test(anything_but_zero_is_true),
        cmocka_unit_test(complex_numbers_lose_or_gain_an_imaginary_part),
        cmocka_unit_test(integers_reach_sixteen_bit_floats_with_one_rounding),
        cmocka_unit_test(small_integers_survive_every_pair_of_types),
        cmocka_unit_test(a_cast_to_the_same_type_keeps_every_bit),
        cmocka_unit_test(single_elements_go_to_double_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
