/* Tensors in JSON, both ways: inference, conversion, shapes, refusals with their position,
 * printing. */
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

static enum err_code
read_tensor(const char *text, enum dtype dtype, const struct shape *shape, struct tensor *out,
            bool *inferred, struct err *err)
{
    const struct api_tensor_hint hint = {dtype, shape, 1 << 20};
    struct api_json *doc = NULL;
    struct api_value root;
    enum err_code code;

    TRY(api_json_parse(bytes_of_text(text), &limits, &doc, err));
    root = api_json_root(doc);
    code = api_value_tensor(&root, &hint, out, inferred, err);
    api_json_drop(doc);
    return code;
}

/* Reads `text` and prints it again. */
static void
expect_round(const char *text, enum dtype hint, const char *type, const char *printed)
{
    AUTO(tensor) tensor = {0};
    AUTO(buf) out = {0};
    char type_text[TENSOR_TYPE_TEXT_BYTES_MAX];
    struct tensor_view view;
    struct err err = ERR_INIT;

    if (read_tensor(text, hint, NULL, &tensor, NULL, &err) != OK)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(tensor_type_text(&tensor.type, type_text), type);
    view = tensor_view_of(&tensor);
    buf_init(&out, 1 << 20);
    assert_int_equal(api_tensor_text(&view, &out, NULL), OK);
    assert_int_equal(buf_append_byte(&out, 0, NULL), OK);
    assert_string_equal((const char *)out.data, printed);
}

static void
expect_refusal(const char *text, enum dtype hint, const char *complaint)
{
    AUTO(tensor) tensor = {0};
    struct err err = ERR_INIT;

    if (read_tensor(text, hint, NULL, &tensor, NULL, &err) != ERR_INVALID_ARGUMENT)
        fail_msg("%s was not refused", text);
    if (strcmp(err.text, complaint) != 0)
        fail_msg("'%s', not '%s'", err.text, complaint);
    assert_null(tensor.data);
}

static void
dtypes_are_inferred_as_tensorflow_does(void **state)
{
    (void)state;
    expect_round("5", DTYPE_UNSET, "int32[]", "5");
    expect_round("[1,2]", DTYPE_UNSET, "int32[2]", "[1,2]");
    expect_round("[2147483647,-2147483648]", DTYPE_UNSET, "int32[2]", "[2147483647,-2147483648]");
    expect_round("[1,2147483648]", DTYPE_UNSET, "int64[2]", "[1,2147483648]");
    expect_round("-9223372036854775808", DTYPE_UNSET, "int64[]", "-9223372036854775808");
    expect_round("[1,2.0]", DTYPE_UNSET, "float32[2]", "[1.0,2.0]");
    expect_round("[1,2e0]", DTYPE_UNSET, "float32[2]", "[1.0,2.0]");
    expect_round("[1,\"NaN\"]", DTYPE_UNSET, "float32[2]", "[1.0,\"NaN\"]");
    expect_round("[\"-Infinity\",99999999999999999999]", DTYPE_UNSET, "float32[2]",
                 "[\"-Infinity\",1e+20]");
    expect_round("[\"NaN\"]", DTYPE_UNSET, "string[1]", "[\"NaN\"]");
    expect_round("[\"a\",\"NaN\"]", DTYPE_UNSET, "string[2]", "[\"a\",\"NaN\"]");
    expect_round("[[true],[false]]", DTYPE_UNSET, "bool[2,1]", "[[true],[false]]");
    expect_round("false", DTYPE_UNSET, "bool[]", "false");
    expect_round("[]", DTYPE_UNSET, "float32[0]", "[]");
    expect_round("[[],[]]", DTYPE_UNSET, "float32[2,0]", "[[],[]]");
    expect_round("\"text\"", DTYPE_UNSET, "string[]", "\"text\"");
    expect_round(" [ 0.1 ,\n -0 ] ", DTYPE_UNSET, "float32[2]", "[0.1,-0.0]");
}

static void
a_given_dtype_converts_integers_to_floats_only(void **state)
{
    (void)state;
    expect_round("[1,16777217]", DTYPE_FLOAT32, "float32[2]", "[1.0,16777216.0]");
    expect_round("[1,0.1,\"Infinity\"]", DTYPE_FLOAT64, "float64[3]", "[1.0,0.1,\"Infinity\"]");
    expect_round("[65504,1e-7,\"NaN\",\"-Infinity\"]", DTYPE_FLOAT16, "float16[4]",
                 "[65500.0,1e-07,\"NaN\",\"-Infinity\"]");
    expect_round("[0.1,\"NaN\",\"Infinity\"]", DTYPE_BFLOAT16, "bfloat16[3]",
                 "[0.1,\"NaN\",\"Infinity\"]");
    expect_round("[448,\"NaN\",-0.0]", DTYPE_FLOAT8_E4M3FN, "float8_e4m3fn[3]",
                 "[450.0,\"NaN\",-0.0]");
    expect_round("[1.5,\"-Infinity\",\"NaN\"]", DTYPE_FLOAT8_E5M2, "float8_e5m2[3]",
                 "[1.5,\"-Infinity\",\"NaN\"]");
    expect_round("[-128,127]", DTYPE_INT8, "int8[2]", "[-128,127]");
    expect_round("[-32768,32767]", DTYPE_INT16, "int16[2]", "[-32768,32767]");
    expect_round("[0,255]", DTYPE_UINT8, "uint8[2]", "[0,255]");
    expect_round("[0,65535]", DTYPE_UINT16, "uint16[2]", "[0,65535]");
    expect_round("[0,4294967295]", DTYPE_UINT32, "uint32[2]", "[0,4294967295]");
    expect_round("[18446744073709551615,9007199254740993]", DTYPE_UINT64, "uint64[2]",
                 "[18446744073709551615,9007199254740993]");
    expect_round("[-128]", DTYPE_QINT8, "qint8[1]", "[-128]");
    expect_round("[255]", DTYPE_QUINT8, "quint8[1]", "[255]");
    expect_round("[-1]", DTYPE_QINT16, "qint16[1]", "[-1]");
    expect_round("[65535]", DTYPE_QUINT16, "quint16[1]", "[65535]");
    expect_round("[-2147483648]", DTYPE_QINT32, "qint32[1]", "[-2147483648]");
    expect_round("[\"NaN\"]", DTYPE_FLOAT32, "float32[1]", "[\"NaN\"]");
}

static void
elements_of_the_wrong_kind_are_named(void **state)
{
    (void)state;
    expect_refusal("[[1,2],[3,1.5]]", DTYPE_INT32,
                   "the body: element [1,1]: int32 expected, got 1.5");
    expect_refusal("1.5", DTYPE_INT32, "the body: int32 expected, got 1.5");
    expect_refusal("[1,true]", DTYPE_UNSET, "the body: element [0]: bool expected, got 1");
    expect_refusal("[true,2.5]", DTYPE_UNSET, "the body: element [1]: bool expected, got 2.5");
    expect_refusal("[1]", DTYPE_BOOL, "the body: element [0]: bool expected, got 1");
    expect_refusal("[true]", DTYPE_FLOAT32, "the body: element [0]: float32 expected, got true");
    expect_refusal("[1,null]", DTYPE_UNSET, "the body: element [1]: int32 expected, got null");
    expect_refusal("null", DTYPE_FLOAT32, "the body: float32 expected, got null");
    expect_refusal("[1,\"a\"]", DTYPE_UNSET, "the body: element [1]: int32 expected, got \"a\"");
    expect_refusal("[\"inf\"]", DTYPE_FLOAT32,
                   "the body: element [0]: float32 expected, got \"inf\"");
    expect_refusal("[1]", DTYPE_STRING, "the body: element [0]: string expected, got 1");
    expect_refusal("[\"NaN\"]", DTYPE_INT32, "the body: element [0]: int32 expected, got \"NaN\"");
    expect_refusal("[{\"base64\":\"AA==\"}]", DTYPE_FLOAT32,
                   "the body: element [0]: float32 expected, got an object");
    expect_refusal("[1,{\"a\":1}]", DTYPE_UNSET,
                   "field '[1]' must be a number, a text or {\"base64\": text}, it is an object");
}

static void
elements_out_of_range_are_named(void **state)
{
    (void)state;
    expect_refusal("[[1,2,3],[4,5,300]]", DTYPE_UINT8,
                   "the body: element [1,2]: 300 is outside uint8");
    expect_refusal("[-1]", DTYPE_UINT64, "the body: element [0]: -1 is outside uint64");
    expect_refusal("18446744073709551616", DTYPE_UINT64,
                   "the body: 18446744073709551616 is outside uint64");
    expect_refusal("[128]", DTYPE_INT8, "the body: element [0]: 128 is outside int8");
    expect_refusal("[-32769]", DTYPE_QINT16, "the body: element [0]: -32769 is outside qint16");
    expect_refusal("[2147483648]", DTYPE_INT32,
                   "the body: element [0]: 2147483648 is outside int32");
    expect_refusal("[9223372036854775808]", DTYPE_UNSET,
                   "the body: element [0]: 9223372036854775808 is outside int64");
    expect_refusal("[1.0,1e999]", DTYPE_UNSET, "the body: element [1]: 1e999 overflows float32");
    expect_refusal("[1e39]", DTYPE_FLOAT32, "the body: element [0]: 1e39 overflows float32");
    expect_refusal("[1e309]", DTYPE_FLOAT64, "the body: element [0]: 1e309 overflows float64");
    expect_refusal("[65520]", DTYPE_FLOAT16, "the body: element [0]: 65520 overflows float16");
    expect_refusal("[-500]", DTYPE_FLOAT8_E4M3FN,
                   "the body: element [0]: -500 overflows float8_e4m3fn");
    expect_refusal("[\"Infinity\"]", DTYPE_FLOAT8_E4M3FN,
                   "the body: element [0]: \"Infinity\" overflows float8_e4m3fn");
    expect_refusal("[[0,1],[2,1e99]]", DTYPE_COMPLEX64,
                   "the body: element [1,1]: 1e99 overflows complex64");
}

static void
ragged_lists_are_refused_with_the_place(void **state)
{
    (void)state;
    expect_refusal("[[1,2],[1,2,3]]", DTYPE_UNSET,
                   "the body: ragged: [1] has 3 elements, expected 2");
    expect_refusal("[[1,2],[1]]", DTYPE_UNSET, "the body: ragged: [1] has 1 element, expected 2");
    expect_refusal("[[[1],[2]],[[3],[4,5]]]", DTYPE_UNSET,
                   "the body: ragged: [1,1] has 2 elements, expected 1");
    expect_refusal("[1,[2]]", DTYPE_UNSET,
                   "the body: ragged: [1] is a list, expected an element as those before it");
    expect_refusal("[[1],2]", DTYPE_UNSET, "the body: ragged: [1] is no list, expected one");
    expect_refusal("[[],1]", DTYPE_UNSET, "the body: ragged: [1] is no list, expected one");
    expect_refusal("[[],[1]]", DTYPE_UNSET, "the body: ragged: [1] has 1 element, expected 0");
    expect_refusal("[[],[[]]]", DTYPE_UNSET, "the body: ragged: [1] has 1 element, expected 0");
    expect_refusal("[[[]],[]]", DTYPE_UNSET, "the body: ragged: [1] has 0 elements, expected 1");
    expect_refusal("[1,[]]", DTYPE_UNSET,
                   "the body: ragged: [1] is a list, expected an element as those before it");
}

static void
nesting_past_the_rank_limit_is_refused(void **state)
{
    char text[2 * 64 + 2] = "";

    (void)state;
    memset(text, '[', 33);
    text[33] = '1';
    memset(text + 34, ']', 33);
    expect_refusal(text, DTYPE_UNSET, "the body: nested deeper than 32 dimensions");
    memset(text, 0, sizeof text);
    memset(text, '[', 32);
    text[32] = '1';
    memset(text + 33, ']', 32);
    expect_round(text, DTYPE_UNSET,
                 "int32[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", text);
}

static void
complex_numbers_are_pairs(void **state)
{
    (void)state;
    expect_round("[1,-2.5]", DTYPE_COMPLEX64, "complex64[]", "[1.0,-2.5]");
    expect_round("[[1,2],[3,\"NaN\"]]", DTYPE_COMPLEX64, "complex64[2]",
                 "[[1.0,2.0],[3.0,\"NaN\"]]");
    expect_round("[[[0.1,1e300]]]", DTYPE_COMPLEX128, "complex128[1,1]", "[[[0.1,1e+300]]]");
    expect_round("2", DTYPE_COMPLEX128, "complex128[]", "[2.0,0.0]");
    expect_round("[]", DTYPE_COMPLEX64, "complex64[0]", "[]");
    expect_round("[[],[]]", DTYPE_COMPLEX64, "complex64[2,0]", "[[],[]]");
    expect_refusal("[[1,2,3]]", DTYPE_COMPLEX64,
                   "the body: elements of complex64 are pairs [re, im], the innermost lists have 3 "
                   "elements");
    expect_round("{\"dtype\":\"complex64\",\"shape\":[2,1],\"data\":[[1,2],[3,4]]}", DTYPE_UNSET,
                 "complex64[2,1]", "[[[1.0,2.0]],[[3.0,4.0]]]");
    expect_round("{\"dtype\":\"complex64\",\"shape\":[],\"data\":[[1,2]]}", DTYPE_UNSET,
                 "complex64[]", "[1.0,2.0]");
}

static void
objects_carry_dtype_and_shape(void **state)
{
    (void)state;
    expect_round("{\"dtype\":\"float32\",\"shape\":[2,3],\"data\":[1,2,3,4,5,6]}", DTYPE_UNSET,
                 "float32[2,3]", "[[1.0,2.0,3.0],[4.0,5.0,6.0]]");
    expect_round("{\"datatype\":\"INT64\",\"shape\":[2,1],\"data\":[[1],[2]],\"name\":\"w\","
                 "\"parameters\":{\"a\":1},\"revision\":5}",
                 DTYPE_UNSET, "int64[2,1]", "[[1],[2]]");
    expect_round("{\"data\":[1,2.5]}", DTYPE_UNSET, "float32[2]", "[1.0,2.5]");
    expect_round("{\"data\":[1,2]}", DTYPE_FLOAT64, "float64[2]", "[1.0,2.0]");
    expect_round("{\"data\":[5],\"shape\":[]}", DTYPE_UNSET, "int32[]", "5");
    expect_round("{\"data\":[],\"shape\":[0,3],\"dtype\":\"half\"}", DTYPE_UNSET, "float16[0,3]",
                 "[]");
    expect_round("{\"data\":[[],[]],\"shape\":[2,0,3],\"dtype\":\"int8\"}", DTYPE_UNSET,
                 "int8[2,0,3]", "[[],[]]");
    expect_round("{\"dtype\":\"int16\",\"shape\":[2],\"base64\":\"AQD//w==\"}", DTYPE_UNSET,
                 "int16[2]", "[1,-1]");
    expect_round("{\"dtype\":\"uint8\",\"shape\":[3],\"base64\":\"\\/\\u002f\\/\\/\"}", DTYPE_UNSET,
                 "uint8[3]", "[255,255,255]");
    expect_round("{\"dtype\":\"float32\",\"shape\":[0],\"base64\":\"\"}", DTYPE_UNSET, "float32[0]",
                 "[]");
    expect_round("{\"dtype\":\"string\",\"shape\":[2],\"base64\":\"AQAAAGECAAAAYmM=\"}",
                 DTYPE_UNSET, "string[2]", "[\"a\",\"bc\"]");
}

static void
objects_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    expect_refusal("{\"dtype\":\"float32\",\"shape\":[2,3],\"data\":[1,2,3,4,5]}", DTYPE_UNSET,
                   "field 'data' has 5 elements, shape [2,3] takes 6");
    expect_refusal("{\"shape\":[2,3],\"data\":[[1,2],[3,4],[5,6]]}", DTYPE_UNSET,
                   "field 'data' has shape [3,2], shape [2,3] is expected");
    expect_refusal("{\"shape\":[1],\"data\":5}", DTYPE_UNSET,
                   "field 'data' has shape [], shape [1] is expected");
    expect_refusal("{\"shape\":[0,3],\"data\":[[]]}", DTYPE_UNSET,
                   "field 'data' has shape [1,0], shape [0,3] is expected");
    expect_refusal("{\"data\":[1],\"base64\":\"\"}", DTYPE_UNSET,
                   "the body needs either \"data\" or \"base64\"");
    expect_refusal("{\"dtype\":\"int8\"}", DTYPE_UNSET,
                   "the body needs either \"data\" or \"base64\"");
    expect_refusal("{\"dtype\":\"int8\",\"datatype\":\"INT8\",\"data\":1}", DTYPE_UNSET,
                   "the body has both \"dtype\" and \"datatype\"");
    expect_refusal("{\"dtpye\":\"int8\",\"data\":1}", DTYPE_UNSET,
                   "unknown field 'dtpye': did you mean 'dtype'?");
    expect_refusal("{\"base64\":\"AA==\"}", DTYPE_UNSET,
                   "field 'base64': base64 needs \"dtype\" and \"shape\" beside it");
    expect_refusal("{\"dtype\":\"int16\",\"shape\":[2],\"base64\":\"AQD/\"}", DTYPE_UNSET,
                   "field 'base64' has 3 bytes, int16[2] takes 4");
    expect_refusal("{\"dtype\":\"int16\",\"shape\":[2],\"base64\":\"AQD/*\"}", DTYPE_UNSET,
                   "field 'base64': 5 characters are no base64 text");
    expect_refusal("{\"dtype\":\"int16\",\"shape\":[1],\"base64\":\"A*D=\"}", DTYPE_UNSET,
                   "field 'base64' is not base64");
    expect_refusal("{\"dtype\":\"bool\",\"shape\":[1],\"base64\":\"Ag==\"}", DTYPE_UNSET,
                   "field 'base64': byte 0 is 2, a bool is 0 or 1");
    expect_refusal("{\"dtype\":\"int16\",\"shape\":[1],\"base64\":[]}", DTYPE_UNSET,
                   "field 'base64' must be base64 text, it is a list");
    expect_refusal("{\"data\":{}}", DTYPE_UNSET,
                   "field 'data' must be a number, a text or {\"base64\": text}, it is an object");
}

static void
a_hinted_shape_accepts_flat_data(void **state)
{
    const struct shape shape = {2, {2, 2}};
    AUTO(tensor) tensor = {0};
    bool inferred = true;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(read_tensor("[1,2,3,4]", DTYPE_FLOAT32, &shape, &tensor, &inferred, NULL), OK);
    assert_false(inferred);
    assert_int_equal(tensor.type.shape.rank, 2);
    assert_memory_equal(tensor.data, ((float[]){1, 2, 3, 4}), 16);
    assert_int_equal(read_tensor("[[1,2,3,4]]", DTYPE_FLOAT32, &shape, &tensor, &inferred, &err),
                     ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the body has shape [1,4], shape [2,2] is expected");
}

static void
whether_a_dtype_was_inferred_is_told(void **state)
{
    bool inferred = false;
    AUTO(tensor) a = {0};
    AUTO(tensor) b = {0};

    (void)state;
    assert_int_equal(read_tensor("{\"data\":[1]}", DTYPE_UNSET, NULL, &a, &inferred, NULL), OK);
    assert_true(inferred);
    assert_int_equal(
        read_tensor("{\"data\":[1],\"dtype\":\"int8\"}", DTYPE_UNSET, NULL, &b, &inferred, NULL),
        OK);
    assert_false(inferred);
}

static void
strings_keep_every_byte(void **state)
{
    static const uint8_t want[] = {3, 0, 0, 0, 'a', 0, 'b', 0, 0, 0, 0, 2, 0, 0, 0, 0xff, 0x00};
    AUTO(tensor) tensor = {0};
    AUTO(buf) out = {0};
    struct tensor_view view;

    (void)state;
    assert_int_equal(read_tensor("[\"a\\u0000b\", \"\", {\"base64\": \"/wA=\"}]", DTYPE_UNSET, NULL,
                                 &tensor, NULL, NULL),
                     OK);
    assert_int_equal(tensor.type.dtype, DTYPE_STRING);
    assert_int_equal(tensor.size, sizeof want);
    assert_memory_equal(tensor.data, want, sizeof want);
    view = tensor_view_of(&tensor);
    buf_init(&out, 1024);
    assert_int_equal(api_tensor_text(&view, &out, NULL), OK);
    assert_true(
        bytes_equal(buf_bytes(&out), bytes_of_text("[\"a\\u0000b\",\"\",{\"base64\":\"/wA=\"}]")));
    expect_round("[[\"x\",{\"base64\":\"eQ==\"}],[{\"base64\":\"\"},\"z,]\\\"\"]]", DTYPE_STRING,
                 "string[2,2]", "[[\"x\",\"y\"],[\"\",\"z,]\\\"\"]]");
    expect_round("[]", DTYPE_STRING, "string[0]", "[]");
    expect_refusal("[\"a\",{\"base64\":\"*\"}]", DTYPE_UNSET,
                   "field '[1].base64': 1 characters are no base64 text");
    expect_refusal("[\"a\",[{\"base64\":\"AA==\"}]]", DTYPE_UNSET,
                   "the body: ragged: [1] is a list, expected an element as those before it");
}

static void
values_past_the_limit_are_refused_before_they_are_made(void **state)
{
    AUTO(tensor) tensor = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(read_tensor("{\"dtype\":\"float32\",\"shape\":[1048576],\"base64\":\"\"}",
                                 DTYPE_UNSET, NULL, &tensor, NULL, &err),
                     ERR_PAYLOAD_TOO_LARGE);
    assert_string_equal(err.text, "float32[1048576] has 4194304 bytes, the limit is 1048576");
    assert_int_equal(
        read_tensor("{\"dtype\":\"float32\",\"shape\":[140737488355328],\"base64\":\"\"}",
                    DTYPE_UNSET, NULL, &tensor, NULL, NULL),
        ERR_PAYLOAD_TOO_LARGE);
}

static void
large_lists_are_read_and_printed_whole(void **state)
{
    enum { COUNT = 5000 };
    AUTO(buf) text = {0};
    AUTO(buf) again = {0};
    AUTO(tensor) tensor = {0};
    struct tensor_view view;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&again, 1 << 20);
    assert_int_equal(buf_append_byte(&text, '[', NULL), OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(buf_printf(&text, NULL, "%s[%d.5,%d.25]", i > 0 ? "," : "", i, -i), OK);
    assert_int_equal(buf_append(&text, "]", 2, NULL), OK);
    assert_int_equal(read_tensor((const char *)text.data, DTYPE_UNSET, NULL, &tensor, NULL, NULL),
                     OK);
    assert_int_equal(tensor.type.shape.dims[0], COUNT);
    view = tensor_view_of(&tensor);
    assert_int_equal(api_tensor_text(&view, &again, NULL), OK);
    text.size--; /* the NUL */
    assert_true(bytes_equal(buf_bytes(&text), buf_bytes(&again)));
}

static void
printing_stops_at_the_limit_of_the_buffer(void **state)
{
    AUTO(buf) out = {0};
    const struct tensor_view view = {{DTYPE_FLOAT32, {2, {UINT64_C(1) << 40, 0}}}, NULL, 0};

    (void)state;
    buf_init(&out, 1000);
    assert_int_equal(api_tensor_text(&view, &out, NULL), ERR_PAYLOAD_TOO_LARGE);
}

static void
damaged_string_tensors_are_data_loss(void **state)
{
    AUTO(buf) out = {0};
    const struct tensor_view view = {
        {DTYPE_STRING, {1, {2}}}, (const uint8_t *)"\1\0\0\0a\2\0\0\0b", 10};

    (void)state;
    buf_init(&out, 1000);
    assert_int_equal(api_tensor_text(&view, &out, NULL), ERR_DATA_LOSS);
}

static void
tensor_objects_are_told_from_others(void **state)
{
    static const struct {
        const char *text;
        bool tensor;
    } rows[] = {{"{\"data\":1}", true},
                {"{\"base64\":\"\"}", true},
                {"{\"op\":\"zeros\"}", false},
                {"[1]", false},
                {"[{}]", false},
                {"1", false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct api_json *doc = NULL;
        struct api_value root;

        assert_int_equal(api_json_parse(bytes_of_text(rows[i].text), &limits, &doc, NULL), OK);
        root = api_json_root(doc);
        assert_int_equal(api_value_is_tensor_object(&root), rows[i].tensor);
        api_json_drop(doc);
    }
}

static void
every_failing_allocation_is_reported(void **state)
{
    static const char *const texts[] = {
        "{\"dtype\":\"float32\",\"shape\":[2],\"data\":[1,2]}", "[\"a\",{\"base64\":\"YQ==\"}]",
        "{\"dtype\":\"uint8\",\"shape\":[3],\"base64\":\"\\/\\/\\/\\/\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        AUTO(tensor) whole = {0};
        uint64_t count;

        mem_fail_at(UINT64_MAX, 0);
        assert_int_equal(read_tensor(texts[i], DTYPE_UNSET, NULL, &whole, NULL, NULL), OK);
        count = mem_fail_at(0, 0);
        for (uint64_t n = 1; n <= count; n++) {
            AUTO(tensor) tensor = {0};

            mem_fail_at(n, 0);
            assert_int_equal(read_tensor(texts[i], DTYPE_UNSET, NULL, &tensor, NULL, NULL),
                             ERR_NO_MEMORY);
            mem_fail_at(0, 0);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes_are_inferred_as_tensorflow_does),
        cmocka_unit_test(a_given_dtype_converts_integers_to_floats_only),
        cmocka_unit_test(elements_of_the_wrong_kind_are_named),
        cmocka_unit_test(elements_out_of_range_are_named),
        cmocka_unit_test(ragged_lists_are_refused_with_the_place),
        cmocka_unit_test(nesting_past_the_rank_limit_is_refused),
        cmocka_unit_test(complex_numbers_are_pairs),
        cmocka_unit_test(objects_carry_dtype_and_shape),
        cmocka_unit_test(objects_that_contradict_themselves_are_refused),
        cmocka_unit_test(a_hinted_shape_accepts_flat_data),
        cmocka_unit_test(whether_a_dtype_was_inferred_is_told),
        cmocka_unit_test(strings_keep_every_byte),
        cmocka_unit_test(values_past_the_limit_are_refused_before_they_are_made),
        cmocka_unit_test(large_lists_are_read_and_printed_whole),
        cmocka_unit_test(printing_stops_at_the_limit_of_the_buffer),
        cmocka_unit_test(damaged_string_tensors_are_data_loss),
        cmocka_unit_test(tensor_objects_are_told_from_others),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
