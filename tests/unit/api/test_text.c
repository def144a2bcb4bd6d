/* Text helpers: UTF-8, JSON strings, base64, nearest names. */
#include "api/json/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/json/chars.h"
#include "store/base/scope.h"

static void
utf8_is_accepted_and_refused_as_unicode_says(void **state)
{
    static const struct {
        const char *text;
        size_t prefix;
    } rows[] = {
        {"", 0},
        {"plain ascii, longer than eight", 30},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9},
        {"\xc0\x80", 0},         /* overlong */
        {"ab\xc1\xbf", 2},       /* overlong */
        {"\xe0\x9f\xbf", 0},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"\xed\xa0\x80", 0},     /* surrogate */
        {"\xed\x9f\xbf", 3},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 0}, /* past U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\x80", 0},
        {"abcdefgh\xff", 8},
        {"abcdefg\xe2\x82", 7}, /* cut off */
        {"\xe2\x28\xa1", 0},
        {"\xf0\x9f\x98\x41", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(api_utf8_prefix(bytes_of_text(rows[i].text)), rows[i].prefix);
        assert_int_equal(api_utf8_valid(bytes_of_text(rows[i].text)),
                         rows[i].prefix == strlen(rows[i].text));
    }
    assert_int_equal(api_utf8_character(bytes_of("", 0)), 0);
}

static void
a_cut_never_splits_a_character(void **state)
{
    struct bytes text = bytes_of_text("a\xe2\x82\xac"
                                      "b");

    (void)state;
    assert_int_equal(api_utf8_cut(text, 0), 0);
    assert_int_equal(api_utf8_cut(text, 1), 1);
    assert_int_equal(api_utf8_cut(text, 2), 1);
    assert_int_equal(api_utf8_cut(text, 3), 1);
    assert_int_equal(api_utf8_cut(text, 4), 4);
    assert_int_equal(api_utf8_cut(text, 99), 5);
}

static void
expect_escaped(struct bytes in, const char *want)
{
    AUTO(buf) out = {0};

    buf_init(&out, 256);
    assert_int_equal(api_json_escape(in, &out, NULL), OK);
    assert_int_equal(out.size, strlen(want));
    assert_memory_equal(out.data, want, out.size);
}

static void
any_bytes_can_be_shown(void **state)
{
    static const struct {
        const char *bytes, *shown;
    } rows[] = {
        {"", ""},
        {"plain \xc3\xa4", "plain \xc3\xa4"},
        {"\xff\xfe", "??"},
        {"a\nb\x7f\x1b[0m", "a?b??[0m"},
        {"ab\xe2\x82", "ab??"},
        {"\xed\xa0\x80.", "???."},
    };
    char out[API_SHOWN_BYTES_MAX + 1], many[API_SHOWN_BYTES_MAX + 9];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(api_text_shown(bytes_of_text(rows[i].bytes), out), rows[i].shown);
    assert_string_equal(api_text_shown(bytes_of("a\0b", 3), out), "a?b");
    /* A character that would only fit in part is left out. */
    memset(many, 'm', sizeof many);
    memcpy(many + API_SHOWN_BYTES_MAX - 1, "\xc3\xa4", 2);
    api_text_shown(bytes_of(many, sizeof many), out);
    assert_int_equal(strlen(out), API_SHOWN_BYTES_MAX - 1);
}

static void
strings_are_escaped_as_little_as_json_allows(void **state)
{
    (void)state;
    expect_escaped(bytes_of("", 0), "\"\"");
    expect_escaped(bytes_of_text("layer/w"), "\"layer/w\"");
    expect_escaped(bytes_of_text("a\"b\\c"), "\"a\\\"b\\\\c\"");
    expect_escaped(bytes_of("\0\x01\b\f\n\r\t\x1f\x7f", 9),
                   "\"\\u0000\\u0001\\b\\f\\n\\r\\t\\u001f\x7f\"");
    expect_escaped(bytes_of_text("\xc3\xa4"), "\"\xc3\xa4\"");
}

static void
a_string_past_the_limit_of_its_buffer_is_refused(void **state)
{
    AUTO(buf) out = {0};

    (void)state;
    buf_init(&out, 4);
    assert_int_equal(api_json_escape(bytes_of_text("abcdef"), &out, NULL), ERR_PAYLOAD_TOO_LARGE);
}

static void
escapes_stand_for_their_characters(void **state)
{
    static const struct {
        const char *inner;
        const char *bytes;
        size_t size;
    } rows[] = {
        {"", "", 0},
        {"plain", "plain", 5},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
        {"x\\u0041\\u00e4\\u20ACy", "xA\xc3\xa4\xe2\x82\xacy", 8},
        {"\\ud83d\\uDE00", "\xf0\x9f\x98\x80", 4},
        {"\\uDBFF\\uDFFF", "\xf4\x8f\xbf\xbf", 4},
        {"a\\u0000b", "a\0b", 3},
    };
    uint8_t out[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes inner = bytes_of_text(rows[i].inner);

        assert_int_equal(api_json_unescape(inner, NULL), rows[i].size);
        assert_int_equal(api_json_unescape(inner, out), rows[i].size);
        assert_memory_equal(out, rows[i].bytes, rows[i].size);
    }
}

static void
base64_goes_both_ways_for_every_length(void **state)
{
    uint8_t bytes[300], back[300];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t size = 0; size < sizeof bytes; size++) {
        AUTO(buf) text = {0};
        size_t back_size = 999;

        buf_init(&text, 1024);
        assert_int_equal(api_base64_encode(bytes_of(bytes, size), &text, NULL), OK);
        assert_int_equal(text.size, (size + 2) / 3 * 4);
        assert_true(api_base64_size(buf_bytes(&text), &back_size));
        assert_int_equal(back_size, size);
        assert_true(api_base64_decode(buf_bytes(&text), back));
        assert_memory_equal(back, bytes, size);
        while (text.size > 0 && text.data[text.size - 1] == '=')
            text.size--;
        memset(back, 0, sizeof back);
        assert_true(api_base64_size(buf_bytes(&text), &back_size));
        assert_int_equal(back_size, size);
        assert_true(api_base64_decode(buf_bytes(&text), back));
        assert_memory_equal(back, bytes, size);
    }
}

static void
base64_longer_than_a_chunk_is_whole(void **state)
{
    size_t size = 3 * 4096 * 2 + 1, back_size = 0;
    AUTO(buf) text = {0};
    uint8_t *bytes = calloc(1, size), *back = calloc(1, size);

    (void)state;
    assert_non_null(bytes);
    assert_non_null(back);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i >> 3);
    buf_init(&text, size * 2);
    assert_int_equal(api_base64_encode(bytes_of(bytes, size), &text, NULL), OK);
    assert_true(api_base64_size(buf_bytes(&text), &back_size));
    assert_int_equal(back_size, size);
    assert_true(api_base64_decode(buf_bytes(&text), back));
    assert_memory_equal(back, bytes, size);
    free(bytes);
    free(back);
}

static void
text_that_is_not_base64_is_refused(void **state)
{
    static const char *const rows[] = {"A",        "AAAAA", "QQ=",  "Q===",  "====", "QQ=A",
                                       "QQ==QQ==", "QQ",    "AA A", "AAA-",  "AAA_", "\xc3\xa4++",
                                       "QR==",     "QUJ=",  "QR",   "AAA\n", "=AAA"};
    uint8_t out[64];
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool good = strcmp(rows[i], "QQ") == 0;

        assert_int_equal(api_base64_size(bytes_of_text(rows[i]), &size) &&
                             api_base64_decode(bytes_of_text(rows[i]), out),
                         good);
    }
}

static void
the_nearest_name_is_found_and_far_ones_are_not(void **state)
{
    static const char *const names[] = {"shape", "dtype", "initial_value", "trainable", "x"};

    (void)state;
    assert_string_equal(api_nearest_name("shpae", names, 5), "shape");
    assert_string_equal(api_nearest_name("inital_value", names, 5), "initial_value");
    assert_string_equal(api_nearest_name("dtypes", names, 5), "dtype");
    assert_null(api_nearest_name("zzz", names, 5));
    assert_null(api_nearest_name("", names, 5));
    assert_null(api_nearest_name("shape", names, 0));
    assert_null(api_nearest_name(
        "a_name_that_is_longer_than_any_that_is_worth_comparing_with_others_x", names, 5));
}

static void
bytes_are_written_as_two_digits_each(void **state)
{
    char out[9] = "xxxxxxxx";

    (void)state;
    api_chars_hex(bytes_of("\x00\x7f\xa0\xff", 4), out);
    assert_string_equal(out, "007fa0ff");
    api_chars_hex(bytes_of(NULL, 0), out);
    assert_string_equal(out, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_accepted_and_refused_as_unicode_says),
        cmocka_unit_test(a_cut_never_splits_a_character),
        cmocka_unit_test(any_bytes_can_be_shown),
        cmocka_unit_test(strings_are_escaped_as_little_as_json_allows),
        cmocka_unit_test(a_string_past_the_limit_of_its_buffer_is_refused),
        cmocka_unit_test(escapes_stand_for_their_characters),
        cmocka_unit_test(base64_goes_both_ways_for_every_length),
        cmocka_unit_test(base64_longer_than_a_chunk_is_whole),
        cmocka_unit_test(text_that_is_not_base64_is_refused),
        cmocka_unit_test(the_nearest_name_is_found_and_far_ones_are_not),
        cmocka_unit_test(bytes_are_written_as_two_digits_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
