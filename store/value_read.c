/* Reading values from a view. One segment of the list is kept decoded, so front-to-back reading
 * looks each up once. */
#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/value.h"
#include "store/value_list.h"

void
value_reader_drop(struct value_reader *reader)
{
    mem_free(reader->head);
    mem_free(reader->segment);
    mem_free(reader->pattern_chunk);
    *reader = (struct value_reader){0};
}

static enum err_code
open_chunks(struct value_reader *reader, const struct value_head *head, struct err *err)
{
    reader->head = mem_alloc(sizeof *reader->head, err);
    reader->segment = mem_alloc(sizeof *reader->segment, err);
    if (reader->head == NULL || reader->segment == NULL)
        return ERR_NO_MEMORY;
    *reader->head = *head;
    reader->segment->count = 0; /* nothing decoded yet */
    reader->family = head->family;
    reader->class = head->layout.class;
    reader->chunk_count = head->layout.chunk_count;
    reader->pattern_size = head->pattern.size;
    reader->has_recipe = head->recipe.size != 0;
    return OK;
}

static enum err_code
open_counted(struct value_reader *reader, struct err *err)
{
    struct value_head head;

    TRY(value_head_of(reader->view, &reader->ref, &head, err));
    if (head.kind == VALUE_RECORD)
        return value_data_read(reader->view, &head, &reader->record, err);
    return open_chunks(reader, &head, err);
}

enum err_code
value_open(const struct store_view *view, const struct value_ref *ref, struct value_reader *out,
           struct err *err)
{
    enum err_code code = OK;

    *out = (struct value_reader){.view = view, .ref = *ref};
    if (ref->kind == VALUE_NONE)
        code = err_set(err, ERR_FAILED_PRECONDITION, "there is no value to read");
    else if (ref->kind == VALUE_INLINE && ref->size > VALUE_INLINE_BYTES_MAX)
        code = err_set(err, ERR_DATA_LOSS, "%" PRIu64 " bytes do not fit a record", ref->size);
    else if (ref->kind != VALUE_INLINE)
        code = open_counted(out, err);
    if (code != OK)
        value_reader_drop(out);
    return code;
}

/* One chunk of a list. */
struct place {
    uint32_t index;
    struct value_span span;
    struct value_entry entry;
};

static enum err_code
locate(struct value_reader *reader, uint64_t offset, struct place *out, struct err *err)
{
    uint32_t number;

    out->index = value_layout_index(&reader->head->layout, offset);
    out->span = value_layout_span(&reader->head->layout, out->index);
    number = out->index / VALUE_SEGMENT_ENTRIES;
    if (reader->segment->count == 0 || reader->segment->number != number)
        TRY(value_segment_read(reader->view, reader->head, number, reader->segment, err));
    out->entry = reader->segment->entries[out->index - reader->segment->first];
    return OK;
}

static enum err_code
chunk_bytes(struct value_reader *reader, const struct place *place, struct bytes *out,
            struct err *err)
{
    struct store_chunk_place where = {.family = reader->family, .index = place->index};

    return store_chunk_read(reader->view, place->entry.id, where, place->entry.length,
                            place->entry.crc, out, err);
}

/* A gap. Chunks begin in phase, so one buffer serves all of a pattern; what a recipe makes is made
 * into it anew for every chunk. */
static enum err_code
gap_bytes(struct value_reader *reader, const struct place *place, struct bytes *out,
          struct err *err)
{
    uint32_t size = value_layout_span(&reader->head->layout, 0).length;

    if (reader->pattern_chunk == NULL) {
        reader->pattern_chunk = mem_aligned(size, err);
        if (reader->pattern_chunk == NULL)
            return ERR_NO_MEMORY;
        reader->made_index = UINT32_MAX;
        if (!reader->has_recipe)
            value_pattern_fill(&reader->head->pattern, 0, reader->pattern_chunk, size);
    }
    CHECK(place->span.length <= size); /* the first chunk is the longest */
    if (reader->has_recipe && reader->made_index != place->index) {
        reader->made_index = UINT32_MAX;
        TRY(value_gap_fill(store_of_view(reader->view), reader->head, place->span.offset,
                           place->span.length, reader->pattern_chunk, err));
        reader->made_index = place->index;
    }
    *out = bytes_of(reader->pattern_chunk, place->span.length);
    return OK;
}

/* The part of `whole` from `skip`, at most size_max. */
static struct bytes
part_of(struct bytes whole, uint64_t skip, uint64_t size_max)
{
    uint64_t size = whole.size - skip;

    return bytes_of(whole.data + skip, (size_t)(size < size_max ? size : size_max));
}

static enum err_code
check_offset(const struct value_reader *reader, uint64_t offset, struct err *err)
{
    if (offset < reader->ref.size)
        return OK;
    return err_set(err, ERR_OUT_OF_RANGE, "byte %" PRIu64 " of a value of %" PRIu64 " bytes",
                   offset, reader->ref.size);
}

enum err_code
value_run(struct value_reader *reader, uint64_t offset, uint64_t size_max, struct bytes *out,
          bool *pattern, struct err *err)
{
    bool dummy;
    bool *is_pattern = pattern != NULL ? pattern : &dummy;
    struct bytes whole = reader->record;
    struct place place;

    TRY(check_offset(reader, offset, err));
    *is_pattern = false;
    if (reader->ref.kind == VALUE_INLINE)
        whole = bytes_of(reader->ref.bytes, (size_t)reader->ref.size);
    if (reader->ref.kind != VALUE_CHUNKS) {
        *out = part_of(whole, offset, size_max);
        return OK;
    }
    TRY(locate(reader, offset, &place, err));
    *is_pattern = place.entry.id == 0;
    if (*is_pattern)
        TRY(gap_bytes(reader, &place, &whole, err));
    else
        TRY(chunk_bytes(reader, &place, &whole, err));
    *out = part_of(whole, offset - place.span.offset, size_max);
    return OK;
}

/* Of a gap. Runs that follow each other within a chunk, as a slice of columns has them, are taken
 * from the chunk made once. */
static enum err_code
copy_gap(struct value_reader *reader, const struct place *place, uint64_t offset, uint64_t size,
         uint8_t *to, struct err *err)
{
    struct bytes whole;

    if (!reader->has_recipe || reader->asked_index != place->index || size == place->span.length) {
        reader->asked_index = place->index;
        return value_gap_fill(store_of_view(reader->view), reader->head, offset, size, to, err);
    }
    TRY(gap_bytes(reader, place, &whole, err));
    memcpy(to, whole.data + (offset - place->span.offset), (size_t)size);
    return OK;
}

enum err_code
value_piece_at(struct value_reader *reader, uint64_t offset, struct value_piece *out,
               struct err *err)
{
    struct place place;

    TRY(check_offset(reader, offset, err));
    *out = (struct value_piece){.size = reader->ref.size};
    if (reader->ref.kind != VALUE_CHUNKS)
        return OK;
    TRY(locate(reader, offset, &place, err));
    *out = (struct value_piece){.offset = place.span.offset,
                                .size = place.span.length,
                                .chunk = place.entry.id,
                                .crc32c = place.entry.crc,
                                .is_gap = place.entry.id == 0};
    return OK;
}

bool
value_gaps_equal(const struct value_reader *a, const struct value_reader *b)
{
    const struct value_head *x = a->head, *y = b->head;

    return x->pattern.size == y->pattern.size && x->recipe.size == y->recipe.size &&
           memcmp(x->pattern.bytes, y->pattern.bytes, sizeof x->pattern.bytes) == 0 &&
           memcmp(x->recipe.bytes, y->recipe.bytes, x->recipe.size) == 0;
}

/* Copies what one chunk has of [offset, offset + *size); *size becomes how much that was. */
static enum err_code
copy_chunk(struct value_reader *reader, uint64_t offset, uint64_t *size, uint8_t *to,
           struct err *err)
{
    struct bytes whole;
    struct place place;
    uint64_t left;

    TRY(locate(reader, offset, &place, err));
    left = place.span.offset + place.span.length - offset;
    if (*size > left)
        *size = left;
    if (place.entry.id == 0)
        return copy_gap(reader, &place, offset, *size, to, err);
    TRY(chunk_bytes(reader, &place, &whole, err));
    memcpy(to, whole.data + (offset - place.span.offset), (size_t)*size);
    return OK;
}

enum err_code
value_copy(struct value_reader *reader, uint64_t offset, uint64_t size, void *out, struct err *err)
{
    uint8_t *to = out;
    struct bytes run;
    uint64_t part;

    if (offset > reader->ref.size || size > reader->ref.size - offset)
        return err_set(err, ERR_OUT_OF_RANGE,
                       "%" PRIu64 " bytes at %" PRIu64 " of a value of %" PRIu64 " bytes", size,
                       offset, reader->ref.size);
    if (size > 0 && reader->ref.kind != VALUE_CHUNKS) {
        TRY(value_run(reader, offset, size, &run, NULL, err));
        memcpy(to, run.data, run.size);
        return OK;
    }
    for (; size > 0; offset += part, to += part, size -= part) {
        part = size;
        TRY(copy_chunk(reader, offset, &part, to, err));
    }
    return OK;
}
