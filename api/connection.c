/* The registry of connections, and what each is doing, for the watchdog. Always true: a connection
 * is in the list from its start until just before libmicrohttpd closes its socket, so a socket
 * found there under the registry lock is that client's. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "api/dispatch.h"
#include "api/state.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/clock.h"
#include "store/base/log.h"

bool
api_connection_is_left(const struct api_connection *c)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_state != TCP_ESTABLISHED;
}

void
api_connection_phase(struct api_connection *c, enum api_phase phase)
{
    uint64_t now_ms = clock_monotonic_ms();

    lock_acquire(&c->lock);
    c->phase = phase;
    c->since_ms = now_ms;
    c->before_ms = c->body_bytes = 0;
    c->waiting = c->base_known = c->head_begun = false;
    lock_release(&c->lock);
}

void
api_connection_body(struct api_connection *c, size_t size, bool waiting)
{
    uint64_t now_ms = clock_monotonic_ms();

    lock_acquire(&c->lock);
    if (c->waiting)
        c->since_ms = now_ms; /* it waited for us until now */
    if (waiting)
        c->before_ms += now_ms - c->since_ms;
    c->waiting = waiting;
    c->body_bytes += size;
    lock_release(&c->lock);
}

void
api_connection_rest(struct api_connection *c, bool waiting)
{
    lock_acquire(&c->lock);
    c->waiting = waiting;
    if (waiting)
        c->base_known = false;
    lock_release(&c->lock);
}

/* IPv4 addresses in IPv6 form, so that one comparison does for both. */
static void
read_address(struct api_connection *c)
{
    static const char mapped[] = "::ffff:";
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info == NULL ? NULL : info->client_addr;
    char text[INET6_ADDRSTRLEN] = "";

    if (address != NULL && address->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof v4);
        memcpy(c->address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
        memcpy(c->address + 12, &v4.sin_addr, 4);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof v6);
        memcpy(c->address, &v6.sin6_addr, 16);
    }
    if (inet_ntop(AF_INET6, c->address, text, sizeof text) == NULL)
        return;
    c->is_loopback = api_host_is_loopback(text);
    snprintf(c->address_text, sizeof c->address_text, "%s",
             strncmp(text, mapped, strlen(mapped)) == 0 ? text + strlen(mapped) : text);
}

static unsigned
count_address(const struct api_server *server, const struct api_connection *c)
{
    unsigned count = 0;

    for (const struct api_connection *p = server->connections; p != NULL; p = p->next)
        count += memcmp(p->address, c->address, sizeof c->address) == 0;
    return count;
}

static void
enter(struct api_server *server, struct api_connection *c)
{
    unsigned same = 0;

    lock_acquire(&server->registry);
    if (!c->is_loopback)
        same = count_address(server, c) + 1;
    c->over = server->connection_count >= server->settings->connections_max;
    c->next = server->connections;
    if (c->next != NULL)
        c->next->previous = c;
    server->connections = c;
    server->connection_count++;
    lock_release(&server->registry);
    if (same > server->settings->connections_per_address_max) {
        log_write(LOG_WARNING, "one address has more connections than connections_per_address_max; "
                               "the newest is closed");
        (void)shutdown(c->fd, SHUT_RDWR);
    }
}

static void
leave(struct api_server *server, struct api_connection *c)
{
    lock_acquire(&server->registry);
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        server->connections = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    server->connection_count--;
    lock_release(&server->registry);
}

unsigned
api_connection_count(struct api_server *server)
{
    unsigned count;

    lock_acquire(&server->registry);
    count = server->connection_count;
    lock_release(&server->registry);
    return count;
}

static struct api_connection *
open_connection(struct api_server *server, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct api_connection *c = mem_zeroed(1, sizeof *c, NULL);

    if (c == NULL || info == NULL) {
        mem_free(c);
        return NULL;
    }
    c->magic = API_CONNECTION_MAGIC;
    c->server = server;
    c->mhd = mhd;
    c->fd = info->connect_fd;
    c->since_ms = clock_monotonic_ms();
    c->head_begun = true; /* the first request is due at once */
    lock_init(&c->lock);
    read_address(c);
    return c;
}

void
api_connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                      enum MHD_ConnectionNotificationCode code)
{
    struct api_server *server = context;
    struct api_connection *c = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        c = open_connection(server, mhd);
        *socket_context = c;
        if (c != NULL)
            enter(server, c);
        return;
    }
    if (c == NULL)
        return;
    CHECK(c->magic == API_CONNECTION_MAGIC);
    leave(server, c);
    api_dispatch_forget(c);
    api_request_free(c->spare);
    api_tls_identity_drop(c->identity);
    lock_drop(&c->lock);
    c->magic = 0;
    mem_free(c);
    *socket_context = NULL;
}
