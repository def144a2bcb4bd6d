/* The first failure wins, texts are cut, and every code has a name. */
#include "store/base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum err_code
fail_with_two_codes(struct err *err)
{
    (void)err_set(err, ERR_NOT_FOUND, "no variable '%s'", "w");
    return err_set(err, ERR_INTERNAL, "reading it failed");
}

static enum err_code
propagate(struct err *err, int *after)
{
    TRY(fail_with_two_codes(err));
    *after = 1;
    return OK;
}

static void
setting_an_error_keeps_code_text_and_place(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(err_set(&err, ERR_OUT_OF_RANGE, "index %d of %d", 7, 3), ERR_OUT_OF_RANGE);
    assert_int_equal(err.code, ERR_OUT_OF_RANGE);
    assert_string_equal(err.text, "index 7 of 3");
    assert_non_null(strstr(err.where, "test_err.c:"));
    assert_true(err.failed_operation == -1);
}

static void
the_first_failure_wins_and_the_last_code_is_returned(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(fail_with_two_codes(&err), ERR_INTERNAL);
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_string_equal(err.text, "no variable 'w'");
}

static void
try_leaves_the_function_with_the_code(void **state)
{
    struct err err = ERR_INIT;
    int after = 0;

    (void)state;
    assert_int_equal(propagate(&err, &after), ERR_INTERNAL);
    assert_int_equal(after, 0);
}

static void
nobody_has_to_want_the_text(void **state)
{
    (void)state;
    assert_int_equal(fail_with_two_codes(NULL), ERR_INTERNAL);
    err_about(NULL, "variable", "w");
    err_clear(NULL);
}

static void
a_long_text_is_cut_and_ends(void **state)
{
    static char name[3 * ERR_TEXT_BYTES_MAX];
    struct err err = ERR_INIT;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    (void)err_set(&err, ERR_INVALID_ARGUMENT, "variable '%s' is too long", name);
    assert_int_equal(strlen(err.text), ERR_TEXT_BYTES_MAX - 1);
    err_about(&err, "variable", name);
    assert_int_equal(strlen(err.about), ERR_ABOUT_BYTES_MAX - 1);
}

static void
the_first_thing_named_stays(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    err_about(&err, "variable", "layer/w");
    err_about(&err, "model", "m");
    assert_string_equal(err.about_kind, "variable");
    assert_string_equal(err.about, "layer/w");
}

static void
a_cleared_error_can_be_set_again(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    (void)fail_with_two_codes(&err);
    err_about(&err, "variable", "w");
    err.failed_operation = 4;
    err_clear(&err);
    assert_int_equal(err.code, OK);
    assert_string_equal(err.text, "");
    assert_null(err.where);
    assert_null(err.about_kind);
    assert_true(err.failed_operation == -1);
    assert_int_equal(err_set(&err, ERR_FULL, "disk full"), ERR_FULL);
    assert_string_equal(err.text, "disk full");
}

static void
every_code_has_a_wire_name_and_a_title(void **state)
{
    (void)state;
    for (int code = 0; code < ERR_CODE_COUNT; code++) {
        const char *wire = err_wire_name((enum err_code)code);

        assert_non_null(wire);
        assert_true(strlen(wire) > 1);
        assert_int_equal(strspn(wire, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(wire));
        assert_non_null(err_title((enum err_code)code));
        assert_true(strlen(err_title((enum err_code)code)) > 1);
    }
    assert_string_equal(err_wire_name(ERR_LENGTH_REQUIRED), "INVALID_ARGUMENT");
    assert_string_equal(err_title(ERR_LENGTH_REQUIRED), "Length required");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_keeps_code_text_and_place),
        cmocka_unit_test(the_first_failure_wins_and_the_last_code_is_returned),
        cmocka_unit_test(try_leaves_the_function_with_the_code),
        cmocka_unit_test(nobody_has_to_want_the_text),
        cmocka_unit_test(a_long_text_is_cut_and_ends),
        cmocka_unit_test(the_first_thing_named_stays),
        cmocka_unit_test(a_cleared_error_can_be_set_again),
        cmocka_unit_test(every_code_has_a_wire_name_and_a_title),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
