/* Who asks. Always true: nothing of a token goes into an error, a header or the log; a wrong token
 * and an expired one are answered alike; refusals do not tell whether a thing exists. */
#include "api/guard/caller.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/json/chars.h"
#include "api/state.h"
#include "store/base/clock.h"
#include "store/base/log.h"

enum { TOKEN_BYTES_MAX = 512, TELL_GUESSES_MS = 60000, RETRY_MS = 1000 };

static const char scheme[] = "Bearer ";

/* Those of one network for an IPv6 address: a client has all of its lower half. */
static struct api_rate_key
key_of_address(const struct api_connection *connection)
{
    static const unsigned char v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct api_rate_key key = {{0}};
    bool is_v4 = memcmp(connection->address, v4, sizeof v4) == 0;

    memcpy(key.bytes, connection->address, is_v4 ? sizeof key.bytes : sizeof key.bytes / 2);
    return key;
}

static struct api_rate_key
key_of_caller(const struct api_request *rq)
{
    struct api_rate_key key;

    if (rq->token == NULL)
        return key_of_address(rq->connection);
    memcpy(key.bytes, rq->token->digest, sizeof key.bytes);
    return key;
}

/* --- whose token --------------------------------------------------------------------------- */

static void
tell_of_guesses(struct api_server *server)
{
    uint64_t now_ms = clock_monotonic_ms(), last_ms = atomic_load(&server->guesses_told_ms);

    if (last_ms != 0 && now_ms - last_ms < TELL_GUESSES_MS)
        return;
    if (atomic_compare_exchange_strong(&server->guesses_told_ms, &last_ms, now_ms))
        log_write(LOG_WARNING, "an address sent more wrong tokens than token_failures_max: it is "
                               "refused for a while");
}

/* A connection whose last token was right is not held up by its neighbours' wrong ones. */
static enum err_code
check_guesses(struct api_request *rq, struct err *err)
{
    struct api_rate_key address = key_of_address(rq->connection);
    struct api_rate_state state;

    if (rq->connection->is_known ||
        api_rate_allows(rq->server->guesses, &address, clock_monotonic_ms(), &state))
        return OK;
    tell_of_guesses(rq->server);
    atomic_fetch_add(&rq->server->rate_refusals, 1);
    rq->retry_ms = state.retry_ms;
    return err_set(err, ERR_BUSY,
                   "too many wrong tokens came from this address (setting token_failures_max)");
}

static void
count_guess(struct api_request *rq)
{
    struct api_rate_key address = key_of_address(rq->connection);
    struct api_rate_state state;
    uint32_t place;

    atomic_fetch_add(&rq->server->token_failures, 1);
    if (rq->server->guesses == NULL)
        return;
    (void)api_rate_enter(rq->server->guesses, &address, clock_monotonic_ms(), &place, &state);
    api_rate_leave(rq->server->guesses, place);
}

static enum err_code
find_bearer(struct api_request *rq, struct bytes given, struct err *err)
{
    struct bytes begin = bytes_of(given.data, sizeof scheme - 1), token;
    uint8_t digest[API_TOKEN_DIGEST_BYTES];

    if (api_head_count(&rq->head, "Authorization") > 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "a request has one Authorization header");
    rq->has_credentials = true;
    TRY(check_guesses(rq, err));
    if (given.size > sizeof scheme - 1 && given.size < TOKEN_BYTES_MAX &&
        api_chars_equal(begin, scheme)) {
        token = bytes_of(given.data + begin.size, given.size - begin.size);
        api_token_digest(api_chars_trim(token), digest);
        rq->tokens = api_tokens_file_hold(rq->server->tokens);
        rq->token = api_tokens_find(rq->tokens, digest, clock_wall_ms());
    }
    rq->connection->is_known = rq->token != NULL;
    if (rq->token == NULL)
        count_guess(rq);
    return OK;
}

enum err_code
api_caller_find(struct api_request *rq, struct err *err)
{
    struct bytes given;

    if (rq->server->tokens == NULL)
        return OK;
    given = api_request_header(rq, "Authorization");
    return given.data == NULL ? OK : find_bearer(rq, given, err);
}

/* --- tickets ------------------------------------------------------------------------------- */

enum err_code
api_caller_make_ticket(struct api_request *rq, char out[static API_TICKET_BYTES + 1],
                       struct err *err)
{
    return api_tickets_make(rq->server->tickets, rq->tokens, rq->token, clock_monotonic_ms(), out,
                            err);
}

/* data NULL: the query has none. A second one is refused with the other arguments. */
static struct bytes
find_ticket(struct bytes query)
{
    static const char name[] = "ticket=";
    struct bytes pair;

    while (api_chars_next(&query, '&', &pair))
        if (bytes_start_with(pair, bytes_of_text(name)))
            return bytes_of(pair.data + sizeof name - 1, pair.size - sizeof name + 1);
    return bytes_of(NULL, 0);
}

static bool
takes_ticket(const struct api_route *route)
{
    struct bytes rest = bytes_of_text(route->query), one;

    while (api_chars_next(&rest, '|', &one))
        if (bytes_equal(one, bytes_of_text("ticket")))
            return true;
    return false;
}

static enum err_code
unauthenticated(struct err *err)
{
    err_clear(err);
    return err_set(err, ERR_UNAUTHENTICATED,
                   "this needs a token that this server knows: Authorization: Bearer TOKEN");
}

/* Also where nobody needs a token: what is good once is good once everywhere. */
static enum err_code
use_ticket(struct api_request *rq, struct bytes query, struct err *err)
{
    struct bytes ticket = find_ticket(query);

    if (ticket.data == NULL)
        return OK;
    rq->has_credentials = true;
    if (rq->server->guesses != NULL)
        TRY(check_guesses(rq, err));
    if (api_tickets_take(rq->server->tickets, ticket, clock_monotonic_ms(), &rq->tokens,
                         &rq->token))
        return OK;
    count_guess(rq);
    return unauthenticated(err);
}

/* --- what he may --------------------------------------------------------------------------- */

static enum err_code
check_rate(struct api_request *rq, struct err *err)
{
    struct api_rate_key key = key_of_caller(rq);
    enum api_rate_verdict verdict =
        api_rate_enter(rq->server->rate, &key, clock_monotonic_ms(), &rq->rate_place, &rq->rate);

    rq->is_counted = true;
    if (verdict == RATE_ALLOWED)
        return OK;
    atomic_fetch_add(&rq->server->rate_refusals, 1);
    rq->retry_ms = rq->rate.retry_ms;
    err_clear(err);
    if (verdict == RATE_TOO_MANY)
        return err_set(err, ERR_BUSY,
                       "this client has as many requests under way as it may have "
                       "(setting requests_per_client_max)");
    return err_set(err, ERR_BUSY,
                   "more requests than this client may send (settings "
                   "rate_requests_max and rate_window_ms)");
}

enum err_code
api_caller_check_scope(struct api_request *rq, enum api_scope scope, const char *doing,
                       struct err *err)
{
    if (rq->server->tokens == NULL || (rq->token != NULL && rq->token->scope >= scope))
        return OK;
    rq->scope_missing = api_scope_name(scope);
    return err_set(err, ERR_PERMISSION_DENIED, "%s needs the scope '%s', token '%s' has '%s'",
                   doing, api_scope_name(scope), api_caller_name(rq),
                   rq->token == NULL ? "none" : api_scope_name(rq->token->scope));
}

bool
api_caller_sees(const struct api_request *rq, const char *model)
{
    return rq->server->tokens == NULL ||
           (rq->token != NULL && api_token_covers(rq->token, bytes_of_text(model)));
}

enum err_code
api_caller_check_model(struct api_request *rq, const char *model, struct err *err)
{
    if (model == NULL || model[0] == '\0' || api_caller_sees(rq, model))
        return OK;
    return err_set(err, ERR_PERMISSION_DENIED, "token '%s' is not for model '%s'",
                   api_caller_name(rq), model);
}

static enum err_code
check_access(struct api_request *rq, const struct api_access *access, struct err *err)
{
    TRY(api_caller_check_scope(rq, access->scope, rq->match.route->operation_id, err));
    if (access->all_models && rq->token->models.size > 0)
        return err_set(err, ERR_PERMISSION_DENIED,
                       "%s is about all models, token '%s' is for some only",
                       rq->match.route->operation_id, rq->token->name);
    return api_caller_check_model(rq, rq->match.path.model, err);
}

enum err_code
api_caller_admit(struct api_request *rq, enum err_code routed, struct bytes query, struct err *err)
{
    struct api_server *server = rq->server;
    const struct api_route *route = routed == OK ? rq->match.route : NULL;
    const struct api_access *access = route == NULL ? NULL : &server->access[route - api_routes];

    if (access != NULL && access->scope == SCOPE_FREE)
        return OK;
    if (access != NULL && rq->token == NULL && !rq->has_credentials && query.size > 0 &&
        takes_ticket(route))
        TRY(use_ticket(rq, query, err));
    if (server->tokens != NULL && rq->method != METHOD_OPTIONS &&
        !(access != NULL && access->scope == SCOPE_OPEN)) {
        if (rq->token == NULL)
            return unauthenticated(err);
        if (access != NULL)
            TRY(check_access(rq, access, err));
    }
    if (server->rate != NULL)
        TRY(check_rate(rq, err));
    return routed;
}

void
api_caller_served(struct api_request *rq)
{
    if (rq->rate_place != 0)
        api_rate_leave(rq->server->rate, rq->rate_place);
    rq->rate_place = 0;
}

void
api_caller_leave(struct api_request *rq)
{
    api_caller_served(rq);
    api_tokens_drop(rq->tokens);
    rq->tokens = NULL;
    rq->token = NULL;
}

const char *
api_caller_name(const struct api_request *rq)
{
    return rq->token == NULL ? "" : rq->token->name;
}

/* --- what the reply says ------------------------------------------------------------------- */

enum err_code
api_caller_explain(struct api_request *rq, const struct err *problem)
{
    struct api_reply *rp = &rq->reply;
    uint64_t retry_ms = rq->retry_ms == 0 ? RETRY_MS : rq->retry_ms;

    if (problem->code == ERR_BUSY || problem->code == ERR_UNAVAILABLE)
        TRY(api_reply_header(rp, "Retry-After", NULL, "%" PRIu64, (retry_ms + 999) / 1000));
    if (problem->code == ERR_UNAUTHENTICATED)
        TRY(api_reply_header(rp, "WWW-Authenticate", NULL, "Bearer realm=\"tensorkeep\"%s",
                             rq->has_credentials ? ", error=\"invalid_token\"" : ""));
    if (problem->code == ERR_PERMISSION_DENIED && rq->scope_missing != NULL)
        TRY(api_reply_header(rp, "WWW-Authenticate", NULL,
                             "Bearer realm=\"tensorkeep\", error=\"insufficient_scope\", "
                             "scope=\"%s\"",
                             rq->scope_missing));
    return OK;
}

bool
api_caller_limit_text(const struct api_request *rq, char *out, size_t size)
{
    if (!rq->is_counted || rq->server->settings->rate_requests_max == 0)
        return false;
    snprintf(out, size, "\"default\";r=%" PRIu64 ";t=%" PRIu64, rq->rate.left,
             (rq->rate.full_ms + 999) / 1000);
    return true;
}
