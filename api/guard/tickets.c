/* Always true: a ticket that is in the table was never taken; it holds a reference of its token's
 * set. A look compares it with all there are, to their ends. */
#include "api/guard/tickets.h"

#include <errno.h>
#include <sys/random.h>

#include "api/json/chars.h"
#include "store/base/alloc.h"
#include "store/base/lock.h"

struct ticket {
    bool used;
    uint8_t digest[API_TOKEN_DIGEST_BYTES];
    uint64_t until_ms;
    struct api_tokens *tokens;
    const struct api_token *token;
};

struct api_tickets {
    struct lock lock; /* guards the tickets */
    uint64_t keep_ms;
    size_t count;
    struct ticket tickets[];
};

enum err_code
api_tickets_open(uint64_t count_max, uint64_t keep_ms, struct api_tickets **out, struct err *err)
{
    struct api_tickets *tickets =
        mem_zeroed(1, sizeof *tickets + count_max * sizeof *tickets->tickets, err);

    if (tickets == NULL)
        return ERR_NO_MEMORY;
    lock_init(&tickets->lock);
    tickets->keep_ms = keep_ms;
    tickets->count = count_max;
    *out = tickets;
    return OK;
}

static void
void_ticket(struct ticket *ticket)
{
    api_tokens_drop(ticket->tokens);
    *ticket = (struct ticket){.used = false};
}

void
api_tickets_clear(struct api_tickets *tickets)
{
    lock_acquire(&tickets->lock);
    for (size_t i = 0; i < tickets->count; i++)
        void_ticket(&tickets->tickets[i]);
    lock_release(&tickets->lock);
}

void
api_tickets_drop(struct api_tickets *tickets)
{
    if (tickets == NULL)
        return;
    api_tickets_clear(tickets);
    lock_drop(&tickets->lock);
    mem_free(tickets);
}

static struct ticket *
find_room(struct api_tickets *tickets, uint64_t now_ms)
{
    lock_check_held(&tickets->lock);
    for (size_t i = 0; i < tickets->count; i++) {
        struct ticket *ticket = &tickets->tickets[i];

        if (ticket->used && now_ms >= ticket->until_ms)
            void_ticket(ticket);
        if (!ticket->used)
            return ticket;
    }
    return NULL;
}

enum err_code
api_tickets_make(struct api_tickets *tickets, struct api_tokens *tokens,
                 const struct api_token *token, uint64_t now_ms,
                 char out[static API_TICKET_BYTES + 1], struct err *err)
{
    uint8_t secret[API_TICKET_BYTES / 2], digest[API_TOKEN_DIGEST_BYTES];
    struct ticket *ticket;

    if (getrandom(secret, sizeof secret, 0) != sizeof secret)
        return err_set(err, ERR_UNAVAILABLE, "no random numbers for a ticket: %s", strerror(errno));
    api_chars_hex(bytes_of(secret, sizeof secret), out);
    api_token_digest(bytes_of(out, API_TICKET_BYTES), digest);
    lock_acquire(&tickets->lock);
    ticket = find_room(tickets, now_ms);
    if (ticket != NULL) {
        *ticket = (struct ticket){.used = true,
                                  .until_ms = now_ms + tickets->keep_ms,
                                  .tokens = tokens == NULL ? NULL : api_tokens_hold(tokens),
                                  .token = token};
        memcpy(ticket->digest, digest, sizeof digest);
    }
    lock_release(&tickets->lock);
    if (ticket != NULL)
        return OK;
    return err_set(err, ERR_BUSY, "%zu tickets are waiting to be used (setting tickets_max)",
                   tickets->count);
}

bool
api_tickets_take(struct api_tickets *tickets, struct bytes given, uint64_t now_ms,
                 struct api_tokens **tokens, const struct api_token **token)
{
    uint8_t digest[API_TOKEN_DIGEST_BYTES];
    struct ticket *found = NULL;

    if (given.size != API_TICKET_BYTES)
        return false;
    api_token_digest(given, digest);
    lock_acquire(&tickets->lock);
    for (size_t i = 0; i < tickets->count; i++) {
        struct ticket *ticket = &tickets->tickets[i];
        unsigned differs = ticket->used ? 0 : 1;

        for (size_t k = 0; k < sizeof digest; k++)
            differs |= ticket->digest[k] ^ digest[k];
        if (differs == 0)
            found = ticket;
    }
    if (found != NULL && now_ms >= found->until_ms) {
        void_ticket(found);
        found = NULL;
    }
    if (found != NULL) {
        *tokens = found->tokens;
        *token = found->token;
        *found = (struct ticket){.used = false};
    }
    lock_release(&tickets->lock);
    return found != NULL;
}
