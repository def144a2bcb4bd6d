/* Expressions as JSON: what is read, what is refused and how it is named, and printing it back. */
#include "api/resource/expr_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "service/expr/op_helpers.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

static const struct api_json_limits json_limits = {1 << 22, 1 << 20};

static enum err_code
decode_within(const char *text, enum dtype hint, const struct expr_limits *limits,
              struct expr_tree *out, struct err *err)
{
    struct api_json *doc = NULL;
    struct api_value root;
    enum err_code code = api_json_parse(bytes_of_text(text), &json_limits, &doc, err);

    if (code != OK)
        return code;
    root = api_json_root(doc);
    code = api_expr_decode(&root, hint, limits, out, err);
    api_json_drop(doc);
    return code;
}

static void
read_as(const char *text, enum dtype hint, struct expr_tree *out)
{
    struct expr_limits limits = exprs_limits();
    struct err err = ERR_INIT;

    if (decode_within(text, hint, &limits, out, &err) != OK)
        fail_msg("%s: %s", text, err.text);
}

static void
check_refused(const char *text, const char *because)
{
    struct expr_limits limits = exprs_limits();
    AUTO(expr_tree) tree = {0};
    struct err err = ERR_INIT;

    assert_int_equal(decode_within(text, DTYPE_UNSET, &limits, &tree, &err), ERR_INVALID_ARGUMENT);
    if (strstr(err.text, because) == NULL)
        fail_msg("%s: '%s' is not in '%s'", text, because, err.text);
}

/* --- reading ------------------------------------------------------------------------------- */

static void
a_seeded_draw_gives_tensorflows_numbers(void **state)
{
    static const uint32_t first[] = {0x3d394019, 0x3c91551a, 0x3cf1ecba, 0x3cd18952};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};

    (void)state;
    read_as("{\"op\": \"random_uniform\", \"shape\": [784, 200], \"minval\": -0.05, "
            "\"maxval\": 0.05, \"seed\": 42}",
            DTYPE_UNSET, &tree);
    assert_int_equal(exprs_evaluate(&tree, NULL, &out, NULL), OK);
    assert_int_equal(out.type.dtype, DTYPE_FLOAT32);
    assert_int_equal(out.size, 784 * 200 * 4);
    assert_memory_equal(out.data, first, sizeof first);
}

static void
an_expression_is_read_with_its_arguments_and_attributes(void **state)
{
    AUTO(expr_tree) tree = {0};
    const struct expr *root;

    (void)state;
    read_as("{\"op\":\"multiply\",\"args\":[{\"op\":\"reshape\",\"args\":[{\"initialized_value\":"
            "\"layer/w:0\"}],\"shape\":[-1,2]},{\"variable\":\"b\"}]}",
            DTYPE_UNSET, &tree);
    root = tree.root;
    assert_string_equal(root->op->name, "multiply");
    assert_int_equal(root->arg_count, 2);
    assert_string_equal(root->args[0]->op->name, "reshape");
    assert_int_equal(root->args[0]->args[0]->kind, EXPR_INITIALIZED_VALUE);
    assert_string_equal(root->args[0]->args[0]->variable, "layer/w");
    assert_int_equal(root->args[1]->kind, EXPR_VARIABLE);
    assert_int_equal(tree.node_count, 4);
    assert_int_equal(root->index, 3);
}

static void
check_literal(const char *text, enum dtype hint, enum dtype dtype, bool weak, uint32_t rank)
{
    AUTO(expr_tree) tree = {0};

    read_as(text, hint, &tree);
    assert_int_equal(tree.root->kind, EXPR_LITERAL);
    assert_int_equal(tree.root->literal.type.dtype, dtype);
    assert_int_equal(tree.root->weak, weak);
    assert_int_equal(tree.root->literal.type.shape.rank, rank);
}

static void
numbers_without_a_dtype_are_weak(void **state)
{
    (void)state;
    check_literal("3", DTYPE_UNSET, DTYPE_INT64, true, 0);
    check_literal("9007199254740993", DTYPE_UNSET, DTYPE_INT64, true, 0);
    check_literal("[1, 2.5]", DTYPE_UNSET, DTYPE_FLOAT64, true, 1);
    check_literal("1e300", DTYPE_UNSET, DTYPE_FLOAT64, true, 0);
    check_literal("{\"data\": [[1], [2]]}", DTYPE_UNSET, DTYPE_INT64, true, 2);
    check_literal("true", DTYPE_UNSET, DTYPE_BOOL, false, 0);
    check_literal("\"text\"", DTYPE_UNSET, DTYPE_STRING, false, 0);
    check_literal("{\"dtype\": \"int8\", \"data\": [1]}", DTYPE_UNSET, DTYPE_INT8, false, 1);
    check_literal("{\"dtype\":\"uint8\",\"shape\":[2],\"base64\":\"AQI=\"}", DTYPE_UNSET,
                  DTYPE_UINT8, false, 1);
}

static void
a_hint_is_the_whole_values_dtype(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    check_literal("[1, 2]", DTYPE_FLOAT16, DTYPE_FLOAT16, false, 1);
    check_literal("18446744073709551615", DTYPE_UINT64, DTYPE_UINT64, false, 0);
    read_as("{\"op\":\"negative\",\"args\":[2]}", DTYPE_FLOAT16, &tree);
    assert_true(tree.root->args[0]->weak);
}

/* A weak double keeps what float32 would have lost. */
static void
a_weak_fraction_keeps_its_digits_for_float64(void **state)
{
    AUTO(expr_tree) tree = {0};
    double value;

    (void)state;
    read_as("0.1", DTYPE_UNSET, &tree);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_FLOAT64, NULL), OK);
    memcpy(&value, tree.root->settled.data, sizeof value);
    assert_true(value == 0.1);
}

static void
integer_bounds_stay_exact(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    int64_t value;

    (void)state;
    read_as("{\"op\":\"random_uniform\",\"shape\":[],\"dtype\":\"int64\",\"seed\":1,"
            "\"minval\":9007199254740993,\"maxval\":9007199254740994}",
            DTYPE_UNSET, &tree);
    assert_int_equal(exprs_evaluate(&tree, NULL, &out, NULL), OK);
    memcpy(&value, out.data, sizeof value);
    assert_true(value == INT64_C(9007199254740993));
}

static void
a_constant_reads_its_value_by_its_dtype_where_it_must(void **state)
{
    static const uint64_t expected = UINT64_MAX;
    AUTO(expr_tree) tree = {0}, opaque = {0};
    AUTO(tensor) out = {0};

    (void)state;
    read_as("{\"op\":\"constant\",\"value\":18446744073709551615,\"dtype\":\"uint64\"}",
            DTYPE_UNSET, &tree);
    assert_int_equal(exprs_evaluate(&tree, NULL, &out, NULL), OK);
    assert_memory_equal(out.data, &expected, sizeof expected);
    read_as("{\"op\":\"constant\",\"value\":[1,2],\"dtype\":\"qint8\"}", DTYPE_UNSET, &opaque);
    assert_int_equal(expr_infer(&opaque, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(opaque.root->type.dtype, DTYPE_QINT8);
}

static void
null_is_an_attribute_not_given(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    read_as("{\"op\":\"random_normal\",\"shape\":[2],\"seed\":null,\"stddev\":null}", DTYPE_UNSET,
            &tree);
    assert_false(tree.root->given[1] || tree.root->given[2] || tree.root->given[4]);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
}

/* --- refusing ------------------------------------------------------------------------------ */

static void
unknown_ops_and_attributes_are_named_with_the_nearest(void **state)
{
    (void)state;
    check_refused("{\"op\":\"random_norml\",\"shape\":[2]}",
                  "field 'op': there is no op 'random_norml': did you mean 'random_normal'?");
    check_refused("{\"op\":\"convolve\"}", "there is no op 'convolve'");
    check_refused("{\"op\":\"random_normal\",\"shape\":[2],\"stdev\":1}",
                  "unknown field 'stdev': did you mean 'stddev'?");
    check_refused("{\"op\":\"add\",\"args\":[1,{\"op\":\"zeros\",\"shap\":[2]}]}",
                  "unknown field 'args[1].shap': did you mean 'shape'?");
    check_refused("{\"variabel\":\"w\"}", "unknown field 'variabel': did you mean 'variable'?");
    check_refused("{\"variable\":\"w\",\"slice\":1}", "unknown field 'slice'");
}

static void
values_of_the_wrong_kind_are_refused_by_field(void **state)
{
    (void)state;
    check_refused("{}", "must be a value: a number, a list, or an object with");
    check_refused("null", "the body is null: None values not supported.");
    check_refused("{\"op\":7}", "field 'op' must be a text");
    check_refused("{\"op\":\"add\",\"args\":{\"x\":1}}", "field 'args' must be a list");
    check_refused("{\"op\":\"zeros\",\"shape\":[-1]}", "field 'shape");
    check_refused("{\"op\":\"zeros\",\"shape\":[2],\"dtype\":\"float31\"}", "field 'dtype'");
    check_refused("{\"op\":\"reshape\",\"args\":[1],\"shape\":[0.5]}", "field 'shape[0]'");
    check_refused("{\"op\":\"random_normal\",\"shape\":[2],\"seed\":1.5}", "field 'seed'");
    check_refused("{\"op\":\"constant\",\"value\":null}",
                  "field 'value' is null: None values not supported.");
    check_refused("{\"op\":\"constant\",\"value\":[[1,2],[3]]}", "field 'value'");
    check_refused("{\"op\":\"fill\",\"dims\":[[0,1],[2,3]],\"value\":1.0}", "field 'dims");
    check_refused("{\"variable\":\"\"}", "variable");
    check_refused("{\"variable\":\"../w\"}", "variable");
    check_refused("{\"variable\":7}", "field 'variable' must be a text");
    check_refused("[1, [2, 3]]", "the body");
}

static void
depth_is_limited(void **state)
{
    struct expr_limits limits = exprs_limits();
    AUTO(expr_tree) tree = {0};
    struct err err = ERR_INIT;
    char text[2000] = "";
    size_t used = 0;

    (void)state;
    for (int i = 0; i < 20; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "{\"op\":\"negative\",\"args\":[");
    used += (size_t)snprintf(text + used, sizeof text - used, "1");
    for (int i = 0; i < 20; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "]}");
    limits.depth_max = 20;
    assert_int_equal(decode_within(text, DTYPE_UNSET, &limits, &tree, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the expression is more than 20 levels deep");
    limits.depth_max = 21;
    assert_int_equal(decode_within(text, DTYPE_UNSET, &limits, &tree, NULL), OK);
}

static void
width_and_literal_bytes_are_limited(void **state)
{
    struct expr_limits limits = exprs_limits();
    AUTO(expr_tree) tree = {0};
    struct err err = ERR_INIT;

    (void)state;
    limits.nodes_max = 4;
    assert_int_equal(
        decode_within("{\"op\":\"add\",\"args\":[1,2,3,4,5]}", DTYPE_UNSET, &limits, &tree, &err),
        ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the expression has more than 4 nodes");
    assert_int_equal(
        decode_within("{\"op\":\"add\",\"args\":[[1],{\"op\":\"add\",\"args\":[1,2]}]}",
                      DTYPE_UNSET, &limits, &tree, NULL),
        ERR_INVALID_ARGUMENT);
    limits = exprs_limits();
    limits.literal_bytes_max = 40;
    assert_int_equal(decode_within("[1,2,3,4,5]", DTYPE_UNSET, &limits, &tree, NULL), OK);
    expr_tree_drop(&tree);
    assert_int_equal(decode_within("[1,2,3,4,5,6]", DTYPE_UNSET, &limits, &tree, NULL),
                     ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(decode_within("{\"op\":\"add\",\"args\":[[1,2,3],[4,5,6]]}", DTYPE_UNSET,
                                   &limits, &tree, NULL),
                     ERR_PAYLOAD_TOO_LARGE);
}

/* --- printing ------------------------------------------------------------------------------ */

static char *
printed(const struct expr_tree *tree)
{
    json_t *json = NULL;
    struct err err = ERR_INIT;
    char *text;

    if (api_expr_encode(tree, &json, &err) != OK)
        fail_msg("%s", err.text);
    text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    json_decref(json);
    assert_non_null(text);
    return text;
}

/* Reads `text`, prints it, and reads and prints that again. */
static void
check_round_trip(const char *text, const char *canonical)
{
    AUTO(expr_tree) tree = {0}, again = {0};
    char *first, *second;

    read_as(text, DTYPE_UNSET, &tree);
    first = printed(&tree);
    assert_string_equal(first, canonical);
    read_as(first, DTYPE_UNSET, &again);
    second = printed(&again);
    assert_string_equal(second, canonical);
    free(first);
    free(second);
}

static void
what_was_written_is_printed_back(void **state)
{
    static const char *const canonical[] = {
        "1",
        "1.5",
        "[[1,2],[3,4]]",
        "true",
        "[\"a\",\"b\\u0000c\"]",
        "{\"variable\":\"layer/w\"}",
        "{\"op\":\"multiply\",\"args\":[{\"initialized_value\":\"w\"},2.0]}",
        "{\"op\":\"random_normal\",\"shape\":[784,200],\"stddev\":0.35,\"dtype\":\"float32\","
        "\"seed\":1}",
        "{\"op\":\"random_uniform\",\"shape\":[],\"minval\":-5,\"maxval\":4611686018427387904,"
        "\"dtype\":\"int64\"}",
        "{\"op\":\"reshape\",\"args\":[[1,2,3]],\"shape\":[-1,1]}",
        "{\"op\":\"constant\",\"value\":[1,2],\"dtype\":\"int8\",\"shape\":[2,3],\"verify_shape\":"
        "false}",
        "{\"op\":\"cast\",\"args\":[{\"op\":\"zeros\",\"shape\":[0]}],\"dtype\":\"bool\"}",
        "{\"dtype\":\"float32\",\"shape\":[2],\"data\":[0.5,-1.0]}",
        "{\"dtype\":\"complex64\",\"shape\":[1],\"data\":[[1.0,-2.0]]}",
        "{\"dtype\":\"uint64\",\"shape\":[1],\"base64\":\"//////////8=\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof canonical / sizeof canonical[0]; i++)
        check_round_trip(canonical[i], canonical[i]);
}

static void
spellings_become_canonical(void **state)
{
    (void)state;
    check_round_trip("{\"variable\": \"w:0\"}", "{\"variable\":\"w\"}");
    check_round_trip("{\"shape\":[2],\"op\":\"ones\",\"args\":[],\"dtype\":\"half\"}",
                     "{\"op\":\"ones\",\"shape\":[2],\"dtype\":\"float16\"}");
    check_round_trip("{\"datatype\":\"FP64\",\"shape\":[1,2],\"data\":[1,2]}",
                     "{\"dtype\":\"float64\",\"shape\":[1,2],\"data\":[[1.0,2.0]]}");
}

static void
inference_does_not_change_what_is_printed(void **state)
{
    AUTO(expr_tree) tree = {0};
    char *text;

    (void)state;
    read_as("{\"op\":\"add\",\"args\":[{\"op\":\"ones\",\"shape\":[2],\"dtype\":\"float64\"},1]}",
            DTYPE_UNSET, &tree);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    text = printed(&tree);
    assert_string_equal(text, "{\"op\":\"add\",\"args\":[{\"op\":\"ones\",\"shape\":[2],\"dtype\":"
                              "\"float64\"},1]}");
    free(text);
}

static void
a_large_literal_is_named_by_its_size(void **state)
{
    AUTO(expr_tree) tree = {0};
    char text[1000] = "[0", *shown;
    size_t used = strlen(text);

    (void)state;
    for (int i = 1; i <= 100; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, ",1");
    snprintf(text + used, sizeof text - used, "]");
    read_as(text, DTYPE_UNSET, &tree);
    shown = printed(&tree);
    assert_string_equal(shown, "{\"dtype\":\"int32\",\"shape\":[101],\"elements\":101}");
    free(shown);
}

static void
printing_survives_a_record(void **state)
{
    static const char text[] = "{\"op\":\"add\",\"args\":[{\"op\":\"random_uniform\",\"shape\":[3],"
                               "\"minval\":0,\"maxval\":1.5,\"seed\":-1},[0.1,2,3]]}";
    struct expr_limits limits = exprs_limits();
    AUTO(expr_tree) tree = {0}, again = {0};
    AUTO(buf) record = {0};
    char *before, *after;

    (void)state;
    read_as(text, DTYPE_UNSET, &tree);
    buf_init(&record, 10000);
    assert_int_equal(expr_encode(&tree, &record, NULL), OK);
    assert_int_equal(expr_decode(buf_bytes(&record), &limits, &again, NULL), OK);
    before = printed(&tree);
    after = printed(&again);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void
short_memory_is_an_error_everywhere(void **state)
{
    static const char text[] = "{\"op\":\"add\",\"args\":[{\"op\":\"constant\",\"value\":[1,2.5],"
                               "\"shape\":[3]},{\"op\":\"reshape\",\"args\":[{\"variable\":\"w\"}],"
                               "\"shape\":[-1]}]}";
    struct expr_limits limits = exprs_limits();
    enum err_code code = ERR_NO_MEMORY;

    (void)state;
    for (uint64_t nth = 1; code != OK; nth++) {
        AUTO(expr_tree) tree = {0};
        json_t *json = NULL;
        struct err err = ERR_INIT;

        mem_fail_at(nth, 0);
        code = decode_within(text, DTYPE_UNSET, &limits, &tree, &err);
        if (code == OK)
            code = api_expr_encode(&tree, &json, &err);
        mem_fail_at(0, 0);
        json_decref(json);
        if (code != OK && code != ERR_NO_MEMORY)
            fail_msg("allocation %d: %s", (int)nth, err.text);
        assert_true(nth < 1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seeded_draw_gives_tensorflows_numbers),
        cmocka_unit_test(an_expression_is_read_with_its_arguments_and_attributes),
        cmocka_unit_test(numbers_without_a_dtype_are_weak),
        cmocka_unit_test(a_hint_is_the_whole_values_dtype),
        cmocka_unit_test(a_weak_fraction_keeps_its_digits_for_float64),
        cmocka_unit_test(integer_bounds_stay_exact),
        cmocka_unit_test(a_constant_reads_its_value_by_its_dtype_where_it_must),
        cmocka_unit_test(null_is_an_attribute_not_given),
        cmocka_unit_test(unknown_ops_and_attributes_are_named_with_the_nearest),
        cmocka_unit_test(values_of_the_wrong_kind_are_refused_by_field),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(width_and_literal_bytes_are_limited),
        cmocka_unit_test(what_was_written_is_printed_back),
        cmocka_unit_test(spellings_become_canonical),
        cmocka_unit_test(inference_does_not_change_what_is_printed),
        cmocka_unit_test(a_large_literal_is_named_by_its_size),
        cmocka_unit_test(printing_survives_a_record),
        cmocka_unit_test(short_memory_is_an_error_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
