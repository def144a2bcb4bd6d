/* Changing parts of a value: touched chunks are written anew, the rest stays where it is.
 *
 * A value with one reference keeps its id and its list is rewritten in place. One with more is
 * forked: the new list joins the family and names the untouched chunks too. Nothing but chunks is
 * written before value_patch_close, and the chunks of a patch that is dropped instead are freed. */
#include "store/value_patch.h"

#include <inttypes.h>
#include <string.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/log.h"
#include "store/scope.h"

enum { FIRST_CHUNKS = 4 };

/* Gives the chunks of a patch back that will never be named. */
static void
forget_chunks(struct value_patch *p, struct value_patch_segment *segment)
{
    struct err err = ERR_INIT;

    for (uint16_t i = 0; i < segment->chunk_count; i++) {
        if (value_patch_is_staged(&segment->chunks[i]))
            continue;
        store_chunk_seal(&segment->chunks[i]);
        if (store_chunk_free(p->txn, p->head.family, segment->chunks[i].id, &err) != OK)
            log_failure("freeing a chunk of a dropped change", &err); /* swept at the next start */
        err_clear(&err);
    }
}

void
value_patch_drop(struct value_patch *p)
{
    if (p == NULL)
        return;
    for (uint32_t i = 0; p->segments != NULL && i < p->segment_count; i++) {
        if (p->segments[i] == NULL)
            continue;
        if (!p->closed)
            forget_chunks(p, p->segments[i]);
        mem_free(p->segments[i]->chunks);
        mem_free(p->segments[i]);
    }
    mem_free(p->segments);
    mem_free(p->small);
    mem_free(p);
}

static enum err_code
open_small(struct value_patch *p, struct bytes bytes, struct err *err)
{
    p->small = mem_alloc(bytes.size, err);
    if (p->small == NULL)
        return ERR_NO_MEMORY;
    if (bytes.size > 0)
        memcpy(p->small, bytes.data, bytes.size);
    return OK;
}

/* The fork's number is taken now, so that its chunks are known to be its own by theirs. */
static enum err_code
open_counted(struct value_patch *p, struct err *err)
{
    struct bytes bytes;

    TRY(value_head_of(store_txn_view(p->txn), &p->ref, &p->head, err));
    if (p->head.refs > 1)
        p->fork_id = store_new_id(store_of_txn(p->txn));
    if (p->head.kind == VALUE_RECORD) {
        TRY(value_data_read(store_txn_view(p->txn), &p->head, &bytes, err));
        return open_small(p, bytes, err);
    }
    p->segment_count = value_segment_count(&p->head.layout);
    p->segments = mem_zeroed(p->segment_count, sizeof p->segments[0], err);
    return p->segments == NULL ? ERR_NO_MEMORY : OK;
}

enum err_code
value_patch_open(struct store_txn *txn, const struct value_ref *ref, struct value_patch **out,
                 struct err *err)
{
    AUTO_PATCH p = mem_zeroed(1, sizeof *p, err);

    *out = NULL;
    if (p == NULL)
        return ERR_NO_MEMORY;
    p->txn = txn;
    p->ref = *ref;
    switch (ref->kind) {
    case VALUE_NONE:
        return err_set(err, ERR_FAILED_PRECONDITION, "there is no value to change");
    case VALUE_INLINE:
        TRY(open_small(p, bytes_of(ref->bytes, (size_t)ref->size), err));
        break;
    case VALUE_RECORD:
    case VALUE_CHUNKS:
        TRY(open_counted(p, err));
        break;
    }
    *out = TAKE(p);
    return OK;
}

/* --- touching ------------------------------------------------------------------------------ */

static enum err_code
touch_segment(struct value_patch *p, uint32_t number, struct value_patch_segment **out,
              struct err *err)
{
    struct value_patch_segment *segment = p->segments[number];
    enum err_code code;

    *out = segment;
    if (segment != NULL)
        return OK;
    segment = mem_alloc(sizeof *segment, err);
    if (segment == NULL)
        return ERR_NO_MEMORY;
    memset(segment->slot, 0, sizeof segment->slot);
    segment->chunks = NULL;
    segment->chunk_count = segment->chunk_capacity = 0;
    code = value_segment_read(store_txn_view(p->txn), &p->head, number, &segment->list, err);
    if (code != OK) {
        mem_free(segment);
        return code;
    }
    *out = p->segments[number] = segment;
    return OK;
}

static enum err_code
reserve_chunk(struct value_patch_segment *segment, struct err *err)
{
    uint32_t capacity = segment->chunk_capacity == 0 ? FIRST_CHUNKS : segment->chunk_capacity * 2u;
    struct store_chunk *grown;

    if (segment->chunk_count < segment->chunk_capacity)
        return OK;
    grown = mem_resize(segment->chunks, capacity * sizeof *grown, err);
    if (grown == NULL)
        return ERR_NO_MEMORY;
    segment->chunks = grown;
    segment->chunk_capacity = (uint16_t)capacity;
    return OK;
}

/* What the chunk held before. */
static enum err_code
copy_old(struct value_patch *p, const struct value_entry *entry, uint32_t index, uint8_t *to,
         struct err *err)
{
    struct store_chunk_place place = {.family = p->head.family, .index = index};
    struct bytes old;

    if (entry->id == 0)
        return value_gap_fill(store_of_txn(p->txn), &p->head,
                              value_layout_span(&p->head.layout, index).offset, entry->length, to,
                              err);
    TRY(store_chunk_read(store_txn_view(p->txn), entry->id, place, entry->length, entry->crc, &old,
                         err));
    memcpy(to, old.data, old.size);
    return OK;
}

static enum err_code
touch_chunk(struct value_patch *p, struct value_patch_segment *segment, uint32_t index, bool keep,
            struct err *err)
{
    struct store_chunk_place place = {.family = p->head.family, .index = index};
    struct value_span span = value_layout_span(&p->head.layout, index);
    uint32_t i = index - segment->list.first;
    struct store_chunk chunk = {0};

    TRY(reserve_chunk(segment, err));
    TRY(store_txn_chunk(p->txn, span.class, place, span.length, &chunk, err));
    segment->chunks[segment->chunk_count++] = chunk;
    segment->slot[i] = segment->chunk_count;
    p->touched = true;
    if (!keep)
        return OK;
    p->failed = true;
    TRY(copy_old(p, &segment->list.entries[i], index, chunk.bytes, err));
    p->failed = false;
    return OK;
}

enum err_code
value_patch_bytes(struct value_patch *p, uint64_t offset, uint64_t size_max, bool whole,
                  uint8_t **out, size_t *size, struct err *err)
{
    struct value_patch_segment *segment;
    const struct store_chunk *chunk;
    struct value_span span;
    uint64_t at, run;
    uint32_t index;

    if (offset >= p->ref.size || size_max == 0 || p->failed)
        return err_set(err, ERR_OUT_OF_RANGE,
                       "%" PRIu64 " bytes at %" PRIu64 " of a value of %" PRIu64 " bytes", size_max,
                       offset, p->ref.size);
    if (p->small != NULL) {
        run = p->ref.size - offset;
        *out = p->small + offset;
        *size = (size_t)(run < size_max ? run : size_max);
        p->touched = true;
        return OK;
    }
    index = value_layout_index(&p->head.layout, offset);
    span = value_layout_span(&p->head.layout, index);
    at = offset - span.offset;
    run = span.length - at < size_max ? span.length - at : size_max;
    TRY(touch_segment(p, index / VALUE_SEGMENT_ENTRIES, &segment, err));
    if (segment->slot[index % VALUE_SEGMENT_ENTRIES] == 0)
        TRY(touch_chunk(p, segment, index, !whole || run < span.length, err));
    chunk = &segment->chunks[segment->slot[index % VALUE_SEGMENT_ENTRIES] - 1];
    CHECK(!value_patch_is_staged(chunk));
    *out = chunk->bytes + at;
    *size = (size_t)run;
    return OK;
}

enum err_code
value_patch_write(struct value_patch *p, uint64_t offset, struct bytes bytes, struct err *err)
{
    for (size_t at = 0, part = 0; at < bytes.size; at += part) {
        uint8_t *room = NULL;

        TRY(value_patch_bytes(p, offset + at, bytes.size - at, false, &room, &part, err));
        memcpy(room, bytes.data + at, part);
    }
    return OK;
}

enum err_code
value_patch_staged(struct value_patch *p, const struct value_staged *staged, struct err *err)
{
    struct value_patch_segment *segment;
    struct value_span span;

    if (p->ref.kind != VALUE_CHUNKS || staged->family != p->head.family ||
        staged->index >= p->head.layout.chunk_count)
        return err_set(err, ERR_CONFLICT, "the value lies elsewhere than when it was changed");
    span = value_layout_span(&p->head.layout, staged->index);
    CHECK(span.length == staged->chunk.length);
    TRY(touch_segment(p, staged->index / VALUE_SEGMENT_ENTRIES, &segment, err));
    CHECK(segment->slot[staged->index % VALUE_SEGMENT_ENTRIES] == 0);
    TRY(reserve_chunk(segment, err));
    segment->chunks[segment->chunk_count] = staged->chunk;
    segment->chunks[segment->chunk_count++].bytes = NULL;
    segment->slot[staged->index % VALUE_SEGMENT_ENTRIES] = segment->chunk_count;
    p->touched = true;
    return OK;
}
