#include "api/guard/origin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { OURS_MAX = 3, NUMBER_BYTES_MAX = 24 };

/* Of two texts, name and value. */
static int
by_name(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;

    return bytes_compare(x[0], y[0]);
}

static bool
holds(const struct bytes *pairs, size_t count, struct bytes name)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(pairs[2 * i], name))
            return true;
    return false;
}

static void
put(struct bytes *pairs, size_t *count, struct bytes name, struct bytes value)
{
    pairs[2 * *count] = name;
    pairs[2 * *count + 1] = value;
    ++*count;
}

static size_t
put_ours(const struct api_origin *origin, char *numbers, struct bytes *pairs)
{
    char *revision = numbers, *step = numbers + NUMBER_BYTES_MAX;
    size_t count = 0;

    snprintf(revision, NUMBER_BYTES_MAX, "%" PRIu64, origin->revision);
    snprintf(step, NUMBER_BYTES_MAX, "%" PRId64, origin->step);
    put(pairs, &count, bytes_of_text("model"), bytes_of_text(origin->model));
    put(pairs, &count, bytes_of_text("revision"), bytes_of_text(revision));
    if (origin->has_step)
        put(pairs, &count, bytes_of_text("step"), bytes_of_text(step));
    return count;
}

enum err_code
api_origin_metadata(const struct api_origin *origin, const struct bytes *imported,
                    size_t imported_count, struct arena *arena, const struct bytes **out,
                    size_t *count, struct err *err)
{
    struct bytes *pairs = arena_array(arena, imported_count + OURS_MAX, 2 * sizeof *pairs, err);
    char *numbers = arena_alloc(arena, 2 * NUMBER_BYTES_MAX, err);
    size_t ours, total;

    if (pairs == NULL || numbers == NULL)
        return ERR_NO_MEMORY;
    total = ours = put_ours(origin, numbers, pairs);
    for (size_t i = 0; i < imported_count; i++)
        if (!holds(pairs, ours, imported[2 * i]))
            put(pairs, &total, imported[2 * i], imported[2 * i + 1]);
    qsort(pairs, total, 2 * sizeof *pairs, by_name);
    *out = pairs;
    *count = total;
    return OK;
}
