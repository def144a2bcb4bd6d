/* Lists and chunks, a family at a time: a chunk shared by many lists is read once, and the memory
 * is that of one family's lists. */
#include <inttypes.h>
#include <stdlib.h>

#include "store/base/alloc.h"
#include "store/key.h"
#include "store/value_family.h"
#include "store/verify_state.h"

static int
by_id(const void *a, const void *b)
{
    const struct verify_entry *left = a, *right = b;

    if (left->id != right->id)
        return left->id < right->id ? -1 : 1;
    return left->value < right->value ? -1 : left->value > right->value;
}

/* A chunk that several lists name: they must agree. */
static void
compare_entries(struct verify_state *s, const struct verify_entry *a, const struct verify_entry *b)
{
    if (a->index != b->index || a->crc != b->crc || a->length != b->length)
        verify_finding(s, "values %" PRIu64 " and %" PRIu64 " disagree about chunk %016" PRIx64,
                       a->value, b->value, a->id);
    else if (a->exclusive || b->exclusive)
        verify_finding(s,
                       "values %" PRIu64 " and %" PRIu64 " both have chunk %016" PRIx64
                       ", which was made for one of them",
                       a->value, b->value, a->id);
}

static enum err_code
check_chunk(struct verify_state *s, const struct verify_entry *entry, struct err *err)
{
    struct store_chunk_place place = {.family = s->family, .index = entry->index};
    struct bytes bytes;
    enum err_code code;

    s->report->chunks++;
    s->report->chunk_bytes += entry->length;
    if (s->payloads)
        code =
            store_chunk_verify(s->view, entry->id, place, entry->length, entry->crc, &bytes, err);
    else
        code = store_chunk_read(s->view, entry->id, place, entry->length, entry->crc, &bytes, err);
    TRY(verify_absorb(s, code, err));
    return verify_ids_add(&s->named, entry->id, err);
}

/* All lists of one family have been gathered. */
static enum err_code
finish_family(struct verify_state *s, struct err *err)
{
    if (s->entry_count > 0)
        qsort(s->entries, s->entry_count, sizeof s->entries[0], by_id);
    for (size_t i = 0; i < s->entry_count; i++) {
        if (i > 0 && s->entries[i].id == s->entries[i - 1].id)
            compare_entries(s, &s->entries[i - 1], &s->entries[i]);
        else
            TRY(check_chunk(s, &s->entries[i], err));
    }
    s->entry_count = 0;
    return OK;
}

static enum err_code
gather_segment(struct verify_state *s, const struct value_head *head, struct err *err)
{
    struct verify_entry *entries;

    for (uint32_t i = 0; i < s->segment->count; i++) {
        const struct value_entry *entry = &s->segment->entries[i];

        if (entry->id == 0)
            continue;
        entries = mem_grown(s->entries, s->entry_count, &s->entry_capacity, sizeof *entries, err);
        if (entries == NULL)
            return ERR_NO_MEMORY;
        s->entries = entries;
        s->entries[s->entry_count++] = (struct verify_entry){
            .id = entry->id,
            .value = head->id,
            .index = s->segment->first + i,
            .crc = entry->crc,
            .length = entry->length,
            .exclusive = value_family_is_exclusive(head, entry),
        };
    }
    return OK;
}

static enum err_code
gather_list(struct verify_state *s, const struct value_head *head, struct err *err)
{
    uint32_t count = value_segment_count(&head->layout);
    bool found;
    enum err_code code;

    for (uint32_t from = 0; from < count; from = s->segment->number + 1) {
        s->segment->number = from; /* a damaged one is stepped over */
        code = value_segment_next(s->view, head, from, &found, s->segment, err);
        if (code == OK && !found)
            return OK;
        if (code == OK)
            TRY(gather_segment(s, head, err));
        TRY(verify_absorb(s, code, err));
        if (code != OK && value_head_has_gaps(head) && s->segment->number == from)
            return OK; /* no telling where the next one is */
    }
    return OK;
}

static enum err_code
visit_member(struct verify_state *s, struct bytes key, struct bytes record, struct err *err)
{
    struct verify_value *value;
    uint64_t family, id;

    if (!store_key_parse_family(key, &family, &id) || record.size != 0)
        return err_set(err, ERR_DATA_LOSS,
                       "the member of a family has a key of %zu bytes and a "
                       "record of %zu",
                       key.size, record.size);
    if (family != s->family)
        TRY(finish_family(s, err));
    s->family = family;
    value = verify_find_value(s, id);
    if (value == NULL || value->head.family != family)
        return err_set(err, ERR_DATA_LOSS,
                       "value %" PRIu64 " does not exist or is not of family %" PRIu64
                       ", which lists it",
                       id, family);
    value->members++;
    return gather_list(s, &value->head, err);
}

/* The segments themselves were read by family; this finds those of no value. */
static enum err_code
visit_segment(struct verify_state *s, struct bytes key, struct bytes record, struct err *err)
{
    const struct verify_value *value;
    uint64_t id;
    uint32_t number;

    (void)record;
    if (!store_key_parse_list(key, &id, &number))
        return err_set(err, ERR_DATA_LOSS, "a list has a key of %zu bytes", key.size);
    value = verify_find_value(s, id);
    if (value == NULL || number >= value_segment_count(&value->head.layout))
        return err_set(err, ERR_DATA_LOSS,
                       "there is segment %" PRIu32 " of the list of value %" PRIu64
                       ", but no such value with as many chunks",
                       number, id);
    return OK;
}

enum err_code
verify_lists(struct verify_state *s, struct err *err)
{
    struct store_key families = store_key_kind(STORE_KEY_FAMILY);
    struct store_key lists = store_key_kind(STORE_KEY_LIST);

    TRY(verify_scan(s, store_key_bytes(&families), visit_member, err));
    TRY(finish_family(s, err));
    return verify_scan(s, store_key_bytes(&lists), visit_segment, err);
}
