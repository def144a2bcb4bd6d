/* Family by family: a chunk is shared within its family only, and only at its own place. */
#include <stdlib.h>

#include "service/state.h"
#include "service/tally_parts.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "store/key.h"

/* --- the lists of a family that are named here --------------------------------------------- */

static enum err_code
gather_segment(struct tally_family *family, uint32_t value, struct err *err)
{
    const struct value_segment *segment = &family->segment;
    const bool foreign = family->values[value].foreign;

    for (uint32_t i = 0; i < segment->count; i++) {
        const struct value_entry *entry = &segment->entries[i];
        struct tally_entry *entries;

        if (entry->id == 0)
            continue;
        if (value_family_is_exclusive(&family->head, entry)) {
            family->values[value].exclusive_bytes += entry->length;
            continue;
        }
        entries = mem_grown(family->entries, family->entry_count, &family->entry_capacity,
                            sizeof *entries, err);
        if (entries == NULL)
            return ERR_NO_MEMORY;
        family->entries = entries;
        entries[family->entry_count++] = (struct tally_entry){.chunk = entry->id,
                                                              .index = segment->first + i,
                                                              .size = entry->length,
                                                              .value = value,
                                                              .foreign = foreign};
        family->own_count += !foreign;
    }
    return OK;
}

static int
compare_entries(const void *a, const void *b)
{
    const struct tally_entry *x = a, *y = b;

    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return x->chunk < y->chunk ? -1 : x->chunk > y->chunk;
}

/* Segments [from, to) of each list. */
static enum err_code
gather(struct service_tally *tally, uint32_t from, uint32_t to, struct err *err)
{
    struct tally_family *family = tally->family;
    bool found = true;

    family->entry_count = family->own_count = 0;
    for (size_t i = 0; i < family->value_count; i++) {
        family->head.id = family->values[i].id;
        family->head.forked = family->values[i].forked;
        for (uint32_t number = from; number < to; number = family->segment.number + 1) {
            TRY(value_segment_next(tally->view, &family->head, number, &found, &family->segment,
                                   err));
            if (!found || family->segment.number >= to)
                break;
            TRY(gather_segment(family, (uint32_t)i, err));
        }
    }
    if (family->entry_count > 0)
        qsort(family->entries, family->entry_count, sizeof *family->entries, compare_entries);
    return OK;
}

/* --- its other lists ----------------------------------------------------------------------- */

static enum err_code
look_up(struct service_tally *tally, struct err *err)
{
    struct tally_family *family = tally->family;
    struct store_key prefix = store_key_families(family->head.family);
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    uint64_t group, id, *ids;
    bool found = true;

    family->known = true;
    family->id_count = 0;
    TRY(store_cursor_open(tally->view, store_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        if (!store_key_parse_family(key, &group, &id))
            return err_set(err, ERR_DATA_LOSS, "a family has a strange member");
        ids = mem_grown(family->ids, family->id_count, &family->id_capacity, sizeof *ids, err);
        if (ids == NULL)
            return ERR_NO_MEMORY;
        family->ids = ids;
        ids[family->id_count++] = id;
    }
}

static bool
is_named_here(const struct tally_family *family, uint64_t id)
{
    size_t low = 0, high = family->value_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (family->values[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < family->value_count && family->values[low].id == id;
}

/* What the segment, of a list that is not named here, has too. Both are in the order of places. */
static void
mark_segment(struct tally_family *family)
{
    const struct value_segment *segment = &family->segment;

    for (size_t i = 0; i < family->entry_count; i++) {
        struct tally_entry *entry = &family->entries[i];

        if (entry->index < segment->first)
            continue;
        if (entry->index - segment->first >= segment->count)
            return;
        if (entry->foreign || segment->entries[entry->index - segment->first].id != entry->chunk)
            continue;
        entry->foreign = true;
        family->own_count--;
    }
}

static enum err_code
mark_list(struct service_tally *tally, uint64_t id, uint32_t from, uint32_t to, struct err *err)
{
    struct tally_family *family = tally->family;
    bool found = true;

    if (is_named_here(family, id))
        return OK;
    family->head.id = id;
    for (uint32_t number = from; number < to; number = family->segment.number + 1) {
        TRY(value_segment_next(tally->view, &family->head, number, &found, &family->segment, err));
        if (!found || family->segment.number >= to)
            return OK;
        mark_segment(family);
    }
    return OK;
}

/* From the first list that is named here to both sides: lists made about the same time have most in
 * common, and no more are read when all chunks are found. */
static enum err_code
mark_foreign(struct service_tally *tally, uint32_t from, uint32_t to, struct err *err)
{
    struct tally_family *family = tally->family;
    size_t older = 0, newer;

    if (family->own_count == 0)
        return OK;
    if (!family->known)
        TRY(look_up(tally, err));
    while (older < family->id_count && family->ids[older] < family->values[0].id)
        older++;
    newer = older;
    while (family->own_count > 0 && (older > 0 || newer < family->id_count)) {
        if (newer < family->id_count)
            TRY(mark_list(tally, family->ids[newer++], from, to, err));
        if (older > 0)
            TRY(mark_list(tally, family->ids[--older], from, to, err));
    }
    return OK;
}

/* --- families ------------------------------------------------------------------------------ */

static void
count_entries(struct service_tally *tally)
{
    const struct tally_family *family = tally->family;
    const struct tally_entry *entries = family->entries;

    for (size_t i = 0, next = 0; i < family->entry_count; i = next) {
        bool foreign = entries[i].foreign;
        uint32_t count = 0;

        tally->stamp++;
        while (next < family->entry_count && entries[next].chunk == entries[i].chunk) {
            const struct tally_value *value = &family->values[entries[next++].value];

            foreign |= value->foreign;
            service_tally_see_value(tally, value, &count);
        }
        service_tally_count_seen(tally, count, foreign, entries[i].size);
    }
}

/* `values`: the lists of one family. */
enum err_code
service_tally_count_family(struct service_tally *tally, struct tally_value *values, size_t count,
                           struct err *err)
{
    struct tally_family *family = tally->family;
    uint32_t segments, step;

    TRY(service_check_interrupt(tally->service, err));
    TRY(value_head_read(tally->view, values->id, &family->head, err));
    family->values = values;
    family->value_count = count;
    family->known = false;
    segments = value_segment_count(&family->head.layout);
    /* Lists with gaps are short, however many segments they have room for. */
    step = value_head_has_gaps(&family->head) ? segments : 1;
    for (uint32_t number = 0; number < segments; number += step) {
        TRY(gather(tally, number, number + step, err));
        TRY(mark_foreign(tally, number, number + step, err));
        count_entries(tally);
    }
    for (size_t i = 0; i < count; i++)
        service_tally_count_value(tally, &values[i], values[i].exclusive_bytes);
    return OK;
}
