/* Order and equality of byte runs, with empty ones, none, and bytes over 127. */
#include "store/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct bytes none = {NULL, 0};

static void
none_and_empty_are_equal_in_content(void **state)
{
    (void)state;
    assert_true(bytes_equal(none, bytes_of("", 0)));
    assert_int_equal(bytes_compare(none, bytes_of("", 0)), 0);
    assert_true(bytes_start_with(none, none));
    assert_int_equal(bytes_of_text("").size, 0);
    assert_non_null(bytes_of_text("").data);
}

static void
equality_looks_at_length_and_every_byte(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0b", 3)));
    assert_false(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0c", 3)));
    assert_false(bytes_equal(bytes_of("ab", 2), bytes_of("ab\0", 3)));
}

static void
a_prefix_may_be_everything_but_not_more(void **state)
{
    (void)state;
    assert_true(bytes_start_with(bytes_of_text("layer/w"), bytes_of_text("layer/")));
    assert_true(bytes_start_with(bytes_of_text("w"), bytes_of_text("w")));
    assert_true(bytes_start_with(bytes_of_text("w"), none));
    assert_false(bytes_start_with(bytes_of_text("w"), bytes_of_text("w0")));
    assert_false(bytes_start_with(none, bytes_of_text("w")));
    assert_false(bytes_start_with(bytes_of_text("layers"), bytes_of_text("layer/")));
}

static void
order_is_of_unsigned_bytes_with_prefixes_first(void **state)
{
    static const char *const rising[] = {"",  "\x01", "A",    "AA",       "AB",  "B",
                                         "a", "\x7F", "\x80", "\xFE\xFF", "\xFF"};
    const size_t count = sizeof rising / sizeof rising[0];

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = bytes_compare(bytes_of_text(rising[i]), bytes_of_text(rising[j]));

            assert_int_equal(order < 0, i < j);
            assert_int_equal(order > 0, i > j);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_and_empty_are_equal_in_content),
        cmocka_unit_test(equality_looks_at_length_and_every_byte),
        cmocka_unit_test(a_prefix_may_be_everything_but_not_more),
        cmocka_unit_test(order_is_of_unsigned_bytes_with_prefixes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
