/* New values, front to back. Small ones stay in memory until they are published; big ones go
 * straight into staged chunks, so the memory of a builder is its list: 16 bytes a chunk. */
#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/scope.h"
#include "store/value.h"
#include "store/value_family.h"
#include "store/value_list.h"

enum { FIRST_ENTRIES = 16 };

struct value_builder {
    struct store *store;       /* borrowed */
    struct store_stage *stage; /* borrowed */
    struct value_head
        head;          /* as it will be published; kind VALUE_INLINE when it stays in the ref */
    uint64_t position; /* bytes built */
    uint8_t *small;    /* VALUE_INLINE, VALUE_RECORD: all bytes; owned */
    struct value_entry *entries; /* VALUE_CHUNKS: of the sealed chunks; owned */
    uint32_t entry_count, entry_capacity;
    struct store_chunk chunk; /* being filled; bytes NULL: none */
    uint32_t chunk_filled;
};

void
value_builder_drop(struct value_builder *b)
{
    if (b == NULL)
        return;
    mem_free(b->small);
    mem_free(b->entries);
    mem_free(b);
}

/* The head of a value of this size that nothing shares yet. */
static enum err_code
head_of_size(struct store *store, uint64_t size, enum store_class class, struct value_head *out,
             struct err *err)
{
    *out = (struct value_head){
        .kind = size <= VALUE_INLINE_BYTES_MAX ? VALUE_INLINE : VALUE_RECORD,
        .refs = 1,
        .layout = {.size = size, .class = class},
    };
    if (size > VALUE_RECORD_BYTES_MAX) {
        out->kind = VALUE_CHUNKS;
        TRY(value_layout_of(size, class, &out->layout, err));
    }
    if (out->kind != VALUE_INLINE)
        out->id = store_new_id(store);
    if (out->kind == VALUE_CHUNKS)
        out->family = out->id;
    return OK;
}

enum err_code
value_builder_open(struct store *store, struct store_stage *stage, uint64_t size,
                   enum store_class class, struct value_builder **out, struct err *err)
{
    AUTO_BUILDER b = mem_zeroed(1, sizeof *b, err);

    *out = NULL;
    if (b == NULL)
        return ERR_NO_MEMORY;
    b->store = store;
    b->stage = stage;
    TRY(head_of_size(store, size, class, &b->head, err));
    if (b->head.kind != VALUE_CHUNKS) {
        b->small = mem_alloc((size_t)size, err);
        if (b->small == NULL)
            return ERR_NO_MEMORY;
    }
    *out = TAKE(b);
    return OK;
}

/* Room for one more entry, so that sealing a chunk cannot fail. */
static enum err_code
reserve_entry(struct value_builder *b, struct err *err)
{
    size_t capacity = b->entry_capacity == 0 ? FIRST_ENTRIES : (size_t)b->entry_capacity * 2;
    struct value_entry *grown;

    if (b->entry_count < b->entry_capacity)
        return OK;
    if (capacity > b->head.layout.chunk_count)
        capacity = b->head.layout.chunk_count;
    grown = mem_resize(b->entries, capacity * sizeof *grown, err);
    if (grown == NULL)
        return ERR_NO_MEMORY;
    b->entries = grown;
    b->entry_capacity = (uint32_t)capacity;
    return OK;
}

static enum err_code
next_chunk(struct value_builder *b, struct err *err)
{
    struct store_chunk_place place = {.family = b->head.family, .index = b->entry_count};
    struct value_span span = value_layout_span(&b->head.layout, b->entry_count);
    struct store_chunk chunk = {0};

    TRY(reserve_entry(b, err));
    TRY(store_stage_chunk(b->stage, span.class, place, span.length, &chunk, err));
    b->chunk = chunk;
    b->chunk_filled = 0;
    return OK;
}

enum err_code
value_builder_reserve(struct value_builder *b, uint8_t **out, size_t *size, struct err *err)
{
    if (b->position == b->head.layout.size)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "there are more bytes than the %" PRIu64 " the value has",
                       b->head.layout.size);
    if (b->small != NULL) {
        *out = b->small + b->position;
        *size = (size_t)(b->head.layout.size - b->position);
        return OK;
    }
    if (b->chunk.bytes == NULL)
        TRY(next_chunk(b, err));
    *out = b->chunk.bytes + b->chunk_filled;
    *size = b->chunk.length - b->chunk_filled;
    return OK;
}

static void
seal(struct value_builder *b)
{
    store_chunk_seal(&b->chunk);
    CHECK(b->entry_count < b->entry_capacity);
    b->entries[b->entry_count++] = (struct value_entry){
        .id = b->chunk.id,
        .crc = b->chunk.crc,
        .length = b->chunk.length,
    };
    b->chunk = (struct store_chunk){0};
    b->chunk_filled = 0;
}

enum err_code
value_builder_commit(struct value_builder *b, size_t size, struct err *err)
{
    uint64_t room =
        b->small != NULL ? b->head.layout.size - b->position : b->chunk.length - b->chunk_filled;

    if (size > room)
        return err_set(err, ERR_INTERNAL, "%zu bytes were written where %" PRIu64 " had room", size,
                       room);
    b->position += size;
    if (b->small != NULL || size == 0)
        return OK;
    b->chunk_filled += (uint32_t)size;
    if (b->chunk_filled == b->chunk.length)
        seal(b);
    return OK;
}

enum err_code
value_builder_append(struct value_builder *b, const void *bytes, size_t size, struct err *err)
{
    const uint8_t *from = bytes;
    uint8_t *room;
    size_t part;

    if (size > b->head.layout.size - b->position)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "there are more bytes than the %" PRIu64 " the value has",
                       b->head.layout.size);
    while (size > 0) {
        TRY(value_builder_reserve(b, &room, &part, err));
        if (part > size)
            part = size;
        memcpy(room, from, part);
        TRY(value_builder_commit(b, part, err));
        from += part;
        size -= part;
    }
    return OK;
}

enum err_code
value_builder_fill(struct value_builder *b, const void *pattern, size_t pattern_size,
                   struct err *err)
{
    struct value_pattern repeated;
    uint64_t size = b->head.layout.size;

    if (!value_pattern_size_fits(pattern_size) || size % pattern_size != 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a value of %" PRIu64 " bytes cannot be filled with an element of %zu bytes",
                       size, pattern_size);
    if (b->position != 0 || b->chunk.bytes != NULL)
        return err_set(err, ERR_INTERNAL, "a value begun with other bytes cannot be filled");
    repeated = value_pattern_of(pattern, (uint32_t)pattern_size);
    if (b->small != NULL)
        value_pattern_fill(&repeated, 0, b->small, (size_t)size);
    else
        b->head.pattern = repeated;
    b->position = size;
    return OK;
}

enum err_code
value_builder_recipe(struct value_builder *b, struct bytes recipe, struct err *err)
{
    store_recipe_make *make = store_recipe_maker(b->store);

    if (make == NULL || recipe.size == 0 || recipe.size > VALUE_RECIPE_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a recipe of %zu bytes cannot be kept",
                       recipe.size);
    if (b->position != 0 || b->chunk.bytes != NULL)
        return err_set(err, ERR_INTERNAL, "a value begun with other bytes has no recipe");
    if (b->small != NULL) {
        TRY(make(recipe, 0, b->head.layout.size, b->small, err));
    } else {
        b->head.recipe.size = (uint32_t)recipe.size;
        memcpy(b->head.recipe.bytes, recipe.data, recipe.size);
    }
    b->position = b->head.layout.size;
    return OK;
}

/* Bytes of one chunk, sealed or being filled. */
static enum err_code
built_run(struct value_builder *b, uint32_t index, struct bytes *out, struct err *err)
{
    if (index == b->entry_count) {
        *out = bytes_of(b->chunk.bytes, b->chunk_filled);
        return OK;
    }
    return store_stage_read(b->stage, b->entries[index].id, b->entries[index].length, out, err);
}

enum err_code
value_builder_read(struct value_builder *b, uint64_t offset, uint64_t size, void *out,
                   struct err *err)
{
    uint8_t *to = out;
    struct value_span span;
    struct bytes run;
    uint32_t index;
    uint64_t part;

    if (offset > b->position || size > b->position - offset)
        return err_set(err, ERR_OUT_OF_RANGE,
                       "bytes %" PRIu64 " to %" PRIu64 " are not built yet, %" PRIu64 " are",
                       offset, offset + size, b->position);
    if (value_head_has_gaps(&b->head))
        return value_gap_fill(b->store, &b->head, offset, size, to, err);
    if (b->small != NULL && size > 0)
        memcpy(to, b->small + offset, (size_t)size);
    if (b->small != NULL)
        return OK;
    for (; size > 0; offset += part, to += part, size -= part) {
        index = value_layout_index(&b->head.layout, offset);
        span = value_layout_span(&b->head.layout, index);
        TRY(built_run(b, index, &run, err));
        part = run.size - (offset - span.offset);
        if (part > size)
            part = size;
        memcpy(to, run.data + (offset - span.offset), (size_t)part);
    }
    return OK;
}

/* Writes the list of a new value whose entries are all there. */
static enum err_code
write_list(struct store_txn *txn, const struct value_head *head, const struct value_entry *entries,
           struct err *err)
{
    AUTO_CALL(mem_free_scope) struct value_segment *segment = mem_alloc(sizeof *segment, err);

    if (segment == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t number = 0; number < value_segment_count(&head->layout); number++) {
        value_segment_init(segment, head, number);
        memcpy(segment->entries, entries + segment->first, segment->count * sizeof *entries);
        TRY(value_segment_write(txn, head->id, segment, err));
    }
    return OK;
}

/* Writes all records of a finished value. Consumes nothing: the unit may run again. */
static enum err_code
publish(struct store_txn *txn, const struct value_head *head, const uint8_t *small,
        const struct value_entry *entries, struct value_ref *out, struct err *err)
{
    *out = value_head_ref(head);
    if (head->kind == VALUE_INLINE) {
        if (head->layout.size > 0)
            memcpy(out->bytes, small, (size_t)head->layout.size);
        return OK;
    }
    if (head->kind == VALUE_RECORD) {
        TRY(value_data_write(txn, head, small, err));
        return value_head_write(txn, head, err);
    }
    if (!value_head_has_gaps(head))
        TRY(write_list(txn, head, entries, err));
    TRY(value_family_join(txn, head, err));
    return value_head_write(txn, head, err);
}

enum err_code
value_builder_publish(struct value_builder *b, struct store_txn *txn, struct value_ref *out,
                      struct err *err)
{
    if (b->position != b->head.layout.size)
        return err_set(err, ERR_INTERNAL,
                       "only %" PRIu64 " of the %" PRIu64 " bytes of a value were built",
                       b->position, b->head.layout.size);
    return publish(txn, &b->head, b->small, b->entries, out, err);
}

/* The chunks of a value made inside a unit. */
static enum err_code
write_chunks(struct store_txn *txn, const struct value_head *head, struct bytes bytes,
             struct value_entry *entries, struct err *err)
{
    struct store_chunk_place place = {.family = head->family};
    struct store_chunk chunk = {0};

    for (; place.index < head->layout.chunk_count; place.index++) {
        struct value_span span = value_layout_span(&head->layout, place.index);

        TRY(store_txn_chunk(txn, span.class, place, span.length, &chunk, err));
        memcpy(chunk.bytes, bytes.data + span.offset, span.length);
        store_chunk_seal(&chunk);
        entries[place.index] = (struct value_entry){
            .id = chunk.id,
            .crc = chunk.crc,
            .length = chunk.length,
        };
    }
    return OK;
}

enum err_code
value_write(struct store_txn *txn, struct bytes bytes, enum store_class class,
            struct value_ref *out, struct err *err)
{
    struct value_entry entries[VALUE_WRITE_BYTES_MAX / STORE_ROWS_BYTES + 1];
    struct value_head head;

    if (bytes.size > VALUE_WRITE_BYTES_MAX)
        return err_set(err, ERR_INTERNAL,
                       "%zu bytes are too many for one write inside a unit, %d are not", bytes.size,
                       VALUE_WRITE_BYTES_MAX);
    TRY(head_of_size(store_of_txn(txn), bytes.size, class, &head, err));
    TRY(write_chunks(txn, &head, bytes, entries, err));
    return publish(txn, &head, bytes.data, entries, out, err);
}
