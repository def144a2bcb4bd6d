/* Family by family: a chunk is shared within its family only, and only at its own place. */
#include <stdlib.h>

#include "service/state.h"
#include "service/usage/tally_parts.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "store/key.h"

/* --- the lists of a family that are named here --------------------------------------------- */

/* Lists are forked one from the other, so most have at a place what the one before them has. */
static enum err_code
add_entry(struct tally_family *family, uint32_t value, uint32_t place,
          const struct value_entry *entry, struct err *err)
{
    const bool foreign = family->values[value].foreign;
    size_t *last = &family->last_run[place];
    struct tally_run *runs = family->runs;

    if (*last != 0 && runs[*last - 1].chunk == entry->id && runs[*last - 1].last + 1 == value) {
        runs[*last - 1].last = value;
        runs[*last - 1].foreign |= foreign;
        return OK;
    }
    runs = mem_grown(runs, family->run_count, &family->run_capacity, sizeof *runs, err);
    if (runs == NULL)
        return ERR_NO_MEMORY;
    family->runs = runs;
    runs[family->run_count++] = (struct tally_run){.chunk = entry->id,
                                                   .place = place,
                                                   .size = entry->length,
                                                   .first = value,
                                                   .last = value,
                                                   .foreign = foreign};
    *last = family->run_count;
    return OK;
}

static enum err_code
gather_segment(struct tally_family *family, uint32_t value, struct err *err)
{
    const struct value_segment *segment = &family->segment;

    for (uint32_t i = 0; i < segment->count; i++) {
        const struct value_entry *entry = &segment->entries[i];

        if (entry->id == 0)
            continue;
        if (value_family_is_exclusive(&family->head, entry))
            family->values[value].exclusive_bytes += entry->length;
        else
            TRY(add_entry(family, value, i, entry, err));
    }
    return OK;
}

static int
compare_runs(const void *a, const void *b)
{
    const struct tally_run *x = a, *y = b;

    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->chunk < y->chunk ? -1 : x->chunk > y->chunk;
}

/* Segment `number` of each list that has it; *next: the next one that any may have. */
static enum err_code
gather(struct service_tally *tally, uint32_t number, uint32_t *next, struct err *err)
{
    struct tally_family *family = tally->family;
    bool found = true;

    *next = UINT32_MAX;
    family->run_count = family->own_count = 0;
    memset(family->last_run, 0, sizeof family->last_run);
    for (size_t i = 0; i < family->value_count; i++) {
        uint32_t following;

        family->head.id = family->values[i].id;
        family->head.forked = family->values[i].forked;
        TRY(value_segment_next(tally->view, &family->head, number, &found, &family->segment, err));
        if (!found)
            continue;
        following = family->segment.number + (family->segment.number == number);
        *next = following < *next ? following : *next;
        if (family->segment.number == number)
            TRY(gather_segment(family, (uint32_t)i, err));
    }
    for (size_t i = 0; i < family->run_count; i++)
        family->own_count += !family->runs[i].foreign;
    if (family->run_count > 0)
        qsort(family->runs, family->run_count, sizeof *family->runs, compare_runs);
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

/* What the segment, of a list that is not named here, has too. */
static void
mark_segment(struct tally_family *family)
{
    const struct value_segment *segment = &family->segment;

    for (size_t i = 0; i < family->run_count; i++) {
        struct tally_run *run = &family->runs[i];

        if (run->foreign || segment->entries[run->place].id != run->chunk)
            continue;
        run->foreign = true;
        family->own_count--;
    }
}

static enum err_code
mark_list(struct service_tally *tally, uint64_t id, uint32_t number, struct err *err)
{
    struct tally_family *family = tally->family;
    bool found = true;

    if (is_named_here(family, id))
        return OK;
    family->head.id = id;
    TRY(value_segment_next(tally->view, &family->head, number, &found, &family->segment, err));
    if (found && family->segment.number == number)
        mark_segment(family);
    return OK;
}

/* From the first list that is named here to both sides: lists made about the same time have most in
 * common, and no more are read when all chunks are found. */
static enum err_code
mark_foreign(struct service_tally *tally, uint32_t number, struct err *err)
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
            TRY(mark_list(tally, family->ids[newer++], number, err));
        if (older > 0)
            TRY(mark_list(tally, family->ids[--older], number, err));
    }
    return OK;
}

/* --- families ------------------------------------------------------------------------------ */

static void
see_run(struct service_tally *tally, const struct tally_run *run, uint32_t *count)
{
    for (uint32_t i = run->first; i <= run->last; i++)
        service_tally_see_value(tally, &tally->family->values[i], count);
}

/* A chunk may be gone from a list and come back: several runs, and still one piece. */
static void
count_runs(struct service_tally *tally)
{
    const struct tally_family *family = tally->family;
    const struct tally_run *runs = family->runs;

    for (size_t i = 0, next = 0; i < family->run_count; i = next) {
        bool foreign = false;
        uint32_t count = 0;

        tally->stamp++;
        for (next = i; next < family->run_count && runs[next].chunk == runs[i].chunk; next++) {
            foreign |= runs[next].foreign;
            see_run(tally, &runs[next], &count);
        }
        service_tally_count_seen(tally, count, foreign, runs[i].size);
    }
}

/* `values`: the lists of one family. */
enum err_code
service_tally_count_family(struct service_tally *tally, struct tally_value *values, size_t count,
                           struct err *err)
{
    struct tally_family *family = tally->family;
    uint32_t segments, next = 0;

    TRY(service_check_interrupt(tally->service, err));
    TRY(value_head_read(tally->view, values->id, &family->head, err));
    family->values = values;
    family->value_count = count;
    family->known = false;
    segments = value_segment_count(&family->head.layout);
    for (uint32_t number = 0; number < segments; number = next) {
        TRY(gather(tally, number, &next, err));
        TRY(mark_foreign(tally, number, err));
        count_runs(tally);
    }
    for (size_t i = 0; i < count; i++)
        service_tally_count_value(tally, &values[i], values[i].exclusive_bytes);
    return OK;
}
