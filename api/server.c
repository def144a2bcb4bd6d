/* Start and stop. Always true: what start made is undone in the reverse order, whether start failed
 * half way or the server stops; when api_server_stop returns no thread of this layer runs and no
 * lent bytes are held, so the service may be closed. */
#include "api/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/dispatch.h"
#include "api/feed/feed.h"
#include "api/feed/stream.h"
#include "api/guard/admit.h"
#include "api/guard/guard.h"
#include "api/state.h"
#include "api/tensors/digest_cache.h"
#include "api/waiting.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/log.h"

enum {
    LISTEN_BACKLOG = 1024,
    CONNECTIONS_SPARE_PER_THREAD = 16, /* to tell those over the limit so */
    DRAIN_STEP_MS = 2,
    FLUSH_MS = 250, /* for replies made at the very end */
};

/* --- listening ----------------------------------------------------------------------------- */

static bool
parse_address(const char *bind, uint16_t port, struct sockaddr_storage *out, socklen_t *size)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (strcmp(bind, "localhost") == 0)
        bind = "127.0.0.1";
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, bind, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof v4);
        *size = sizeof v4;
        return true;
    }
    if (inet_pton(AF_INET6, bind, &v6.sin6_addr) == 1) {
        memcpy(out, &v6, sizeof v6);
        *size = sizeof v6;
        return true;
    }
    return false;
}

static enum err_code
bind_listener(struct api_server *server, const struct sockaddr_storage *address, socklen_t size,
              struct err *err)
{
    const struct settings *settings = server->settings;
    int on = 1;

    server->listener = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listener < 0 ||
        setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(server->listener, (const struct sockaddr *)(const void *)address, size) != 0 ||
        listen(server->listener, LISTEN_BACKLOG) != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot listen on %s port %" PRIu64 ": %s",
                       settings->bind, settings->port, strerror(errno));
    return OK;
}

static enum err_code
read_listener(struct api_server *server, struct err *err)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    char text[INET6_ADDRSTRLEN] = "";

    if (getsockname(server->listener, (struct sockaddr *)(void *)&address, &size) != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot tell the address listened on: %s",
                       strerror(errno));
    if (address.ss_family == AF_INET) {
        memcpy(&v4, &address, sizeof v4);
        server->port = ntohs(v4.sin_port);
        (void)inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        snprintf(server->address, sizeof server->address, "%s", text);
    } else {
        memcpy(&v6, &address, sizeof v6);
        server->port = ntohs(v6.sin6_port);
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
        snprintf(server->address, sizeof server->address, "[%s]", text);
    }
    return OK;
}

static enum err_code
open_listener(struct api_server *server, struct err *err)
{
    const struct settings *settings = server->settings;
    struct sockaddr_storage address;
    socklen_t size;

    if (!parse_address(settings->bind, (uint16_t)settings->port, &address, &size))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "bind '%s' is not an IPv4 or IPv6 address, nor localhost", settings->bind);
    if (!api_host_is_loopback(settings->bind) && !settings->insecure &&
        (settings->tokens[0] == '\0' || settings->tls_cert[0] == '\0'))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "binding '%s', which others can reach, needs --tokens and --tls-cert, or "
                       "--insecure when something in front of the server does their work",
                       settings->bind);
    if (!api_host_is_loopback(settings->bind) && settings->tokens[0] == '\0')
        log_write(LOG_WARNING,
                  "'%s' can be reached by others, and no token is asked for: whoever "
                  "reaches it may do everything",
                  settings->bind);
    TRY(bind_listener(server, &address, size, err));
    return read_listener(server, err);
}

/* --- libmicrohttpd ------------------------------------------------------------------------- */

static void log_library(void *context, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void
log_library(void *context, const char *format, va_list args)
{
    char text[512];
    size_t length;

    (void)context;
    vsnprintf(text, sizeof text, format, args);
    length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    log_write(LOG_DEBUG, "libmicrohttpd: %s", text);
}

/* Targets are decoded by api/http/target.c; the library is to leave them alone. */
static size_t
leave_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

static enum err_code
start_daemon(struct api_server *server, struct err *err)
{
    const struct settings *settings = server->settings;
    unsigned threads = (unsigned)settings->http_threads;
    unsigned limit = (unsigned)settings->connections_max + threads * CONNECTIONS_SPARE_PER_THREAD;
    unsigned idle_s = (unsigned)((settings->idle_timeout_ms + 999) / 1000);
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    /* one thread is no pool */
    struct MHD_OptionItem tls[API_TLS_OPTIONS_MAX] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem pool[] = {
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)threads, NULL},
        {MHD_OPTION_END, 0, NULL}};
    int listener = server->listener;

    if (server->tls != NULL) {
        flags |= MHD_USE_TLS;
        api_tls_options(tls);
    }
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, api_dispatch, server,    /* */
        MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL, /* */
        MHD_OPTION_LISTEN_SOCKET, listener,            /* */
        MHD_OPTION_ARRAY, pool,                        /* */
        MHD_OPTION_ARRAY, tls,                         /* */
        MHD_OPTION_CONNECTION_LIMIT, limit,            /* */
        MHD_OPTION_CONNECTION_TIMEOUT, idle_s,         /* */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)(settings->head_max_bytes * API_CONNECTION_HEADS), /* */
        /* strict, it would cut off spaces in targets without an answer; the gate answers */
        MHD_OPTION_STRICT_FOR_CLIENT, api_library_is_verified() ? 0 : 1,
        MHD_OPTION_URI_LOG_CALLBACK, api_dispatch_begin, server,     /* */
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, NULL,           /* */
        MHD_OPTION_NOTIFY_CONNECTION, api_connection_notify, server, /* */
        MHD_OPTION_NOTIFY_COMPLETED, api_dispatch_end, server,       /* */
        MHD_OPTION_END);
    if (server->daemon == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the HTTP threads do not start: %s", strerror(errno));
    server->listener = -1;
    return OK;
}

/* --- start and stop ------------------------------------------------------------------------ */

static void *
json_memory(size_t size)
{
    return mem_alloc(size, NULL);
}

/* service_wake: who waits for a change is told with others that do. */
static void
wake(void *context, uint64_t topic)
{
    struct api_server *server = context;

    if (topic == SERVICE_TOPIC_CHANGES)
        api_feed_notify(server->feed);
    else
        api_waiting_wake(server, topic);
}

static enum err_code
start_parts(struct api_server *server, struct err *err)
{
    const struct settings *settings = server->settings;

    if (getrandom(&server->id_seed, sizeof server->id_seed, 0) != sizeof server->id_seed)
        server->id_seed = clock_wall_ms();
    server->started_ms = clock_wall_ms();
    TRY(api_digest_cache_open(&server->digests, err));
    TRY(api_metrics_open(&server->metrics, err));
    if (settings->access_log)
        TRY(api_access_log_open(&server->access_log, err));
    TRY(api_hosts_open(settings->bind, settings->allowed_hosts, settings->cors_origins,
                       &server->hosts, err));
    TRY(api_guard_open(server, err));
    TRY(api_router_open(api_routes, api_route_count, &server->router, err));
    TRY(open_listener(server, err));
    TRY(api_pool_start(settings->worker_threads, settings->queue_requests_max, &server->pool, err));
    TRY(api_feed_start(server, &server->feed, err));
    service_on_wake(server->service, wake, server);
    TRY(start_daemon(server, err));
    return api_watchdog_start(server, err);
}

enum err_code
api_server_start(struct service *service, const struct settings *settings, struct api_server **out,
                 struct err *err)
{
    struct api_server *server = mem_zeroed(1, sizeof *server, err);
    enum err_code code;

    if (server == NULL)
        return ERR_NO_MEMORY;
    json_set_alloc_funcs(json_memory, mem_free);
    server->service = service;
    server->settings = settings;
    server->listener = -1;
    lock_init(&server->registry);
    lock_init(&server->waiting);
    lock_init(&server->streams_lock);
    server->waiters_end = &server->waiters;
    condition_init(&server->watchdog_wake);
    code = start_parts(server, err);
    if (code != OK) {
        api_server_stop(server);
        return code;
    }
    *out = server;
    return OK;
}

uint16_t
api_server_port(const struct api_server *server)
{
    return server->port;
}

const char *
api_server_scheme(const struct api_server *server)
{
    return server->tls != NULL ? "https" : "http";
}

const char *
api_server_address(const struct api_server *server)
{
    return server->address;
}

void
api_server_reload(struct api_server *server)
{
    api_guard_reload(server);
}

static void
wait_until_idle(struct api_server *server, uint64_t timeout_ms)
{
    const struct timespec step = {0, DRAIN_STEP_MS * 1000000L};
    uint64_t end_ms = clock_monotonic_ms() + timeout_ms;

    while (atomic_load(&server->requests) > 0 && clock_monotonic_ms() < end_ms)
        (void)nanosleep(&step, NULL);
}

/* New requests get 503; those under way are waited for, then cut short; every suspended connection
 * is resumed by its worker, because the library may not be stopped with one suspended. */
static void
drain(struct api_server *server)
{
    int listener;

    atomic_store(&server->draining, true);
    listener = MHD_quiesce_daemon(server->daemon);
    api_waiting_end(server);
    api_streams_end(server, false);
    wait_until_idle(server, server->settings->shutdown_timeout_ms);
    atomic_store(&server->stopping, true);
    service_interrupt(server->service);
    api_pool_stop(server->pool);
    api_streams_end(server, true);
    wait_until_idle(server, FLUSH_MS);
    api_watchdog_stop(server);
    MHD_stop_daemon(server->daemon);
    if (listener >= 0)
        (void)close(listener);
}

void
api_server_stop(struct api_server *server)
{
    if (server == NULL)
        return;
    if (server->daemon != NULL)
        drain(server);
    api_pool_drop(server->pool);
    service_on_wake(server->service, NULL, NULL);
    api_feed_stop(server->feed);
    if (server->listener >= 0)
        (void)close(server->listener);
    api_router_drop(server->router);
    api_hosts_drop(server->hosts);
    api_guard_drop(server);
    api_digest_cache_drop(server->digests);
    api_metrics_drop(server->metrics);
    api_access_log_close(server->access_log);
    condition_drop(&server->watchdog_wake);
    lock_drop(&server->registry);
    lock_drop(&server->waiting);
    lock_drop(&server->streams_lock);
    mem_free(server);
}
