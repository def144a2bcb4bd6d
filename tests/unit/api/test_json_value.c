/* Typed readings of a document's fields and lists, and what complaints say. */
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

struct fixture {
    struct arena arena;
    struct api_json *doc;
    struct api_value root;
    struct api_object object;
    struct err err;
};

static void
open_object(struct fixture *f, const char *text)
{
    *f = (struct fixture){.err = ERR_INIT};
    arena_init(&f->arena, 1 << 16);
    f->doc = parsed(text);
    f->root = api_json_root(f->doc);
    assert_int_equal(api_object_of(&f->root, &f->object, NULL), OK);
}

static void
close_object(struct fixture *f)
{
    api_json_drop(f->doc);
    arena_drop(&f->arena);
}

static void
fields_are_read_with_their_types(void **state)
{
    struct fixture f;
    const char *text = NULL, **texts = NULL;
    bool flag = false, present = false;
    int64_t integer = 0;
    double number = 0;
    struct api_value value;
    struct shape shape = {.rank = 9};
    enum dtype dtype = DTYPE_UNSET;
    size_t count = 0;

    (void)state;
    open_object(
        &f,
        "{\"t\":\"a\\u00e4\\n\",\"b\":true,\"i\":-9223372036854775808,\"f\":0.25,\"s\":[2, 0,3],"
        "\"d\":\"FP32\",\"n\":[\"x\",\"\"],\"inf\":\"-Infinity\",\"e\":[],\"half\":"
        "\"h\\u0061lf\"}");
    assert_int_equal(api_object_text(&f.object, "t", &f.arena, &text, NULL, NULL), OK);
    assert_string_equal(text, "a\xc3\xa4\n");
    assert_int_equal(api_object_bool(&f.object, "b", &flag, &present, NULL), OK);
    assert_true(flag && present);
    assert_int_equal(api_object_i64(&f.object, "i", &integer, NULL, NULL), OK);
    assert_true(integer == INT64_MIN);
    assert_true(api_object_has(&f.object, "f", &value));
    assert_int_equal(api_value_f64(&value, &number, NULL), OK);
    assert_true(number == 0.25);
    assert_true(api_object_has(&f.object, "inf", &value));
    assert_int_equal(api_value_f64(&value, &number, NULL), OK);
    assert_true(number < -1e308);
    assert_int_equal(api_object_shape(&f.object, "s", &shape, NULL, NULL), OK);
    assert_true(shape.rank == 3 && shape.dims[0] == 2 && shape.dims[1] == 0 && shape.dims[2] == 3);
    assert_int_equal(api_object_shape(&f.object, "e", &shape, NULL, NULL), OK);
    assert_int_equal(shape.rank, 0);
    assert_int_equal(api_object_dtype(&f.object, "d", &dtype, NULL, NULL), OK);
    assert_int_equal(dtype, DTYPE_FLOAT32);
    assert_int_equal(api_object_dtype(&f.object, "half", &dtype, NULL, NULL), OK);
    assert_int_equal(dtype, DTYPE_FLOAT16);
    assert_int_equal(api_object_texts(&f.object, "n", &f.arena, &texts, &count, NULL, NULL), OK);
    assert_int_equal(count, 2);
    assert_string_equal(texts[0], "x");
    assert_string_equal(texts[1], "");
    assert_int_equal(api_object_end(&f.object, NULL), OK);
    assert_int_equal(api_object_i64(&f.object, "absent", &integer, &present, NULL), OK);
    assert_false(present);
    assert_true(integer == INT64_MIN);
    close_object(&f);
}

/* What reading field "x" of {"o": {"x": <text>}} as `how` says. */
static void
expect_complaint(const char *text, char how, const char *complaint)
{
    char body[512];
    struct fixture f;
    struct api_value inner;
    struct api_object o;
    const char *t, **ts;
    bool b;
    int64_t i;
    double d;
    struct shape s;
    enum dtype dtype;
    size_t n;
    enum err_code code = OK;

    snprintf(body, sizeof body, "{\"o\":{%s%s}}", text[0] == '\0' ? "" : "\"x\":", text);
    open_object(&f, body);
    assert_true(api_object_has(&f.object, "o", &inner));
    assert_int_equal(api_object_of(&inner, &o, NULL), OK);
    switch (how) {
    case 't':
        code = api_object_text(&o, "x", &f.arena, &t, NULL, &f.err);
        break;
    case 'b':
        code = api_object_bool(&o, "x", &b, NULL, &f.err);
        break;
    case 'i':
        code = api_object_i64(&o, "x", &i, NULL, &f.err);
        break;
    case 'f':
        assert_true(api_object_has(&o, "x", &inner));
        code = api_value_f64(&inner, &d, &f.err);
        break;
    case 's':
        code = api_object_shape(&o, "x", &s, NULL, &f.err);
        break;
    case 'd':
        code = api_object_dtype(&o, "x", &dtype, NULL, &f.err);
        break;
    default:
        code = api_object_texts(&o, "x", &f.arena, &ts, &n, NULL, &f.err);
    }
    assert_int_equal(code, ERR_INVALID_ARGUMENT);
    assert_int_equal(f.err.code, ERR_INVALID_ARGUMENT);
    if (strcmp(f.err.text, complaint) != 0)
        fail_msg("'%s', not '%s'", f.err.text, complaint);
    close_object(&f);
}

static void
complaints_name_the_field_and_both_sides(void **state)
{
    (void)state;
    expect_complaint("", 'i', "field 'o.x' is required");
    expect_complaint("5", 't', "field 'o.x' must be a text, it is a number");
    expect_complaint("\"a\\u0000\"", 't', "field 'o.x' holds a zero character");
    expect_complaint("null", 'b', "field 'o.x' must be true or false, it is null");
    expect_complaint("1.0", 'i',
                     "field 'o.x' must be an integer, it has a fraction or an exponent");
    expect_complaint("9223372036854775808", 'i', "field 'o.x' is outside int64");
    expect_complaint("true", 'i', "field 'o.x' must be an integer, it is true or false");
    expect_complaint("1e999", 'f', "field 'o.x' overflows float64");
    expect_complaint("\"nan\"", 'f', "field 'o.x' must be a number, it is a text");
    expect_complaint("{}", 's', "field 'o.x' must be a list of integers, it is an object");
    expect_complaint("[{}]", 's', "field 'o.x' must be a list of integers, it holds objects");
    expect_complaint("[2,-1]", 's',
                     "field 'o.x' must hold integers that are not negative; [1] is -1");
    expect_complaint("[2.5]", 's',
                     "field 'o.x' must hold integers that are not negative; [0] is 2.5");
    expect_complaint("[[2]]", 's',
                     "field 'o.x' must hold integers that are not negative; [0] is [");
    expect_complaint("[18446744073709551616]", 's',
                     "field 'o.x' must hold integers that are not negative; [0] is "
                     "18446744073709551616");
    expect_complaint("\"float23\"", 'd',
                     "field 'o.x': unknown dtype 'float23': did you mean 'float32'?");
    expect_complaint("\"q\"", 'd', "field 'o.x': unknown dtype 'q'");
    expect_complaint("[\"a\",2]", 'n', "field 'o.x[1]' must be a text, it is a number");
    expect_complaint("\"a\"", 'n', "field 'o.x' must be a list, it is a text");
}

static void
shapes_of_absurd_size_are_refused(void **state)
{
    struct fixture f;
    struct shape shape;

    (void)state;
    open_object(&f, "{\"a\":[4294967296,4294967296],\"b\":[0,9223372036854775808,2],"
                    "\"c\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}");
    assert_int_equal(api_object_shape(&f.object, "a", &shape, NULL, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(api_object_shape(&f.object, "b", &shape, NULL, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(api_object_shape(&f.object, "c", &shape, NULL, &f.err), ERR_INVALID_ARGUMENT);
    assert_string_equal(f.err.text, "field 'c' has more than 32 dimensions");
    close_object(&f);
}

static void
unknown_fields_are_named_with_the_nearest_known(void **state)
{
    struct fixture f;
    struct api_value value;

    (void)state;
    open_object(&f, "{\"trainble\": 1}");
    assert_false(api_object_has(&f.object, "trainable", &value));
    assert_false(api_object_has(&f.object, "name", &value));
    assert_int_equal(api_object_end(&f.object, &f.err), ERR_INVALID_ARGUMENT);
    assert_string_equal(f.err.text, "unknown field 'trainble': did you mean 'trainable'?");
    close_object(&f);
    open_object(&f, "{\"zzz\": 1}");
    assert_false(api_object_has(&f.object, "trainable", &value));
    assert_int_equal(api_object_end(&f.object, &f.err), ERR_INVALID_ARGUMENT);
    assert_string_equal(f.err.text, "unknown field 'zzz'; known here: trainable");
    close_object(&f);
}

static void
root_of_another_kind_is_called_the_body(void **state)
{
    struct api_json *doc = parsed("[1]");
    struct api_value root = api_json_root(doc);
    struct api_object o;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(api_object_of(&root, &o, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the body must be an object, it is a list");
    api_json_drop(doc);
}

static void
long_paths_are_cut_between_characters(void **state)
{
    char body[1200], where[API_WHERE_BYTES_MAX];
    struct fixture f;
    struct api_value value;
    char key[1001];

    (void)state;
    for (size_t i = 0; i < 500; i++)
        memcpy(key + 2 * i, "\xc3\xa4", 2);
    key[1000] = '\0';
    snprintf(body, sizeof body, "{\"%s\": 1}", key);
    open_object(&f, body);
    assert_true(api_object_has(&f.object, key, &value));
    api_value_where(&value, where);
    assert_int_equal(where[strlen(where) - 1], '\'');
    assert_int_equal((strlen(where) - strlen("field ''")) % 2, 0);
    assert_true(strlen(where) > 250);
    close_object(&f);
}

/* --- lists and maps ------------------------------------------------------------------------ */

static void
elements_of_plain_and_mixed_lists_are_values(void **state)
{
    struct fixture f;
    struct api_value list, *values = NULL;
    size_t count = 0;
    double number = 0;
    bool flag = false;
    char where[API_WHERE_BYTES_MAX];

    (void)state;
    open_object(&f, "{\"args\": [ [1,[2, \"],\"]] , 2.5,\"x\", true, null ], \"more\": [{}, 3], "
                    "\"none\": [ ]}");
    assert_true(api_object_has(&f.object, "args", &list));
    assert_int_equal(api_value_elements(&list, &f.arena, &values, &count, NULL), OK);
    assert_int_equal(count, 5);
    assert_true(bytes_equal(values[0].text, bytes_of_text("[1,[2, \"],\"]]")));
    assert_int_equal(api_value_f64(&values[1], &number, NULL), OK);
    assert_true(number == 2.5);
    assert_int_equal(api_value_kind(&values[2]), API_TEXT);
    assert_int_equal(api_value_bool(&values[3], &flag, NULL), OK);
    assert_true(flag);
    assert_int_equal(api_value_kind(&values[4]), API_NULL);
    assert_string_equal(api_value_where(&values[3], where), "field 'args[3]'");
    assert_true(api_object_has(&f.object, "more", &list));
    assert_int_equal(api_value_elements(&list, &f.arena, &values, &count, NULL), OK);
    assert_int_equal(count, 2);
    assert_int_equal(api_value_kind(&values[0]), API_OBJECT);
    assert_int_equal(api_value_kind(&values[1]), API_NUMBER);
    assert_true(api_object_has(&f.object, "none", &list));
    assert_int_equal(api_value_elements(&list, &f.arena, &values, &count, NULL), OK);
    assert_int_equal(count, 0);
    assert_int_equal(api_value_elements(&f.root, &f.arena, &values, &count, NULL),
                     ERR_INVALID_ARGUMENT);
    close_object(&f);
}

/* [false, true] holds no object, whatever comes after it in the list around it. */
static void
a_list_beside_an_object_is_text_as_any_other(void **state)
{
    struct fixture f;
    struct api_value list, *values = NULL;
    size_t count = 0;

    (void)state;
    open_object(&f, "{\"args\": [[[1], [2]], [false, true], {\"x\": [3, 4]}, [5, 6]]}");
    assert_true(api_object_has(&f.object, "args", &list));
    assert_int_equal(api_value_elements(&list, &f.arena, &values, &count, NULL), OK);
    assert_int_equal(count, 4);
    assert_true(bytes_equal(values[0].text, bytes_of_text("[[1], [2]]")));
    assert_true(bytes_equal(values[1].text, bytes_of_text("[false, true]")));
    assert_int_equal(api_value_kind(&values[2]), API_OBJECT);
    assert_true(bytes_equal(values[3].text, bytes_of_text("[5, 6]")));
    close_object(&f);
}

static void
fields_of_a_map_come_in_the_order_of_the_document(void **state)
{
    struct fixture f;
    const char **names = NULL;
    struct api_value *values = NULL;
    size_t count = 0;
    char where[API_WHERE_BYTES_MAX];

    (void)state;
    open_object(&f, "{\"z\": \"1\", \"a\": 2, \"m/\\u00e4\": {}}");
    assert_int_equal(api_value_fields(&f.root, &f.arena, &names, &values, &count, NULL), OK);
    assert_int_equal(count, 3);
    assert_string_equal(names[0], "z");
    assert_string_equal(names[1], "a");
    assert_string_equal(names[2], "m/\xc3\xa4");
    assert_int_equal(api_value_kind(&values[0]), API_TEXT);
    assert_int_equal(api_value_kind(&values[1]), API_NUMBER);
    assert_int_equal(api_value_kind(&values[2]), API_OBJECT);
    assert_string_equal(api_value_where(&values[1], where), "field 'a'");
    assert_int_equal(api_value_fields(&values[1], &f.arena, &names, &values, &count, NULL),
                     ERR_INVALID_ARGUMENT);
    close_object(&f);
}

static void
a_small_arena_is_a_refusal(void **state)
{
    struct fixture f;
    const char *text = NULL;

    (void)state;
    open_object(&f, "{\"t\": \"0123456789012345678901234567890123456789\"}");
    arena_drop(&f.arena);
    arena_init(&f.arena, 16);
    assert_int_equal(api_object_text(&f.object, "t", &f.arena, &text, NULL, &f.err),
                     ERR_PAYLOAD_TOO_LARGE);
    close_object(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_with_their_types),
        cmocka_unit_test(complaints_name_the_field_and_both_sides),
        cmocka_unit_test(shapes_of_absurd_size_are_refused),
        cmocka_unit_test(unknown_fields_are_named_with_the_nearest_known),
        cmocka_unit_test(root_of_another_kind_is_called_the_body),
        cmocka_unit_test(long_paths_are_cut_between_characters),
        cmocka_unit_test(elements_of_plain_and_mixed_lists_are_values),
        cmocka_unit_test(a_list_beside_an_object_is_text_as_any_other),
        cmocka_unit_test(fields_of_a_map_come_in_the_order_of_the_document),
        cmocka_unit_test(a_small_arena_is_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
