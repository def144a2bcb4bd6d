/* Byte ranges. A header that cannot be understood is ignored, as RFC 9110 asks; so are several
 * ranges, for which the whole is a correct answer. */
#include "api/range.h"

#include "api/chars.h"

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

static bool
read_bounds(struct bytes text, struct bytes *first, struct bytes *last)
{
    const uint8_t *dash;

    text = api_chars_trim(text);
    if (text.size == 0 || memchr(text.data, ',', text.size) != NULL)
        return false;
    dash = memchr(text.data, '-', text.size);
    if (dash == NULL)
        return false;
    *first = bytes_of(text.data, (size_t)(dash - text.data));
    *last = bytes_of(dash + 1, text.size - first->size - 1);
    return true;
}

enum api_range_kind
api_range_parse(struct bytes header, uint64_t size, struct api_range *out)
{
    static const char unit[] = "bytes=";
    struct bytes first, last;
    uint64_t a = 0, b = 0;

    if (header.data == NULL || header.size < sizeof unit - 1 ||
        !api_chars_equal(bytes_of(header.data, sizeof unit - 1), unit) ||
        !read_bounds(bytes_of(header.data + sizeof unit - 1, header.size - (sizeof unit - 1)),
                     &first, &last))
        return RANGE_WHOLE;
    if (first.size == 0) { /* the last b bytes */
        if (!read_position(last, &b))
            return RANGE_WHOLE;
        if (b == 0 || size == 0)
            return RANGE_UNSATISFIABLE;
        *out = (struct api_range){b < size ? size - b : 0, size};
        return RANGE_PART;
    }
    if (!read_position(first, &a) || (last.size > 0 && !read_position(last, &b)))
        return RANGE_WHOLE;
    if (last.size > 0 && b < a)
        return RANGE_WHOLE;
    if (a >= size)
        return RANGE_UNSATISFIABLE;
    *out = (struct api_range){a, last.size == 0 || b >= size ? size : b + 1};
    return RANGE_PART;
}

size_t
api_range_cut(struct bytes *spans, size_t count, struct api_range range)
{
    uint64_t at = 0;
    size_t kept = 0;

    for (size_t i = 0; i < count && at < range.end; i++) {
        struct bytes span = spans[i];
        uint64_t next = at + span.size;

        if (next > range.begin) {
            size_t skip = range.begin > at ? (size_t)(range.begin - at) : 0;
            size_t drop = next > range.end ? (size_t)(next - range.end) : 0;

            spans[kept++] = bytes_of(span.data + skip, span.size - skip - drop);
        }
        at = next;
    }
    return kept;
}
