/* Bump memory with one lifetime: one release instead of many, and one limit for all of a request.
 *
 * Always true: every block handed out is 16-byte aligned, zeroed and apart from all others; `used`
 * never passes `size_max`. `used` counts in steps of 16 bytes, so many tiny pieces cannot slip
 * under the limit. Locking is left to the caller: an arena belongs to one thread at a time. */
#include "store/base/arena.h"

#include "store/base/alloc.h"

enum {
    ARENA_STEP_BYTES = 16,
    ARENA_BLOCK_FIRST_BYTES = 4096,
    ARENA_BLOCK_MAX_BYTES = 256 * 1024,
    ARENA_LIST_FIRST = 8, /* items that a list begins with */
};

struct arena_block {
    _Alignas(ARENA_STEP_BYTES) struct arena_block *next;
    size_t size, used; /* of data */
    _Alignas(ARENA_STEP_BYTES) uint8_t data[];
};

void
arena_init(struct arena *a, size_t size_max)
{
    *a = (struct arena){.size_max = size_max};
}

void
arena_drop(struct arena *a)
{
    struct arena_block *block = a->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;

        mem_free(block);
        block = next;
    }
    *a = (struct arena){0};
}

/* A block with room for `size`. Blocks double; a piece past half of what would come next gets a
 * block of its own behind the head, so that the room left in the head is not lost. */
static struct arena_block *
add_block(struct arena *a, size_t size, struct err *err)
{
    size_t want = a->blocks == NULL ? ARENA_BLOCK_FIRST_BYTES : a->blocks->size * 2;
    size_t total = 0;
    struct arena_block *block;

    if (want > ARENA_BLOCK_MAX_BYTES)
        want = ARENA_BLOCK_MAX_BYTES;
    if (size > want / 2)
        want = size;
    if (__builtin_add_overflow(want, sizeof *block, &total))
        total = SIZE_MAX;
    block = mem_zeroed(1, total, err);
    if (block == NULL)
        return NULL;
    block->size = want;
    if (want == size && a->blocks != NULL) {
        block->next = a->blocks->next;
        a->blocks->next = block;
    } else {
        block->next = a->blocks;
        a->blocks = block;
    }
    return block;
}

void *
arena_alloc(struct arena *a, size_t size, struct err *err)
{
    struct arena_block *block = a->blocks;
    size_t step = 0;
    void *piece;

    if (__builtin_add_overflow(size ? size : 1, (size_t)ARENA_STEP_BYTES - 1, &step) ||
        (step &= ~((size_t)ARENA_STEP_BYTES - 1)) > a->size_max - a->used) {
        (void)err_set(err, ERR_PAYLOAD_TOO_LARGE,
                      "%zu more bytes beside %zu are over the limit of %zu bytes", size, a->used,
                      a->size_max);
        return NULL;
    }
    if (block == NULL || block->size - block->used < step) {
        block = add_block(a, step, err);
        if (block == NULL)
            return NULL;
    }
    piece = block->data + block->used;
    block->used += step;
    a->used += step;
    return piece;
}

void *
arena_array(struct arena *a, size_t count, size_t size, struct err *err)
{
    size_t total = 0;

    if (__builtin_mul_overflow(count, size, &total))
        total = SIZE_MAX;
    return arena_alloc(a, total, err);
}

void *
arena_grown(struct arena *a, void *items, size_t count, size_t *capacity, size_t size,
            struct err *err)
{
    size_t wanted = *capacity > 0 ? *capacity * 2 : ARENA_LIST_FIRST;
    void *grown;

    if (count < *capacity)
        return items;
    grown = arena_array(a, wanted, size, err);
    if (grown == NULL)
        return NULL;
    if (count > 0)
        memcpy(grown, items, count * size);
    *capacity = wanted;
    return grown;
}

char *
arena_text(struct arena *a, struct bytes text, struct err *err)
{
    char *copy = arena_alloc(a, text.size == SIZE_MAX ? SIZE_MAX : text.size + 1, err);

    if (copy != NULL && text.size > 0)
        memcpy(copy, text.data, text.size);
    return copy;
}
