/* What a real server refuses before any handler is asked: names, origins, malformed heads, bodies
 * that are too large; and what becomes of the connection. */
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

static int
start(void **state)
{
    struct http_reply reply;
    bool created;

    (void)state;
    serve_start(&serve, allow_one_origin);
    reply = http_call(serve.port, "PUT /v1/models/m", "", "{}");
    created = reply.status == 201;
    http_reply_drop(&reply);
    return created ? 0 : -1;
}

static int
stop(void **state)
{
    (void)state;
    serve_stop(&serve);
    return 0;
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
    serve_expect_header(&reply, "Access-Control-Allow-Origin", "https://lab.example");
    serve_expect_header(&reply, "Vary", "Origin");
    http_reply_drop(&reply);
    reply = http_call(serve.port, "OPTIONS /v1/models/m", "Origin: https://lab.example\r\n", NULL);
    assert_int_equal(reply.status, 204);
    serve_expect_header(&reply, "Access-Control-Allow-Methods",
                        "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
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
        cmocka_unit_test(only_names_of_this_server_are_answered),
        cmocka_unit_test(pages_of_other_origins_may_change_nothing),
        cmocka_unit_test(malformed_heads_end_the_connection),
        cmocka_unit_test(a_refused_request_leaves_the_next_one_readable),
        cmocka_unit_test(bodies_over_the_limit_are_refused_naming_the_setting),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
