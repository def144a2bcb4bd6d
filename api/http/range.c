/* What a Range header says. One that cannot be understood is ignored, as RFC 9110 asks: the whole
 * is always a correct answer. */
#include "api/http/range.h"

#include <stdlib.h>

#include "api/json/chars.h"

/* A position; one past 2^64 is past the end of anything. */
static bool
read_position(struct bytes text, uint64_t *out)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!api_is_digit(text.data[i]))
            return false;
    }
    if (text.size > 0 && !api_chars_u64(text, out))
        *out = UINT64_MAX;
    return text.size > 0;
}

/* "first-last", "first-" or "-length". False when it is none of them. *inside: something of it lies
 * in `size` bytes, and *out says what. */
static bool
read_range(struct bytes text, uint64_t size, struct api_range *out, bool *inside)
{
    const uint8_t *dash = memchr(text.data, '-', text.size);
    struct bytes first, last;
    uint64_t a = 0, b = 0;

    if (dash == NULL)
        return false;
    first = bytes_of(text.data, (size_t)(dash - text.data));
    last = bytes_of(dash + 1, text.size - first.size - 1);
    if (first.size == 0) { /* the last b bytes */
        if (!read_position(last, &b))
            return false;
        *inside = b > 0 && size > 0;
        *out = (struct api_range){b < size ? size - b : 0, size};
        return true;
    }
    if (!read_position(first, &a) || (last.size > 0 && !read_position(last, &b)))
        return false;
    if (last.size > 0 && b < a)
        return false;
    *inside = a < size;
    *out = (struct api_range){a, last.size == 0 || b >= size ? size : b + 1};
    return true;
}

/* --- together ------------------------------------------------------------------------------ */

struct placed {
    struct api_range range;
    size_t place; /* in what was asked for */
};

static int
by_begin(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    return x->range.begin < y->range.begin ? -1 : x->range.begin > y->range.begin;
}

static int
by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    return x->place < y->place ? -1 : x->place > y->place;
}

/* Ranges that overlap or touch become one. */
static void
join(struct api_ranges *ranges)
{
    struct placed sorted[API_RANGES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < ranges->count; i++)
        sorted[i] = (struct placed){ranges->list[i], i};
    qsort(sorted, ranges->count, sizeof sorted[0], by_begin);
    for (size_t i = 0; i < ranges->count; i++) {
        struct placed *last = &sorted[count > 0 ? count - 1 : 0], next = sorted[i];

        if (count == 0 || next.range.begin > last->range.end) {
            sorted[count++] = next;
            continue;
        }
        if (next.range.end > last->range.end)
            last->range.end = next.range.end;
        if (next.place < last->place)
            last->place = next.place;
    }
    qsort(sorted, count, sizeof sorted[0], by_place);
    for (size_t i = 0; i < count; i++)
        ranges->list[i] = sorted[i].range;
    ranges->count = count;
}

enum api_range_kind
api_range_parse(struct bytes header, uint64_t size, struct api_ranges *out)
{
    static const char unit[] = "bytes=";
    struct bytes rest, item;

    out->count = out->asked = 0;
    if (header.data == NULL || header.size < sizeof unit - 1 ||
        !api_chars_equal(bytes_of(header.data, sizeof unit - 1), unit))
        return RANGE_WHOLE;
    rest = bytes_of(header.data + sizeof unit - 1, header.size - (sizeof unit - 1));
    while (api_chars_next(&rest, ',', &item)) {
        struct api_range range = {0};
        bool inside = false;

        item = api_chars_trim(item);
        if (item.size == 0)
            continue; /* lists may have empty places */
        if (!read_range(item, size, &range, &inside))
            return RANGE_WHOLE;
        if (out->asked++ < API_RANGES_MAX && inside)
            out->list[out->count++] = range;
    }
    if (out->asked == 0)
        return RANGE_WHOLE;
    if (out->asked > API_RANGES_MAX)
        return RANGE_TOO_MANY;
    if (out->count == 0)
        return RANGE_UNSATISFIABLE;
    if (out->count > 1)
        join(out);
    return RANGE_PARTS;
}
