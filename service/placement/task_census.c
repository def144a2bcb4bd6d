#include "service/placement/task_census.h"

#include <string.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/lock.h"

enum { LISTS = 4096 };

/* On one task, or on none. */
struct share {
    uint32_t place;
    uint64_t variables, initialized, bytes;
};

/* Of one model. */
struct counted {
    struct counted *next;
    uint64_t model_id, revision;
    size_t size;      /* of this in memory */
    uint64_t unnamed; /* variables on missing tasks, and … */
    uint64_t names; /* … the hash of those that were named before: others would be, with others */
    size_t share_count, missing_count;
    struct task_missing *missing; /* behind the shares */
    struct share shares[];
};

struct task_census {
    struct lock lock; /* guards the rest */
    size_t size;      /* of all that is counted */
    struct counted *lists[LISTS];
};

enum err_code
task_census_open(struct task_census **out, struct err *err)
{
    struct task_census *census = mem_zeroed(1, sizeof *census, err);

    if (census == NULL)
        return ERR_NO_MEMORY;
    lock_init(&census->lock);
    *out = census;
    return OK;
}

/* Takes the first of a list out. */
static void
forget(struct task_census *census, struct counted **at)
{
    struct counted *counted = *at;

    *at = counted->next;
    census->size -= counted->size;
    mem_free(counted);
}

static void
forget_all(struct task_census *census)
{
    for (size_t i = 0; i < LISTS; i++)
        while (census->lists[i] != NULL)
            forget(census, &census->lists[i]);
}

void
task_census_drop(struct task_census *census)
{
    if (census == NULL)
        return;
    forget_all(census);
    lock_drop(&census->lock);
    mem_free(census);
}

/* Where the model's is, or would be: the end of its list. */
static struct counted **
find(struct task_census *census, uint64_t model_id)
{
    struct counted **at = &census->lists[model_id % LISTS];

    while (*at != NULL && (*at)->model_id != model_id)
        at = &(*at)->next;
    return at;
}

static uint64_t
hash_names(const struct task_usages *usages)
{
    uint64_t hash = BYTES_HASH_BEGIN;

    for (size_t i = 0; i < usages->missing_count; i++)
        hash = bytes_hash(hash,
                          bytes_of(usages->missing[i].name, strlen(usages->missing[i].name) + 1));
    return hash;
}

/* --- adding ----------------------------------------------------------------------------------- */

/* Or how many there are. */
static size_t
find_missing(const struct task_usages *usages, const char *name)
{
    size_t i = 0;

    while (i < usages->missing_count && strcmp(usages->missing[i].name, name) != 0)
        i++;
    return i;
}

size_t
task_missing_find(struct task_usages *usages, const char *name)
{
    size_t i = find_missing(usages, name);

    if (i < usages->missing_count || i == TASK_MISSING_MAX)
        return i;
    memcpy(usages->missing[i].name, name, strlen(name) + 1);
    usages->missing[i].variables = 0;
    return usages->missing_count++;
}

/* Of all it has on missing tasks, the sum for each. Where some of those cannot be named now, but
 * could be then, the sums do not say how many variables are on these together. */
static bool
can_be_named(const struct task_usages *usages, const struct counted *counted)
{
    size_t more = 0;

    for (size_t i = 0; i < counted->missing_count; i++)
        more += find_missing(usages, counted->missing[i].name) == usages->missing_count;
    return usages->missing_count + more <= TASK_MISSING_MAX;
}

static bool
holds(const struct task_usages *usages, const struct counted *counted)
{
    return counted->unnamed == 0 ? can_be_named(usages, counted)
                                 : counted->names == hash_names(usages);
}

static void
add(struct task_usages *usages, const struct counted *counted)
{
    for (size_t i = 0; i < counted->share_count; i++) {
        const struct share *share = &counted->shares[i];
        struct task_usage *task = &usages->tasks[share->place];

        task->variables += share->variables;
        task->initialized += share->initialized;
        task->bytes += share->bytes;
    }
    usages->unnamed += counted->unnamed;
    for (size_t i = 0; i < counted->missing_count; i++) {
        size_t at = task_missing_find(usages, counted->missing[i].name);

        CHECK(at < TASK_MISSING_MAX);
        usages->missing[at].variables += counted->missing[i].variables;
    }
}

bool
task_census_add(struct task_census *census, uint64_t model_id, uint64_t revision,
                struct task_usages *usages)
{
    const struct counted *counted;
    bool known;

    lock_acquire(&census->lock);
    counted = *find(census, model_id);
    known = counted != NULL && counted->revision == revision && holds(usages, counted);
    if (known)
        add(usages, counted);
    lock_release(&census->lock);
    return known;
}

/* --- keeping ---------------------------------------------------------------------------------- */

static bool
has_more(const struct task_usages *before, const struct task_usages *after, size_t place)
{
    return before->tasks[place].variables != after->tasks[place].variables;
}

static uint64_t
missing_before(const struct task_usages *before, size_t i)
{
    return i < before->missing_count ? before->missing[i].variables : 0;
}

/* How much memory it takes. */
static size_t
measure(const struct task_usages *before, const struct task_usages *after, struct counted *out)
{
    for (size_t i = 0; i <= after->count; i++)
        out->share_count += has_more(before, after, i);
    for (size_t i = 0; i < after->missing_count; i++)
        out->missing_count += after->missing[i].variables != missing_before(before, i);
    return sizeof *out + out->share_count * sizeof(struct share) +
           out->missing_count * sizeof(struct task_missing);
}

/* Into what has room for it. */
static void
fill(struct counted *counted, const struct task_usages *before, const struct task_usages *after)
{
    struct share *share = counted->shares;
    struct task_missing *missing;

    for (size_t i = 0; i <= after->count; i++) {
        const struct task_usage *was = &before->tasks[i], *is = &after->tasks[i];

        if (has_more(before, after, i))
            *share++ = (struct share){.place = (uint32_t)i,
                                      .variables = is->variables - was->variables,
                                      .initialized = is->initialized - was->initialized,
                                      .bytes = is->bytes - was->bytes};
    }
    counted->missing = missing = (struct task_missing *)share;
    for (size_t i = 0; i < after->missing_count; i++)
        if (after->missing[i].variables != missing_before(before, i)) {
            *missing = after->missing[i];
            missing++->variables -= missing_before(before, i);
        }
}

/* Takes it. */
static void
put(struct task_census *census, struct counted *counted)
{
    struct counted **at = find(census, counted->model_id);

    if (*at != NULL && (*at)->revision > counted->revision) { /* of an older snapshot */
        mem_free(counted);
        return;
    }
    if (*at != NULL)
        forget(census, at);
    if (census->size + counted->size > TASK_CENSUS_BYTES_MAX)
        forget_all(census);
    counted->next = census->lists[counted->model_id % LISTS];
    census->lists[counted->model_id % LISTS] = counted;
    census->size += counted->size;
}

void
task_census_keep(struct task_census *census, uint64_t model_id, uint64_t revision,
                 const struct task_usages *before, const struct task_usages *after)
{
    struct counted head = {.model_id = model_id,
                           .revision = revision,
                           .unnamed = after->unnamed - before->unnamed,
                           .names = hash_names(before)};
    struct counted *counted;

    head.size = measure(before, after, &head);
    counted = mem_alloc(head.size, NULL);
    if (counted == NULL)
        return;
    *counted = head;
    fill(counted, before, after);
    lock_acquire(&census->lock);
    put(census, counted);
    lock_release(&census->lock);
}
