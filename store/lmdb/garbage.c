#include "store/lmdb/garbage.h"

#include "store/base/alloc.h"
#include "store/lmdb/chunk.h"

enum { BLOCK_FIRST_ENTRIES = 8, BLOCK_ENTRIES_MAX = 1024 };

/* --- lists --------------------------------------------------------------------------------- */

static void
append_block(struct store_freed_list *list, struct store_freed_block *block)
{
    block->next = NULL;
    if (list->last == NULL)
        list->first = block;
    else
        list->last->next = block;
    list->last = block;
    list->count += block->count;
}

enum err_code
store_freed_add(struct store_freed_list *list, struct store_freed entry, struct err *err)
{
    struct store_freed_block *block = list->last;

    if (block == NULL || block->count == block->capacity) {
        unsigned capacity = block == NULL ? BLOCK_FIRST_ENTRIES : block->capacity * 2;

        if (capacity > BLOCK_ENTRIES_MAX)
            capacity = BLOCK_ENTRIES_MAX;
        block = mem_alloc(sizeof *block + capacity * sizeof block->entries[0], err);
        if (block == NULL)
            return ERR_NO_MEMORY;
        block->count = 0;
        block->capacity = capacity;
        append_block(list, block);
    }
    block->entries[block->count++] = entry;
    list->count++;
    return OK;
}

void
store_freed_drop(struct store_freed_list *list)
{
    struct store_freed_block *block = list->first;

    while (block != NULL) {
        struct store_freed_block *next = block->next;

        mem_free(block);
        block = next;
    }
    *list = (struct store_freed_list){0};
}

void
store_freed_move(struct store_freed_list *to, struct store_freed_list *from)
{
    if (from->first == NULL)
        return;
    if (to->last == NULL)
        to->first = from->first;
    else
        to->last->next = from->first;
    to->last = from->last;
    to->count += from->count;
    *from = (struct store_freed_list){0};
}

/* --- garbage ------------------------------------------------------------------------------- */

void
store_garbage_init(struct store_garbage *g)
{
    memset(g, 0, sizeof *g);
    lock_init(&g->lock);
}

void
store_garbage_drop(struct store_garbage *g)
{
    store_freed_drop(&g->waiting);
    store_freed_drop(&g->held);
    lock_drop(&g->lock);
}

void
store_garbage_give(struct store_garbage *g, struct store_freed_list *list)
{
    lock_acquire(&g->lock);
    store_freed_move(&g->waiting, list);
    lock_release(&g->lock);
}

uint64_t
store_garbage_count(struct store_garbage *g)
{
    uint64_t count;

    lock_acquire(&g->lock);
    count = g->waiting.count + g->held.count;
    for (int class = 0; class < STORE_CLASS_COUNT; class ++)
        count += g->doomed.count[class];
    lock_release(&g->lock);
    return count;
}

/* False when there is no room for one more of its class. An id of no class is nothing to delete. */
static bool
doom(struct store_doomed *doomed, uint64_t id)
{
    enum store_class class = store_chunk_class(id);

    if (class == STORE_CLASS_COUNT)
        return true;
    if (doomed->count[class] == STORE_DELETE_MAX)
        return false;
    doomed->ids[class][doomed->count[class]++] = id;
    return true;
}

/* Takes what can go out of a block, keeping the order of the rest. Returns false when an entry is
 * too young: all behind it are, too. */
static bool
sift(struct store_freed_block *block, uint64_t revision_max, struct store_pins *pins,
     struct store_doomed *doomed)
{
    unsigned kept = 0, i = 0;
    bool all_old = true;

    for (; i < block->count; i++) {
        struct store_freed entry = block->entries[i];

        if (entry.revision > revision_max) {
            all_old = false;
            break;
        }
        if (store_pins_need(pins, entry.family, entry.id, entry.revision) ||
            !doom(doomed, entry.id))
            block->entries[kept++] = entry;
    }
    for (; i < block->count; i++)
        block->entries[kept++] = block->entries[i];
    block->count = kept;
    return all_old;
}

static bool
has_room(const struct store_doomed *doomed)
{
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        if (doomed->count[class] == STORE_DELETE_MAX)
            return false;
    }
    return true;
}

/* Small rests are poured together, so that a few held entries do not keep many blocks alive. */
static void
keep_rest(struct store_freed_list *list, struct store_freed_block *block)
{
    struct store_freed_block *last = list->last;

    if (block->count == 0 || (last != NULL && last->capacity - last->count >= block->count)) {
        for (unsigned i = 0; i < block->count; i++)
            last->entries[last->count++] = block->entries[i];
        list->count += block->count;
        mem_free(block);
        return;
    }
    append_block(list, block);
}

/* Looks once through every block that was in `list`; rests go to `rest`. */
static void
take_from(struct store_freed_list *list, struct store_freed_list *rest, uint64_t revision_max,
          struct store_pins *pins, struct store_doomed *doomed)
{
    struct store_freed_block *block = list->first;
    struct store_freed_list left = {0};

    *list = (struct store_freed_list){0};
    while (block != NULL) {
        struct store_freed_block *next = block->next;
        bool all_old = has_room(doomed) && sift(block, revision_max, pins, doomed);

        if (!all_old || !has_room(doomed)) {
            /* Where we stopped, or would stop: this block and all behind it stay as they are. */
            for (; block != NULL; block = next) {
                next = block->next;
                if (block->count == 0)
                    mem_free(block);
                else
                    append_block(&left, block);
            }
            break;
        }
        keep_rest(rest, block);
        block = next;
    }
    store_freed_move(&left, list);
    *list = left;
}

void
store_garbage_take(struct store_garbage *g, uint64_t revision_max, struct store_pins *pins)
{
    struct store_doomed *doomed = &g->doomed;
    uint64_t dropped = store_pins_dropped(pins);
    struct store_freed_list rest = {0};

    lock_acquire(&g->lock);
    if (g->held.first != NULL && g->pins_seen != dropped && has_room(doomed)) {
        take_from(&g->held, &rest, UINT64_MAX, pins, doomed);
        if (has_room(doomed)) /* all of them were looked at */
            g->pins_seen = dropped;
    }
    take_from(&g->waiting, &rest, revision_max, pins, doomed);
    store_freed_move(&g->held, &rest);
    lock_release(&g->lock);
}
