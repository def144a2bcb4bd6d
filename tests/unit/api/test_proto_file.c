/* Protobuf messages in files: whatever the window's size, the fields are the same. */
#include "api/file/proto_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "store/base/scope.h"
#include "tests/unit/api/files.h"

enum { LONG_BYTES = 1000, ROOM_MAX = 4096 };

/* Field 1: 300; field 2: bytes 0, 1, 2 …; field 3: a fixed32; field 4: no bytes; field 5: a
 * fixed64. */
static void
make_message(struct buf *out)
{
    uint8_t bytes[LONG_BYTES];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    buf_init(out, 1 << 16);
    assert_int_equal(api_proto_put_number(out, 1, 300, NULL), OK);
    assert_int_equal(api_proto_put_bytes(out, 2, bytes_of(bytes, sizeof bytes), NULL), OK);
    assert_int_equal(api_proto_put_fixed32(out, 3, 0x01020304, NULL), OK);
    assert_int_equal(api_proto_put_bytes(out, 4, bytes_of("", 0), NULL), OK);
    assert_int_equal(buf_append(out, "\x29\1\2\3\4\5\6\7\x08", 9, NULL), OK);
}

static void
next(struct api_proto_file *message, uint32_t number, uint32_t wire, uint64_t value)
{
    struct api_proto_field field;

    assert_int_equal(api_proto_file_next(message, &field, NULL), OK);
    assert_int_equal(field.tag, number == 0 ? 0 : API_PROTO_TAG(number, wire));
    assert_true(field.value == value);
}

static void
fields_are_the_same_through_any_window(void **state)
{
    AUTO(buf) text = {0};
    uint8_t window[ROOM_MAX], bytes[LONG_BYTES];
    struct api_file file;

    (void)state;
    make_message(&text);
    file = files_of(buf_bytes(&text));
    for (size_t room = API_PROTO_HEAD_BYTES_MAX; room <= sizeof window; room += room / 3 + 1) {
        struct api_proto_file in;
        struct bytes seen;

        api_proto_file_init(&in, &file, window, room);
        assert_int_equal(api_proto_file_left(&in), text.size);
        next(&in, 1, API_PROTO_VARINT, 300);
        next(&in, 2, API_PROTO_BYTES, LONG_BYTES);
        assert_int_equal(api_proto_file_take(&in, bytes, 7, NULL), OK);
        assert_int_equal(api_proto_file_look(&in, 5, &seen, NULL), OK);
        assert_true(seen.size >= 5 && seen.data[0] == 7 && seen.data[4] == 11);
        api_proto_file_pass(&in, 3);
        assert_int_equal(api_proto_file_take(&in, bytes + 10, 600, NULL), OK);
        for (size_t i = 10; i < 610; i++)
            assert_int_equal(bytes[i], (uint8_t)i);
        api_proto_file_pass(&in, LONG_BYTES - 610);
        next(&in, 3, API_PROTO_FIXED32, 0x01020304);
        next(&in, 4, API_PROTO_BYTES, 0);
        next(&in, 5, API_PROTO_FIXED64, 0x0807060504030201);
        assert_int_equal(api_proto_file_left(&in), 0);
        next(&in, 0, 0, 0);
        next(&in, 0, 0, 0);
    }
    close(file.descriptor);
}

static void
damage_is_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } broken[] = {
        {"\x0a\x05"
         "abcd",
         6, "4 bytes are left"},
        {"\x0a", 1, "inside a varint"},
        {"\x0d\1\2\3", 4, "inside a number"},
        {"\x00\x01", 2, "number 0"},
        {"\x0b", 1, "group"},
        {"\x0f", 1, "wire type"},
        {"\x08\x81\x81\x81\x81\x81\x81\x81\x81\x81\x02", 11, "64 bits"},
    };
    uint8_t window[64];

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct api_file file = files_of(bytes_of(broken[i].bytes, broken[i].size));
        struct api_proto_file in;
        struct api_proto_field field;
        struct err err = ERR_INIT;

        api_proto_file_init(&in, &file, window, sizeof window);
        assert_int_equal(api_proto_file_next(&in, &field, &err), ERR_INVALID_ARGUMENT);
        if (strstr(err.text, broken[i].words) == NULL)
            fail_msg("'%s' lacks '%s'", err.text, broken[i].words);
        close(file.descriptor);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_the_same_through_any_window),
        cmocka_unit_test(damage_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
