/* OrderedCode: known bytes, and order kept. */
#include "api/file/ordered_code.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "store/base/scope.h"

static void
expect_hex(const struct buf *got, const char *expected)
{
    char text[256] = "";

    for (size_t i = 0; i < got->size; i++)
        snprintf(text + 2 * i, sizeof text - 2 * i, "%02x", got->data[i]);
    assert_string_equal(text, expected);
}

static void
signed_numbers_are_those_of_the_format(void **state)
{
    static const struct {
        int64_t value;
        const char *hex;
    } known[] = {
        {0, "80"},
        {1, "81"},
        {63, "bf"},
        {64, "c040"},
        {8191, "dfff"},
        {8192, "e02000"},
        {1 << 20, "f0100000"},
        {1 << 27, "f808000000"},
        {(int64_t)1 << 55, "ff8080000000000000"},
        {INT64_MAX, "ffc07fffffffffffffff"},
        {-1, "7f"},
        {-64, "40"},
        {-65, "3fbf"},
        {-8192, "2000"},
        {-8193, "1fdfff"},
        {INT64_MIN, "003f8000000000000000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        AUTO(buf) out = {0};

        buf_init(&out, 100);
        assert_int_equal(api_ordered_signed(&out, known[i].value, NULL), OK);
        expect_hex(&out, known[i].hex);
    }
}

static void
unsigned_numbers_and_texts_are_those_of_the_format(void **state)
{
    static const struct {
        uint64_t value;
        const char *hex;
    } known[] = {
        {0, "00"}, {1, "0101"}, {255, "01ff"}, {256, "020100"}, {UINT64_MAX, "08ffffffffffffffff"}};
    AUTO(buf) text = {0};

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        AUTO(buf) out = {0};

        buf_init(&out, 100);
        assert_int_equal(api_ordered_unsigned(&out, known[i].value, NULL), OK);
        expect_hex(&out, known[i].hex);
    }
    buf_init(&text, 100);
    assert_int_equal(api_ordered_text(&text,
                                      bytes_of("a\0\xff"
                                               "b",
                                               4),
                                      NULL),
                     OK);
    expect_hex(&text, "6100ffff00620001");
}

static void
keys_of_slices_are_those_of_the_format(void **state)
{
    static const struct api_extent rows[] = {{0, 4}, {0, API_EXTENT_WHOLE}};
    AUTO(buf) scalar = {0};
    AUTO(buf) slice = {0};

    (void)state;
    buf_init(&scalar, 100);
    buf_init(&slice, 100);
    assert_int_equal(api_slice_key(bytes_of_text("a"), NULL, 0, &scalar, NULL), OK);
    expect_hex(&scalar, "0061000100");
    assert_int_equal(api_slice_key(bytes_of_text("emb/w"), rows, 2, &slice, NULL), OK);
    expect_hex(&slice, "00656d622f77000101028084807f");
}

/* Neighbours of every power of two, both signs: each sorts after the one before. */
static void
what_is_written_sorts_as_the_numbers_do(void **state)
{
    static int64_t values[400];
    size_t count = 0;
    uint8_t before[16] = {0};
    size_t before_size = 0;

    (void)state;
    values[count++] = INT64_MIN;
    for (int bit = 62; bit >= 1; bit--)
        for (int64_t near = -1; near <= 1; near++)
            if (values[count - 1] < -((int64_t)1 << bit) + near)
                values[count++] = -((int64_t)1 << bit) + near;
    for (int bit = 1; bit <= 62; bit++)
        for (int64_t near = -1; near <= 1; near++)
            if (values[count - 1] < ((int64_t)1 << bit) + near)
                values[count++] = ((int64_t)1 << bit) + near;
    assert_true(count > 300);
    for (size_t i = 0; i < count; i++) {
        AUTO(buf) out = {0};

        buf_init(&out, 100);
        assert_int_equal(api_ordered_signed(&out, values[i], NULL), OK);
        if (i > 0 && bytes_compare(bytes_of(before, before_size), buf_bytes(&out)) >= 0)
            fail_msg("%" PRId64 " does not sort after %" PRId64, values[i], values[i - 1]);
        before_size = out.size;
        memcpy(before, out.data, out.size);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_numbers_are_those_of_the_format),
        cmocka_unit_test(unsigned_numbers_and_texts_are_those_of_the_format),
        cmocka_unit_test(keys_of_slices_are_those_of_the_format),
        cmocka_unit_test(what_is_written_sorts_as_the_numbers_do),
    };

    return cmocka_run_group_tests_name("ordered_code", tests, NULL, NULL);
}
