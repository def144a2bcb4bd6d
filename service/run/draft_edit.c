/* Editing parts of a value: blocks of its bytes, kept over it until they are published into the
 * chunks they lie in. So a row of a huge table costs a block or two while the run goes on, and its
 * chunk when it is committed. Small values are copied whole instead. */
#include "service/run/draft_parts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "service/expr/compute.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

_Static_assert(STORE_ROWS_BYTES % DRAFT_BLOCK_BYTES == 0 &&
                   STORE_BULK_BYTES % DRAFT_BLOCK_BYTES == 0,
               "a block lies in one chunk");

enum { FIRST_SLOTS = 64 };

/* Fibonacci hashing: neighbouring blocks go to slots far apart. */
static size_t
slot_of(const struct draft_blocks *blocks, uint64_t index)
{
    return (size_t)((index * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (blocks->capacity - 1);
}

static struct draft_block *
find_slot(const struct draft_blocks *blocks, uint64_t index)
{
    size_t at = slot_of(blocks, index);

    while (blocks->slots[at].bytes != NULL && blocks->slots[at].index != index)
        at = (at + 1) & (blocks->capacity - 1);
    return &blocks->slots[at];
}

uint8_t *
draft_block_find(const struct draft_blocks *blocks, uint64_t index)
{
    return blocks->capacity == 0 ? NULL : find_slot(blocks, index)->bytes;
}

static enum err_code
grow(struct draft_blocks *blocks, struct err *err)
{
    struct draft_blocks grown = {.count = blocks->count};

    if (blocks->count < blocks->capacity / 2)
        return OK;
    grown.capacity = blocks->capacity == 0 ? FIRST_SLOTS : blocks->capacity * 2;
    grown.slots = mem_zeroed(grown.capacity, sizeof *grown.slots, err);
    if (grown.slots == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < blocks->capacity; i++)
        if (blocks->slots[i].bytes != NULL)
            *find_slot(&grown, blocks->slots[i].index) = blocks->slots[i];
    mem_free(blocks->slots);
    *blocks = grown;
    return OK;
}

/* --- the value that takes edits ------------------------------------------------------------ */

/* In memory as a whole. */
static enum err_code
make_whole(struct draft *draft, struct draft_variable *variable, struct err *err)
{
    struct draft_value *old = variable->value;
    struct draft_value *copy;

    if (!draft->ahead) {
        draft->commit_bytes += old->size;
        if (draft->commit_bytes > SERVICE_COMMIT_BYTES_MAX)
            return err_set(err, ERR_DEFER, "too many bytes for a commit");
    }
    copy = draft_value_make(draft, DRAFT_MEMORY, old->size, draft_class_of(variable), err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    copy->bytes = mem_aligned((size_t)old->size, err);
    if (copy->bytes == NULL)
        return ERR_NO_MEMORY;
    TRY(draft_value_read(draft, old, 0, old->size, copy->bytes, err));
    copy->edits_before = old == variable->before || old->edits_before;
    draft_value_release(old);
    variable->value = copy;
    return OK;
}

static enum err_code
make_edited(struct draft *draft, struct draft_variable *variable, struct err *err)
{
    struct draft_value *edited =
        draft_value_make(draft, DRAFT_EDITED, variable->value->size, variable->value->class, err);

    if (edited == NULL)
        return ERR_NO_MEMORY;
    edited->base = variable->value; /* whose holder the edited value is now */
    edited->last_chunk = UINT64_MAX;
    variable->value = edited;
    return OK;
}

static enum err_code
make_editable(struct draft *draft, struct draft_variable *variable, struct err *err)
{
    const struct draft_value *value = variable->value;

    if (value->holders == 1 && (value->kind == DRAFT_MEMORY || value->kind == DRAFT_EDITED))
        return OK;
    return value->size <= DRAFT_WHOLE_BYTES_MAX ? make_whole(draft, variable, err)
                                                : make_edited(draft, variable, err);
}

/* --- blocks -------------------------------------------------------------------------------- */

/* A chunk that edits reach for the first time is rewritten by the commit as a whole; edits that
 * come in order count each once, others a chunk more than once. */
static enum err_code
count_chunk(struct draft *draft, struct draft_value *value, uint64_t index, struct err *err)
{
    uint32_t chunk_bytes = store_class_bytes(value->class);
    uint64_t chunk = index * DRAFT_BLOCK_BYTES / chunk_bytes;

    if (chunk == value->last_chunk)
        return OK;
    value->last_chunk = chunk;
    value->touched_chunks++;
    draft->edit_bytes += chunk_bytes;
    if (!draft->ahead && draft->edit_bytes > DRAFT_EDIT_BYTES_MAX)
        return err_set(err, ERR_DEFER, "too many chunks for a commit");
    return OK;
}

static enum err_code
check_room(const struct draft *draft, struct err *err)
{
    if (draft->arena.size_max - draft->arena.used >= DRAFT_BLOCK_BYTES)
        return OK;
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "the edits of one request take over %zu bytes of memory "
                   "(expression_max_bytes): make them in parts",
                   draft->arena.size_max);
}

static enum err_code
find_block(struct draft *draft, struct draft_value *value, uint64_t index, uint8_t **out,
           struct err *err)
{
    uint64_t offset = index * DRAFT_BLOCK_BYTES, left = value->size - offset;
    struct draft_block *slot;
    uint8_t *bytes;

    TRY(grow(&value->blocks, err));
    slot = find_slot(&value->blocks, index);
    if (slot->bytes == NULL) {
        TRY(count_chunk(draft, value, index, err));
        TRY(check_room(draft, err));
        bytes = arena_alloc(&draft->arena, DRAFT_BLOCK_BYTES, err);
        if (bytes == NULL)
            return ERR_NO_MEMORY;
        TRY(draft_value_read(draft, value->base, offset,
                             left < DRAFT_BLOCK_BYTES ? left : DRAFT_BLOCK_BYTES, bytes, err));
        *slot = (struct draft_block){.index = index, .bytes = bytes};
        value->blocks.count++;
    }
    *out = slot->bytes;
    return OK;
}

enum err_code
draft_edit(struct draft *draft, struct draft_variable *variable, uint64_t offset, uint64_t size_max,
           uint8_t **out, size_t *size, struct err *err)
{
    struct draft_value *value;
    uint64_t at, run;
    uint8_t *block = NULL;

    draft_rely(variable);
    if (variable->value == NULL)
        return compute_uninitialized(variable->name, err);
    CHECK(offset < variable->value->size && size_max > 0);
    TRY(draft_check_device(draft, variable, err));
    TRY(draft_work(draft, DRAFT_EDIT_WORK_BYTES, err));
    TRY(make_editable(draft, variable, err));
    value = variable->value;
    if (value->kind == DRAFT_MEMORY) {
        run = value->size - offset;
        *out = value->bytes + offset;
        *size = (size_t)(run < size_max ? run : size_max);
        return OK;
    }
    TRY(find_block(draft, value, offset / DRAFT_BLOCK_BYTES, &block, err));
    at = offset % DRAFT_BLOCK_BYTES;
    run = DRAFT_BLOCK_BYTES - at;
    if (run > value->size - offset)
        run = value->size - offset;
    *out = block + at;
    *size = (size_t)(run < size_max ? run : size_max);
    return OK;
}

void
draft_edited(struct draft_variable *variable)
{
    variable->changes++;
}

static int
compare_blocks(const void *a, const void *b)
{
    uint64_t first = ((const struct draft_block *)a)->index;
    uint64_t second = ((const struct draft_block *)b)->index;

    return first < second ? -1 : first > second;
}

enum err_code
draft_blocks_sorted(const struct draft_blocks *blocks, struct draft_block **out, struct err *err)
{
    struct draft_block *sorted = mem_zeroed(blocks->count, sizeof *sorted, err);
    size_t count = 0;

    if (sorted == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < blocks->capacity; i++)
        if (blocks->slots[i].bytes != NULL)
            sorted[count++] = blocks->slots[i];
    CHECK(count == blocks->count);
    qsort(sorted, count, sizeof *sorted, compare_blocks);
    *out = sorted;
    return OK;
}

bool
draft_is_edited(const struct draft_variable *variable)
{
    const struct draft_value *value = variable->value;

    return value->edits_before || (value->kind == DRAFT_EDITED && value->base == variable->before);
}

enum err_code
draft_each_change(const struct draft_variable *variable, draft_change *visit, void *context,
                  struct err *err)
{
    const struct draft_value *value = variable->value;
    AUTO_CALL(mem_free_scope) struct draft_block *blocks = NULL;

    if (value->kind != DRAFT_EDITED || value->base != variable->before)
        return value->size > 0 ? visit(context, 0, value->size, err) : OK;
    TRY(draft_blocks_sorted(&value->blocks, &blocks, err));
    for (size_t i = 0; i < value->blocks.count; i++) {
        uint64_t offset = blocks[i].index * DRAFT_BLOCK_BYTES, left = value->size - offset;

        TRY(visit(context, offset, left < DRAFT_BLOCK_BYTES ? left : DRAFT_BLOCK_BYTES, err));
    }
    return OK;
}

/* --- before the commit --------------------------------------------------------------------- */

/* What is in memory, or edits of what the run itself has made: the whole of it anew. */
static enum err_code
rebuild(struct draft *draft, struct draft_value *value, struct err *err)
{
    uint64_t offset = 0;

    TRY(draft_stage(draft, err));
    TRY(value_builder_open(draft->service->store, draft->stage, value->size, value->class,
                           &value->builder, err));
    while (offset < value->size) {
        uint8_t *room = NULL;
        size_t size = 0;

        TRY(value_builder_reserve(value->builder, &room, &size, err));
        TRY(draft_value_read(draft, value, offset, size, room, err));
        TRY(value_builder_commit(value->builder, size, err));
        offset += size;
    }
    value->kind = DRAFT_BUILT;
    draft_value_release(value->base);
    value->base = NULL;
    mem_free(value->bytes);
    value->bytes = NULL;
    return OK;
}

/* One chunk: what it holds, with the blocks that lie in it. Whatever edits lie below, they are
 * published as values of the same family, whose chunks have the same places. */
static enum err_code
stage_chunk(struct draft *draft, struct draft_value *value, uint64_t offset, struct err *err)
{
    struct value_staged *staged = &value->staged[value->staged_count];
    struct draft_value *ground = draft_value_ground(value);

    TRY(draft_value_open(draft, ground, err));
    TRY(value_stage(&ground->reader, draft->stage, offset, staged, err));
    TRY(draft_value_read(draft, value, staged->offset, staged->chunk.length, staged->chunk.bytes,
                         err));
    store_chunk_seal(&staged->chunk);
    value->staged_count++;
    return OK;
}

/* Most chunks have several blocks. */
static enum err_code
stage_chunks(struct draft *draft, struct draft_value *value, struct err *err)
{
    AUTO_CALL(mem_free_scope) struct draft_block *blocks = NULL;
    uint64_t end = 0; /* of the chunk staged last */

    TRY(draft_stage(draft, err));
    TRY(draft_blocks_sorted(&value->blocks, &blocks, err));
    value->staged = mem_zeroed(value->blocks.count, sizeof *value->staged, err);
    if (value->staged == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < value->blocks.count; i++) {
        const struct value_staged *last = &value->staged[value->staged_count];
        uint64_t offset = blocks[i].index * DRAFT_BLOCK_BYTES;

        if (offset < end)
            continue;
        TRY(stage_chunk(draft, value, offset, err));
        end = last->offset + last->chunk.length;
    }
    return OK;
}

static enum err_code
settle_memory(struct draft *draft, struct err *err)
{
    uint64_t left = SERVICE_COMMIT_BYTES_MAX;

    for (struct draft_value *value = draft->values; value != NULL; value = value->next) {
        if (value->kind != DRAFT_MEMORY || value->holders == 0 ||
            value->size <= VALUE_RECORD_BYTES_MAX)
            continue;
        if (value->size <= left)
            left -= value->size;
        else
            TRY(rebuild(draft, value, err));
    }
    return OK;
}

enum err_code
draft_settle(struct draft *draft, struct err *err)
{
    uint64_t left = DRAFT_EDIT_BYTES_MAX;

    TRY(settle_memory(draft, err));
    for (struct draft_value *value = draft->values; value != NULL; value = value->next) {
        uint64_t touched = value->touched_chunks * store_class_bytes(value->class);

        if (value->kind != DRAFT_EDITED || value->holders == 0)
            continue;
        if (touched <= left)
            left -= touched;
        else if (draft_value_ground(value)->kind == DRAFT_STORED)
            TRY(stage_chunks(draft, value, err));
        else
            TRY(rebuild(draft, value, err));
    }
    return OK;
}
