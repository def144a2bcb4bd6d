/* Tickets: what lets a browser's EventSource, which cannot send a token, open one stream. A caller
 * with a token asks for one; it is good once, for a short time, for reading what the token may
 * read. Kept in memory, as digests. Any thread. */
#ifndef API_GUARD_TICKETS_H
#define API_GUARD_TICKETS_H

#include "api/guard/tokens.h"

enum { API_TICKET_BYTES = 32 /* hexadecimal digits */ };

struct api_tickets;

ERR_MUST_CHECK enum err_code api_tickets_open(uint64_t count_max, uint64_t keep_ms,
                                              struct api_tickets **out, struct err *err);
void api_tickets_drop(struct api_tickets *tickets); /* NULL is fine */

/* `tokens`: the set that `token` is of, of which a reference is taken; both NULL when nobody needs
 * a token. `now_ms`: the monotonic clock. ERR_BUSY when there are as many as there may be. */
ERR_MUST_CHECK enum err_code api_tickets_make(struct api_tickets *tickets,
                                              struct api_tokens *tokens,
                                              const struct api_token *token, uint64_t now_ms,
                                              char out[static API_TICKET_BYTES + 1],
                                              struct err *err);
/* Whether it is good; from now on it is not. *tokens, *token: what it was made with, the reference
 * now the caller's. */
bool api_tickets_take(struct api_tickets *tickets, struct bytes ticket, uint64_t now_ms,
                      struct api_tokens **tokens, const struct api_token **token);
/* All are void: the tokens are others now. */
void api_tickets_clear(struct api_tickets *tickets);

#endif
