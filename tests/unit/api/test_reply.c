/* Replies of a real server: heads, errors, conditions, ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "tests/unit/api/serve.h"

#define HOST "Host: localhost\r\n"

static struct serve serve;

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
    serve_start(&serve, NULL);
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
every_reply_has_its_headers(void **state)
{
    struct http_reply reply = http_call(serve.port, "GET /healthz", "", NULL);
    char text[256];

    (void)state;
    assert_int_equal(reply.status, 200);
    assert_string_equal((char *)reply.body, "{\"status\":\"ok\"}");
    serve_expect_header(&reply, "Content-Type", "application/json");
    serve_expect_header(&reply, "Cache-Control", "no-store");
    serve_expect_header(&reply, "X-Content-Type-Options", "nosniff");
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
    serve_expect_header(&reply, "X-Request-Id", "a-1/b");
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
    serve_expect_header(&reply, "Content-Length", "15");
    http_reply_drop(&reply);
    reply = http_call(serve.port, "HEAD /v1/models/m/variables/w:value?format=raw", "", NULL);
    assert_int_equal(reply.status, 200);
    serve_expect_header(&reply, "Content-Length", "160000");
    http_reply_drop(&reply);
}

static void
problems_are_told_as_problem_documents(void **state)
{
    struct http_reply reply = http_call(serve.port, "GET /v1/models/m/variables/nope", "", NULL);

    (void)state;
    assert_int_equal(reply.status, 404);
    serve_expect_header(&reply, "Content-Type", "application/problem+json");
    assert_non_null(strstr((char *)reply.body, "\"type\":\"about:blank\""));
    assert_non_null(strstr((char *)reply.body, "\"status\":404"));
    assert_non_null(strstr((char *)reply.body, "\"code\":\"NOT_FOUND\""));
    assert_non_null(strstr((char *)reply.body, "\"variable\":\"nope\""));
    assert_non_null(strstr((char *)reply.body, "\"error\":\""));
    http_reply_drop(&reply);
    reply = http_call(serve.port, "POST /healthz", "", NULL);
    assert_int_equal(reply.status, 405);
    serve_expect_header(&reply, "Allow", "GET, HEAD, OPTIONS");
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
    serve_expect_header(&reply, "ETag", etag);
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
    serve_expect_header(&reply, "Content-Range", "bytes 100-120007/160000");
    assert_int_equal(reply.body_size, 119908);
    for (size_t i = 0; i < reply.body_size / 4; i++) {
        memcpy(&element, reply.body + 4 * i, sizeof element);
        assert_int_equal(element, 25 + i);
    }
    http_header(&reply, "ETag", etag, sizeof etag);
    http_reply_drop(&reply);

    reply = http_call(serve.port, target, "Range: bytes=-4\r\n", NULL);
    assert_int_equal(reply.status, 206);
    serve_expect_header(&reply, "Content-Range", "bytes 159996-159999/160000");
    memcpy(&element, reply.body, sizeof element);
    assert_int_equal(element, 39999);
    http_reply_drop(&reply);

    reply = http_call(serve.port, target, "Range: bytes=160000-\r\n", NULL);
    assert_int_equal(reply.status, 416);
    serve_expect_header(&reply, "Content-Range", "bytes */160000");
    http_reply_drop(&reply);

    snprintf(header, sizeof header, "Range: bytes=0-3\r\nIf-Range: %s\r\n", etag);
    reply = http_call(serve.port, target, header, NULL);
    assert_int_equal(reply.status, 206);
    http_reply_drop(&reply);
    reply = http_call(serve.port, target, "Range: bytes=0-3\r\nIf-Range: \"r0-x\"\r\n", NULL);
    assert_int_equal(reply.status, 200);
    serve_expect_header(&reply, "Accept-Ranges", "bytes");
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
    serve_expect_header(&reply, "Content-Range", "");
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
    serve_expect_header(&reply, "Content-Range", "bytes 0-3/160000");
    http_reply_drop(&reply);
    reply = http_call(serve.port, target, "Range: bytes=0-3,4-7\r\n", NULL);
    serve_expect_header(&reply, "Content-Range", "bytes 0-7/160000");
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
    serve_expect_header(&reply, "ETag", etag);
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
    };

    return cmocka_run_group_tests(tests, start, stop);
}
