/* Device specifications: what Python's DeviceSpec lets in, refuses, prints and merges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/device/spec.h"

static void
texts_become_canonical(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"/", ""},
        {"///", ""},
        {":", ""},
        {"/:7/::", ""},
        {"/job:foo/replica:0", "/job:foo/replica:0"},
        {"/replica:0/job:foo/", "/job:foo/replica:0"},
        {"/gpu:0/task:0/replica:0/job:foo", "/job:foo/replica:0/task:0/device:GPU:0"},
        {"cpu:0", "/device:CPU:0"},
        {"/cPu", "/device:CPU:*"},
        {"/gpu:*", "/device:GPU:*"},
        {"/device:GPU:2", "/device:GPU:2"},
        {"/device:gpu:2", "/device:gpu:2"}, /* a type is kept as it is written */
        {"/device:TPU:*", "/device:TPU:*"},
        {"/device::0", "/device::0"},
        {"/job:a/job:b", "/job:b"},
        {"/task:1/task:2/replica:3/replica:4", "/replica:4/task:2"},
        {"/job:", "/job:"},
        {"/job:*", "/job:*"},
        {"/job:A b-é", "/job:A b-é"},
        {"/task:007", "/task:7"},
        {"/task:+7", "/task:7"},
        {"/task:-7", "/task:-7"},
        {"/task:-0", "/task:0"},
        {"/task: \t7\r\n\v\f", "/task:7"},
        {"/cpu: 1 ", "/device:CPU:1"},
        {"/task:2147483647", "/task:2147483647"},
        {"/task:-2147483647", "/task:-2147483647"},
        {"/task:00000000000000000000000000000001", "/task:1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[DEVICE_TEXT_BYTES_MAX + 1];
        struct device_spec spec, again;
        struct err err = ERR_INIT;

        assert_int_equal(device_spec_parse(rows[i][0], &spec, &err), OK);
        assert_string_equal(device_spec_print(&spec, text), rows[i][1]);
        assert_int_equal(device_spec_parse(text, &again, &err), OK);
        assert_true(device_spec_equal(&spec, &again));
        assert_int_equal(device_spec_is_empty(&spec), rows[i][1][0] == '\0');
    }
}

static void
what_is_none_is_refused_in_pythons_words(void **state)
{
#define INT_OF(literal) "invalid literal for int() with base 10: " literal
    static const char *const rows[][2] = {
        {"/job:muu/gpu:2/cpu:0", "Cannot specify multiple device types: /job:muu/gpu:2/cpu:0"},
        {"/device:GPU:0/gpu:0", "Cannot specify multiple device types: /device:GPU:0/gpu:0"},
        {"/device::0/cpu", "Cannot specify multiple device types: /device::0/cpu"},
        {"/bar:muu/baz:2", "Unknown attribute: 'bar' in '/bar:muu/baz:2'"},
        {"/device:CPU", "Unknown attribute: 'device' in '/device:CPU'"},
        {"/device:CPU:0:1", "Unknown attribute: 'device' in '/device:CPU:0:1'"},
        {"/device", "Unknown attribute: 'device' in '/device'"},
        {"/tpu:0", "Unknown attribute: 'tpu' in '/tpu:0'"},
        {"/cpu:0:1", "Unknown attribute: 'cpu' in '/cpu:0:1'"},
        {"/job", "Unknown attribute: 'job' in '/job'"},
        {"/job:a:b", "Unknown attribute: 'job' in '/job:a:b'"},
        {"/JOB:a", "Unknown attribute: 'JOB' in '/JOB:a'"},
        {"/ cpu:0", "Unknown attribute: ' cpu' in '/ cpu:0'"},
        {"/job:j/replica:foo", INT_OF("'foo'")},
        {"/job:j/task:bar", INT_OF("'bar'")},
        {"/replica:*", INT_OF("'*'")},
        {"/task:", INT_OF("''")},
        {"/task: ", INT_OF("' '")},
        {"/cpu:", INT_OF("''")},
        {"/cpu:**", INT_OF("'**'")},
        {"/device:CPU:x", INT_OF("'x'")},
        {"/task:1_0", INT_OF("'1_0'")},
        {"/task:1.0", INT_OF("'1.0'")},
        {"/task:0x1", INT_OF("'0x1'")},
        {"/task:- 1", INT_OF("'- 1'")},
        {"/task:+-1", INT_OF("'+-1'")},
        {"/task:1 2", INT_OF("'1 2'")},
        {"/task:٣", INT_OF("'٣'")},
        {"/task:it's", INT_OF("\"it's\"")},
        {"/task:it's \"", INT_OF("'it\\'s \"'")},
        {"/task:a\\b\n\x01\x7f", INT_OF("'a\\\\b\\n\\x01\\x7f'")},
        {"/task:99999999999999999999x", INT_OF("'99999999999999999999x'")},
        {"/task:x/cpu:0/gpu:0", INT_OF("'x'")}, /* the first that is wrong */
        {"/task:2147483648", "the task of a device is a number of 32 bits, 2147483647 at most, not "
                             "'2147483648'"},
        {"/replica:-99999999999999999999999999999", "the replica of a device is a number of 32"},
        {"/cpu:18446744073709551617", "the index of a device is a number of 32 bits"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct device_spec spec;
        struct err err = ERR_INIT;

        assert_int_equal(device_spec_parse(rows[i][0], &spec, &err), ERR_INVALID_ARGUMENT);
        if (strstr(err.text, rows[i][1]) != err.text)
            assert_string_equal(err.text, rows[i][1]);
    }
}

static void
texts_have_255_bytes_at_most_before_and_after(void **state)
{
    char text[1000], out[DEVICE_TEXT_BYTES_MAX + 1];
    struct device_spec spec, other;
    struct err err = ERR_INIT;

    (void)state;
    snprintf(text, sizeof text, "/job:%0250d", 0);
    assert_int_equal(device_spec_parse(text, &spec, &err), OK);
    assert_string_equal(device_spec_print(&spec, out), text);
    snprintf(text, sizeof text, "/job:%0251d", 0);
    assert_int_equal(device_spec_parse(text, &other, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "at most 255 bytes"));
    err_clear(&err);
    snprintf(text, sizeof text, "/job:%0240d/cpu", 0); /* "/device:CPU:*" when it is printed */
    assert_int_equal(device_spec_parse(text, &other, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "has 258"));
    err_clear(&err);
    assert_int_equal(device_spec_parse("/task:1", &other, &err), OK);
    assert_int_equal(device_spec_merge(&spec, &other, &err), ERR_INVALID_ARGUMENT);
    assert_false(spec.has_task);
    memset(text, '/', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(device_spec_parse(text, &other, NULL), ERR_INVALID_ARGUMENT);
    text[DEVICE_TEXT_BYTES_MAX] = '\0';
    assert_int_equal(device_spec_parse(text, &other, NULL), OK);
    memset(text, ':', DEVICE_TEXT_BYTES_MAX);
    assert_int_equal(device_spec_parse(text, &other, NULL), OK);
    text[0] = '\x01';
    assert_int_equal(device_spec_parse(text, &other, NULL), ERR_INVALID_ARGUMENT);
    memset(text, '\x01', DEVICE_TEXT_BYTES_MAX);
    memcpy(text, "task:", 5);
    err_clear(&err);
    assert_int_equal(device_spec_parse(text, &other, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "\\x01"));
}

static void
parts_become_a_spec(void **state)
{
    static const int64_t zero = 0, one = 1, huge = INT64_MIN;
    char text[DEVICE_TEXT_BYTES_MAX + 1], longer[DEVICE_TEXT_BYTES_MAX + 2];
    struct device_parts parts = {"j", &zero, &one, "cpu", &one};
    struct device_spec spec;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(device_spec_of_parts(&parts, &spec, &err), OK);
    assert_string_equal(device_spec_print(&spec, text), "/job:j/replica:0/task:1/device:CPU:1");
    parts = (struct device_parts){.type = "Gpu"};
    assert_int_equal(device_spec_of_parts(&parts, &spec, &err), OK);
    assert_string_equal(device_spec_print(&spec, text), "/device:Gpu:*");
    parts = (struct device_parts){.index = &one};
    assert_int_equal(device_spec_of_parts(&parts, &spec, &err), OK);
    assert_string_equal(device_spec_print(&spec, text), "");
    assert_false(device_spec_is_empty(&spec));
    parts = (struct device_parts){.job = "a/b"};
    assert_int_equal(device_spec_of_parts(&parts, &spec, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "the job of a device"));
    parts = (struct device_parts){.type = "CPU:0"};
    assert_int_equal(device_spec_of_parts(&parts, &spec, NULL), ERR_INVALID_ARGUMENT);
    parts = (struct device_parts){.task = &huge};
    assert_int_equal(device_spec_of_parts(&parts, &spec, NULL), ERR_INVALID_ARGUMENT);
    memset(longer, 'j', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    parts = (struct device_parts){.job = longer};
    assert_int_equal(device_spec_of_parts(&parts, &spec, NULL), ERR_INVALID_ARGUMENT);
    longer[DEVICE_TEXT_BYTES_MAX] = '\0'; /* room for it, but not for "/job:" too */
    assert_int_equal(device_spec_of_parts(&parts, &spec, NULL), ERR_INVALID_ARGUMENT);
}

static struct device_spec
spec_of(const char *text)
{
    struct device_spec spec;

    assert_int_equal(device_spec_parse(text, &spec, NULL), OK);
    return spec;
}

static void
what_is_merged_in_wins_field_by_field(void **state)
{
    static const char *const rows[][3] = {
        {"/job:foo/replica:0", "/task:1/gpu:2", "/job:foo/replica:0/task:1/device:GPU:2"},
        {"", "/task:1/cpu:0", "/task:1/device:CPU:0"},
        {"/cpu:1", "/gpu:*", "/device:GPU:1"}, /* type and index are apart */
        {"/job:a/replica:1/task:1/cpu:1", "/job:b/replica:2/task:2/gpu:2",
         "/job:b/replica:2/task:2/device:GPU:2"},
        {"/job:a", "", "/job:a"},
        {"/job:a", "/job:", "/job:"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct device_spec into = spec_of(rows[i][0]), from = spec_of(rows[i][1]);
        char text[DEVICE_TEXT_BYTES_MAX + 1];

        assert_int_equal(device_spec_merge(&into, &from, NULL), OK);
        assert_string_equal(device_spec_print(&into, text), rows[i][2]);
    }
}

static void
a_filter_covers_what_has_all_it_names(void **state)
{
    static const struct {
        const char *filter, *of;
        bool covers;
    } rows[] = {
        {"", "", true},
        {"", "/job:ps/task:1/cpu:0", true},
        {"/job:ps", "/job:ps/task:1/cpu:0", true},
        {"/cpu:*", "/job:ps/task:1/cpu:0", true},
        {"/cpu:0", "/cpu:*", false},
        {"/job:ps", "", false},
        {"/job:ps", "/job:p", false},
        {"/replica:0", "/task:0", false},
        {"/task:1", "/job:ps/task:2", false},
        {"/gpu", "/cpu:0", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct device_spec filter = spec_of(rows[i].filter), of = spec_of(rows[i].of);

        assert_int_equal(device_spec_covers(&filter, &of), rows[i].covers);
    }
}

/* Texts outer to inner, "-" for None; ends with NULL. */
static void
assert_scopes(const char *const *texts, const char *expected)
{
    struct device_scope scopes[8];
    struct device_spec merged;
    char text[DEVICE_TEXT_BYTES_MAX + 1];
    size_t count = 0;

    for (; texts[count] != NULL; count++) {
        scopes[count].resets = strcmp(texts[count], "-") == 0;
        if (!scopes[count].resets)
            scopes[count].spec = spec_of(texts[count]);
    }
    assert_int_equal(device_scopes_merge(scopes, count, &merged, NULL), OK);
    assert_string_equal(device_spec_print(&merged, text), expected);
}

static void
of_scopes_the_inner_one_wins_and_none_hides_what_is_around(void **state)
{
    static const int64_t seven = 7;
    struct device_scope scopes[2] = {{.spec = spec_of("/gpu:1")}};
    struct device_spec merged;
    char text[DEVICE_TEXT_BYTES_MAX + 1];

    (void)state;
#define SCOPES(expected, ...) assert_scopes((const char *const[]){__VA_ARGS__}, expected)
    SCOPES("", NULL);
    SCOPES("/device:GPU:0", "/gpu:0", NULL);
    SCOPES("/job:ps/device:CPU:0", "/gpu:0", "/job:worker", "/cpu:0", "/job:ps", NULL);
    SCOPES("/device:CPU:0", "/job:worker/device:GPU:0", "-", "/cpu:0", NULL);
    SCOPES("", "/job:worker", "-", NULL);
    SCOPES("/device:GPU:1", "/cpu:1", "/gpu:*", NULL);
    SCOPES("/job:a", "-", "/job:b", "-", "/job:a", "", NULL);
    /* An index without a type is lost in the text that an op has, before an outer scope sees it. */
    assert_int_equal(
        device_spec_of_parts(&(struct device_parts){.index = &seven}, &scopes[1].spec, NULL), OK);
    scopes[1].resets = false;
    assert_int_equal(device_scopes_merge(scopes, 2, &merged, NULL), OK);
    assert_string_equal(device_spec_print(&merged, text), "/device:GPU:1");
    scopes[0].resets = true;
    assert_int_equal(device_scopes_merge(scopes, 2, &merged, NULL), OK);
    assert_true(device_spec_is_empty(&merged));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_canonical),
        cmocka_unit_test(what_is_none_is_refused_in_pythons_words),
        cmocka_unit_test(texts_have_255_bytes_at_most_before_and_after),
        cmocka_unit_test(parts_become_a_spec),
        cmocka_unit_test(what_is_merged_in_wins_field_by_field),
        cmocka_unit_test(a_filter_covers_what_has_all_it_names),
        cmocka_unit_test(of_scopes_the_inner_one_wins_and_none_hides_what_is_around),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
