/* Checksums of a value: the whole one from those in its list, and each one anew from its bytes. */
#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"
#include "store/value.h"
#include "store/value_list.h"

enum { MADE_BYTES = STORE_BULK_BYTES };

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
    const struct store *store;
    const struct value_head *head;
    uint32_t crc;
    uint64_t done, pattern;       /* bytes; the pattern run comes after `done` */
    uint32_t shift, shift_length; /* of the chunk added last: nearly all are of one length */
};

/* What a recipe makes, a piece at a time. */
static enum err_code
add_made(struct sum *sum, struct err *err)
{
    AUTO_CALL(mem_free_scope) uint8_t *made = mem_aligned(MADE_BYTES, err);

    if (made == NULL)
        return ERR_NO_MEMORY;
    while (sum->pattern > 0) {
        uint64_t size = sum->pattern < MADE_BYTES ? sum->pattern : MADE_BYTES;

        TRY(value_gap_fill(sum->store, sum->head, sum->done, size, made, err));
        sum->crc = crc32c(sum->crc, made, (size_t)size);
        sum->done += size;
        sum->pattern -= size;
    }
    return OK;
}

static enum err_code
add_gap(struct sum *sum, struct err *err)
{
    uint32_t crc;

    if (sum->pattern == 0)
        return OK;
    if (sum->head->recipe.size != 0)
        return add_made(sum, err);
    crc = value_pattern_crc(&sum->head->pattern, sum->pattern);
    sum->crc = crc32c_combine(sum->crc, crc, sum->pattern);
    sum->done += sum->pattern;
    sum->pattern = 0;
    return OK;
}

static enum err_code
add_segment(struct sum *sum, const struct value_segment *segment, struct err *err)
{
    uint64_t begin = value_layout_span(&sum->head->layout, segment->first).offset;

    sum->pattern = begin - sum->done; /* skipped segments and what was pattern before them */
    for (uint32_t i = 0; i < segment->count; i++) {
        const struct value_entry *entry = &segment->entries[i];

        if (entry->id == 0) {
            sum->pattern += entry->length;
            continue;
        }
        TRY(add_gap(sum, err));
        if (sum->shift_length != entry->length) {
            sum->shift_length = entry->length;
            sum->shift = crc32c_shift_of(entry->length);
        }
        sum->crc = crc32c_combine_by(sum->crc, entry->crc, sum->shift);
        sum->done += entry->length;
    }
    return OK;
}

enum err_code
value_crc32c(struct value_reader *reader, uint32_t *out, struct err *err)
{
    struct sum sum = {.store = store_of_view(reader->view), .head = reader->head};
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
        TRY(add_segment(&sum, reader->segment, err));
    }
    sum.pattern = reader->ref.size - sum.done;
    TRY(add_gap(&sum, err));
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
