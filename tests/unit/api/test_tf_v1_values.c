/* Values in V1 files: every form that protobuf allows, every element type, and what is damaged. */
#include "api/wire/tf_v1_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "store/base/scope.h"
#include "tests/unit/api/files.h"

enum { WINDOW_MAX = 256, OUT_BYTES = 256 };

#define BYTES(text) bytes_of((text), sizeof(text) - 1)

/* Reads `count` elements, `step` at a time, through windows of several sizes. */
static enum err_code
read_all(enum dtype dtype, struct bytes message, uint64_t count, uint64_t step,
         uint8_t out[static OUT_BYTES], struct err *err)
{
    struct api_file file = files_of(message);
    uint8_t window[WINDOW_MAX];
    enum err_code code = OK;

    for (size_t room = API_PROTO_HEAD_BYTES_MAX; room <= sizeof window; room += 59) {
        struct api_tf_v1_values values;
        uint64_t done = 0;

        err_clear(err);
        api_tf_v1_values_init(&values, dtype, count, &file, window, room);
        code = count == 0 ? api_tf_v1_values_end(&values, err) : OK;
        while (code == OK && done < count) {
            uint64_t piece = count - done < step ? count - done : step;

            code = api_tf_v1_values_numbers(&values, out + done * dtype_size(dtype), piece, err);
            done += piece;
        }
    }
    close(file.descriptor);
    return code;
}

static void
expect(enum dtype dtype, struct bytes message, uint64_t count, struct bytes wanted)
{
    uint8_t out[OUT_BYTES];
    struct err err = ERR_INIT;

    assert_int_equal(wanted.size, count * dtype_size(dtype));
    for (uint64_t step = 1; step <= count; step++) {
        memset(out, 0xaa, sizeof out);
        if (read_all(dtype, message, count, step, out, &err) != OK)
            fail_msg("%s: %s", dtype_name(dtype), err.text);
        assert_memory_equal(out, wanted.data, wanted.size);
    }
}

static void
refuse(enum dtype dtype, struct bytes message, uint64_t count, const char *words)
{
    uint8_t out[OUT_BYTES];
    struct err err = ERR_INIT;

    if (read_all(dtype, message, count, count, out, &err) != ERR_INVALID_ARGUMENT)
        fail_msg("%s: read, where '%s' is due", dtype_name(dtype), words);
    if (strstr(err.text, words) == NULL)
        fail_msg("'%s' lacks '%s'", err.text, words);
}

static void
numbers_are_read_packed_or_not_in_one_run_or_several(void **state)
{
    const struct bytes two = BYTES("\1\2\3\4\5\6\7\x08");

    (void)state;
    expect(DTYPE_FLOAT32, BYTES("\x2a\x08\1\2\3\4\5\6\7\x08"), 2, two);
    expect(DTYPE_FLOAT32, BYTES("\x2d\1\2\3\4\x2d\5\6\7\x08"), 2, two);
    expect(DTYPE_FLOAT32, BYTES("\x2d\1\2\3\4\x2a\0\x2a\4\5\6\7\x08\x2a\0"), 2, two);
    /* Fields of other numbers or wire types between them mean nothing: a dtype, a shape. */
    expect(DTYPE_FLOAT32, BYTES("\x08\1\x2a\4\1\2\3\4\x12\3xyz\x28\5\x2d\5\6\7\x08\x08\1"), 2, two);
    expect(DTYPE_FLOAT64, BYTES("\x31\1\2\3\4\5\6\7\x08"), 1, two);
    expect(DTYPE_COMPLEX64, BYTES("\x4a\4\1\2\3\4\x4d\5\6\7\x08"), 1, two);
    expect(DTYPE_COMPLEX128, BYTES("\x62\x10\1\2\3\4\5\6\7\x08\1\2\3\4\5\6\7\x08"), 1,
           BYTES("\1\2\3\4\5\6\7\x08\1\2\3\4\5\6\7\x08"));
    expect(DTYPE_INT32, BYTES("\x38\1\x3a\2\x80\1\x38\x7f"), 3,
           BYTES("\1\0\0\0\x80\0\0\0\x7f\0\0\0"));
}

static void
narrow_types_are_varints_of_their_value(void **state)
{
    (void)state;
    expect(DTYPE_INT32, BYTES("\x3a\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 1,
           BYTES("\xff\xff\xff\xff"));
    expect(DTYPE_INT16, BYTES("\x3a\x0d\x80\x80\xfe\xff\xff\xff\xff\xff\xff\1\xff\xff\1"), 2,
           BYTES("\0\x80\xff\x7f"));
    expect(DTYPE_INT8, BYTES("\x3a\x0b\x80\xff\xff\xff\xff\xff\xff\xff\xff\1\x7f"), 2,
           BYTES("\x80\x7f"));
    expect(DTYPE_QINT8, BYTES("\x3a\1\5"), 1, BYTES("\5"));
    expect(DTYPE_UINT8, BYTES("\x3a\3\xff\1\0"), 2, BYTES("\xff\0"));
    expect(DTYPE_QUINT8, BYTES("\x3a\2\x81\1"), 1, BYTES("\x81"));
    expect(DTYPE_UINT16, BYTES("\x3a\3\xff\xff\3"), 1, BYTES("\xff\xff"));
    expect(DTYPE_QUINT16, BYTES("\x3a\1\7"), 1, BYTES("\7\0"));
    expect(DTYPE_QINT16, BYTES("\x3a\1\7"), 1, BYTES("\7\0"));
    expect(DTYPE_QINT32, BYTES("\x3a\1\7"), 1, BYTES("\7\0\0\0"));
    expect(DTYPE_FLOAT16, BYTES("\x6a\3\x80\xf8\1"), 1, BYTES("\0\x7c"));
    expect(DTYPE_INT64, BYTES("\x52\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\1"), 1,
           BYTES("\0\0\0\0\0\0\0\x80"));
    expect(DTYPE_BOOL, BYTES("\x5a\4\0\1\xac\2"), 3, BYTES("\0\1\1"));
    expect(DTYPE_UINT32, BYTES("\x82\1\5\xff\xff\xff\xff\x0f"), 1, BYTES("\xff\xff\xff\xff"));
    expect(DTYPE_UINT64, BYTES("\x8a\1\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 1,
           BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"));
    /* Longer than it need be, and of an int32 more than 32 bits: legal. */
    expect(DTYPE_INT32, BYTES("\x3a\3\x81\x80\0"), 1, BYTES("\1\0\0\0"));
    expect(DTYPE_INT32, BYTES("\x3a\6\x81\x80\x80\x80\x80\1"), 1, BYTES("\1\0\0\0"));
}

static void
there_must_be_as_many_values_as_the_shape_needs(void **state)
{
    (void)state;
    refuse(DTYPE_FLOAT32, BYTES("\x2a\4\1\2\3\4"), 2, "float_val has 1 values, its shape needs 2");
    refuse(DTYPE_FLOAT32, BYTES(""), 1, "0 values");
    refuse(DTYPE_FLOAT32, BYTES("\x2a\x08\1\2\3\4\5\6\7\x08"), 1, "more values than the 1");
    refuse(DTYPE_FLOAT32, BYTES("\x2a\4\1\2\3\4\x2a\0\x2d\1\2\3\4"), 1, "more values");
    refuse(DTYPE_FLOAT32, BYTES("\x2a\4\1\2\3\4"), 0, "more values than the 0");
    refuse(DTYPE_COMPLEX64, BYTES("\x4a\4\1\2\3\4"), 1,
           "scomplex_val has 1 values, its shape needs 2");
    refuse(DTYPE_FLOAT32, BYTES("\x3a\1\7"), 1, "float_val has 0 values");
    refuse(DTYPE_UINT8, BYTES("\x22\1\7"), 1, "int_val has 0 values");
    expect(DTYPE_FLOAT32, BYTES(""), 0, BYTES(""));
    expect(DTYPE_FLOAT32, BYTES("\x2a\0\x08\1"), 0, BYTES(""));
    refuse(DTYPE_INT64, BYTES("\x50\1\x50\2"), 1, "more values");
}

static void
numbers_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    refuse(DTYPE_UINT8, BYTES("\x3a\2\x80\2"), 1,
           "value 0 of int_val is 256, its type has 0 to 255");
    refuse(DTYPE_UINT8, BYTES("\x3a\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 1, "is -1");
    refuse(DTYPE_INT8, BYTES("\x3a\3\1\x80\1"), 2, "value 1 of int_val is 128");
    refuse(DTYPE_INT16, BYTES("\x38\x80\x80\2"), 1, "is 32768");
    refuse(DTYPE_QUINT16, BYTES("\x3a\3\x80\x80\4"), 1, "is 65536");
    refuse(DTYPE_FLOAT16, BYTES("\x6a\3\x80\x80\4"), 1, "half_val");
}

static void
damaged_messages_are_refused(void **state)
{
    (void)state;
    refuse(DTYPE_FLOAT32, BYTES("\x2a\3\1\2\3"), 1, "float_val has 3 bytes, its numbers have 4");
    refuse(DTYPE_FLOAT32, BYTES("\x2a\5\1\2\3\4"), 1, "4 bytes are left");
    refuse(DTYPE_INT32, BYTES("\x3a\1\x80\x38\1"), 1, "ends inside a varint");
    refuse(DTYPE_INT32, BYTES("\x3a\x0b\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\0"), 1, "64 bits");
    refuse(DTYPE_INT32, BYTES("\x3b"), 1, "group");
    refuse(DTYPE_INT32, BYTES("\x3a\1\1\x3f"), 1, "wire type 7");
}

/* Strings as values keep them. */
static enum err_code
read_strings(struct bytes message, uint64_t count, struct buf *out, struct err *err)
{
    struct api_file file = files_of(message);
    struct api_tf_v1_values values;
    uint8_t window[64], piece[3];
    enum err_code code = OK;
    uint64_t size = 0;

    api_tf_v1_values_init(&values, DTYPE_STRING, count, &file, window, sizeof window);
    for (uint64_t i = 0; i < count && code == OK; i++) {
        uint32_t length = 0;

        code = api_tf_v1_values_string(&values, &length, err);
        if (code == OK)
            code = buf_append_u32(out, length, err);
        while (values.run > 0 && code == OK) {
            size_t step = values.run < sizeof piece ? (size_t)values.run : sizeof piece;

            code = api_tf_v1_values_bytes(&values, piece, step, err);
            if (code == OK)
                code = buf_append(out, piece, step, err);
        }
    }
    if (code == OK && count == 0)
        code = api_tf_v1_values_end(&values, err);
    api_tf_v1_values_init(&values, DTYPE_STRING, count, &file, window, sizeof window);
    assert_int_equal(api_tf_v1_values_measure(&values, &size, NULL), code);
    if (code == OK)
        assert_int_equal(size, out->size);
    close(file.descriptor);
    return code;
}

static void
strings_come_piece_by_piece(void **state)
{
    AUTO(buf) out = {0};
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&out, 1 << 16);
    assert_int_equal(read_strings(BYTES("\x42\5hello\x42\0\x08\7\x42\1x"), 3, &out, &err), OK);
    assert_true(bytes_equal(buf_bytes(&out), BYTES("\5\0\0\0hello\0\0\0\0\1\0\0\0x")));
    assert_int_equal(read_strings(BYTES("\x42\5hello"), 2, &out, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "string_val has 1 values, its shape needs 2"));
    err_clear(&err);
    assert_int_equal(read_strings(BYTES("\x42\5hello\x42\0"), 1, &out, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "more values"));
    assert_int_equal(read_strings(BYTES("\x42\0"), 0, &out, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(read_strings(BYTES("\x42\6hello"), 1, &out, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(read_strings(BYTES("\x42\1a"), (uint64_t)1 << 40, &out, NULL),
                     ERR_INVALID_ARGUMENT);
    out.size = 0;
    assert_int_equal(read_strings(BYTES(""), 0, &out, NULL), OK);
}

static void
types_younger_than_the_format_have_no_form(void **state)
{
    size_t without = 0;

    (void)state;
    for (unsigned i = 0; i < DTYPE_COUNT; i++)
        without += api_tf_v1_form_of((enum dtype)i) == NULL;
    assert_int_equal(without, 3);
    assert_null(api_tf_v1_form_of(DTYPE_BFLOAT16));
    assert_null(api_tf_v1_form_of(DTYPE_UNSET));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_packed_or_not_in_one_run_or_several),
        cmocka_unit_test(narrow_types_are_varints_of_their_value),
        cmocka_unit_test(there_must_be_as_many_values_as_the_shape_needs),
        cmocka_unit_test(numbers_that_do_not_fit_are_refused),
        cmocka_unit_test(damaged_messages_are_refused),
        cmocka_unit_test(strings_come_piece_by_piece),
        cmocka_unit_test(types_younger_than_the_format_have_no_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
