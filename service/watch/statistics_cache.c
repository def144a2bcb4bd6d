#include "service/watch/statistics_cache.h"

#include "store/base/alloc.h"
#include "store/base/lock.h"

enum { SETS = 128, WAYS = 8 };

struct slot {
    uint64_t used; /* 0: empty */
    uint64_t id, revision;
    struct statistics statistics;
};

/* A value belongs into one set, and drives out what was used longest ago in it. */
struct statistics_cache {
    struct lock lock; /* guards the rest */
    uint64_t clock;
    struct slot *sets[SETS]; /* of WAYS; NULL until something is kept there */
};

enum err_code
statistics_cache_open(struct statistics_cache **out, struct err *err)
{
    struct statistics_cache *cache = mem_zeroed(1, sizeof *cache, err);

    if (cache == NULL)
        return ERR_NO_MEMORY;
    lock_init(&cache->lock);
    *out = cache;
    return OK;
}

void
statistics_cache_drop(struct statistics_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < SETS; i++)
        mem_free(cache->sets[i]);
    lock_drop(&cache->lock);
    mem_free(cache);
}

static struct slot *
find(struct slot *set, const struct look_value *value)
{
    for (size_t i = 0; set != NULL && i < WAYS; i++)
        if (set[i].used != 0 && set[i].id == value->value.id && set[i].revision == value->revision)
            return &set[i];
    return NULL;
}

static struct slot **
set_of(struct statistics_cache *cache, const struct look_value *value)
{
    return &cache->sets[(value->value.id * UINT64_C(0x9E3779B97F4A7C15) >> 32) % SETS];
}

bool
statistics_cache_find(struct statistics_cache *cache, const struct look_value *value,
                      struct statistics *out)
{
    struct slot *slot = NULL;

    if (value->value.kind != VALUE_CHUNKS)
        return false;
    lock_acquire(&cache->lock);
    slot = find(*set_of(cache, value), value);
    if (slot != NULL) {
        slot->used = ++cache->clock;
        *out = slot->statistics;
    }
    lock_release(&cache->lock);
    return slot != NULL;
}

static struct slot *
oldest_of(struct slot *set)
{
    struct slot *oldest = set;

    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < oldest->used)
            oldest = &set[i];
    return oldest;
}

/* Under the lock. Nothing is lost but time when there is no memory for it. */
static void
keep(struct statistics_cache *cache, const struct look_value *value,
     const struct statistics *statistics)
{
    struct slot **set = set_of(cache, value), *slot;

    if (*set == NULL)
        *set = mem_zeroed(WAYS, sizeof **set, NULL);
    if (*set == NULL)
        return;
    slot = find(*set, value); /* two took them at once */
    if (slot == NULL)
        slot = oldest_of(*set);
    *slot = (struct slot){.used = ++cache->clock,
                          .id = value->value.id,
                          .revision = value->revision,
                          .statistics = *statistics};
}

void
statistics_cache_keep(struct statistics_cache *cache, const struct look_value *value,
                      const struct statistics *statistics)
{
    if (value->value.kind != VALUE_CHUNKS)
        return;
    lock_acquire(&cache->lock);
    keep(cache, value, statistics);
    lock_release(&cache->lock);
}
