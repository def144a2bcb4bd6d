/* NumPy's basic slicing as text: parsing, clipping, and walking a slice in contiguous runs.
 *
 * The grammar is strict, for the text comes from a URL: no spaces, no empty entries, decimal
 * integers with an optional sign, "..." at most once. Empty text selects everything. Numbers of any
 * length are accepted and saturate, which is what clipping would have done with them.
 *
 * In a resolved slice a dimension of at most one element always has step 1, so step * anything a
 * caller computes stays within the dimension. */
#include "service/tensor/slice.h"

#include <inttypes.h>

/* Beyond every dimension (2^47 at most), yet a sum of two does not overflow. */
#define NUMBER_MAX ((int64_t)1 << 61)

enum entry_kind { ENTRY_INDEX, ENTRY_RANGE, ENTRY_ELLIPSIS };

struct entry {
    enum entry_kind kind;
    bool has_start, has_stop;
    int64_t start, stop, step; /* start: the index of an ENTRY_INDEX */
};

/* Reads the text from the left; `at` is the position for error texts. */
struct cursor {
    struct bytes text;
    size_t at;
};

static int
peek(const struct cursor *c)
{
    return c->at < c->text.size ? c->text.data[c->at] : -1;
}

static bool
accept(struct cursor *c, char wanted)
{
    if (peek(c) != wanted)
        return false;
    c->at++;
    return true;
}

static enum err_code
syntax_error(const struct cursor *c, const char *expected, struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "slice: %s expected at byte %zu of %zu", expected,
                   c->at, c->text.size);
}

/* An optional sign and digits; *found is false when there is neither. */
static enum err_code
parse_number(struct cursor *c, bool *found, int64_t *out, struct err *err)
{
    bool negative = peek(c) == '-', digits = false;
    int64_t value = 0;

    *found = negative || peek(c) == '+';
    c->at += *found;
    for (; peek(c) >= '0' && peek(c) <= '9'; c->at++, digits = true)
        value = value >= NUMBER_MAX / 10 ? NUMBER_MAX : value * 10 + (peek(c) - '0');
    if (*found && !digits)
        return syntax_error(c, "a digit", err);
    *found = digits;
    *out = negative ? -value : value;
    return OK;
}

static enum err_code
parse_entry(struct cursor *c, struct entry *out, struct err *err)
{
    bool has_step = false;

    *out = (struct entry){.kind = ENTRY_RANGE, .step = 1};
    if (accept(c, '.')) {
        out->kind = ENTRY_ELLIPSIS;
        return accept(c, '.') && accept(c, '.') ? OK : syntax_error(c, "'...'", err);
    }
    TRY(parse_number(c, &out->has_start, &out->start, err));
    if (!accept(c, ':')) {
        out->kind = ENTRY_INDEX;
        return out->has_start ? OK : syntax_error(c, "an index or start:stop:step", err);
    }
    TRY(parse_number(c, &out->has_stop, &out->stop, err));
    if (!accept(c, ':'))
        return OK;
    TRY(parse_number(c, &has_step, &out->step, err));
    if (!has_step)
        out->step = 1;
    if (out->step == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "slice: a step cannot be 0 (byte %zu of %zu)",
                       c->at, c->text.size);
    return OK;
}

/* --- one entry against one dimension -------------------------------------------------------- */

static enum err_code
resolve_index(const struct entry *entry, uint32_t dim, struct slice *out, struct err *err)
{
    int64_t size = (int64_t)out->source.dims[dim];
    int64_t index = entry->start < 0 ? entry->start + size : entry->start;
    char text[SHAPE_TEXT_BYTES_MAX];

    if (index < 0 || index >= size)
        return err_set(err, ERR_OUT_OF_RANGE,
                       "slice: index %" PRId64 " is out of bounds for dimension %" PRIu32 " of %s",
                       entry->start, dim, shape_text(&out->source, text));
    out->start[dim] = (uint64_t)index;
    out->step[dim] = 1;
    out->count[dim] = 1;
    return OK;
}

/* Python's rule: negative counts from the end; then into [lowest, highest]. */
static int64_t
clip(int64_t at, int64_t size, int64_t lowest, int64_t highest)
{
    if (at < 0)
        at += size;
    if (at < lowest)
        return lowest;
    return at > highest ? highest : at;
}

static void
resolve_range(const struct entry *entry, uint32_t dim, struct slice *out)
{
    int64_t size = (int64_t)out->source.dims[dim], step = entry->step;
    /* Going down, the ends are one lower: from the last element to before the first. */
    int64_t lowest = step < 0 ? -1 : 0, highest = step < 0 ? size - 1 : size;
    int64_t start = step < 0 ? highest : lowest, stop = step < 0 ? lowest : highest;
    int64_t span, stride = step < 0 ? -step : step;

    if (entry->has_start)
        start = clip(entry->start, size, lowest, highest);
    if (entry->has_stop)
        stop = clip(entry->stop, size, lowest, highest);
    span = step < 0 ? start - stop : stop - start;
    out->count[dim] = span <= 0 ? 0 : (uint64_t)((span - 1) / stride + 1);
    out->start[dim] = span <= 0 ? 0 : (uint64_t)start;
    out->step[dim] = out->count[dim] <= 1 ? 1 : step;
    out->result.dims[out->result.rank++] = out->count[dim];
}

static void
resolve_whole(uint32_t first, uint32_t last, struct slice *out)
{
    static const struct entry whole = {.kind = ENTRY_RANGE, .step = 1};

    for (uint32_t dim = first; dim < last; dim++)
        resolve_range(&whole, dim, out);
}

/* --- the whole text ------------------------------------------------------------------------- */

static enum err_code
parse_entries(struct cursor *c, uint32_t rank, struct entry *entries, uint32_t *entry_count,
              struct err *err)
{
    uint32_t count = 0, selecting = 0;

    *entry_count = 0;
    if (c->text.size == 0)
        return OK;
    do {
        struct entry entry;

        TRY(parse_entry(c, &entry, err));
        selecting += entry.kind != ENTRY_ELLIPSIS;
        if (entry.kind == ENTRY_ELLIPSIS && count != selecting)
            return err_set(err, ERR_INVALID_ARGUMENT, "slice: '...' stands twice");
        if (selecting > rank)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "slice: more entries than the %" PRIu32 " dimensions there are", rank);
        entries[count++] = entry;
    } while (accept(c, ','));
    if (c->at < c->text.size)
        return syntax_error(c, "',' or the end", err);
    *entry_count = count;
    return OK;
}

enum err_code
slice_parse(struct bytes text, const struct shape *shape, struct slice *out, struct err *err)
{
    struct entry entries[SHAPE_RANK_MAX + 1]; /* and "..." */
    struct cursor cursor = {.text = text};
    uint32_t count = 0, dim = 0, rest = 0;

    TRY(parse_entries(&cursor, shape->rank, entries, &count, err));
    *out = (struct slice){.source = *shape};
    for (uint32_t i = 0; i < count; i++) {
        const struct entry *entry = &entries[i];

        if (entry->kind == ENTRY_ELLIPSIS) {
            rest = shape->rank - (count - 1); /* at least 0: parse_entries counted */
            resolve_whole(dim, dim + rest, out);
            dim += rest;
            continue;
        }
        if (entry->kind == ENTRY_INDEX)
            TRY(resolve_index(entry, dim, out, err));
        else
            resolve_range(entry, dim, out);
        dim++;
    }
    resolve_whole(dim, shape->rank, out);
    return OK;
}

/* --- walking -------------------------------------------------------------------------------- */

/* Elements per step of each dimension in the source. */
static void
source_strides(const struct shape *shape, uint64_t strides[SHAPE_RANK_MAX])
{
    uint64_t stride = 1;

    for (uint32_t dim = shape->rank; dim-- > 0;) {
        strides[dim] = stride;
        stride *= shape->dims[dim];
    }
}

/* The trailing dimensions that are contiguous together: whole ones, and before them one that may be
 * a part but goes up in ones. Returns how many dimensions are left outside. */
static uint32_t
pieces_of(const struct slice *slice, uint64_t *piece)
{
    uint32_t outer = slice->source.rank;

    *piece = 1;
    while (outer > 0) {
        uint32_t dim = outer - 1;

        if (slice->step[dim] != 1)
            break;
        *piece *= slice->count[dim];
        outer = dim;
        if (slice->count[dim] != slice->source.dims[dim])
            break;
    }
    return outer;
}

enum err_code
slice_each_run(const struct slice *slice, slice_run *run, void *context, struct err *err)
{
    uint64_t strides[SHAPE_RANK_MAX], position[SHAPE_RANK_MAX] = {0};
    uint64_t piece = 0, source = 0, first = 0, count = 0, total = shape_count(&slice->result);
    uint32_t outer = pieces_of(slice, &piece);

    source_strides(&slice->source, strides);
    for (uint32_t dim = 0; dim < slice->source.rank; dim++)
        source += slice->start[dim] * strides[dim];
    for (uint64_t result = 0; result < total; result += piece) {
        /* A step may land just behind the piece before, as from one row's end to the next row. */
        if (count > 0 && source != first + count) {
            TRY(run(context, first, result - count, count, err));
            count = 0;
        }
        first = count == 0 ? source : first;
        count += piece;
        /* Count the outer dimensions up, last first. Unsigned arithmetic wraps through negative
         * steps. */
        for (uint32_t dim = outer; dim-- > 0;) {
            uint64_t stride = (uint64_t)slice->step[dim] * strides[dim];

            source += stride;
            if (++position[dim] < slice->count[dim])
                break;
            source -= stride * slice->count[dim];
            position[dim] = 0;
        }
    }
    return count == 0 ? OK : run(context, first, total - count, count, err);
}
