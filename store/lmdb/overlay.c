#include "store/lmdb/overlay.h"

#include "store/base/check.h"

void
store_overlay_init(struct store_overlay *o)
{
    *o = (struct store_overlay){.random = 0x9e3779b97f4a7c15u};
    arena_init(&o->arena, STORE_OVERLAY_BYTES_MAX);
}

void
store_overlay_drop(struct store_overlay *o)
{
    arena_drop(&o->arena);
    *o = (struct store_overlay){0};
}

/* One level in four is followed by another, as usual; the sequence is fixed, so runs repeat. */
static unsigned
pick_levels(struct store_overlay *o)
{
    unsigned levels = 1;

    o->random ^= o->random << 13;
    o->random ^= o->random >> 7;
    o->random ^= o->random << 17;
    for (uint64_t bits = o->random; (bits & 3) == 0 && levels < STORE_OVERLAY_LEVELS; bits >>= 2)
        levels++;
    return levels;
}

/* Walks to the last place before `key` on each level. `links[i]` is the pointer to follow from
 * there. */
static struct store_change *
walk(const struct store_overlay *o, struct bytes key, bool after,
     struct store_change **links[STORE_OVERLAY_LEVELS])
{
    struct store_change **row = (struct store_change **)(uintptr_t)o->first;
    struct store_change *found = NULL;

    for (unsigned level = STORE_OVERLAY_LEVELS; level-- > 0;) {
        for (;;) {
            struct store_change *next = row[level];
            int order = next == NULL ? 1 : bytes_compare(next->key, key);

            if (order > 0 || (order == 0 && !after))
                break;
            row = next->next;
        }
        if (links != NULL)
            links[level] = &row[level];
        found = row[level];
    }
    return found;
}

const struct store_change *
store_overlay_seek(const struct store_overlay *o, struct bytes key, bool after)
{
    return walk(o, key, after, NULL);
}

const struct store_change *
store_overlay_find(const struct store_overlay *o, struct bytes key)
{
    const struct store_change *change = walk(o, key, false, NULL);

    return change != NULL && bytes_equal(change->key, key) ? change : NULL;
}

static enum err_code
set_value(struct store_overlay *o, struct store_change *change, struct bytes value, struct err *err)
{
    if (value.data == NULL) {
        change->value = bytes_of(NULL, 0);
        return OK;
    }
    if (change->room == NULL || change->room_size < value.size) {
        uint8_t *room = arena_alloc(&o->arena, value.size + 1, err);

        if (room == NULL)
            return ERR_NO_MEMORY;
        change->room = room;
        change->room_size = value.size;
    }
    memmove(change->room, value.data, value.size); /* may be the old value of the same key */
    change->value = bytes_of(change->room, value.size);
    return OK;
}

enum err_code
store_overlay_set(struct store_overlay *o, struct bytes key, struct bytes value, struct err *err)
{
    struct store_change **links[STORE_OVERLAY_LEVELS];
    struct store_change *change = walk(o, key, false, links);
    unsigned levels = pick_levels(o);
    uint8_t *copy;

    if (change != NULL && bytes_equal(change->key, key))
        return set_value(o, change, value, err);
    change = arena_alloc(&o->arena, sizeof *change + levels * sizeof change->next[0], err);
    if (change == NULL)
        return ERR_NO_MEMORY;
    copy = arena_alloc(&o->arena, key.size + 1, err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, key.data, key.size);
    change->key = bytes_of(copy, key.size);
    change->levels = levels;
    TRY(set_value(o, change, value, err));
    for (unsigned level = 0; level < levels; level++) {
        change->next[level] = *links[level];
        *links[level] = change;
    }
    return OK;
}
