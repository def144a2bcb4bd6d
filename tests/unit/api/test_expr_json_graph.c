/* Expressions as JSON: nodes that are used again, and the ways to write a call. */
#include "api/resource/expr_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/resource/attr_json.h"
#include "service/expr/op_helpers.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

static const struct api_json_limits json_limits = {1 << 22, 1 << 20};

static enum err_code
decode(const char *text, struct expr_tree *out, struct err *err)
{
    const struct expr_limits limits = exprs_limits();
    struct api_json *doc = NULL;
    struct api_value root;
    enum err_code code = api_json_parse(bytes_of_text(text), &json_limits, &doc, err);

    if (code != OK)
        return code;
    root = api_json_root(doc);
    code = api_expr_decode(&root, DTYPE_UNSET, &limits, out, err);
    api_json_drop(doc);
    return code;
}

static void
read_in(const char *text, struct expr_tree *out)
{
    struct err err = ERR_INIT;

    if (decode(text, out, &err) != OK)
        fail_msg("%s: %s", text, err.text);
}

static void
check_refused(const char *text, const char *because)
{
    AUTO(expr_tree) tree = {0};
    struct err err = ERR_INIT;

    assert_int_equal(decode(text, &tree, &err), ERR_INVALID_ARGUMENT);
    if (strstr(err.text, because) == NULL)
        fail_msg("%s: '%s' is not in '%s'", text, because, err.text);
}

static void
check_printed(const char *text, const char *expected)
{
    AUTO(expr_tree) tree = {0};
    json_t *printed = NULL;
    char *dump;

    read_in(text, &tree);
    assert_int_equal(api_expr_encode(&tree, &printed, NULL), OK);
    dump = json_dumps(printed, JSON_COMPACT);
    assert_string_equal(dump, expected);
    free(dump);
    json_decref(printed);
}

/* --- ids ----------------------------------------------------------------------------------- */

static void
an_id_is_referred_to_and_printed_where_it_stands_first(void **state)
{
    static const char text[] =
        "{\"op\":\"add\",\"args\":[{\"op\":\"negative\",\"args\":[{\"op\":\"zeros\",\"shape\":[2],"
        "\"id\":\"x\"}],\"id\":\"y\"},{\"op\":\"multiply\",\"args\":[{\"ref\":\"x\"},"
        "{\"ref\":\"y\"}]}]}";
    AUTO(expr_tree) tree = {0};
    const struct expr *root;

    (void)state;
    read_in(text, &tree);
    root = tree.root;
    assert_int_equal(tree.node_count, 4);
    assert_ptr_equal(root->args[1]->args[1], root->args[0]);
    assert_ptr_equal(root->args[1]->args[0], root->args[0]->args[0]);
    check_printed(text,
                  "{\"op\":\"add\",\"args\":[{\"op\":\"negative\",\"args\":[{\"op\":\"zeros\","
                  "\"shape\":[2],\"id\":\"x\"}],\"id\":\"y\"},{\"op\":\"multiply\",\"args\":["
                  "{\"ref\":\"x\"},{\"ref\":\"y\"}]}]}");
}

static void
names_can_have_ids_too(void **state)
{
    (void)state;
    check_printed("{\"op\":\"add\",\"args\":[{\"variable\":\"a\",\"id\":\"v\"},{\"ref\":\"v\"}]}",
                  "{\"op\":\"add\",\"args\":[{\"variable\":\"a\",\"id\":\"v\"},{\"ref\":\"v\"}]}");
    check_printed("{\"op\":\"add\",\"args\":[{\"initialized_value\":\"a\",\"id\":\"v\"},"
                  "{\"ref\":\"v\"}]}",
                  "{\"op\":\"add\",\"args\":[{\"initialized_value\":\"a\",\"id\":\"v\"},"
                  "{\"ref\":\"v\"}]}");
}

static void
a_ref_must_have_something_before_it(void **state)
{
    (void)state;
    check_refused("{\"ref\":\"x\"}", "no expression with the id 'x'");
    check_refused("{\"op\":\"add\",\"args\":[{\"ref\":\"x\"},{\"variable\":\"a\",\"id\":\"x\"}]}",
                  "no expression with the id 'x' stands before");
    check_refused("{\"op\":\"negative\",\"id\":\"x\",\"args\":[{\"ref\":\"x\"}]}", "id 'x'");
    check_refused("{\"op\":\"add\",\"args\":[{\"variable\":\"a\",\"id\":\"x\"},"
                  "{\"variable\":\"b\",\"id\":\"x\"}]}",
                  "two expressions have the id 'x'");
    check_refused("{\"variable\":\"a\",\"id\":\"\"}", "an id has 1 to 64 bytes");
    check_refused("{\"variable\":\"a\",\"id\":7}", "id");
    check_refused("{\"op\":\"add\",\"args\":[{\"variable\":\"a\",\"id\":\"x\"},"
                  "{\"ref\":\"x\",\"id\":\"y\"}]}",
                  "id");
}

/* Depth is counted along refs: nesting alone would let a short list be a long chain. */
static void
a_chain_of_refs_is_as_deep_as_it_is_long(void **state)
{
    char text[16384];
    int used = snprintf(text, sizeof text,
                        "{\"op\":\"add\",\"args\":[{\"variable\":\"a\","
                        "\"id\":\"n0\"}");

    (void)state;
    for (int i = 1; i < EXPR_DEPTH_MAX + 2; i++)
        used += snprintf(text + used, sizeof text - (size_t)used,
                         ",{\"op\":\"negative\",\"id\":\"n%d\",\"args\":[{\"ref\":\"n%d\"}]}", i,
                         i - 1);
    snprintf(text + used, sizeof text - (size_t)used, "]}");
    check_refused(text, "levels deep");
}

/* --- calls --------------------------------------------------------------------------------- */

static void
arguments_may_have_their_names(void **state)
{
    (void)state;
    check_printed("{\"op\":\"multiply\",\"x\":{\"variable\":\"a\"},\"y\":2}",
                  "{\"op\":\"multiply\",\"args\":[{\"variable\":\"a\"},2]}");
    check_printed("{\"op\":\"multiply\",\"args\":[{\"variable\":\"a\"}],\"y\":2}",
                  "{\"op\":\"multiply\",\"args\":[{\"variable\":\"a\"},2]}");
    check_refused("{\"op\":\"multiply\",\"args\":[{\"variable\":\"a\"}],\"x\":2}",
                  "argument 'x' is given twice");
    check_refused("{\"op\":\"multiply\",\"y\":2}", "argument 'x' is missing before 'y'");
}

static void
attributes_may_follow_arguments(void **state)
{
    (void)state;
    check_printed("{\"op\":\"reshape\",\"args\":[{\"variable\":\"a\"},[2,-1]]}",
                  "{\"op\":\"reshape\",\"args\":[{\"variable\":\"a\"}],\"shape\":[2,-1]}");
    check_printed("{\"op\":\"cast\",\"args\":[{\"variable\":\"a\"},\"float64\"]}",
                  "{\"op\":\"cast\",\"args\":[{\"variable\":\"a\"}],\"dtype\":\"float64\"}");
    check_printed("{\"op\":\"fill\",\"args\":[[2,3],12]}",
                  "{\"op\":\"fill\",\"dims\":[2,3],\"value\":12}");
    check_refused("{\"op\":\"reshape\",\"args\":[{\"variable\":\"a\"},[2]],\"shape\":[2]}",
                  "attribute 'shape' is given twice");
}

static void
a_list_of_tensors_may_be_one_argument(void **state)
{
    static const char two[] = "{\"op\":\"concat\",\"args\":[[1,2],[3]],\"axis\":0}";

    (void)state;
    check_printed("{\"op\":\"concat\",\"args\":[[[1,2],[3]],0]}", two);
    check_printed("{\"op\":\"concat\",\"args\":[[[1,2],[3]]],\"axis\":0}", two);
    check_printed("{\"op\":\"concat\",\"values\":[[1,2],[3]],\"axis\":0}", two);
    check_printed(two, two);
    check_printed("{\"op\":\"stack\",\"args\":[[{\"variable\":\"a\"},{\"variable\":\"b\"}],1]}",
                  "{\"op\":\"stack\",\"args\":[{\"variable\":\"a\"},{\"variable\":\"b\"}],"
                  "\"axis\":1}");
    /* One tensor of numbers alone is printed so that it is read as one again. */
    check_printed("{\"op\":\"stack\",\"values\":[[1,2]]}", "{\"op\":\"stack\",\"args\":[[[1,2]]]}");
    check_printed("{\"op\":\"stack\",\"args\":[[[1,2]]]}", "{\"op\":\"stack\",\"args\":[[[1,2]]]}");
    check_refused("{\"op\":\"concat\",\"args\":[[1,2],0],\"axis\":0}", "given twice");
}

static void
too_many_arguments_are_counted(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct err err = ERR_INIT;

    (void)state;
    read_in("{\"op\":\"negative\",\"args\":[1,2]}", &tree);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "negative: takes 1 args, 2 are given");
}

/* --- rows that no op has to have ------------------------------------------------------------ */

struct params {
    struct attr_ints axes;
    int64_t mode;
};

static const char *const modes[] = {"fan_in", "fan_out", NULL};
static const struct attr_spec rows[] = {
    ATTR_INTS(struct params, axes, .alias = "reduction_indices"),
    ATTR_CHOICE(struct params, mode, .choices = modes, .i64_default = 1),
    ATTR_END,
};

static enum err_code
decode_rows(const char *text, struct params *params, struct err *err)
{
    const struct expr_limits limits = exprs_limits();
    AUTO(expr_tree) tree = {0};
    struct api_json *doc = NULL;
    struct api_value root;
    struct api_object object;
    struct api_attr_fields fields = {.op = "op", .object = &object};
    bool given[2] = {false};
    enum err_code code;

    TRY(expr_tree_init(&tree, err));
    TRY(api_json_parse(bytes_of_text(text), &json_limits, &doc, err));
    root = api_json_root(doc);
    attr_defaults(rows, params);
    code = api_object_of(&root, &object, err);
    if (code == OK)
        code = api_attrs_decode(&fields, rows, &limits, &tree, params, given, err);
    if (code == OK)
        code = api_object_end(&object, err);
    api_json_drop(doc);
    return code == OK ? attr_check("op", rows, given, params, err) : code;
}

static void
integers_are_one_or_a_list(void **state)
{
    struct params params;

    (void)state;
    assert_int_equal(decode_rows("{}", &params, NULL), OK);
    assert_false(params.axes.given);
    assert_int_equal(decode_rows("{\"axes\": -1}", &params, NULL), OK);
    assert_true(params.axes.given && params.axes.single);
    assert_int_equal(params.axes.values[0], -1);
    assert_int_equal(decode_rows("{\"axes\": []}", &params, NULL), OK);
    assert_true(params.axes.given && !params.axes.single && params.axes.count == 0);
    assert_int_equal(decode_rows("{\"reduction_indices\": [0, 2]}", &params, NULL), OK);
    assert_int_equal(params.axes.count, 2);
    assert_int_equal(params.axes.values[1], 2);
    assert_int_equal(decode_rows("{\"axes\": 1.5}", &params, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(decode_rows("{\"axes\": [[1]]}", &params, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(decode_rows("{\"axes\": 1, \"reduction_indices\": 1}", &params, NULL),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(decode_rows("{\"axes\": [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
                                 "0,0,0,0,0,0,0]}",
                                 &params, NULL),
                     ERR_INVALID_ARGUMENT);
}

static void
a_choice_is_one_of_its_names(void **state)
{
    struct params params;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(decode_rows("{}", &params, NULL), OK);
    assert_int_equal(params.mode, 1);
    assert_int_equal(decode_rows("{\"mode\": \"fan_in\"}", &params, NULL), OK);
    assert_int_equal(params.mode, 0);
    assert_int_equal(decode_rows("{\"mode\": \"fan\"}", &params, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "Invalid `mode` argument:"));
    assert_non_null(strstr(err.text, "'fan', it must be one of fan_in, fan_out"));
    assert_int_equal(decode_rows("{\"mode\": 0}", &params, NULL), ERR_INVALID_ARGUMENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_referred_to_and_printed_where_it_stands_first),
        cmocka_unit_test(names_can_have_ids_too),
        cmocka_unit_test(a_ref_must_have_something_before_it),
        cmocka_unit_test(a_chain_of_refs_is_as_deep_as_it_is_long),
        cmocka_unit_test(arguments_may_have_their_names),
        cmocka_unit_test(attributes_may_follow_arguments),
        cmocka_unit_test(a_list_of_tensors_may_be_one_argument),
        cmocka_unit_test(too_many_arguments_are_counted),
        cmocka_unit_test(integers_are_one_or_a_list),
        cmocka_unit_test(a_choice_is_one_of_its_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
