/* Replies and requests through a real server: heads, errors, conditions, ranges, malformed input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "tests/unit/api/serve.h"

#define HOST "Host: localhost\r\n"

static struct serve serve;

static void
allow_one_origin(struct settings *settings)
{
    snprintf(settings->cors_origins, sizeof settings->cors_origins, "https://lab.example");
    snprintf(settings->allowed_hosts, sizeof settings->allowed_hosts, "tensors.example");
    settings->json_body_max_bytes = 1 << 20;
}

/* The variable w: int32[40000], 0, 1, 2 … */
static int
fill_w(void)
{
    static int32_t elements[40000];
    int fd = http_connect(serve.port);
    struct http_reply reply;
    bool filled;

    for (int32_t i = 0; i < 40000; i++)
        elements[i] = i;
    (void)http_send_text(fd, "PUT /v1/models/m/variables/w:value HTTP/1.1\r\n" HOST
                             "Content-Type: application/octet-stream\r\n"
                             "Content-Length: 160000\r\n\r\n");
    (void)http_send(fd, elements, sizeof elements);
    reply = http_receive(fd, false);
    filled = reply.status == 200;
    http_reply_drop(&reply);
    close(fd);
    return filled ? 0 : -1;
}

static int
start(void **state)
{
    struct http_reply reply;
    bool created;

    (void)state;
    serve_start(&serve, allow_one_origin);
    reply = http_call(serve.port, "PUT /v1/models/m", "", "{}");
    http_reply_drop(&reply);
    reply = http_call(serve.port, "POST /v1/models/m/variables", "",
                      "{\"name\":\"w\",\"dtype\":\"int32\",\"shape\":[40000]}");
    created = reply.status == 201;
    http_reply_drop(&reply);
    return created ? fill_w() : -1;
}

static int
stop(void **state)
{
    (void)state;
    serve_stop(&serve);
    return 0;
}

static void
expect_header(const struct http_reply *reply, const char *name, const char *value)
{
    char text[512];

    assert_string_equal(http_header(reply, name, text, sizeof text), value);
}

static void
every_reply_has_its_headers(void **state)
{
    struct http_reply reply = http_call(serve.port, "GET /healthz", "", NULL);
    char text[256];

    (void)state;
    assert_int_equal(reply.status, 200);
    assert_string_equal((char *)reply.body, "{\"status\":\"ok\"}");
    expect_header(&reply, "Content-Type", "application/json");
    expect_header(&reply, "Cache-Control", "no-store");
    expect_header(&reply, "X-Content-Type-Options", "nosniff");
    assert_int_equal(strlen(http_header(&reply, "X-Request-Id", text, sizeof text)), 16);
    assert_int_equal(
        strncmp(http_header(&reply, "Server-Timing", text, sizeof text), "total;dur=", 10), 0);
    http_reply_drop(&reply);
}

static void
a_clean_request_id_is_echoed_and_a_dirty_one_replaced(void **state)
{
    struct http_reply reply =
        http_call(serve.port, "GET /healthz", "X-Request-Id: a-1/b\r\n", NULL);
    char text[256];

    (void)state;
    expect_header(&reply, "X-Request-Id", "a-1/b");
    http_reply_drop(&reply);
    reply = http_call(serve.port, "GET /healthz", "X-Request-Id: a b\r\n", NULL);
    assert_int_equal(strlen(http_header(&reply, "X-Request-Id", text, sizeof text)), 16);
    http_reply_drop(&reply);
}

static void
head_has_the_headers_of_get_and_no_body(void **state)
{
    struct http_reply reply = http_call(serve.port, "HEAD /healthz", "", NULL);

    (void)state;
    assert_int_equal(reply.status, 200);
    expect_header(&reply, "Content-Length", "15");
    http_reply_drop(&reply);
    reply = http_call(serve.port, "HEAD /v1/models/m/variables/w:value?format=raw", "", NULL);
    assert_int_equal(reply.status, 200);
    expect_header(&reply, "Content-Length", "160000");
    http_reply_drop(&reply);
}

static void
problems_are_told_as_problem_documents(void **state)
{
    struct http_reply reply = http_call(serve.port, "GET /v1/models/m/variables/nope", "", NULL);

    (void)state;
    assert_int_equal(reply.status, 404);
    expect_header(&reply, "Content-Type", "application/problem+json");
    assert_non_null(strstr((char *)reply.body, "\"type\":\"about:blank\""));
    assert_non_null(strstr((char *)reply.body, "\"status\":404"));
    assert_non_null(strstr((char *)reply.body, "\"code\":\"NOT_FOUND\""));
    assert_non_null(strstr((char *)reply.body, "\"variable\":\"nope\""));
    assert_non_null(strstr((char *)reply.body, "\"error\":\""));
    http_reply_drop(&reply);
    reply = http_call(serve.port, "POST /healthz", "", NULL);
    assert_int_equal(reply.status, 405);
    expect_header(&reply, "Allow", "GET, HEAD, OPTIONS");
    http_reply_drop(&reply);
}

static void
query_arguments_are_checked_against_the_route(void **state)
{
    struct http_reply reply =
        http_call(serve.port, "GET /v1/models/m/variables/w:value?sice=1", "", NULL);

    (void)state;
    assert_int_equal(reply.status, 400);
    assert_non_null(strstr((char *)reply.body, "sice"));
    assert_non_null(strstr((char *)reply.body, "slice"));
    http_reply_drop(&reply);
    reply = http_call(serve.port, "GET /v1/models/m/variables/w:value?slice=1&slice=2", "", NULL);
    assert_int_equal(reply.status, 400);
    assert_non_null(strstr((char *)reply.body, "twice"));
    http_reply_drop(&reply);
}

static void
a_known_tag_is_answered_without_a_body(void **state)
{
    struct http_reply reply =
        http_call(serve.port, "GET /v1/models/m/variables/w:value?format=raw", "", NULL);
    char etag[128], header[512];

    (void)state;
    assert_int_equal(reply.status, 200);
    http_header(&reply, "ETag", etag, sizeof etag);
    assert_int_equal(etag[0], '"');
    assert_int_equal(etag[1], 'r');
    http_reply_drop(&reply);
    snprintf(header, sizeof header, "If-None-Match: \"x\", W/%s\r\n", etag);
    reply = http_call(serve.port, "GET /v1/models/m/variables/w:value?format=raw", header, NULL);
    assert_int_equal(reply.status, 304);
    expect_header(&reply, "ETag", etag);
    http_reply_drop(&reply);
}

static void
ranges_of_lent_bytes_are_served(void **state)
{
    static const char target[] = "GET /v1/models/m/variables/w:value?format=raw";
    struct http_reply reply = http_call(serve.port, target, "Range: bytes=100-120007\r\n", NULL);
    int32_t element;
    char etag[128], header[512];

    (void)state;
    assert_int_equal(reply.status, 206);
    expect_header(&reply, "Content-Range", "bytes 100-120007/160000");
    assert_int_equal(reply.body_size, 119908);
    for (size_t i = 0; i < reply.body_size / 4; i++) {
        memcpy(&element, reply.body + 4 * i, sizeof element);
        assert_int_equal(element, 25 + i);
    }
    http_header(&reply, "ETag", etag, sizeof etag);
    http_reply_drop(&reply);

    reply = http_call(serve.port, target, "Range: bytes=-4\r\n", NULL);
    assert_int_equal(reply.status, 206);
    expect_header(&reply, "Content-Range", "bytes 159996-159999/160000");
    memcpy(&element, reply.body, sizeof element);
    assert_int_equal(element, 39999);
    http_reply_drop(&reply);

    reply = http_call(serve.port, target, "Range: bytes=160000-\r\n", NULL);
    assert_int_equal(reply.status, 416);
    expect_header(&reply, "Content-Range", "bytes */160000");
    http_reply_drop(&reply);

    snprintf(header, sizeof header, "Range: bytes=0-3\r\nIf-Range: %s\r\n", etag);
    reply = http_call(serve.port, target, header, NULL);
    assert_int_equal(reply.status, 206);
    http_reply_drop(&reply);
    reply = http_call(serve.port, target, "Range: bytes=0-3\r\nIf-Range: \"r0-x\"\r\n", NULL);
    assert_int_equal(reply.status, 200);
    expect_header(&reply, "Accept-Ranges", "bytes");
    http_reply_drop(&reply);
}

/* The head of a part, which says what it is. */
static const char *
part_must_be(const char *at, const char *boundary, const char *range, int32_t first, size_t count)
{
    char head[256];
    int length = snprintf(head, sizeof head,
                          "--%s\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes "
                          "%s/160000\r\n\r\n",
                          boundary, range);

    assert_memory_equal(at, head, (size_t)length);
    at += length;
    for (size_t i = 0; i < count; i++) {
        int32_t element;

        memcpy(&element, at + 4 * i, sizeof element);
        assert_int_equal(element, first + (int32_t)i);
    }
    assert_memory_equal(at + 4 * count, "\r\n", 2);
    return at + 4 * count + 2;
}

static void
several_ranges_come_as_parts_in_the_order_asked(void **state)
{
    static const char type[] = "multipart/byteranges; boundary=";
    static const char target[] = "GET /v1/models/m/variables/w:value?format=raw";
    struct http_reply reply =
        http_call(serve.port, target, "Range: bytes=80000-159999, 0-7, 4-11, 200000-\r\n", NULL);
    char text[512], last[sizeof text + 8];
    const char *at, *boundary;

    (void)state;
    assert_int_equal(reply.status, 206);
    expect_header(&reply, "Content-Range", "");
    http_header(&reply, "Content-Type", text, sizeof text);
    assert_memory_equal(text, type, sizeof type - 1);
    boundary = text + sizeof type - 1;
    assert_int_equal(strlen(boundary), 32);
    at = part_must_be((const char *)reply.body, boundary, "80000-159999", 20000, 20000);
    at = part_must_be(at, boundary, "0-11", 0, 3);
    snprintf(last, sizeof last, "--%s--\r\n", boundary);
    assert_string_equal(at, last);
    assert_int_equal((const uint8_t *)at + strlen(last) - reply.body, reply.body_size);
    http_reply_drop(&reply);
    /* one that is left, or one that comes of all of them, is no list of parts */
    reply = http_call(serve.port, target, "Range: bytes=0-3,160000-\r\n", NULL);
    assert_int_equal(reply.status, 206);
    expect_header(&reply, "Content-Range", "bytes 0-3/160000");
    http_reply_drop(&reply);
    reply = http_call(serve.port, target, "Range: bytes=0-3,4-7\r\n", NULL);
    expect_header(&reply, "Content-Range", "bytes 0-7/160000");
    http_reply_drop(&reply);
}

static void
a_read_may_insist_on_a_tag(void **state)
{
    static const char target[] = "GET /v1/models/m/variables/w:value?format=raw";
    struct http_reply reply = http_call(serve.port, target, "Range: bytes=0-3\r\n", NULL);
    char etag[128], header[512];

    (void)state;
    http_header(&reply, "ETag", etag, sizeof etag);
    http_reply_drop(&reply);
    snprintf(header, sizeof header, "Range: bytes=0-3\r\nIf-Match: \"x\", %s\r\n", etag);
    reply = http_call(serve.port, target, header, NULL);
    assert_int_equal(reply.status, 206);
    http_reply_drop(&reply);
    snprintf(header, sizeof header, "Range: bytes=0-3\r\nIf-Match: W/%s\r\n", etag);
    reply = http_call(serve.port, target, header, NULL);
    assert_int_equal(reply.status, 412);
    expect_header(&reply, "ETag", etag);
    http_reply_drop(&reply);
    reply = http_call(serve.port, target, "If-Match: \"x\"\r\n", NULL);
    assert_int_equal(reply.status, 412);
    http_reply_drop(&reply);
    reply = http_call(serve.port, target, "If-Match: *\r\n", NULL);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    reply = http_call(serve.port, target, "If-Match: x\r\n", NULL);
    assert_int_equal(reply.status, 400);
    http_reply_drop(&reply);
}

static void
a_failed_condition_tells_the_current_tag(void **state)
{
    struct http_reply reply =
        http_call(serve.port, "POST /v1/models/m/variables/w:assign", "If-Match: \"r1-json\"\r\n",
                  "{\"value\":{\"op\":\"zeros\",\"shape\":[40000],\"dtype\":\"int32\"}}");
    char etag[128];

    (void)state;
    assert_int_equal(reply.status, 412);
    assert_int_equal(strncmp(http_header(&reply, "ETag", etag, sizeof etag), "\"r", 2), 0);
    http_reply_drop(&reply);
}

static void
only_names_of_this_server_are_answered(void **state)
{
    static const struct {
        const char *host;
        int status;
    } cases[] = {{"localhost", 200},   {"LOCALHOST:7840", 200},     {"127.0.0.1", 200},
                 {"127.1.2.3:1", 200}, {"[::1]:7840", 200},         {"tensors.example", 200},
                 {"evil.com", 421},    {"localhost.evil.com", 421}, {"192.168.1.1", 421},
                 {"[::2]", 421},       {"localhost:x", 400},        {"", 400},
                 {"[::1", 400},        {"localhost:99999", 400}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        struct http_reply reply;

        snprintf(text, sizeof text, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i].host);
        reply = http_ask(serve.port, text);
        if (reply.status != cases[i].status)
            fail_msg("Host '%s': %d", cases[i].host, reply.status);
        http_reply_drop(&reply);
    }
}

static void
pages_of_other_origins_may_change_nothing(void **state)
{
    struct http_reply reply =
        http_call(serve.port, "PUT /v1/models/x", "Origin: https://evil.example\r\n", "{}");

    (void)state;
    assert_int_equal(reply.status, 403);
    http_reply_drop(&reply);
    reply = http_call(serve.port, "PUT /v1/models/x", "Origin: null\r\n", "{}");
    assert_int_equal(reply.status, 403);
    http_reply_drop(&reply);
    reply = http_call(serve.port, "PUT /v1/models/x", "Sec-Fetch-Site: cross-site\r\n", "{}");
    assert_int_equal(reply.status, 403);
    http_reply_drop(&reply);
    reply = http_call(serve.port, "PUT /v1/models/own", "Origin: http://localhost\r\n", "{}");
    assert_int_equal(reply.status, 201);
    http_reply_drop(&reply);
    reply = http_call(serve.port, "PUT /v1/models/lab", "Origin: https://lab.example\r\n", "{}");
    assert_int_equal(reply.status, 201);
    expect_header(&reply, "Access-Control-Allow-Origin", "https://lab.example");
    expect_header(&reply, "Vary", "Origin");
    http_reply_drop(&reply);
    reply = http_call(serve.port, "OPTIONS /v1/models/m", "Origin: https://lab.example\r\n", NULL);
    assert_int_equal(reply.status, 204);
    expect_header(&reply, "Access-Control-Allow-Methods", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    http_reply_drop(&reply);
}

/* What the library lets through and the gate refuses, as raw bytes. */
static void
malformed_heads_end_the_connection(void **state)
{
#define RAW(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        RAW("GET /healthz HTTP/1.1\r\n\r\n"),
        RAW("GET /healthz HTTP/1.1\r\n" HOST HOST "\r\n"),
        RAW("GET /healthz HTTP/1.1\n" HOST "\r\n"),
        RAW("GET /healthz HTTP/1.1\r\n" HOST "A: b\nC: d\r\n\r\n"),
        RAW("GET /healthz HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n"),
        RAW("GET /healthz HTTP/1.1\r\n" HOST "A: b\0\0X\0 c\r\n\r\n"),
        RAW("GET /healthz HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n"),
        RAW("GET /healthz HTTP/1.1\r\n" HOST "Foo : x\r\n\r\n"),
        RAW("GET /healthz HTTP/1.1\r\n Foo: x\r\n" HOST "\r\n"),
        RAW("GET /healthz HTTP/1.1\r\n" HOST "Foo: x\r\n y: z\r\n\r\n"),
        RAW("GET  /healthz HTTP/1.1\r\n" HOST "\r\n"),
        RAW("GET /health z HTTP/1.1\r\n" HOST "\r\n"),
        RAW("GET /healthz\0x HTTP/1.1\r\n" HOST "\r\n"),
        RAW("GET http://localhost/healthz HTTP/1.1\r\n" HOST "\r\n"),
        RAW("GET * HTTP/1.1\r\n" HOST "\r\n"),
        RAW("GET /v1/models/%zz HTTP/1.1\r\n" HOST "\r\n"),
        RAW("GET /v1/models/a%00b HTTP/1.1\r\n" HOST "\r\n"),
        RAW("GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}"),
        RAW("PUT /v1/models/q HTTP/1.1\r\n" HOST
            "Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}"),
        RAW("PUT /v1/models/q HTTP/1.1\r\n" HOST
            "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        RAW("PUT /v1/models/q HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n{}"),
        RAW("PUT /v1/models/q HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        RAW("PUT /v1/models/q HTTP/1.1\r\n" HOST "Content-Length: +2\r\n\r\n{}"),
    };
#undef RAW

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = http_connect(serve.port);
        struct http_reply reply;

        assert_true(http_send(fd, cases[i].bytes, cases[i].size));
        reply = http_receive(fd, false);
        if (reply.status != 400 || !http_ends(fd))
            fail_msg("case %zu: %d", i, reply.status);
        http_reply_drop(&reply);
        close(fd);
    }
}

static void
a_refused_request_leaves_the_next_one_readable(void **state)
{
    int fd = http_connect(serve.port);
    struct http_reply reply;

    (void)state;
    assert_true(http_send_text(fd, "POST /v1/nope HTTP/1.1\r\n" HOST "Content-Length: 27\r\n\r\n"
                                   "GET /v1/evil HTTP/1.1\r\n\r\n\r\n"
                                   "GET /healthz HTTP/1.1\r\n" HOST "\r\n"
                                   "HEAD /readyz HTTP/1.1\r\n" HOST "\r\n"
                                   "GET /nope HTTP/1.1\r\n" HOST "\r\n"));
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 404);
    http_reply_drop(&reply);
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    reply = http_receive(fd, true);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 404);
    http_reply_drop(&reply);
    close(fd);
}

static void
bodies_over_the_limit_are_refused_naming_the_setting(void **state)
{
    struct http_reply reply = http_ask(serve.port, "PUT /v1/models/q HTTP/1.1\r\n" HOST
                                                   "Content-Length: 1048577\r\n\r\n");
    int fd = http_connect(serve.port);
    static char piece[65536];

    (void)state;
    assert_int_equal(reply.status, 413);
    assert_non_null(strstr((char *)reply.body, "json_body_max_bytes"));
    http_reply_drop(&reply);

    memset(piece, ' ', sizeof piece);
    assert_true(http_send_text(fd, "PUT /v1/models/q HTTP/1.1\r\n" HOST
                                   "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 17; i++) { /* one piece over the limit */
        assert_true(http_send_text(fd, "10000\r\n"));
        assert_true(http_send(fd, piece, sizeof piece));
        assert_true(http_send_text(fd, "\r\n"));
    }
    assert_true(http_send_text(fd, "0\r\n\r\n"));
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 413);
    http_reply_drop(&reply);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reply_has_its_headers),
        cmocka_unit_test(a_clean_request_id_is_echoed_and_a_dirty_one_replaced),
        cmocka_unit_test(head_has_the_headers_of_get_and_no_body),
        cmocka_unit_test(problems_are_told_as_problem_documents),
        cmocka_unit_test(query_arguments_are_checked_against_the_route),
        cmocka_unit_test(a_known_tag_is_answered_without_a_body),
        cmocka_unit_test(ranges_of_lent_bytes_are_served),
        cmocka_unit_test(several_ranges_come_as_parts_in_the_order_asked),
        cmocka_unit_test(a_read_may_insist_on_a_tag),
        cmocka_unit_test(a_failed_condition_tells_the_current_tag),
        cmocka_unit_test(only_names_of_this_server_are_answered),
        cmocka_unit_test(pages_of_other_origins_may_change_nothing),
        cmocka_unit_test(malformed_heads_end_the_connection),
        cmocka_unit_test(a_refused_request_leaves_the_next_one_readable),
        cmocka_unit_test(bodies_over_the_limit_are_refused_naming_the_setting),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
