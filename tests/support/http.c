/* A raw client: what it cannot do ends the test, what the server does is told. */
#include "tests/support/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { READ_TIMEOUT_S = 20, HEAD_BYTES_MAX = 65536 };

static _Noreturn void
give_up(const char *doing)
{
    fprintf(stderr, "%s: %s\n", doing, strerror(errno));
    exit(EXIT_FAILURE);
}

static void *
memory(size_t size)
{
    void *block = calloc(1, size);

    if (block == NULL)
        give_up("no memory for a reply");
    return block;
}

void
http_reply_drop(struct http_reply *reply)
{
    free(reply->head);
    free(reply->body);
    *reply = (struct http_reply){0};
}

int
http_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval timeout = {READ_TIMEOUT_S, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
        connect(fd, (struct sockaddr *)(void *)&address, sizeof address) != 0)
        give_up("no connection to the server under test");
    return fd;
}

bool
http_send(int fd, const void *data, size_t size)
{
    const char *p = data;

    while (size > 0) {
        ssize_t sent = send(fd, p, size, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        p += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool
http_send_text(int fd, const char *text)
{
    return http_send(fd, text, strlen(text));
}

static bool
read_exactly(int fd, uint8_t *out, size_t size)
{
    while (size > 0) {
        ssize_t got = recv(fd, out, size, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        out += got;
        size -= (size_t)got;
    }
    return true;
}

/* Byte by byte: what follows may belong to the next reply. */
static bool
read_head(int fd, char *head)
{
    size_t size = 0;

    while (size < HEAD_BYTES_MAX - 1) {
        if (!read_exactly(fd, (uint8_t *)head + size, 1))
            return false;
        size++;
        if (size >= 4 && memcmp(head + size - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

struct http_reply
http_receive(int fd, bool headless)
{
    struct http_reply reply = {.head = memory(HEAD_BYTES_MAX)};
    char length[32];
    int status;

    do {
        memset(reply.head, 0, HEAD_BYTES_MAX);
        if (!read_head(fd, reply.head) || strncmp(reply.head, "HTTP/1.1 ", 9) != 0)
            return reply;
        status = (int)strtol(reply.head + 9, NULL, 10);
    } while (status == 100);
    reply.body_size =
        strtoull(http_header(&reply, "Content-Length", length, sizeof length), NULL, 10);
    if (headless || status == 204 || status == 304)
        reply.body_size = 0;
    reply.body = memory(reply.body_size + 1);
    if (read_exactly(fd, reply.body, reply.body_size))
        reply.status = status;
    return reply;
}

bool
http_ends(int fd)
{
    char piece[4096];
    ssize_t got;

    do
        got = recv(fd, piece, sizeof piece, 0);
    while (got > 0 || (got < 0 && errno == EINTR));
    return got == 0 || errno == ECONNRESET;
}

struct http_reply
http_ask(uint16_t port, const char *text)
{
    int fd = http_connect(port);
    struct http_reply reply;

    (void)http_send_text(fd, text);
    reply = http_receive(fd, strncmp(text, "HEAD ", 5) == 0);
    close(fd);
    return reply;
}

struct http_reply
http_call(uint16_t port, const char *line, const char *headers, const char *body)
{
    size_t size = strlen(line) + strlen(headers) + (body == NULL ? 0 : strlen(body)) + 256;
    char *text = memory(size);
    struct http_reply reply;

    if (body == NULL)
        snprintf(text, size, "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", line, headers);
    else
        snprintf(text, size, "%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s",
                 line, headers, strlen(body), body);
    reply = http_ask(port, text);
    free(text);
    return reply;
}

const char *
http_header(const struct http_reply *reply, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);

    out[0] = '\0';
    for (const char *line = strstr(reply->head, "\r\n"); line != NULL && line[2] != '\r';
         line = strstr(line + 2, "\r\n")) {
        const char *end = strstr(line + 2, "\r\n");

        if (strncasecmp(line + 2, name, length) != 0 || line[2 + length] != ':' || end == NULL)
            continue;
        line += 2 + length + 1;
        while (*line == ' ')
            line++;
        snprintf(out, size, "%.*s", (int)(end - line), line);
        break;
    }
    return out;
}
