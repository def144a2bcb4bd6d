/* An HTTP client that sends exactly the bytes it is given, so that malformed requests can be tried.
 */
#ifndef TESTS_SUPPORT_HTTP_H
#define TESTS_SUPPORT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_reply {
    int status;       /* 0: the connection ended before a whole reply */
    char *head;       /* owned: http_reply_drop; with its empty line, NUL-terminated */
    uint8_t *body;    /* owned; NUL-terminated */
    size_t body_size; /* without the NUL */
};

void http_reply_drop(struct http_reply *reply);

/* To 127.0.0.1. Reads give up after 20 s. Ends the test program when there is no connection. */
int http_connect(uint16_t port);
/* False when the other side does not take it all. */
bool http_send(int fd, const void *data, size_t size);
bool http_send_text(int fd, const char *text);
/* One reply. `headless`: it answers a HEAD request, so no body follows. */
struct http_reply http_receive(int fd, bool headless);
/* Reads on until the other side closes; false when it does not. */
bool http_ends(int fd);
/* On a connection of its own. */
struct http_reply http_ask(uint16_t port, const char *text);
/* "GET /x" and more header lines (each ended by CR LF, may be ""), and a body (NULL: none). */
struct http_reply http_call(uint16_t port, const char *line, const char *headers, const char *body);

/* The value of a header in the reply's head, cut to `size`; "" when absent. Returns out. */
const char *http_header(const struct http_reply *reply, const char *name, char *out, size_t size);

#endif
