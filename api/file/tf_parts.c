#include "api/file/tf_parts.h"

#include <inttypes.h>

#include "store/base/check.h"

enum err_code
api_tf_parts_begin(struct api_tf_parts *parts, struct arena *arena, const struct shape *whole,
                   size_t capacity, struct err *err)
{
    uint64_t stride = 1;

    *parts = (struct api_tf_parts){.whole = *whole, .total = shape_count(whole)};
    for (uint32_t i = whole->rank; i-- > 0;) {
        parts->strides[i] = stride;
        stride *= whole->dims[i];
    }
    parts->capacity = capacity;
    parts->parts = arena_array(arena, capacity, sizeof *parts->parts, err);
    parts->waiting = arena_array(arena, capacity, sizeof *parts->waiting, err);
    return parts->parts != NULL && parts->waiting != NULL ? OK : ERR_NO_MEMORY;
}

enum err_code
api_tf_parts_add(struct api_tf_parts *parts, struct arena *arena, const uint64_t *first,
                 const struct shape *shape, struct err *err)
{
    struct api_tf_part *part = &parts->parts[parts->count];
    uint32_t rank = parts->whole.rank, counted = rank;
    size_t size = rank * sizeof *part->first;

    CHECK(parts->count < parts->capacity && shape->rank == rank);
    part->first = arena_array(arena, (size_t)rank * 3, sizeof *part->first, err);
    if (part->first == NULL)
        return ERR_NO_MEMORY;
    part->dims = part->first + rank;
    part->at = part->dims + rank;
    if (size > 0) {
        memcpy(part->first, first, size);
        memcpy(part->dims, shape->dims, size);
    }
    /* A run goes over the last dimensions, as long as the part has all of them, and one more. */
    part->run = 1;
    while (counted > 0 && shape->dims[counted - 1] == parts->whole.dims[counted - 1])
        part->run *= shape->dims[--counted];
    if (counted > 0)
        part->run *= shape->dims[--counted];
    part->counted = counted;
    part->next = 0;
    for (uint32_t i = 0; i < rank; i++)
        part->next += first[i] * parts->strides[i];
    parts->count++;
    if (__builtin_add_overflow(parts->covered, shape_count(shape), &parts->covered))
        parts->covered = UINT64_MAX;
    return OK;
}

/* --- the heap ------------------------------------------------------------------------------ */

static bool
before(const struct api_tf_parts *parts, uint32_t a, uint32_t b)
{
    return parts->parts[a].next < parts->parts[b].next ||
           (parts->parts[a].next == parts->parts[b].next && a < b);
}

/* The entry at `place` moves down to where it belongs. */
static void
sift_down(struct api_tf_parts *parts, size_t place)
{
    uint32_t *heap = parts->waiting, moved = heap[place];

    for (;;) {
        size_t child = 2 * place + 1;

        if (child + 1 < parts->waiting_count && before(parts, heap[child + 1], heap[child]))
            child++;
        if (child >= parts->waiting_count || !before(parts, heap[child], moved))
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = moved;
}

enum err_code
api_tf_parts_start(struct api_tf_parts *parts, struct err *err)
{
    char text[SHAPE_TEXT_BYTES_MAX];

    if (parts->covered != parts->total)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "its %zu slices have %" PRIu64 " elements together, its shape is %s: %s",
                       parts->count, parts->covered, shape_text(&parts->whole, text),
                       parts->covered < parts->total ? "they leave a hole" : "they overlap");
    for (size_t i = 0; i < parts->count; i++)
        if (parts->parts[i].run > 0)
            parts->waiting[parts->waiting_count++] = (uint32_t)i;
    for (size_t place = parts->waiting_count / 2; place-- > 0;)
        sift_down(parts, place);
    return OK;
}

/* --- going through the whole --------------------------------------------------------------- */

bool
api_tf_part_next_run(const struct api_tf_parts *parts, struct api_tf_part *part)
{
    for (uint32_t i = part->counted; i-- > 0;) {
        part->next += parts->strides[i];
        if (++part->at[i] < part->dims[i])
            return true;
        part->next -= part->dims[i] * parts->strides[i];
        part->at[i] = 0;
    }
    return false;
}

enum err_code
api_tf_parts_next(struct api_tf_parts *parts, uint64_t count_max, size_t *part, uint64_t *count,
                  struct err *err)
{
    struct api_tf_part *next;

    CHECK(parts->position < parts->total && parts->waiting_count > 0 && count_max > 0);
    next = &parts->parts[parts->waiting[0]];
    if (parts->run_left == 0) {
        /* There are as many elements as the whole has: where one is missing, two lie elsewhere. */
        if (next->next != parts->position)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "its slices overlap and leave a hole, at element %" PRIu64,
                           parts->position);
        parts->run_left = next->run;
    }
    *part = parts->waiting[0];
    *count = parts->run_left < count_max ? parts->run_left : count_max;
    parts->run_left -= *count;
    parts->position += *count;
    if (parts->run_left > 0)
        return OK;
    if (!api_tf_part_next_run(parts, next))
        parts->waiting[0] = parts->waiting[--parts->waiting_count];
    sift_down(parts, 0);
    return OK;
}
