/* Bodies that flow, clients that leave or dawdle, and stopping while they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/api/serve.h"

#define HOST  "Host: localhost\r\n"
#define VALUE "/v1/models/m/variables/big:value"

enum { ELEMENTS = 1 << 20, BYTES = 4 * ELEMENTS, PIECE = 64 * 1024 };

static int32_t elements[ELEMENTS];

static void
be_impatient(struct settings *settings)
{
    settings->header_timeout_ms = 300;
    settings->shutdown_timeout_ms = 200;
    settings->uploads_max = 2;
    settings->connections_max = 6;
    settings->http_threads = 2;
    settings->worker_threads = 3;
    settings->upload_max_bytes = 2 * BYTES;
}

static int
start(void **state)
{
    struct serve *s = calloc(1, sizeof *s);
    struct http_reply reply;
    bool created;

    if (s == NULL)
        return -1;
    for (int32_t i = 0; i < ELEMENTS; i++)
        elements[i] = i * 7;
    serve_start(s, be_impatient);
    reply = http_call(s->port, "PUT /v1/models/m", "", "{}");
    http_reply_drop(&reply);
    reply = http_call(s->port, "POST /v1/models/m/variables", "",
                      "{\"name\":\"big\",\"dtype\":\"int32\",\"shape\":[1048576]}");
    created = reply.status == 201;
    http_reply_drop(&reply);
    *state = s;
    return created ? 0 : -1;
}

static int
stop(void **state)
{
    serve_stop(*state);
    free(*state);
    return 0;
}

static uint16_t
port_of(void **state)
{
    return ((struct serve *)*state)->port;
}

static int
begin_upload(uint16_t port, const char *length)
{
    int fd = http_connect(port);

    assert_true(http_send_text(fd, "PUT " VALUE " HTTP/1.1\r\n" HOST
                                   "Content-Type: application/octet-stream\r\n"));
    assert_true(http_send_text(fd, length));
    assert_true(http_send_text(fd, "\r\n"));
    return fd;
}

static void
check_value(uint16_t port)
{
    struct http_reply reply = http_call(port, "GET " VALUE "?format=raw", "", NULL);

    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_size, BYTES);
    assert_memory_equal(reply.body, elements, BYTES);
    http_reply_drop(&reply);
}

static void
a_declared_body_arrives_whole(void **state)
{
    int fd = begin_upload(port_of(state), "Content-Length: 4194304\r\n");
    struct http_reply reply;

    assert_true(http_send(fd, elements, BYTES));
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    /* the connection goes on */
    assert_true(http_send_text(fd, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"));
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    close(fd);
    check_value(port_of(state));
}

static void
a_chunked_body_of_odd_pieces_arrives_whole(void **state)
{
    int fd = begin_upload(port_of(state), "Transfer-Encoding: chunked\r\n");
    const char *bytes = (const char *)elements;
    size_t at = 0, size = 1;
    struct http_reply reply;

    while (at < BYTES) {
        char line[32];

        size = size * 3 % 100003 + 1;
        if (size > BYTES - at)
            size = BYTES - at;
        snprintf(line, sizeof line, "%zx\r\n", size);
        assert_true(http_send_text(fd, line));
        assert_true(http_send(fd, bytes + at, size));
        assert_true(http_send_text(fd, "\r\n"));
        at += size;
    }
    assert_true(http_send_text(fd, "0\r\n\r\n"));
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    close(fd);
    check_value(port_of(state));
}

/* An upload that has been told to go on: it is under way. */
static int
begin_accepted_upload(uint16_t port)
{
    int fd = begin_upload(port, "Content-Length: 4194304\r\nExpect: 100-continue\r\n");
    char line[26] = "";

    assert_int_equal(recv(fd, line, 25, MSG_WAITALL), 25);
    assert_string_equal(line, "HTTP/1.1 100 Continue\r\n\r\n");
    return fd;
}

static void
a_client_that_expects_is_told_to_go_on(void **state)
{
    int fd = begin_accepted_upload(port_of(state));
    struct http_reply reply;

    assert_true(http_send(fd, elements, BYTES));
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    close(fd);
}

static void
a_client_that_expects_is_refused_before_its_body(void **state)
{
    int fd = http_connect(port_of(state));
    struct http_reply reply;

    assert_true(http_send_text(fd, "PUT /v1/models/nope/variables/w:value HTTP/1.1\r\n" HOST
                                   "Content-Type: application/octet-stream\r\n"
                                   "Content-Length: 4194304\r\nExpect: 100-continue\r\n\r\n"));
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 404);
    http_reply_drop(&reply);
    assert_true(http_ends(fd));
    close(fd);
}

/* More than the socket buffers hold, so that the server must answer while it is being sent. */
static void
an_error_is_told_while_the_body_still_comes(void **state)
{
    int fd = http_connect(port_of(state));
    static char piece[PIECE];
    struct http_reply reply;
    bool open = true;

    memset(piece, 0xff, sizeof piece);
    /* eight bytes of header length, far too many */
    assert_true(http_send_text(fd, "PUT /v1/models/m/values HTTP/1.1\r\n" HOST
                                   "Content-Type: application/vnd.safetensors\r\n"
                                   "Content-Length: 8388608\r\n\r\n"));
    for (int i = 0; i < 8388608 / PIECE && open; i++)
        open = http_send(fd, piece, sizeof piece);
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 400);
    http_reply_drop(&reply);
    close(fd);
}

static void
a_short_body_nobody_wants_keeps_the_connection(void **state)
{
    int fd = http_connect(port_of(state));
    struct http_reply reply;

    assert_true(http_send_text(fd, "PUT /v1/models/nope/variables/w:value HTTP/1.1\r\n" HOST
                                   "Content-Type: application/octet-stream\r\n"
                                   "Content-Length: 100000\r\n\r\n"));
    assert_true(http_send(fd, elements, 100000));
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 404);
    http_reply_drop(&reply);
    assert_true(http_send_text(fd, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"));
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    close(fd);
}

static void
a_chunked_body_over_the_limit_is_refused(void **state)
{
    int fd = http_connect(port_of(state));
    static char piece[PIECE];
    struct http_reply reply;
    bool open = true;
    char length[8] = {0, 0, (char)0xA0}; /* little-endian: a header of 10 MiB, past the limit */

    memset(piece, ' ', sizeof piece);
    assert_true(http_send_text(fd, "PUT /v1/models/m/values HTTP/1.1\r\n" HOST
                                   "Transfer-Encoding: chunked\r\n\r\n8\r\n"));
    assert_true(http_send(fd, length, sizeof length));
    assert_true(http_send_text(fd, "\r\n"));
    for (int i = 0; i < 3 * BYTES / PIECE && open; i++)
        open = http_send_text(fd, "10000\r\n") && http_send(fd, piece, sizeof piece) &&
               http_send_text(fd, "\r\n");
    reply = http_receive(fd, false);
    assert_int_equal(reply.status, 413);
    assert_non_null(strstr((char *)reply.body, "upload_max_bytes"));
    http_reply_drop(&reply);
    close(fd);
}

/* Until a request succeeds again: what a vanished client held is given back. */
static void
expect_uploads_again(uint16_t port)
{
    for (int i = 0; i < 500; i++) {
        int fd = begin_upload(port, "Content-Length: 4194304\r\n");
        struct http_reply reply;
        int status;

        (void)http_send(fd, elements, BYTES);
        reply = http_receive(fd, false);
        status = reply.status;
        http_reply_drop(&reply);
        close(fd);
        if (status == 200)
            return;
        usleep(10000);
    }
    fail_msg("uploads stay refused");
}

static void
clients_that_leave_in_the_middle_cost_nothing(void **state)
{
    for (int i = 0; i < 20; i++) {
        int fd = begin_upload(port_of(state), i % 2 == 0 ? "Content-Length: 4194304\r\n"
                                                         : "Transfer-Encoding: chunked\r\n");

        if (i % 2 != 0)
            (void)http_send_text(fd, "300000\r\n");
        (void)http_send(fd, elements, (size_t)(i + 1) * 100003);
        close(fd);
    }
    expect_uploads_again(port_of(state));
    check_value(port_of(state));
}

static void
clients_that_leave_before_their_reply_cost_nothing(void **state)
{
    for (int i = 0; i < 50; i++) {
        int fd = http_connect(port_of(state));

        assert_true(http_send_text(fd, "POST /v1/models/m:initialize HTTP/1.1\r\n" HOST
                                       "Content-Length: 2\r\n\r\n{}"));
        close(fd);
    }
    expect_uploads_again(port_of(state));
}

static void
uploads_beyond_their_limit_are_told_to_come_again(void **state)
{
    int first = begin_accepted_upload(port_of(state));
    int second = begin_accepted_upload(port_of(state));
    int third = begin_upload(port_of(state), "Content-Length: 4194304\r\n");
    struct http_reply reply;
    char header[32];

    reply = http_receive(third, false);
    assert_int_equal(reply.status, 429);
    assert_string_equal(http_header(&reply, "Retry-After", header, sizeof header), "1");
    http_reply_drop(&reply);
    close(third);
    close(second);
    assert_true(http_send(first, elements, BYTES));
    reply = http_receive(first, false);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    close(first);
}

static void
connections_beyond_the_limit_are_told_so(void **state)
{
    int held[6];
    struct http_reply reply;

    for (size_t i = 0; i < 6; i++) {
        held[i] = http_connect(port_of(state));
        assert_true(http_send_text(held[i], "GET /healthz HTTP/1.1\r\n" HOST "\r\n"));
        reply = http_receive(held[i], false);
        http_reply_drop(&reply);
    }
    reply = http_call(port_of(state), "GET /healthz", "", NULL);
    assert_int_equal(reply.status, 503);
    http_reply_drop(&reply);
    for (size_t i = 0; i < 6; i++)
        close(held[i]);
    for (int i = 0; i < 500; i++) {
        reply = http_call(port_of(state), "GET /healthz", "", NULL);
        if (reply.status == 200)
            break;
        http_reply_drop(&reply);
        usleep(10000);
    }
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
}

static void
a_dripping_head_is_cut_off(void **state)
{
    int fresh = http_connect(port_of(state)), kept = http_connect(port_of(state));
    struct http_reply reply;

    assert_true(http_send_text(kept, "GET /healthz HTTP/1.1\r\n" HOST "\r\n"));
    reply = http_receive(kept, false);
    assert_int_equal(reply.status, 200);
    http_reply_drop(&reply);
    for (int i = 0; i < 200; i++) { /* one byte every now and then, never a whole head */
        if (!http_send(fresh, "G", 1) && !http_send(kept, "G", 1))
            break;
        usleep(50000);
    }
    assert_true(http_ends(fresh));
    assert_true(http_ends(kept));
    close(fresh);
    close(kept);
}

static void
stopping_resumes_whoever_waits(void **state)
{
    struct serve *s = *state;
    int upload = begin_upload(s->port, "Content-Length: 4194304\r\n");
    int head = http_connect(s->port), idle = http_connect(s->port);

    assert_true(http_send(upload, elements, PIECE));
    assert_true(http_send_text(head, "GET /healthz HTTP/1.1\r\n"));
    usleep(50000);
    api_server_stop(s->server);
    s->server = NULL;
    assert_true(http_ends(upload));
    assert_true(http_ends(head));
    assert_true(http_ends(idle));
    close(upload);
    close(head);
    close(idle);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_declared_body_arrives_whole),
        SERVED(a_chunked_body_of_odd_pieces_arrives_whole),
        SERVED(a_client_that_expects_is_told_to_go_on),
        SERVED(a_client_that_expects_is_refused_before_its_body),
        SERVED(an_error_is_told_while_the_body_still_comes),
        SERVED(a_short_body_nobody_wants_keeps_the_connection),
        SERVED(a_chunked_body_over_the_limit_is_refused),
        SERVED(clients_that_leave_in_the_middle_cost_nothing),
        SERVED(clients_that_leave_before_their_reply_cost_nothing),
        SERVED(uploads_beyond_their_limit_are_told_to_come_again),
        SERVED(connections_beyond_the_limit_are_told_so),
        SERVED(a_dripping_head_is_cut_off),
        SERVED(stopping_resumes_whoever_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
