/* Names of variables as clients write them: without outputs, alone, in lists and in queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/resource/variable_names.h"
#include "store/base/scope.h"

static void
an_output_is_no_part_of_a_name(void **state)
{
    AUTO(arena) arena = {.size_max = 4096};
    const char *names[] = {"w:0", "a/b", "w:1"};
    const char *name = NULL;

    (void)state;
    assert_int_equal(api_variable_name(&arena, "layer/w:0", &name, NULL), OK);
    assert_string_equal(name, "layer/w");
    assert_int_equal(api_variable_names(&arena, names, 3, NULL), OK);
    assert_string_equal(names[0], "w");
    assert_string_equal(names[1], "a/b");
    assert_string_equal(names[2], "w:1");
}

static void
lists_are_split_at_commas(void **state)
{
    AUTO(arena) arena = {.size_max = 4096};
    const char **names = NULL;
    size_t count = 0;

    (void)state;
    assert_int_equal(
        api_variable_names_split(&arena, bytes_of_text("a:0,,b/c,"), &names, &count, NULL), OK);
    assert_int_equal(count, 4);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "");
    assert_string_equal(names[2], "b/c");
    assert_string_equal(names[3], "");
    assert_int_equal(api_variable_names_split(&arena, bytes_of_text(""), &names, &count, NULL), OK);
    assert_int_equal(count, 1);
    assert_string_equal(names[0], "");
}

static void
memory_that_runs_short_is_told(void **state)
{
    AUTO(arena) arena = {.size_max = 16};
    const char **names = NULL, *name = NULL;
    size_t count = 0;

    (void)state;
    assert_int_not_equal(
        api_variable_names_split(&arena, bytes_of_text("a,b,c"), &names, &count, NULL), OK);
    assert_int_equal(api_variable_name(&arena, "w", &name, NULL), OK);
    assert_int_not_equal(api_variable_name(&arena, "w", &name, NULL), OK);
}

static void
fields_tell_whether_they_are_there(void **state)
{
    const struct api_json_limits limits = {1024, 1024};
    AUTO(arena) arena = {.size_max = 4096};
    struct err err = ERR_INIT;
    struct api_json *doc = NULL;
    struct api_object object;
    struct api_value root;
    const char *name = NULL, **names = NULL;
    size_t count = 0;
    bool there = false;

    (void)state;
    assert_int_equal(api_json_parse(bytes_of_text("{\"one\": \"w:0\", \"all\": [\"a\", \"b:0\"]}"),
                                    &limits, &doc, NULL),
                     OK);
    root = api_json_root(doc);
    assert_int_equal(api_object_of(&root, &object, NULL), OK);
    assert_int_equal(api_object_variable(&object, "one", &arena, &name, NULL, NULL), OK);
    assert_string_equal(name, "w");
    assert_int_equal(api_object_variables(&object, "all", &arena, &names, &count, &there, NULL),
                     OK);
    assert_true(there);
    assert_int_equal(count, 2);
    assert_string_equal(names[1], "b");
    assert_int_equal(api_object_variable(&object, "two", &arena, &name, &there, NULL), OK);
    assert_false(there);
    assert_int_equal(api_object_variables(&object, "two", &arena, &names, &count, NULL, &err),
                     ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "field 'two' is required");
    assert_int_equal(api_object_variable(&object, "all", &arena, &name, NULL, &err),
                     ERR_INVALID_ARGUMENT);
    api_json_drop(doc);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_output_is_no_part_of_a_name),
        cmocka_unit_test(lists_are_split_at_commas),
        cmocka_unit_test(memory_that_runs_short_is_told),
        cmocka_unit_test(fields_tell_whether_they_are_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
