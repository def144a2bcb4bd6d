/* How often, and how many at once: a bucket for each client, in a table of bounded size. A bucket
 * holds `requests` at most and fills evenly, all of it in `window_ms`. Any thread; times are the
 * monotonic clock's. */
#ifndef API_GUARD_RATE_H
#define API_GUARD_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"

enum { API_RATE_KEY_BYTES = 16 };

struct api_rate_rule {
    uint64_t requests, window_ms; /* requests 0: as often as one likes */
    uint64_t at_once;             /* 0: as many as one likes */
};

struct api_rate_key {
    uint8_t bytes[API_RATE_KEY_BYTES];
};

enum api_rate_verdict { RATE_ALLOWED, RATE_TOO_OFTEN, RATE_TOO_MANY };

struct api_rate_state {
    uint64_t left, full_ms; /* requests that are left now; when there are all of them again */
    uint64_t retry_ms;      /* when the next one is allowed; 0: now */
};

struct api_rate;

/* `seed`: nobody outside knows it, so nobody can choose whose place in the table he takes. */
ERR_MUST_CHECK enum err_code api_rate_open(const struct api_rate_rule *rule, uint64_t seed,
                                           struct api_rate **out, struct err *err);
void api_rate_drop(struct api_rate *rate); /* NULL is fine */

/* Takes one request out of the bucket, unless it is refused. *place: for api_rate_leave, when it is
 * over; 0 when it was refused, or when more clients are busy than the table has room for: those are
 * let through uncounted. */
enum api_rate_verdict api_rate_enter(struct api_rate *rate, const struct api_rate_key *key,
                                     uint64_t now_ms, uint32_t *place,
                                     struct api_rate_state *state);
void api_rate_leave(struct api_rate *rate, uint32_t place); /* 0 is fine */
/* Whether one would be allowed now; takes nothing. */
bool api_rate_allows(struct api_rate *rate, const struct api_rate_key *key, uint64_t now_ms,
                     struct api_rate_state *state);

#endif
