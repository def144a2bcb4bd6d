/* Buckets. Always true: a client that is not in the table has a full bucket; what is thrown out for
 * a newcomer is idle, and of the idle ones the fullest, which forgives least. Levels count in
 * fractions, window_ms of them to a request, so that a millisecond adds `requests` exactly. */
#include "api/guard/rate.h"

#include <string.h>

#include "store/base/alloc.h"
#include "store/base/bytes.h"
#include "store/base/lock.h"

enum { WAYS = 8, SETS = 1024 /* a power of two */, LOCKS = 64 };

struct bucket {
    struct api_rate_key key;
    uint64_t level, filled_ms;
    uint32_t active;
    bool used;
};

struct api_rate {
    struct api_rate_rule rule;
    uint64_t seed;
    struct lock locks[LOCKS]; /* of the sets with that number, modulo */
    struct bucket buckets[SETS][WAYS];
};

enum err_code
api_rate_open(const struct api_rate_rule *rule, uint64_t seed, struct api_rate **out,
              struct err *err)
{
    struct api_rate *rate = mem_zeroed(1, sizeof *rate, err);

    if (rate == NULL)
        return ERR_NO_MEMORY;
    rate->rule = *rule;
    rate->seed = seed;
    for (size_t i = 0; i < LOCKS; i++)
        lock_init(&rate->locks[i]);
    *out = rate;
    return OK;
}

void
api_rate_drop(struct api_rate *rate)
{
    if (rate == NULL)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        lock_drop(&rate->locks[i]);
    mem_free(rate);
}

static size_t
set_of(const struct api_rate *rate, const struct api_rate_key *key)
{
    uint64_t hash = bytes_hash(BYTES_HASH_BEGIN ^ rate->seed, bytes_of(key, sizeof *key));

    return (size_t)((hash ^ hash >> 32) % SETS);
}

static uint64_t
full(const struct api_rate *rate)
{
    return rate->rule.requests * rate->rule.window_ms;
}

static void
fill(const struct api_rate *rate, struct bucket *bucket, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms > bucket->filled_ms ? now_ms - bucket->filled_ms : 0;
    uint64_t missing = full(rate) - bucket->level;

    bucket->filled_ms = now_ms;
    if (passed_ms >= rate->rule.window_ms || passed_ms * rate->rule.requests >= missing)
        bucket->level = full(rate);
    else
        bucket->level += passed_ms * rate->rule.requests;
}

static struct bucket *
find(struct bucket set[static WAYS], const struct api_rate_key *key)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].used && memcmp(&set[i].key, key, sizeof *key) == 0)
            return &set[i];
    return NULL;
}

/* NULL: everybody in the set is busy. */
static struct bucket *
make(const struct api_rate *rate, struct bucket set[static WAYS], const struct api_rate_key *key,
     uint64_t now_ms)
{
    struct bucket *best = NULL;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used && set[i].active > 0)
            continue;
        if (!set[i].used) {
            best = &set[i];
            break;
        }
        fill(rate, &set[i], now_ms);
        if (best == NULL || set[i].level > best->level)
            best = &set[i];
    }
    if (best != NULL)
        *best = (struct bucket){*key, full(rate), now_ms, 0, true};
    return best;
}

static void
tell(const struct api_rate *rate, const struct bucket *bucket, struct api_rate_state *state)
{
    uint64_t requests = rate->rule.requests, window_ms = rate->rule.window_ms;

    *state = (struct api_rate_state){0};
    if (requests == 0)
        return;
    state->left = bucket->level / window_ms;
    state->full_ms = (full(rate) - bucket->level + requests - 1) / requests;
    if (bucket->level < window_ms)
        state->retry_ms = (window_ms - bucket->level + requests - 1) / requests;
}

static enum api_rate_verdict
enter(const struct api_rate *rate, struct bucket *bucket, struct api_rate_state *state)
{
    tell(rate, bucket, state);
    if (rate->rule.at_once > 0 && bucket->active >= rate->rule.at_once)
        return RATE_TOO_MANY;
    if (state->retry_ms > 0)
        return RATE_TOO_OFTEN;
    if (rate->rule.requests > 0)
        bucket->level -= rate->rule.window_ms;
    bucket->active++;
    tell(rate, bucket, state);
    state->retry_ms = 0;
    return RATE_ALLOWED;
}

enum api_rate_verdict
api_rate_enter(struct api_rate *rate, const struct api_rate_key *key, uint64_t now_ms,
               uint32_t *place, struct api_rate_state *state)
{
    size_t index = set_of(rate, key);
    struct bucket *set = rate->buckets[index], *bucket;
    enum api_rate_verdict verdict = RATE_ALLOWED;

    *place = 0;
    *state = (struct api_rate_state){.left = rate->rule.requests};
    lock_acquire(&rate->locks[index % LOCKS]);
    bucket = find(set, key);
    if (bucket != NULL)
        fill(rate, bucket, now_ms);
    else
        bucket = make(rate, set, key, now_ms);
    if (bucket != NULL)
        verdict = enter(rate, bucket, state);
    if (bucket != NULL && verdict == RATE_ALLOWED)
        *place = (uint32_t)(index * WAYS + (size_t)(bucket - set) + 1);
    lock_release(&rate->locks[index % LOCKS]);
    return verdict;
}

void
api_rate_leave(struct api_rate *rate, uint32_t place)
{
    size_t index = place == 0 ? 0 : (place - 1) / WAYS;

    if (place == 0)
        return;
    lock_acquire(&rate->locks[index % LOCKS]);
    rate->buckets[index][(place - 1) % WAYS].active--;
    lock_release(&rate->locks[index % LOCKS]);
}

bool
api_rate_allows(struct api_rate *rate, const struct api_rate_key *key, uint64_t now_ms,
                struct api_rate_state *state)
{
    size_t index = set_of(rate, key);
    struct bucket *bucket;

    *state = (struct api_rate_state){.left = rate->rule.requests};
    lock_acquire(&rate->locks[index % LOCKS]);
    bucket = find(rate->buckets[index], key);
    if (bucket != NULL) {
        fill(rate, bucket, now_ms);
        tell(rate, bucket, state);
    }
    lock_release(&rate->locks[index % LOCKS]);
    return state->retry_ms == 0;
}
