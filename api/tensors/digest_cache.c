/* A table of sets: a key belongs into one of them, and drives out what was used longest ago in it.
 * Always true: a key is in `uses` from begin to end, and nobody else computes it meanwhile. */
#include "api/tensors/digest_cache.h"

#include <nettle/sha2.h>

#include "store/base/alloc.h"
#include "store/base/lock.h"

enum { SETS = 128, WAYS = 8 };

struct slot {
    uint64_t used; /* 0: empty */
    uint8_t key[API_SHA256_BYTES], digest[API_SHA256_BYTES];
};

struct api_digest_cache {
    struct lock lock; /* guards the rest */
    struct condition ended;
    struct api_digest_use *uses;
    uint64_t clock;
    struct slot slots[SETS][WAYS];
};

enum err_code
api_digest_cache_open(struct api_digest_cache **out, struct err *err)
{
    struct api_digest_cache *cache = mem_zeroed(1, sizeof *cache, err);

    if (cache == NULL)
        return ERR_NO_MEMORY;
    lock_init(&cache->lock);
    condition_init(&cache->ended);
    *out = cache;
    return OK;
}

void
api_digest_cache_drop(struct api_digest_cache *cache)
{
    if (cache == NULL)
        return;
    condition_drop(&cache->ended);
    lock_drop(&cache->lock);
    mem_free(cache);
}

void
api_digest_key(const char *etag, struct bytes target, uint8_t out[static API_SHA256_BYTES])
{
    struct sha256_ctx hash;

    sha256_init(&hash);
    sha256_update(&hash, strlen(etag) + 1, (const uint8_t *)etag);
    sha256_update(&hash, target.size, target.data);
    sha256_digest(&hash, API_SHA256_BYTES, out);
}

static struct slot *
set_of(struct api_digest_cache *cache, const uint8_t *key)
{
    return cache->slots[key[0] % SETS];
}

static bool
find(struct api_digest_cache *cache, const uint8_t *key, uint8_t *out)
{
    struct slot *set = set_of(cache, key);

    lock_check_held(&cache->lock);
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used == 0 || memcmp(set[i].key, key, API_SHA256_BYTES) != 0)
            continue;
        set[i].used = ++cache->clock;
        memcpy(out, set[i].digest, API_SHA256_BYTES);
        return true;
    }
    return false;
}

static void
keep(struct api_digest_cache *cache, const uint8_t *key, const uint8_t *digest)
{
    struct slot *set = set_of(cache, key), *slot = set;

    lock_check_held(&cache->lock);
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < slot->used)
            slot = &set[i];
    slot->used = ++cache->clock;
    memcpy(slot->key, key, API_SHA256_BYTES);
    memcpy(slot->digest, digest, API_SHA256_BYTES);
}

bool
api_digest_find(struct api_digest_cache *cache, const uint8_t key[static API_SHA256_BYTES],
                uint8_t out[static API_SHA256_BYTES])
{
    bool found;

    lock_acquire(&cache->lock);
    found = find(cache, key, out);
    lock_release(&cache->lock);
    return found;
}

static bool
is_under_way(const struct api_digest_cache *cache, const uint8_t *key)
{
    for (const struct api_digest_use *use = cache->uses; use != NULL; use = use->next)
        if (memcmp(use->key, key, API_SHA256_BYTES) == 0)
            return true;
    return false;
}

bool
api_digest_begin(struct api_digest_cache *cache, const uint8_t key[static API_SHA256_BYTES],
                 struct api_digest_use *use, uint8_t out[static API_SHA256_BYTES])
{
    bool found;

    lock_acquire(&cache->lock);
    while (!(found = find(cache, key, out)) && is_under_way(cache, key))
        condition_wait(&cache->ended, &cache->lock);
    if (!found) {
        memcpy(use->key, key, API_SHA256_BYTES);
        use->next = cache->uses;
        cache->uses = use;
    }
    lock_release(&cache->lock);
    return found;
}

void
api_digest_end(struct api_digest_cache *cache, struct api_digest_use *use, const uint8_t *digest)
{
    struct api_digest_use **link = &cache->uses;

    lock_acquire(&cache->lock);
    while (*link != use)
        link = &(*link)->next;
    *link = use->next;
    if (digest != NULL)
        keep(cache, use->key, digest);
    condition_broadcast(&cache->ended);
    lock_release(&cache->lock);
}
