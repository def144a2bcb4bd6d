/* What can be said about a value from its list: its checksum, and whether two values are the same.
 */
#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/crc32c.h"
#include "store/value.h"
#include "store/value_list.h"

/* The bytes of a value that is not a list. */
static struct bytes
small_bytes(const struct value_reader *reader)
{
    if (reader->ref.kind == VALUE_INLINE)
        return bytes_of(reader->ref.bytes, (size_t)reader->ref.size);
    return reader->record;
}

/* A checksum under way: runs of pattern are gathered and added at once. */
struct sum {
    const struct value_head *head;
    uint32_t crc;
    uint64_t done, pattern; /* bytes; the pattern run comes after `done` */
};

static void
add_pattern(struct sum *sum)
{
    uint32_t crc;

    if (sum->pattern == 0)
        return;
    crc = value_pattern_crc(&sum->head->pattern, sum->pattern);
    sum->crc = crc32c_combine(sum->crc, crc, sum->pattern);
    sum->done += sum->pattern;
    sum->pattern = 0;
}

static void
add_segment(struct sum *sum, const struct value_segment *segment)
{
    uint64_t begin = value_layout_span(&sum->head->layout, segment->first).offset;

    sum->pattern = begin - sum->done; /* skipped segments and what was pattern before them */
    for (uint32_t i = 0; i < segment->count; i++) {
        const struct value_entry *entry = &segment->entries[i];

        if (entry->id == 0) {
            sum->pattern += entry->length;
            continue;
        }
        add_pattern(sum);
        sum->crc = crc32c_combine(sum->crc, entry->crc, entry->length);
        sum->done += entry->length;
    }
}

enum err_code
value_crc32c(struct value_reader *reader, uint32_t *out, struct err *err)
{
    struct sum sum = {.head = reader->head};
    struct bytes bytes;
    bool found;

    if (reader->ref.kind != VALUE_CHUNKS) {
        bytes = small_bytes(reader);
        *out = crc32c(0, bytes.data, bytes.size);
        return OK;
    }
    for (uint32_t from = 0;; from = reader->segment->number + 1) {
        TRY(value_segment_next(reader->view, reader->head, from, &found, reader->segment, err));
        if (!found)
            break;
        add_segment(&sum, reader->segment);
    }
    sum.pattern = reader->ref.size - sum.done;
    add_pattern(&sum);
    *out = sum.crc;
    return OK;
}

static enum err_code
verify_segment(struct value_reader *reader, struct err *err)
{
    const struct value_segment *segment = reader->segment;
    struct store_chunk_place place = {.family = reader->family};
    struct bytes bytes;

    for (uint32_t i = 0; i < segment->count; i++) {
        const struct value_entry *entry = &segment->entries[i];

        place.index = segment->first + i;
        if (entry->id != 0)
            TRY(store_chunk_verify(reader->view, entry->id, place, entry->length, entry->crc,
                                   &bytes, err));
    }
    return OK;
}

enum err_code
value_verify(struct value_reader *reader, struct err *err)
{
    bool found;

    if (reader->ref.kind != VALUE_CHUNKS)
        return OK; /* the engine checks records whenever they are read */
    for (uint32_t from = 0;; from = reader->segment->number + 1) {
        TRY(value_segment_next(reader->view, reader->head, from, &found, reader->segment, err));
        if (!found)
            return OK;
        TRY(verify_segment(reader, err));
    }
}

/* The next present segment of a reader, or (none left) one past the last. */
static enum err_code
next_segment(struct value_reader *reader, uint32_t from, uint32_t *number, struct err *err)
{
    bool found;

    TRY(value_segment_next(reader->view, reader->head, from, &found, reader->segment, err));
    *number = found ? reader->segment->number : value_segment_count(&reader->head->layout);
    return OK;
}

static bool
patterns_same(const struct value_reader *a, const struct value_reader *b)
{
    return memcmp(a->head->pattern.bytes, b->head->pattern.bytes, VALUE_PATTERN_BYTES_MAX) == 0;
}

/* Both readers have the same segment. */
static bool
entries_same(const struct value_reader *a, const struct value_reader *b)
{
    for (uint32_t i = 0; i < a->segment->count; i++) {
        if (a->segment->entries[i].id != b->segment->entries[i].id)
            return false;
        if (a->segment->entries[i].id == 0 && !patterns_same(a, b))
            return false;
    }
    return true;
}

/* Both have the same layout. */
static enum err_code
lists_same(struct value_reader *a, struct value_reader *b, bool *same, struct err *err)
{
    uint32_t end = value_segment_count(&a->head->layout), next_a = 0, next_b = 0, next;

    *same = true;
    for (uint32_t at = 0; at < end && *same; at = next + 1) {
        TRY(next_segment(a, at, &next_a, err));
        TRY(next_segment(b, at, &next_b, err));
        next = next_a < next_b ? next_a : next_b;
        if (next > at) /* both skip some: pattern */
            *same = patterns_same(a, b);
        if (next == end)
            return OK;
        if (next_a > next)
            value_segment_init(a->segment, a->head, next);
        if (next_b > next)
            value_segment_init(b->segment, b->head, next);
        *same = *same && entries_same(a, b);
    }
    return OK;
}

enum err_code
value_same(struct value_reader *a, struct value_reader *b, bool *same, struct err *err)
{
    *same = a->ref.size == b->ref.size && a->ref.kind == b->ref.kind;
    if (!*same)
        return OK;
    if (a->ref.kind != VALUE_CHUNKS) {
        *same = bytes_equal(small_bytes(a), small_bytes(b));
        return OK;
    }
    *same = a->class == b->class;
    if (!*same || (a->ref.id == b->ref.id && a->view == b->view))
        return OK;
    return lists_same(a, b, same, err);
}
