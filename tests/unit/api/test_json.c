/* Documents: grammar and limits, spans in place of numbers and lists, typed readings, and what
 * errors say. */
#include "api/json/jsonio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"

static const struct api_json_limits limits = {1 << 22, 1 << 20};

static struct api_json *
parsed(const char *text)
{
    struct api_json *doc = NULL;
    struct err err = ERR_INIT;

    if (api_json_parse(bytes_of_text(text), &limits, &doc, &err) != OK)
        fail_msg("%s: %s", text, err.text);
    return doc;
}

static void
refused(struct bytes text, const char *because)
{
    struct api_json *doc = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(api_json_parse(text, &limits, &doc, &err), ERR_INVALID_ARGUMENT);
    assert_null(doc);
    if (strstr(err.text, because) == NULL)
        fail_msg("%.*s: '%s' does not say '%s'", (int)text.size, (const char *)text.data, err.text,
                 because);
}

static void
texts_that_are_not_json_are_refused_with_their_byte(void **state)
{
    static const struct {
        const char *text, *because;
    } rows[] = {
        {"", "the text ends at byte 0"},
        {"  ", "the text ends at byte 2"},
        {"{", "the text ends at byte 1"},
        {"[1,", "the text ends at byte 3"},
        {"[1 2]", "byte 3 is '2'"},
        {"[1,]", "byte 3 is ']'"},
        {"[,1]", "byte 1 is ','"},
        {"{,}", "byte 1 is ','"},
        {"{\"a\":1,}", "byte 7 is '}'"},
        {"{\"a\"}", "expected ':'"},
        {"{\"a\" 1}", "expected ':'"},
        {"{a:1}", "a key in double quotes"},
        {"{1:1}", "a key in double quotes"},
        {"[1}", "byte 2 is '}'"},
        {"{\"a\":1]", "byte 6 is ']'"},
        {"]", "byte 0 is ']'"},
        {"1 1", "the end of the text"},
        {"{} {}", "the end of the text"},
        {"[NaN]", "byte 1 is 'N'"},
        {"[Infinity]", "byte 1 is 'I'"},
        {"[nul]", "byte 1 is 'n'"},
        {"[01]", "byte 2 is '1'"},
        {"[1.]", "byte 2 is '.'"},
        {"[+1]", "byte 1 is '+'"},
        {"[.5]", "byte 1 is '.'"},
        {"[1e]", "byte 2 is 'e'"},
        {"[0x1]", "byte 2 is 'x'"},
        {"['a']", "byte 1 is '''"},
        {"\xef\xbb\xbf{}", "byte 0 is 0xef"},
        {"[1] // x", "byte 4 is '/'"},
        {"\"abc", "never ends"},
        {"[\"a\\q\"]", "no such escape"},
        {"[\"\\u12g4\"]", "no such escape"},
        {"[\"\\ud800\"]", "half of a surrogate pair"},
        {"[\"\\ud800\\u0041\"]", "half of a surrogate pair"},
        {"[\"\\udc00\\ud800\"]", "half of a surrogate pair"},
        {"{\"\\ud800\": 1}", "half of a surrogate pair"},
        {"[\"a\nb\"]", "control character"},
        {"[\"\x80\"]", "not valid UTF-8"},
        {"[\"\xc0\xaf\"]", "not valid UTF-8"},
        {"{\"a\xff\":1}", "not valid UTF-8"},
        {"{\"a\": 1, \"a\": 2}", "duplicate"},
        {"{\"x\": [{\"a\": 1, \"b\": 1, \"\\u0061\": 2}]}", "duplicate"},
        {"{\"a\\u0000b\": 1}", "JSON"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refused(bytes_of_text(rows[i].text), rows[i].because);
    refused(bytes_of("[1\0,2]", 6), "byte 2 is 0x00");
    refused(bytes_of("[\"a\0b\"]", 7), "control character 0x00");
    refused(bytes_of("{}\0", 3), "byte 2 is 0x00");
}

static char *
nested(size_t depth, const char *open, const char *middle, const char *close)
{
    size_t open_size = strlen(open), middle_size = strlen(middle), close_size = strlen(close);
    char *text = malloc(depth * (open_size + close_size) + middle_size + 1), *p = text;

    assert_non_null(text);
    for (size_t i = 0; i < depth; i++, p += open_size)
        memcpy(p, open, open_size);
    memcpy(p, middle, middle_size);
    p += middle_size;
    for (size_t i = 0; i < depth; i++, p += close_size)
        memcpy(p, close, close_size);
    *p = '\0';
    return text;
}

static void
nesting_has_a_limit_and_needs_no_stack(void **state)
{
    static const struct {
        const char *open, *middle, *close;
    } rows[] = {{"[", "1", "]"}, {"{\"a\":", "1", "}"}, {"[{\"k\":[", "2", "]}]"}};
    static const size_t levels[] = {1, 1, 3};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *good =
            nested(API_JSON_DEPTH_MAX / levels[i], rows[i].open, rows[i].middle, rows[i].close);
        char *bad =
            nested(API_JSON_DEPTH_MAX / levels[i] + 1, rows[i].open, rows[i].middle, rows[i].close);
        char *open = nested(20000, rows[i].open, "", "");

        api_json_drop(parsed(good));
        refused(bytes_of_text(bad), "nested deeper than 64");
        refused(bytes_of_text(open), "nested deeper than 64");
        free(good);
        free(bad);
        free(open);
    }
}

static void
too_large_bodies_and_envelopes_are_refused(void **state)
{
    const struct api_json_limits small = {64, 16};
    struct api_json *doc = NULL;
    struct err err = ERR_INIT;
    char text[80];

    (void)state;
    memset(text, ' ', sizeof text);
    text[0] = '1';
    assert_int_equal(api_json_parse(bytes_of(text, 65), &small, &doc, &err), ERR_PAYLOAD_TOO_LARGE);
    assert_string_equal(err.text, "the body has 65 bytes, the limit is 64");
    err_clear(&err);
    assert_int_equal(
        api_json_parse(bytes_of_text("[{\"a\":true},{\"a\":true}]"), &small, &doc, &err),
        ERR_PAYLOAD_TOO_LARGE);
    assert_non_null(strstr(err.text, "16 bytes"));
    assert_int_equal(
        api_json_parse(bytes_of_text("{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12]}"), &small, &doc, NULL),
        OK);
    api_json_drop(doc);
}

static void
numbers_in_place_of_spans_cannot_be_forged(void **state)
{
    struct api_json *doc = parsed("{\"a\": 7, \"b\": [1, {\"c\": 0}], \"d\": 1, \"e\": \"0\"}");
    struct api_value root = api_json_root(doc), field, list, inner;
    struct api_object o, deep;
    int64_t value = 0;

    (void)state;
    assert_int_equal(api_object_of(&root, &o, NULL), OK);
    assert_int_equal(api_object_i64(&o, "a", &value, NULL, NULL), OK);
    assert_int_equal(value, 7);
    assert_int_equal(api_object_i64(&o, "d", &value, NULL, NULL), OK);
    assert_int_equal(value, 1);
    assert_true(api_object_has(&o, "b", &list));
    assert_int_equal(api_value_length(&list), 2);
    field = api_value_at(&list, 0);
    assert_int_equal(api_value_i64(&field, &value, NULL), OK);
    assert_int_equal(value, 1);
    inner = api_value_at(&list, 1);
    assert_int_equal(api_object_of(&inner, &deep, NULL), OK);
    assert_int_equal(api_object_i64(&deep, "c", &value, NULL, NULL), OK);
    assert_int_equal(value, 0);
    assert_true(api_object_has(&o, "e", &field));
    assert_int_equal(api_value_kind(&field), API_TEXT);
    api_json_drop(doc);
}

static void
lists_that_hold_objects_anywhere_are_taken_apart(void **state)
{
    struct api_json *doc =
        parsed("[[[1,2],[3,[4]],[[5,[6,{\"k\":[7,[8]]},[9]],10],[11]]],[12],\"x\",null,true,[]]");
    struct api_value root = api_json_root(doc), v[8];
    int64_t n = 0;
    struct api_object o;

    (void)state;
    assert_int_equal(api_value_length(&root), 6);
    v[0] = api_value_at(&root, 0);
    assert_int_equal(api_value_length(&v[0]), 3);
    v[1] = api_value_at(&v[0], 1); /* [3,[4]]: plain */
    assert_int_equal(api_value_length(&v[1]), 0);
    assert_int_equal(api_value_kind(&v[1]), API_ARRAY);
    v[2] = api_value_at(&v[0], 2);
    assert_int_equal(api_value_length(&v[2]), 2);
    v[3] = api_value_at(&v[2], 0);
    v[4] = api_value_at(&v[3], 1);
    assert_int_equal(api_value_length(&v[4]), 3);
    v[5] = api_value_at(&v[4], 1);
    assert_int_equal(api_object_of(&v[5], &o, NULL), OK);
    assert_true(api_object_has(&o, "k", &v[6]));
    assert_true(bytes_equal(v[6].text, bytes_of_text("[7,[8]]")));
    v[6] = api_value_at(&v[4], 2);
    assert_true(bytes_equal(v[6].text, bytes_of_text("[9]")));
    v[6] = api_value_at(&v[3], 2);
    assert_int_equal(api_value_i64(&v[6], &n, NULL), OK);
    assert_int_equal(n, 10);
    v[6] = api_value_at(&root, 3);
    assert_int_equal(api_value_kind(&v[6]), API_NULL);
    v[6] = api_value_at(&root, 4);
    assert_int_equal(api_value_kind(&v[6]), API_BOOL);
    v[6] = api_value_at(&root, 5);
    assert_true(bytes_equal(v[6].text, bytes_of_text("[]")));
    api_json_drop(doc);
}

static void
every_kind_of_root_is_readable(void **state)
{
    static const struct {
        const char *text;
        enum api_value_kind kind;
    } rows[] = {{"null", API_NULL},     {" true ", API_BOOL}, {"false", API_BOOL},
                {"-1.5e3", API_NUMBER}, {"\"x\"", API_TEXT},  {"[]", API_ARRAY},
                {"[{}]", API_ARRAY},    {"{}", API_OBJECT},   {"\t[1]\n", API_ARRAY}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct api_json *doc = parsed(rows[i].text);
        struct api_value root = api_json_root(doc);

        assert_int_equal(api_value_kind(&root), rows[i].kind);
        api_json_drop(doc);
    }
}

static void
every_failing_allocation_is_reported(void **state)
{
    static const char text[] = "{\"a\": [1,2,{\"b\": \"c\"}], \"d\": [[1,2],[3,4]]}";
    uint64_t count;

    (void)state;
    mem_fail_at(UINT64_MAX, 0);
    api_json_drop(parsed(text));
    count = mem_fail_at(0, 0);
    assert_true(count > 1);
    for (uint64_t i = 1; i <= count; i++) {
        struct api_json *doc = NULL;
        struct err err = ERR_INIT;

        mem_fail_at(i, 0);
        assert_int_equal(api_json_parse(bytes_of_text(text), &limits, &doc, &err), ERR_NO_MEMORY);
        mem_fail_at(0, 0);
        assert_null(doc);
        assert_int_equal(err.code, ERR_NO_MEMORY);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_not_json_are_refused_with_their_byte),
        cmocka_unit_test(nesting_has_a_limit_and_needs_no_stack),
        cmocka_unit_test(too_large_bodies_and_envelopes_are_refused),
        cmocka_unit_test(numbers_in_place_of_spans_cannot_be_forged),
        cmocka_unit_test(lists_that_hold_objects_anywhere_are_taken_apart),
        cmocka_unit_test(every_kind_of_root_is_readable),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
