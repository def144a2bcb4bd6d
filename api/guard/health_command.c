#include "api/guard/health_command.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "api/guard/tls.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

enum { PATIENCE_MS = 3000, ANSWER_BYTES = 64 };

static void
socket_close(const int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

static void
addresses_drop(struct addrinfo **addresses)
{
    if (*addresses != NULL)
        freeaddrinfo(*addresses);
}

/* The address to ask a server at that listens on this one. */
static const char *
address_to_ask(const char *bind)
{
    if (strcmp(bind, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(bind, "::") == 0 ? "::1" : bind;
}

static enum err_code
connect_to(const struct settings *settings, int *descriptor, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    AUTO_CALL(addresses_drop) struct addrinfo *addresses = NULL;
    const char *address = address_to_ask(settings->bind);
    char port[8];

    snprintf(port, sizeof port, "%u", (unsigned)(settings->port & 0xffff));
    if (getaddrinfo(address, port, &hints, &addresses) != 0)
        return err_set(err, ERR_UNAVAILABLE, "'%s' is no address", address);
    *descriptor = socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*descriptor < 0 ||
        setsockopt(*descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(*descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        connect(*descriptor, addresses->ai_addr, addresses->ai_addrlen) != 0)
        return err_set(err, ERR_UNAVAILABLE, "nobody answers at %s port %s: %s", address, port,
                       strerror(errno));
    return OK;
}

/* As recv, with EAGAIN once time is over, however much came by then. */
static ssize_t
receive(void *context, void *out, size_t size)
{
    const struct api_tls_peer *peer = context;
    struct pollfd waiting = {.fd = peer->descriptor, .events = POLLIN};
    uint64_t now_ms = clock_monotonic_ms();

    if (now_ms < peer->end_ms && poll(&waiting, 1, (int)(peer->end_ms - now_ms)) > 0)
        return recv(peer->descriptor, out, size, 0);
    errno = EAGAIN;
    return -1;
}

/* Fills `answer` with the first bytes of it, as many as there are before it or the time ends. */
static enum err_code
ask_plain(struct api_tls_peer *peer, struct bytes ask, char *answer, size_t size, struct err *err)
{
    ssize_t got = 1;

    if (send(peer->descriptor, ask.data, ask.size, MSG_NOSIGNAL) != (ssize_t)ask.size)
        return err_set(err, ERR_UNAVAILABLE, "cannot ask the server: %s", strerror(errno));
    for (size_t had = 0; had < size && got > 0; had += got > 0 ? (size_t)got : 0)
        got = receive(peer, answer + had, size - had);
    return OK;
}

/* Whatever listens there has written it: no more of it than a terminal shows as it is. */
static int
shown(const char *answer)
{
    int size = 0;

    while (answer[size] >= ' ' && answer[size] <= '~')
        size++;
    return size;
}

enum err_code
api_health_command(const struct command_input *input, struct err *err)
{
    static const char ask[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char well[] = "HTTP/1.1 200 ";
    AUTO_CALL(socket_close) int descriptor = -1;
    struct api_tls_peer peer = {.receive = receive, .end_ms = clock_monotonic_ms() + PATIENCE_MS};
    char answer[ANSWER_BYTES] = "";

    TRY(connect_to(input->settings, &descriptor, err));
    peer.descriptor = descriptor;
    if (input->settings->tls_cert[0] != '\0')
        TRY(api_tls_ask(&peer, bytes_of_text(ask), answer, sizeof answer - 1, err));
    else
        TRY(ask_plain(&peer, bytes_of_text(ask), answer, sizeof answer - 1, err));
    if (strncmp(answer, well, sizeof well - 1) != 0)
        return err_set(err, ERR_UNAVAILABLE, "the server says it is not ready: %.*s", shown(answer),
                       answer);
    fprintf(input->out, "ready\n");
    return OK;
}
