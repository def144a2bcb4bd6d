/* The grammar of names: what is let in, and that nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/name.h"

static void
legal_names_pass(void **state)
{
    static const char *const names[] = {
        "w", "layer1/weights", "A.b-c_d/_x/-y/.z", "0", ".hidden", "a..b", "...", "a/...", "w_1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(name_check("variable", names[i], NULL), OK);
}

static void
illegal_names_are_refused_and_the_kind_is_named(void **state)
{
    static const char *const names[] = {
        "",      "/",     "/w",   "w/",    "a//b", ".",    "..",  "a/./b", "a/..",
        "../a",  "_w",    "-w",   "w:0",   "a b",  "a\tb", "w\n", "a\\b",  "é",
        "a%2Fb", "a\x7f", "\x80", "a\xff", "w?x",  "w#",   "w*",  "w,x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct err err = ERR_INIT;

        assert_int_equal(name_check("saver", names[i], &err), ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(err.text, "saver"));
    }
}

static void
length_is_limited_to_255_bytes(void **state)
{
    char name[4000];
    struct err err = ERR_INIT;

    (void)state;
    memset(name, 'n', sizeof name);
    name[NAME_BYTES_MAX] = '\0';
    assert_int_equal(name_check("variable", name, NULL), OK);
    name[NAME_BYTES_MAX] = 'n';
    name[NAME_BYTES_MAX + 1] = '\0';
    assert_int_equal(name_check("variable", name, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "256 bytes, at most 255"));
    name[NAME_BYTES_MAX + 1] = 'n';
    name[sizeof name - 1] = '\0';
    assert_int_equal(name_check("variable", name, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(name_check_model(name, NULL), ERR_INVALID_ARGUMENT);
    name[NAME_MODEL_BYTES_MAX] = '\0';
    assert_int_equal(name_check_model(name, NULL), OK);
}

static void
model_names_have_no_slash_and_begin_with_a_letter_or_digit(void **state)
{
    static const char *const bad[] = {"", "a/b", ".a", "_a", "-a", "a b", "a:b", "é", "a\x01"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(name_check_model(bad[i], NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(name_check_model("mnist-2.0_b", NULL), OK);
    assert_int_equal(name_check_model("7", NULL), OK);
}

static enum err_code
check_tensor(const char *text)
{
    return name_check_tensor(bytes_of_text(text), NULL);
}

static void
tensor_names_are_any_utf8_without_nul(void **state)
{
    static const char *const good[] = {
        "w",
        "a b",
        "w:0",
        "/",
        "../x",
        "\n",
        "\x7f",
        "día",
        "\xf0\x9f\x99\x82",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xc2\x80",
        "\xe0\xa0\x80",
        "\xf0\x90\x80\x80",
    };
    static const char *const bad[] = {
        "",
        "\x80",             /* a continuation alone */
        "\xc3",             /* cut */
        "a\xe2\x82",        /* cut */
        "\xc0\xaf",         /* overlong */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* past U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3(",
        "\xe2(\xa1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(check_tensor(good[i]), OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(check_tensor(bad[i]), ERR_INVALID_ARGUMENT);
    assert_int_equal(name_check_tensor(bytes_of("a\0b", 3), NULL), ERR_INVALID_ARGUMENT);
}

static void
tensor_names_fit_a_key(void **state)
{
    uint8_t name[NAME_TENSOR_BYTES_MAX + 1];

    (void)state;
    memset(name, 'x', sizeof name);
    assert_int_equal(name_check_tensor(bytes_of(name, NAME_TENSOR_BYTES_MAX), NULL), OK);
    assert_int_equal(name_check_tensor(bytes_of(name, sizeof name), NULL), ERR_INVALID_ARGUMENT);
}

static void
the_output_suffix_is_dropped_once(void **state)
{
    (void)state;
    assert_int_equal(name_without_output("w:0"), 1);
    assert_int_equal(name_without_output("w"), 1);
    assert_int_equal(name_without_output("w:1"), 3);
    assert_int_equal(name_without_output("a/b:0:0"), 5);
    assert_int_equal(name_without_output(":0"), 2);
    assert_int_equal(name_without_output(""), 0);
}

static const char *
known_at(const void *context, size_t index)
{
    static const char *const names[] = {"learning_rate", "beta1", "beta2", "lr"};

    assert_string_equal(context, "context");
    return index < sizeof names / sizeof names[0] ? names[index] : NULL;
}

static const char *
nearest(const char *name)
{
    return name_nearest(bytes_of_text(name), known_at, "context");
}

static void
the_name_that_was_meant_is_few_letters_away(void **state)
{
    char long_name[100];

    (void)state;
    assert_string_equal(nearest("learnin_rate"), "learning_rate");
    assert_string_equal(nearest("lerning_rates"), "learning_rate");
    assert_string_equal(nearest("beta"), "beta1"); /* the first of those that are as near */
    assert_string_equal(nearest("btea2"), "beta2");
    assert_string_equal(nearest("rl"), "lr");
    assert_string_equal(nearest("lr"), "lr");
    assert_null(nearest("xy"));
    assert_null(nearest("momentum"));
    assert_null(nearest(""));
    memset(long_name, 'a', sizeof long_name);
    assert_null(name_nearest(bytes_of(long_name, sizeof long_name), known_at, "context"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legal_names_pass),
        cmocka_unit_test(illegal_names_are_refused_and_the_kind_is_named),
        cmocka_unit_test(length_is_limited_to_255_bytes),
        cmocka_unit_test(model_names_have_no_slash_and_begin_with_a_letter_or_digit),
        cmocka_unit_test(tensor_names_are_any_utf8_without_nul),
        cmocka_unit_test(tensor_names_fit_a_key),
        cmocka_unit_test(the_output_suffix_is_dropped_once),
        cmocka_unit_test(the_name_that_was_meant_is_few_letters_away),
    };

    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
