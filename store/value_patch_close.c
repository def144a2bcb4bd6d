/* A change of a value becomes its new list, or a fork's; chunks that nobody names any more are
 * freed. */
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"
#include "store/key.h"
#include "store/value_family.h"
#include "store/value_patch.h"

/* Of a segment whose replaced chunks this list alone names, as it does until it is forked. *all
 * false, and nothing freed: it may share some. */
static enum err_code
free_exclusive(struct value_patch *p, const struct value_head *head,
               const struct value_patch_segment *segment, bool *all, struct err *err)
{
    const struct value_entry *entries = segment->list.entries;

    *all = false;
    for (uint32_t i = 0; i < segment->list.count; i++)
        if (segment->slot[i] != 0 && !value_family_is_exclusive(head, &entries[i]))
            return OK;
    *all = true;
    for (uint32_t i = 0; i < segment->list.count; i++)
        if (segment->slot[i] != 0 && entries[i].id != 0)
            TRY(store_chunk_free(p->txn, head->family, entries[i].id, err));
    return OK;
}

/* Frees the chunks that the patch replaces and that no other list of the family names. */
static enum err_code
free_replaced(struct value_patch *p, const struct value_head *head, struct err *err)
{
    AUTO_CALL(mem_free_scope) struct value_segment *old = mem_alloc(sizeof *old, err);
    AUTO(value_family) family = {0};
    bool shared[VALUE_SEGMENT_ENTRIES], all;

    if (old == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t number = 0; number < p->segment_count; number++) {
        if (p->segments[number] == NULL)
            continue;
        TRY(free_exclusive(p, head, p->segments[number], &all, err));
        if (all)
            continue;
        *old = p->segments[number]->list;
        for (uint32_t i = 0; i < old->count; i++)
            if (p->segments[number]->slot[i] == 0)
                old->entries[i].id = 0;
        TRY(value_family_mark(&family, store_txn_view(p->txn), head, old, shared, err));
        for (uint32_t i = 0; i < old->count; i++)
            if (old->entries[i].id != 0 && !shared[i])
                TRY(store_chunk_free(p->txn, head->family, old->entries[i].id, err));
    }
    return OK;
}

static void
renew_entries(struct value_patch_segment *segment)
{
    struct store_chunk *chunk;

    for (uint32_t i = 0; i < segment->list.count; i++) {
        if (segment->slot[i] == 0)
            continue;
        chunk = &segment->chunks[segment->slot[i] - 1];
        segment->list.entries[i] = (struct value_entry){
            .id = chunk->id,
            .crc = chunk->crc,
            .length = chunk->length,
        };
    }
}

/* Completes the new chunks and writes the touched segments under `id`. */
static enum err_code
write_touched(struct value_patch *p, uint64_t id, struct err *err)
{
    struct value_patch_segment *segment;

    for (uint32_t number = 0; number < p->segment_count; number++) {
        segment = p->segments[number];
        if (segment == NULL || segment->chunk_count == 0)
            continue;
        for (uint16_t i = 0; i < segment->chunk_count; i++)
            if (!value_patch_is_staged(&segment->chunks[i]))
                store_chunk_seal(&segment->chunks[i]);
        renew_entries(segment);
        TRY(value_segment_write(p->txn, id, &segment->list, err));
    }
    return OK;
}

/* The segments that the fork has in common with what it was forked from. */
static enum err_code
write_untouched(struct value_patch *p, uint64_t id, struct err *err)
{
    AUTO_CALL(mem_free_scope) struct value_segment *segment = mem_alloc(sizeof *segment, err);
    bool found;

    if (segment == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t from = 0;; from = segment->number + 1) {
        TRY(value_segment_next(store_txn_view(p->txn), &p->head, from, &found, segment, err));
        if (!found)
            return OK;
        if (p->segments[segment->number] == NULL || p->segments[segment->number]->chunk_count == 0)
            TRY(value_segment_write(p->txn, id, segment, err));
    }
}

/* A new list in the same family; the caller's reference to the old one goes. */
static enum err_code
close_fork(struct value_patch *p, struct value_head *head, struct value_ref *out, struct err *err)
{
    struct value_head fork = *head;

    fork.id = p->fork_id != 0 ? p->fork_id : store_new_id(store_of_txn(p->txn));
    fork.refs = 1;
    fork.forked = head->forked = fork.id;
    TRY(write_untouched(p, fork.id, err));
    TRY(write_touched(p, fork.id, err));
    TRY(value_family_join(p->txn, &fork, err));
    TRY(value_head_write(p->txn, &fork, err));
    TRY(value_head_write(p->txn, head, err));
    *out = value_head_ref(&fork);
    return value_release(p->txn, &p->ref, err);
}

static enum err_code
close_chunks(struct value_patch *p, struct value_ref *out, struct err *err)
{
    struct value_head head;

    TRY(value_head_of(store_txn_view(p->txn), &p->ref, &head, err));
    if (p->fork_id != 0 || head.refs > 1)
        return close_fork(p, &head, out, err);
    TRY(free_replaced(p, &head, err));
    *out = p->ref;
    return write_touched(p, head.id, err);
}

static enum err_code
close_record(struct value_patch *p, struct value_ref *out, struct err *err)
{
    struct value_head head;

    TRY(value_head_of(store_txn_view(p->txn), &p->ref, &head, err));
    if (head.refs > 1) {
        TRY(value_release(p->txn, &p->ref, err));
        head.id = p->fork_id != 0 ? p->fork_id : store_new_id(store_of_txn(p->txn));
        head.refs = 1;
        TRY(value_head_write(p->txn, &head, err));
    }
    *out = value_head_ref(&head);
    return value_data_write(p->txn, &head, p->small, err);
}

enum err_code
value_patch_close(struct value_patch *p, struct value_ref *out, struct err *err)
{
    CHECK(!p->closed);
    if (p->failed)
        return err_set(err, ERR_INTERNAL, "a change that failed half-way cannot be kept");
    if (!p->touched) {
        *out = p->ref;
        return OK;
    }
    p->closed = true;
    if (p->ref.kind == VALUE_CHUNKS)
        return close_chunks(p, out, err);
    if (p->ref.kind == VALUE_RECORD)
        return close_record(p, out, err);
    *out = p->ref;
    memcpy(out->bytes, p->small, (size_t)p->ref.size);
    return OK;
}
