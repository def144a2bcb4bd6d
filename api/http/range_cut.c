/* Ranges out of lists of spans, without copying a byte. */
#include <inttypes.h>

#include "api/http/range.h"
#include "store/base/buf.h"
#include "store/base/check.h"
#include "store/base/scope.h"

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

/* --- parts --------------------------------------------------------------------------------- */

enum { PART_HEAD_BYTES_MAX = 512 };

struct cutting {
    const struct bytes *spans;
    const uint64_t *ends; /* of each span in the whole */
    size_t span_count, head_count;
    struct api_byteranges *body;
};

/* The first span that reaches past `position`. */
static size_t
span_at(const struct cutting *c, uint64_t position)
{
    size_t low = 0, high = c->span_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c->ends[middle] <= position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
add(struct api_byteranges *body, struct bytes span)
{
    body->spans[body->span_count++] = span;
    body->size += span.size;
}

static void
add_range(struct cutting *c, struct api_range range)
{
    uint64_t at = range.begin;

    for (size_t i = span_at(c, range.begin); at < range.end; i++) {
        uint64_t end = c->ends[i] < range.end ? c->ends[i] : range.end;
        uint64_t begin = c->ends[i] - c->spans[i].size;

        CHECK(i < c->span_count && begin <= at);
        add(c->body, bytes_of(c->spans[i].data + (at - begin), (size_t)(end - at)));
        at = end;
    }
}

/* What stands before part i, or after all of them. */
static enum err_code
add_head(struct cutting *c, const struct api_range *range, struct arena *arena, struct err *err)
{
    const struct api_byteranges *body = c->body;
    const char *line_end = body->size > 0 ? "\r\n" : "";
    AUTO(buf) text;
    uint8_t *copy;

    buf_init(&text, PART_HEAD_BYTES_MAX);
    if (range == NULL)
        TRY(buf_printf(&text, err, "%s--%s--\r\n", line_end, body->boundary));
    else
        TRY(buf_printf(&text, err,
                       "%s--%s\r\nContent-Type: %s\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64
                       "/%" PRIu64 "\r\n\r\n",
                       line_end, body->boundary, body->media_type, range->begin, range->end - 1,
                       body->whole));
    copy = arena_alloc(arena, text.size, err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, text.data, text.size);
    c->body->heads[c->head_count++] = bytes_of(copy, text.size);
    add(c->body, bytes_of(copy, text.size));
    return OK;
}

enum err_code
api_byteranges_lay_out(struct api_byteranges *body, const struct bytes *spans, size_t span_count,
                       const struct api_ranges *ranges, struct arena *arena, struct err *err)
{
    struct cutting c = {.spans = spans, .span_count = span_count, .body = body};
    uint64_t *ends = arena_array(arena, span_count, sizeof *ends, err), end = 0;

    if (ends == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < span_count; i++)
        ends[i] = end += spans[i].size;
    CHECK(end == body->whole);
    c.ends = ends;
    /* Ranges do not overlap: each has its head, and cuts at most one span more in two. */
    body->spans = arena_array(arena, span_count + 2 * ranges->count + 1, sizeof *body->spans, err);
    body->heads = arena_array(arena, ranges->count + 1, sizeof *body->heads, err);
    if (body->spans == NULL || body->heads == NULL)
        return ERR_NO_MEMORY;
    body->span_count = 0;
    body->size = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        TRY(add_head(&c, &ranges->list[i], arena, err));
        add_range(&c, ranges->list[i]);
    }
    return add_head(&c, NULL, arena, err);
}
