/* Heads that two readers may understand differently are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/guard/gate.h"

#define BLOCK(text) bytes_of(text, sizeof(text) - 1)
#define BLOCK_CONST(text)                                                                          \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

/* As the library leaves it: line ends and first colons are NULs. */
static void
a_block_is_split_into_fields(void **state)
{
    struct api_header fields[4];
    size_t count = 0;

    (void)state;
    assert_int_equal(api_head_split(BLOCK("Host\0 localhost\0\0A\0\0\0b-c\0\t x:y \0\0\0\0"),
                                    fields, 4, &count, NULL),
                     OK);
    assert_int_equal(count, 3);
    assert_true(bytes_equal(fields[0].name, bytes_of_text("Host")));
    assert_true(bytes_equal(fields[0].value, bytes_of_text("localhost")));
    assert_true(bytes_equal(fields[1].name, bytes_of_text("A")));
    assert_int_equal(fields[1].value.size, 0);
    assert_true(bytes_equal(fields[2].value, bytes_of_text("x:y")));
    assert_int_equal(api_head_split(BLOCK("\0\0"), fields, 4, &count, NULL), OK);
    assert_int_equal(count, 0);
}

static void
malformed_blocks_are_refused(void **state)
{
    static const struct bytes bad[] = {
        BLOCK_CONST("A\0 b\0C\0 d\0\0\0\0"),   /* lone LF after b */
        BLOCK_CONST("A\0 b\0c\0\0\0\0"),       /* NUL in a value */
        BLOCK_CONST("A\0 b\0\0X: c\0\0\0\0"),  /* two NULs in a value */
        BLOCK_CONST("A \0 b\0\0\0\0"),         /* space before the colon */
        BLOCK_CONST(" A\0 b\0\0\0\0"),         /* leading space */
        BLOCK_CONST("A\0 b\0\0 c: d\0\0\0\0"), /* folded line */
        BLOCK_CONST("\0 b\0\0\0\0"),           /* no name */
        BLOCK_CONST("A\0 b\0\0"),              /* no empty line */
        BLOCK_CONST("A\0 b"),                  /* cut short */
        BLOCK_CONST("A"),
        BLOCK_CONST("\0"),
        BLOCK_CONST(""),
        BLOCK_CONST("A(\0 b\0\0\0\0"),
        BLOCK_CONST("\xc3\xa9\0 b\0\0\0\0"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct api_header fields[4];
        size_t count = 0;

        if (api_head_split(bad[i], fields, 4, &count, NULL) != ERR_INVALID_ARGUMENT)
            fail_msg("block %zu was let through", i);
    }
}

static void
fields_beyond_the_limit_are_refused(void **state)
{
    struct api_header fields[1];
    struct err err = ERR_INIT;
    size_t count = 0;

    (void)state;
    assert_int_equal(api_head_split(BLOCK("A\0 b\0\0B\0 c\0\0\0\0"), fields, 1, &count, &err),
                     ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "more than 1"));
}

enum { FIELDS_MAX = 6 };

struct gate_case {
    const char *method, *version;
    const char *fields[FIELDS_MAX][2];
    enum err_code code;
    bool has_body;
    uint64_t length;
};

#define HOST                                                                                       \
    {                                                                                              \
        "Host", "localhost"                                                                        \
    }
#define INVALID ERR_INVALID_ARGUMENT, false, 0

static const struct gate_case cases[] = {
    {"GET", "HTTP/1.1", {HOST}, OK, false, 0},
    {"GET", "HTTP/1.0", {HOST}, OK, false, 0},
    {"DELETE", "HTTP/1.1", {HOST, {"Content-Length", "0"}}, OK, false, 0},
    {"POST", "HTTP/1.1", {HOST, {"content-length", "12"}}, OK, true, 12},
    {"PUT", "HTTP/1.1", {HOST, {"Transfer-Encoding", "Chunked"}}, OK, true, UINT64_MAX},
    {"PATCH", "HTTP/1.1", {HOST, {"Content-Length", "1"}, {"Expect", "100-Continue"}}, OK, true, 1},
    {"POST", "HTTP/1.1", {HOST, {"Content-Length", "007"}}, OK, true, 7},

    {"GET", "HTTP/2.0", {HOST}, INVALID},
    {"GET", "HTTP/0.9", {HOST}, INVALID},
    {"GET", "", {HOST}, INVALID},
    {"get", "HTTP/1.1", {HOST}, ERR_UNIMPLEMENTED, false, 0},
    {"CONNECT", "HTTP/1.1", {HOST}, ERR_UNIMPLEMENTED, false, 0},
    {"FOO<>", "HTTP/1.1", {HOST}, ERR_UNIMPLEMENTED, false, 0},
    {"", "HTTP/1.1", {HOST}, ERR_UNIMPLEMENTED, false, 0},
    {"GET", "HTTP/1.1", {{"Accept", "*/*"}}, INVALID},
    {"GET", "HTTP/1.1", {HOST, HOST}, INVALID},
    {"GET", "HTTP/1.1", {HOST, {"host", "localhost"}}, INVALID},
    {"GET", "HTTP/1.1", {HOST, {"A", "b\rc"}}, INVALID},
    {"GET", "HTTP/1.1", {HOST, {"A", "b\x01"}}, INVALID},
    {"GET", "HTTP/1.1", {HOST, {"A ", "b"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Content-Length", "5"}, {"Content-Length", "5"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Content-Length", "5"}, {"Content-Length", "0"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Content-Length", "5, 5"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Content-Length", "+5"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Content-Length", "-1"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Content-Length", "0x5"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Content-Length", ""}}, INVALID},
    {"POST",
     "HTTP/1.1",
     {HOST, {"Content-Length", "18446744073709551615"}},
     ERR_PAYLOAD_TOO_LARGE,
     false,
     0},
    {"POST",
     "HTTP/1.1",
     {HOST, {"Content-Length", "18446744073709551616"}},
     ERR_PAYLOAD_TOO_LARGE,
     false,
     0},
    {"POST",
     "HTTP/1.1",
     {HOST, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}},
     INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding", "xchunked"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding", "gzip, chunked"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Transfer-Encoding", "identity"}}, INVALID},
    {"POST",
     "HTTP/1.1",
     {HOST, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
     INVALID},
    {"POST", "HTTP/1.0", {HOST, {"Transfer-Encoding", "chunked"}}, INVALID},
    {"POST", "HTTP/1.1", {HOST, {"Expect", "foo"}}, ERR_EXPECTATION_FAILED, false, 0},
    {"GET", "HTTP/1.1", {HOST, {"Content-Length", "2"}}, INVALID},
    {"HEAD", "HTTP/1.1", {HOST, {"Transfer-Encoding", "chunked"}}, INVALID},
    {"DELETE", "HTTP/1.1", {HOST, {"Content-Length", "2"}}, INVALID},
    {"OPTIONS", "HTTP/1.1", {HOST, {"Content-Length", "2"}}, INVALID},
};

static void
the_gate_decides_each_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_header fields[FIELDS_MAX];
        struct api_head head = {fields, 0};
        struct api_gate_facts facts = {cases[i].method, cases[i].version, &head};
        struct api_gate_result result;
        struct err err = ERR_INIT;
        enum err_code code;

        while (head.count < FIELDS_MAX && cases[i].fields[head.count][0] != NULL) {
            fields[head.count].name = bytes_of_text(cases[i].fields[head.count][0]);
            fields[head.count].value = bytes_of_text(cases[i].fields[head.count][1]);
            head.count++;
        }
        code = api_gate_check(&facts, &result, &err);
        if (code != cases[i].code)
            fail_msg("case %zu (%s): %s", i, cases[i].method, err.text);
        if (code != OK) {
            assert_true(strlen(err.text) > 10);
            continue;
        }
        assert_int_equal(result.has_body, cases[i].has_body);
        assert_true(result.length == cases[i].length);
    }
}

static void
the_head_has_a_size(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(api_gate_check_size(16, 100, 100, &err), OK);
    assert_int_equal(api_gate_check_size(100, 101, 100, &err), ERR_HEAD_TOO_LARGE);
    assert_non_null(strstr(err.text, "have 101 bytes, more than the 100 "));
    err = (struct err)ERR_INIT;
    assert_int_equal(api_gate_check_size(101, 200, 100, &err), ERR_TARGET_TOO_LONG);
    assert_non_null(strstr(err.text, "has 101 bytes, more than the 100 "));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_split_into_fields),
        cmocka_unit_test(malformed_blocks_are_refused),
        cmocka_unit_test(fields_beyond_the_limit_are_refused),
        cmocka_unit_test(the_gate_decides_each_case),
        cmocka_unit_test(the_head_has_a_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
