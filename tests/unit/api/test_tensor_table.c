/* Tensors that come beside JSON: read from safetensors, found by key, lent to expressions. */
#include "api/tensors/tensor_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/resource/expr_json.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"
#include "tests/support/pieces.h"

enum { ARENA_BYTES = 1 << 22, FILE_BYTES = 1 << 20, TENSORS = 20 };

static const struct api_json_limits json_limits = {1 << 20, 1 << 20};
static const struct api_tensor_limits plenty = {FILE_BYTES, 1000};

static void
make_file(const char *header, struct bytes data, struct buf *out)
{
    buf_init(out, FILE_BYTES);
    assert_int_equal(buf_append_u64(out, strlen(header), NULL), OK);
    assert_int_equal(buf_append_text(out, header, NULL), OK);
    assert_int_equal(buf_append(out, data.data, data.size, NULL), OK);
}

static enum err_code
read_within(struct bytes file, size_t piece, const struct api_tensor_limits *limits,
            struct arena *arena, struct api_tensor_table *out, struct err *err)
{
    struct pieces pieces = {.left = file, .piece = piece};
    struct api_byte_source source = {.context = &pieces, .read = pieces_read};

    arena_init(arena, ARENA_BYTES);
    return api_tensor_table_read(&source, "the part 'tensors'", limits, arena, out, err);
}

static void
read_table(const char *header, struct bytes data, struct arena *arena, struct api_tensor_table *out)
{
    AUTO(buf) file = {0};
    struct err err = ERR_INIT;

    make_file(header, data, &file);
    if (read_within(buf_bytes(&file), 0, &plenty, arena, out, &err) != OK)
        fail_msg("%s: %s", header, err.text);
}

/* g: float32 [2] = 1.5, -2; i: int64 [] = 7; ok: bool [3] = 1, 0, 1; none: float32 [0] */
#define FOUR                                                                                       \
    "{\"__metadata__\":{\"optimizer\":\"adam\",\"empty\":\"\"},"                                   \
    "\"ok\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[16,19]},"                          \
    "\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[19,19]},"                         \
    "\"i\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"                               \
    "\"g\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}"

static const uint8_t four_data[19] = {7,    0,    0, 0, 0, 0,    0, 0, 0, 0,
                                      0xc0, 0x3f, 0, 0, 0, 0xc0, 1, 0, 1};

static void
read_four(struct arena *arena, struct api_tensor_table *out)
{
    read_table(FOUR, bytes_of(four_data, sizeof four_data), arena, out);
}

/* --- reading ------------------------------------------------------------------------------- */

static void
tensors_are_found_by_key_in_memory_of_their_own(void **state)
{
    AUTO(arena) arena = {0};
    AUTO(api_tensor_table) table = {0};
    const struct api_tensor_entry *entry;
    const float want[] = {1.5f, -2};

    (void)state;
    read_four(&arena, &table);
    assert_int_equal(table.count, 4);
    entry = api_tensor_table_use(&table, bytes_of_text("g"));
    assert_non_null(entry);
    assert_int_equal(entry->tensor.type.dtype, DTYPE_FLOAT32);
    assert_int_equal(entry->tensor.size, 8);
    assert_int_equal((uintptr_t)entry->tensor.data % 64, 0);
    assert_memory_equal(entry->tensor.data, want, sizeof want);
    entry = api_tensor_table_use(&table, bytes_of_text("i"));
    assert_int_equal(entry->tensor.data[0], 7);
    assert_int_equal(entry->tensor.type.shape.rank, 0);
    assert_int_equal(api_tensor_table_use(&table, bytes_of_text("none"))->tensor.size, 0);
    assert_null(api_tensor_table_use(&table, bytes_of_text("G")));
    assert_null(api_tensor_table_use(&table, bytes_of_text("")));
}

static void
metadata_is_found_by_name(void **state)
{
    AUTO(arena) arena = {0};
    AUTO(api_tensor_table) table = {0};

    (void)state;
    read_four(&arena, &table);
    assert_true(bytes_equal(api_tensor_table_metadata(&table, "optimizer"), bytes_of_text("adam")));
    assert_int_equal(api_tensor_table_metadata(&table, "empty").size, 0);
    assert_non_null(api_tensor_table_metadata(&table, "empty").data);
    assert_null(api_tensor_table_metadata(&table, "other").data);
}

static void
a_file_without_tensors_is_a_table_without_entries(void **state)
{
    AUTO(arena) arena = {0};
    AUTO(api_tensor_table) table = {0};

    (void)state;
    read_table("{}", bytes_of("", 0), &arena, &table);
    assert_int_equal(table.count, 0);
    assert_null(api_tensor_table_use(&table, bytes_of_text("g")));
    assert_int_equal(api_tensor_table_end(&table, NULL), OK);
}

#define ONE(dtype, shape, end)                                                                     \
    "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[0," end "]}}"

static const struct {
    const char *header, *data;
    enum err_code code;
    const char *because;
} bad[] = {
    {ONE("F32", "[2]", "8"), "1234567", ERR_INVALID_ARGUMENT,
     "the part 'tensors' ends after 7 of 8 bytes of tensor 'a'"},
    {ONE("F32", "[2]", "8"), "123456789", ERR_INVALID_ARGUMENT,
     "the part 'tensors' goes on after its tensors, which take 8 bytes"},
    {"{}", "1", ERR_INVALID_ARGUMENT, "goes on after its tensors, which take 0 bytes"},
    {ONE("F32", "[3]", "8"), "12345678", ERR_INVALID_ARGUMENT, "tensor 'a' is float32[3]"},
    {ONE("F31", "[2]", "8"), "12345678", ERR_INVALID_ARGUMENT, "dtype 'F31'"},
    {ONE("BOOL", "[2]", "2"), "\1\2", ERR_INVALID_ARGUMENT,
     "'a': element 1 of a bool tensor is byte 2, not 0 or 1"},
    {"[]", "", ERR_INVALID_ARGUMENT, "the header is no JSON object"},
    {ONE("F32", "[2]", "8"), "12345678", ERR_PAYLOAD_TOO_LARGE,
     "the tensors of the part 'tensors' take 8 bytes, the limit is 7 (tensor_parts_max_bytes)"},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[1,2]}}",
     "12", ERR_PAYLOAD_TOO_LARGE,
     "the part 'tensors' has 2 tensors, the limit is 1 (variables_per_request_max)"},
};

static void
check_refused(struct bytes file, const struct api_tensor_limits *limits, enum err_code code,
              const char *because)
{
    for (size_t piece = 0; piece < 4; piece++) {
        AUTO(arena) arena = {0};
        AUTO(api_tensor_table) table = {0};
        struct err err = ERR_INIT;

        assert_int_equal(read_within(file, piece, limits, &arena, &table, &err), code);
        if (strstr(err.text, because) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, because);
        assert_null(table.entries);
    }
}

static void
what_is_wrong_in_the_file_is_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct api_tensor_limits tight = {7, 1};
        AUTO(buf) file = {0};

        make_file(bad[i].header, bytes_of_text(bad[i].data), &file);
        check_refused(buf_bytes(&file), bad[i].code == ERR_PAYLOAD_TOO_LARGE ? &tight : &plenty,
                      bad[i].code, bad[i].because);
    }
}

static void
a_file_that_is_cut_short_is_refused_wherever(void **state)
{
    AUTO(buf) file = {0};

    (void)state;
    make_file(FOUR, bytes_of(four_data, sizeof four_data), &file);
    for (size_t size = 0; size < file.size; size++)
        check_refused(bytes_of(file.data, size), &plenty, ERR_INVALID_ARGUMENT,
                      size < 8                     ? "the safetensors header's length"
                      : size < 8 + sizeof FOUR - 1 ? "bytes of the safetensors header"
                                                   : "bytes of tensor '");
}

static void
a_header_longer_than_any_is_refused_before_memory_is_taken(void **state)
{
    (void)state;
    check_refused(bytes_of("\xff\xff\xff\xff\xff\xff\xff\xff", 8), &plenty, ERR_INVALID_ARGUMENT,
                  "a header of 18446744073709551615 bytes, the limit is 100000000");
    check_refused(bytes_of("\x00\x00\x50\x00\x00\x00\x00\x00", 8), &plenty, ERR_PAYLOAD_TOO_LARGE,
                  "");
}

static void
short_memory_leaves_nothing_behind(void **state)
{
    AUTO(buf) file = {0};
    enum err_code code = ERR_NO_MEMORY;
    uint64_t nth = 0;

    (void)state;
    make_file(FOUR, bytes_of(four_data, sizeof four_data), &file);
    while (code == ERR_NO_MEMORY) {
        AUTO(arena) arena = {0};
        AUTO(api_tensor_table) table = {0};
        struct err err = ERR_INIT;

        mem_fail_at(++nth, 0);
        code = read_within(buf_bytes(&file), 0, &plenty, &arena, &table, &err);
        mem_fail_at(0, 0);
        assert_int_equal(table.count, code == OK ? 4 : 0);
    }
    assert_int_equal(code, OK);
    assert_true(nth > 5);
}

/* --- in expressions ------------------------------------------------------------------------ */

static enum err_code
decode(const char *text, struct api_tensor_table *table, const struct expr_limits *limits,
       struct expr_tree *out, struct err *err)
{
    struct api_json *doc = NULL;
    struct api_value root;
    enum err_code code = api_json_parse(bytes_of_text(text), &json_limits, &doc, err);

    if (code != OK)
        return code;
    root = api_json_root(doc);
    code = api_expr_decode_beside(&root, DTYPE_UNSET, limits, table, out, err);
    api_json_drop(doc);
    return code;
}

static void
an_expression_borrows_what_it_names(void **state)
{
    AUTO(arena) arena = {0};
    AUTO(api_tensor_table) table = {0};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) result = {0};
    struct expr_limits limits = exprs_limits();
    const float want[] = {3, -4};
    const struct api_tensor_entry *entry;
    struct err err = ERR_INIT;

    (void)state;
    limits.literal_bytes_max = 1; /* for what is written in the JSON */
    read_four(&arena, &table);
    if (decode("{\"op\": \"add\", \"args\": [{\"tensor\": \"g\", \"id\": \"once\"}, {\"op\": "
               "\"identity\", \"args\": [{\"tensor\": \"g\"}]}]}",
               &table, &limits, &tree, &err) != OK)
        fail_msg("%s", err.text);
    entry = api_tensor_table_use(&table, bytes_of_text("g"));
    assert_ptr_equal(tree.root->args[0]->literal.data, entry->tensor.data);
    assert_ptr_equal(tree.root->args[1]->args[0]->literal.data, entry->tensor.data);
    assert_false(tree.root->args[0]->weak);
    assert_int_equal(tree.literal_count, 0);
    assert_int_equal(exprs_evaluate(&tree, NULL, &result, &err), OK);
    assert_memory_equal(result.data, want, sizeof want);
}

static void
an_attribute_may_be_a_tensor_too(void **state)
{
    AUTO(arena) arena = {0};
    AUTO(api_tensor_table) table = {0};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) result = {0};
    struct expr_limits limits = exprs_limits();
    const float want[] = {1.5f, -2};
    struct err err = ERR_INIT;

    (void)state;
    read_four(&arena, &table);
    if (decode("{\"op\": \"constant\", \"value\": {\"tensor\": \"g\"}}", &table, &limits, &tree,
               &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(exprs_evaluate(&tree, NULL, &result, &err), OK);
    assert_int_equal(result.type.dtype, DTYPE_FLOAT32);
    assert_memory_equal(result.data, want, sizeof want);
}

static void
check_expression_refused(const char *text, struct api_tensor_table *table, const char *because)
{
    struct expr_limits limits = exprs_limits();
    AUTO(expr_tree) tree = {0};
    struct err err = ERR_INIT;

    assert_int_equal(decode(text, table, &limits, &tree, &err), ERR_INVALID_ARGUMENT);
    if (strstr(err.text, because) == NULL)
        fail_msg("%s: '%s' does not say '%s'", text, err.text, because);
}

static void
a_key_that_is_not_there_is_named_with_those_that_are(void **state)
{
    AUTO(arena) arena = {0};
    AUTO(api_tensor_table) table = {0};
    struct api_tensor_table empty = {.place = "the part 'tensors'"}, none = {0};

    (void)state;
    read_four(&arena, &table);
    check_expression_refused("{\"op\": \"negative\", \"args\": [{\"tensor\": \"w\"}]}", &table,
                             "field 'args[0]': the part 'tensors' has no tensor 'w', only 'g', "
                             "'i', 'none', 'ok'");
    check_expression_refused("{\"tensor\": \"w\"}", &empty,
                             "the part 'tensors' has no tensor 'w', and no other either");
    check_expression_refused("{\"tensor\": \"w\"}", &none, "is multipart/form-data");
    check_expression_refused("{\"tensor\": \"w\"}", NULL,
                             "{\"tensor\": \"w\"} means a tensor that came beside the JSON");
    check_expression_refused("{\"tensor\": 1}", &table, "field 'tensor' must be");
    check_expression_refused("{\"tensor\": \"g\", \"dtype\": \"float32\"}", &table, "'dtype'");
    check_expression_refused("{\"op\": \"constant\", \"value\": {\"tensor\": \"w\"}}", &table,
                             "field 'value': the part 'tensors' has no tensor 'w'");
    check_expression_refused("{\"op\": \"constant\", \"value\": {\"tensor\": \"g\", \"x\": 1}}",
                             &table, "'value.x'");
    check_expression_refused("{\"op\": \"constant\", \"value\": {\"tensor\": \"g\"}}", NULL,
                             "is multipart/form-data");
}

static void
keys_that_nothing_uses_are_named(void **state)
{
    AUTO(arena) arena = {0};
    AUTO(api_tensor_table) table = {0};
    struct err err = ERR_INIT;

    (void)state;
    read_four(&arena, &table);
    assert_int_equal(api_tensor_table_end(&table, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "nothing in the request uses 'g', 'i', 'none', 'ok' of the part "
                                  "'tensors'");
    assert_non_null(api_tensor_table_use(&table, bytes_of_text("g")));
    assert_non_null(api_tensor_table_use(&table, bytes_of_text("none")));
    assert_non_null(api_tensor_table_use(&table, bytes_of_text("i")));
    err = (struct err)ERR_INIT;
    assert_int_equal(api_tensor_table_end(&table, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "nothing in the request uses 'ok' of the part 'tensors'");
    assert_non_null(api_tensor_table_use(&table, bytes_of_text("ok")));
    assert_int_equal(api_tensor_table_end(&table, NULL), OK);
}

/* Twenty tensors with long names: a message shows a few and counts the rest. */
static void
a_long_list_of_keys_is_cut(void **state)
{
    AUTO(arena) arena = {0};
    AUTO(api_tensor_table) table = {0};
    AUTO(buf) header = {0};
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&header, FILE_BYTES);
    for (int i = 0; i < TENSORS; i++)
        assert_int_equal(buf_printf(&header, NULL,
                                    "%s\"%02d\\n%0200d\":{\"dtype\":\"U8\",\"shape\":[0],"
                                    "\"data_offsets\":[0,0]}",
                                    i == 0 ? "{" : ",", i, 0),
                         OK);
    assert_int_equal(buf_append(&header, "}", 2, NULL), OK);
    read_table((const char *)header.data, bytes_of("", 0), &arena, &table);
    assert_int_equal(api_tensor_table_end(&table, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "uses '00?0"));
    assert_non_null(strstr(err.text, "' and 16 more of the part"));
    assert_true(strlen(err.text) < ERR_TEXT_BYTES_MAX - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_found_by_key_in_memory_of_their_own),
        cmocka_unit_test(metadata_is_found_by_name),
        cmocka_unit_test(a_file_without_tensors_is_a_table_without_entries),
        cmocka_unit_test(what_is_wrong_in_the_file_is_said),
        cmocka_unit_test(a_file_that_is_cut_short_is_refused_wherever),
        cmocka_unit_test(a_header_longer_than_any_is_refused_before_memory_is_taken),
        cmocka_unit_test(short_memory_leaves_nothing_behind),
        cmocka_unit_test(an_expression_borrows_what_it_names),
        cmocka_unit_test(an_attribute_may_be_a_tensor_too),
        cmocka_unit_test(a_key_that_is_not_there_is_named_with_those_that_are),
        cmocka_unit_test(keys_that_nothing_uses_are_named),
        cmocka_unit_test(a_long_list_of_keys_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
