#include "api/guard/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "api/feed/stream.h"
#include "api/state.h"
#include "store/base/alloc.h"
#include "store/base/log.h"

enum { GUESSES_WINDOW_MS = 60000 };

/* Not the one that ids of requests are made of: every reply shows one, and it could be told from
 * it.
 */
static enum err_code
make_seed(uint64_t *out, struct err *err)
{
    if (getrandom(out, sizeof *out, 0) == sizeof *out)
        return OK;
    return err_set(err, ERR_UNAVAILABLE, "no random numbers for the limits of clients: %s",
                   strerror(errno));
}

static enum err_code
open_limits(struct api_server *server, struct err *err)
{
    const struct settings *settings = server->settings;
    struct api_rate_rule clients = {settings->rate_requests_max, settings->rate_window_ms,
                                    settings->requests_per_client_max};
    struct api_rate_rule guesses = {settings->token_failures_max, GUESSES_WINDOW_MS, 0};
    uint64_t seed = 0;

    TRY(api_access_of(api_routes, api_route_count, &server->access, err));
    TRY(make_seed(&seed, err));
    if (clients.requests > 0 || clients.at_once > 0)
        TRY(api_rate_open(&clients, seed, &server->rate, err));
    snprintf(server->rate_policy, sizeof server->rate_policy,
             "\"default\";q=%" PRIu64 ";w=%" PRIu64, clients.requests,
             (clients.window_ms + 999) / 1000);
    if (settings->tokens[0] == '\0')
        return OK;
    TRY(api_rate_open(&guesses, seed, &server->guesses, err));
    return api_tokens_file_open(settings->tokens, &server->tokens, err);
}

static enum err_code
open_tls(struct api_server *server, struct err *err)
{
    const char *certificate = server->settings->tls_cert, *key = server->settings->tls_key;

    if (certificate[0] == '\0' && key[0] == '\0')
        return OK;
    if (certificate[0] == '\0' || key[0] == '\0')
        return err_set(err, ERR_INVALID_ARGUMENT, "setting '%s' is needed where '%s' is given",
                       certificate[0] == '\0' ? "tls_cert" : "tls_key",
                       certificate[0] == '\0' ? "tls_key" : "tls_cert");
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES ||
        MHD_is_feature_supported(MHD_FEATURE_HTTPS_CERT_CALLBACK) != MHD_YES)
        return err_set(err, ERR_UNIMPLEMENTED, "this libmicrohttpd was built without TLS");
    return api_tls_open(certificate, key, &server->tls, err);
}

enum err_code
api_guard_open(struct api_server *server, struct err *err)
{
    TRY(open_limits(server, err));
    TRY(api_tickets_open(server->settings->tickets_max, server->settings->ticket_keep_ms,
                         &server->tickets, err));
    return open_tls(server, err);
}

void
api_guard_drop(struct api_server *server)
{
    api_tickets_drop(server->tickets);
    api_tokens_file_drop(server->tokens);
    api_tls_drop(server->tls);
    api_rate_drop(server->guesses);
    api_rate_drop(server->rate);
    mem_free(server->access);
}

/* --- reading again ------------------------------------------------------------------------- */

static void
reload_tokens(struct api_server *server, struct api_tokens_file *file)
{
    struct err err = ERR_INIT;
    struct api_tokens *tokens;

    if (api_tokens_file_reload(file, &err) != OK) {
        log_failure("reading the tokens file again; the tokens stay as they were", &err);
        return;
    }
    tokens = api_tokens_file_hold(file);
    log_write(LOG_INFO, "the tokens file was read again: %zu tokens", api_tokens_count(tokens));
    api_tokens_drop(tokens);
    api_tickets_clear(server->tickets);
    api_streams_check(server);
}

static void
reload_certificate(struct api_tls *tls)
{
    char fingerprint[API_TLS_FINGERPRINT_BYTES_MAX];
    struct err err = ERR_INIT;

    if (api_tls_reload(tls, &err) != OK) {
        log_failure("reading the certificate again; it stays as it was", &err);
        return;
    }
    api_tls_fingerprint(tls, fingerprint);
    log_write(LOG_INFO, "the certificate was read again: sha256 %s", fingerprint);
}

void
api_guard_reload(struct api_server *server)
{
    if (server->tokens != NULL)
        reload_tokens(server, server->tokens);
    if (server->tls != NULL)
        reload_certificate(server->tls);
}
