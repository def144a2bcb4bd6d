/* Ends connections whose client is too slow: libmicrohttpd's own timeout is about silence only, a
 * trickle passes it for ever. Looked at are: the head of a request (a deadline), its body (bytes a
 * second, while we want them), and the reply (bytes a second that the client acknowledged, and a
 * deadline). A stream has no deadline, and its bytes are counted while there are some to send.
 *
 * Ending means shutting the socket down; the HTTP thread notices and cleans up as for any client
 * that left. Both the look and the shutdown happen under the registry lock. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "api/feed/stream.h"
#include "api/state.h"
#include "api/waiting.h"
#include "store/base/clock.h"
#include "store/base/log.h"

enum { TICK_MS = 250, CHECK_TICKS = 8, AVERAGE_MS = 10000 };

static bool
read_tcp(int fd, uint64_t *acked, uint64_t *received)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return false;
    *acked = info.tcpi_bytes_acked;
    *received = info.tcpi_bytes_received;
    return true;
}

/* Between two requests there is no deadline; it begins with the first byte of the next. */
static const char *
look_at_head(struct api_connection *c, uint64_t now_ms)
{
    uint64_t acked, received;

    if (!c->head_begun) {
        if (!read_tcp(c->fd, &acked, &received))
            return NULL;
        c->head_begun = c->base_known && received > c->base_bytes;
        c->base_bytes = received;
        c->base_known = true;
        c->since_ms = now_ms;
        return NULL;
    }
    return now_ms - c->since_ms > c->server->settings->header_timeout_ms
               ? "the head of its request took longer than header_timeout_ms"
               : NULL;
}

static bool
too_slow(uint64_t bytes, uint64_t elapsed_ms, uint64_t least)
{
    return elapsed_ms > AVERAGE_MS &&
           bytes / elapsed_ms * 1000 + bytes % elapsed_ms * 1000 / elapsed_ms < least;
}

static const char *
look_at_body(const struct api_connection *c, uint64_t now_ms)
{
    uint64_t elapsed_ms = c->before_ms + (c->waiting ? 0 : now_ms - c->since_ms);

    return too_slow(c->body_bytes, elapsed_ms, c->server->settings->body_rate_min_bytes)
               ? "its body came slower than body_rate_min_bytes"
               : NULL;
}

static const char *
look_at_rate(struct api_connection *c, uint64_t now_ms)
{
    uint64_t acked, received;

    if (!read_tcp(c->fd, &acked, &received))
        return NULL;
    if (!c->base_known) {
        c->base_known = true;
        c->base_bytes = acked;
        c->base_ms = now_ms;
    }
    return too_slow(acked - c->base_bytes, now_ms - c->base_ms,
                    c->server->settings->reply_rate_min_bytes)
               ? "it took its reply slower than reply_rate_min_bytes"
               : NULL;
}

static const char *
look_at_reply(struct api_connection *c, uint64_t now_ms)
{
    if (now_ms - c->since_ms > c->server->settings->reply_time_max_ms)
        return "its reply took longer than reply_time_max_ms";
    return look_at_rate(c, now_ms);
}

static const char *
look_at(struct api_connection *c, uint64_t now_ms)
{
    if (c->killed || now_ms < c->since_ms)
        return NULL;
    switch (c->phase) {
    case PHASE_HEAD:
        return look_at_head(c, now_ms);
    case PHASE_BODY:
        return look_at_body(c, now_ms);
    case PHASE_REPLY:
        return look_at_reply(c, now_ms);
    case PHASE_STREAM:
        return c->waiting ? NULL : look_at_rate(c, now_ms);
    case PHASE_WORK:
        break;
    }
    return NULL;
}

static void
look_at_all(struct api_server *server)
{
    for (struct api_connection *c = server->connections; c != NULL; c = c->next) {
        const char *reason;

        lock_acquire(&c->lock);
        reason = look_at(c, clock_monotonic_ms());
        if (reason != NULL) {
            c->killed = true;
            atomic_fetch_add(&server->slow_ended, 1);
            (void)shutdown(c->fd, SHUT_RDWR);
            log_write(LOG_INFO, "a connection was ended: %s", reason);
        }
        lock_release(&c->lock);
    }
}

static void *
watch(void *context)
{
    struct api_server *server = context;
    unsigned ticks = 0;

    lock_acquire(&server->registry);
    while (!server->watchdog_stop) {
        (void)condition_wait_ms(&server->watchdog_wake, &server->registry, TICK_MS);
        look_at_all(server);
        api_waiting_tick(server);
        if (ticks++ % CHECK_TICKS == 0) {
            api_streams_check(server);
            api_streams_prod(server);
            api_waiting_check(server);
        }
    }
    lock_release(&server->registry);
    return NULL;
}

enum err_code
api_watchdog_start(struct api_server *server, struct err *err)
{
    if (pthread_create(&server->watchdog, NULL, watch, server) != 0)
        return err_set(err, ERR_UNAVAILABLE, "the watchdog's thread does not start");
    server->watchdog_runs = true;
    return OK;
}

void
api_watchdog_stop(struct api_server *server)
{
    if (!server->watchdog_runs)
        return;
    lock_acquire(&server->registry);
    server->watchdog_stop = true;
    condition_signal(&server->watchdog_wake);
    lock_release(&server->registry);
    (void)pthread_join(server->watchdog, NULL);
    server->watchdog_runs = false;
}
