/* Varints and protobuf: known bytes, each limit, and what is written read back. */
#include "api/file/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "api/file/crc_mask.h"
#include "api/file/varint.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

#define BYTES(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void
varints_are_those_of_the_format(void **state)
{
    static const struct {
        struct bytes bytes;
        uint64_t value;
    } known[] = {
        {{(const uint8_t *)"\x00", 1}, 0},
        {{(const uint8_t *)"\x7f", 1}, 127},
        {{(const uint8_t *)"\x80\x01", 2}, 128},
        {{(const uint8_t *)"\xac\x02", 2}, 300},
        {{(const uint8_t *)"\xff\xff\xff\xff\x0f", 5}, UINT32_MAX},
        {{(const uint8_t *)"\x80\x80\x80\x80\x10", 5}, (uint64_t)1 << 32},
        {{(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10}, UINT64_MAX},
    };
    uint8_t bytes[API_VARINT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct bytes left = known[i].bytes;
        uint64_t value = 42;

        assert_int_equal(api_varint_read(&left, &value), API_VARINT_READ);
        assert_true(value == known[i].value);
        assert_int_equal(left.size, 0);
        assert_int_equal(api_varint_put(value, bytes), known[i].bytes.size);
        assert_int_equal(api_varint_size(value), known[i].bytes.size);
        assert_memory_equal(bytes, known[i].bytes.data, known[i].bytes.size);
    }
}

static void
a_varint_is_short_or_bad_or_longer_than_it_need_be(void **state)
{
    static const uint8_t eleven[] = {0x81, 0x80, 0x80, 0x80, 0x80, 0x80,
                                     0x80, 0x80, 0x80, 0x80, 0x00};
    struct bytes left;
    uint64_t value = 0;
    uint32_t small = 0;

    (void)state;
    for (size_t size = 0; size < API_VARINT_BYTES_MAX; size++) {
        left = bytes_of(eleven, size);
        assert_int_equal(api_varint_read(&left, &value), API_VARINT_SHORT);
        assert_int_equal(left.size, size);
    }
    left = bytes_of(eleven, sizeof eleven);
    assert_int_equal(api_varint_read(&left, &value), API_VARINT_BAD);
    assert_int_equal(left.size, sizeof eleven);
    left = bytes_of(eleven, API_VARINT_BYTES_MAX);
    assert_int_equal(api_varint_read(&left, &value), API_VARINT_BAD);
    left = bytes_of(eleven, API_VARINT32_BYTES_MAX - 1);
    assert_int_equal(api_varint_read32(&left, &small), API_VARINT_SHORT);
    left = bytes_of(eleven, API_VARINT32_BYTES_MAX);
    assert_int_equal(api_varint_read32(&left, &small), API_VARINT_BAD);

    left = BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02);
    assert_int_equal(api_varint_read(&left, &value), API_VARINT_BAD);
    left = BYTES(0x80, 0x80, 0x80, 0x80, 0x10);
    assert_int_equal(api_varint_read32(&left, &small), API_VARINT_BAD);

    left = BYTES(0x85, 0x80, 0x00, 0x07);
    assert_int_equal(api_varint_read(&left, &value), API_VARINT_READ);
    assert_int_equal(value, 5);
    assert_int_equal(left.size, 1);
    left = BYTES(0xff, 0xff, 0xff, 0xff, 0x0f, 0x07);
    assert_int_equal(api_varint_read32(&left, &small), API_VARINT_READ);
    assert_true(small == UINT32_MAX);
    assert_int_equal(left.size, 1);
}

static void
every_kind_of_field_is_read_in_turn(void **state)
{
    struct bytes message = BYTES(0x08, 0x96, 0x01,             /* 1: 150 */
                                 0x12, 0x02, 'h', 'i',         /* 2: "hi" */
                                 0x1d, 1, 2, 3, 4,             /* 3: fixed32 */
                                 0x21, 1, 2, 3, 4, 5, 6, 7, 8, /* 4: fixed64 */
                                 0x2a, 0x00,                   /* 5: "" */
                                 0x98, 0x84, 0x04, 0x01);      /* 8259: 1 */
    struct api_proto_field field;

    (void)state;
    assert_int_equal(api_proto_next(&message, &field, NULL), OK);
    assert_int_equal(field.tag, API_PROTO_TAG(1, API_PROTO_VARINT));
    assert_int_equal(field.value, 150);
    assert_int_equal(api_proto_next(&message, &field, NULL), OK);
    assert_int_equal(field.tag, API_PROTO_TAG(2, API_PROTO_BYTES));
    assert_true(bytes_equal(field.bytes, bytes_of_text("hi")));
    assert_int_equal(api_proto_next(&message, &field, NULL), OK);
    assert_int_equal(field.tag, API_PROTO_TAG(3, API_PROTO_FIXED32));
    assert_int_equal(field.value, 0x04030201);
    assert_int_equal(api_proto_next(&message, &field, NULL), OK);
    assert_int_equal(field.tag, API_PROTO_TAG(4, API_PROTO_FIXED64));
    assert_true(field.value == 0x0807060504030201);
    assert_int_equal(api_proto_next(&message, &field, NULL), OK);
    assert_int_equal(field.tag, API_PROTO_TAG(5, API_PROTO_BYTES));
    assert_int_equal(field.bytes.size, 0);
    assert_int_equal(api_proto_next(&message, &field, NULL), OK);
    assert_int_equal(field.tag, API_PROTO_TAG(8259, API_PROTO_VARINT));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(api_proto_next(&message, &field, NULL), OK);
        assert_int_equal(field.tag, 0);
    }
}

static void
broken_messages_are_refused(void **state)
{
    static const struct {
        struct bytes message;
        const char *words;
    } broken[] = {
        {{(const uint8_t *)"\x08", 1}, "ends inside a varint"},
        {{(const uint8_t *)"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12}, "64 bits"},
        {{(const uint8_t *)"\x88\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12}, "64 bits"},
        {{(const uint8_t *)"\x00\x01", 2}, "number 0"},
        {{(const uint8_t *)"\x88\x80\x80\x80\x80\x01\x01", 7}, "number 4294967297"},
        {{(const uint8_t *)"\x0b\x0c", 2}, "group (field 1)"},
        {{(const uint8_t *)"\x14", 1}, "group (field 2)"},
        {{(const uint8_t *)"\x0e\x00", 2}, "wire type 6"},
        {{(const uint8_t *)"\x0f\x00", 2}, "wire type 7"},
        {{(const uint8_t *)"\x0d\x01\x02\x03", 4}, "number of 4 bytes"},
        {{(const uint8_t *)"\x09\x01\x02\x03\x04\x05\x06\x07", 8}, "number of 8 bytes"},
        {{(const uint8_t *)"\x12\x03hi", 4}, "has 3 bytes, 2 bytes are left"},
        {{(const uint8_t *)"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01hi", 13},
         "has 18446744073709551615 bytes, 2 bytes are left"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct bytes message = broken[i].message;
        struct api_proto_field field;
        struct err err = ERR_INIT;

        assert_int_equal(api_proto_next(&message, &field, &err), ERR_INVALID_ARGUMENT);
        if (strstr(err.text, broken[i].words) == NULL)
            fail_msg("%zu: '%s' lacks '%s'", i, err.text, broken[i].words);
    }
}

static void
a_head_is_read_without_what_it_counts(void **state)
{
    struct bytes window = BYTES(0x2a, 0x80, 0x80, 0x80, 0x04, 1, 2, 3);
    struct api_proto_field field;
    size_t size = 0;

    (void)state;
    assert_int_equal(api_proto_head(window, &field, &size, NULL), OK);
    assert_int_equal(field.tag, API_PROTO_TAG(5, API_PROTO_BYTES));
    assert_int_equal(field.value, 8 << 20);
    assert_int_equal(size, 5);
    window = BYTES(0x29, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    assert_int_equal(api_proto_head(window, &field, &size, NULL), OK);
    assert_int_equal(size, 9);
    assert_int_equal(api_proto_head(bytes_of("", 0), &field, &size, NULL), OK);
    assert_int_equal(field.tag, 0);
    assert_int_equal(size, 0);
}

static void
what_is_written_is_what_protobuf_writes(void **state)
{
    struct bytes expected =
        BYTES(0x08, 0x96, 0x01, 0x35, 0x74, 0xed, 0x71, 0x6f, 0x12, 0x00, 0x1a, 0x02, 'h', 'i',
              0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    AUTO(buf) out = {0};

    (void)state;
    buf_init(&out, 100);
    assert_int_equal(api_proto_put_number(&out, 1, 150, NULL), OK);
    assert_int_equal(api_proto_put_number(&out, 2, 0, NULL), OK);
    assert_int_equal(api_proto_put_fixed32(&out, 6, 0x6f71ed74, NULL), OK);
    assert_int_equal(api_proto_put_fixed32(&out, 6, 0, NULL), OK);
    assert_int_equal(api_proto_put_bytes(&out, 2, bytes_of("", 0), NULL), OK);
    assert_int_equal(api_proto_put_bytes(&out, 3, bytes_of_text("hi"), NULL), OK);
    assert_int_equal(api_proto_put_number(&out, 7, (uint64_t)-1, NULL), OK);
    assert_int_equal(out.size, expected.size);
    assert_memory_equal(out.data, expected.data, expected.size);
}

static void
crcs_are_masked_as_tensorflow_does(void **state)
{
    (void)state;
    assert_true(api_crc_mask(crc32c(0, "123456789", 9)) == 0xc78ab0e5);
    assert_true(api_crc_mask(0) == 0xa282ead8);
    assert_true(api_crc_mask(1 << 15) == 0xa282ead9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_are_those_of_the_format),
        cmocka_unit_test(a_varint_is_short_or_bad_or_longer_than_it_need_be),
        cmocka_unit_test(every_kind_of_field_is_read_in_turn),
        cmocka_unit_test(broken_messages_are_refused),
        cmocka_unit_test(a_head_is_read_without_what_it_counts),
        cmocka_unit_test(what_is_written_is_what_protobuf_writes),
        cmocka_unit_test(crcs_are_masked_as_tensorflow_does),
    };

    return cmocka_run_group_tests_name("proto", tests, NULL, NULL);
}
