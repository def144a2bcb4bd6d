#include "store/value_list.h"

#include <inttypes.h>

#include "store/base/check.h"
#include "store/key.h"
#include "store/scope.h"

uint32_t
value_segment_count(const struct value_layout *layout)
{
    return layout->chunk_count / VALUE_SEGMENT_ENTRIES +
           (layout->chunk_count % VALUE_SEGMENT_ENTRIES != 0);
}

/* number < value_segment_count */
static uint32_t
entries_in(const struct value_layout *layout, uint32_t number)
{
    uint32_t left = layout->chunk_count - number * VALUE_SEGMENT_ENTRIES;

    return left < VALUE_SEGMENT_ENTRIES ? left : VALUE_SEGMENT_ENTRIES;
}

void
value_segment_init(struct value_segment *segment, const struct value_head *head, uint32_t number)
{
    CHECK(number < value_segment_count(&head->layout));
    segment->number = number;
    segment->first = number * VALUE_SEGMENT_ENTRIES;
    segment->count = entries_in(&head->layout, number);
    segment->present = false;
    for (uint32_t i = 0; i < segment->count; i++)
        segment->entries[i] = (struct value_entry){
            .length = value_layout_span(&head->layout, segment->first + i).length,
        };
}

/* Chunks [from, to) of a list have one span but for their place: whether their entries say so. One
 * loop without a branch that is taken, for a table's update goes through many lists. */
static bool
entries_are_sound(const struct value_segment *segment, uint32_t from, uint32_t to,
                  struct value_span span, bool gaps)
{
    bool sound = true;

    for (uint32_t i = from; i < to; i++) {
        const struct value_entry *entry = &segment->entries[i - segment->first];
        bool gap = entry->id == 0;

        sound &= entry->length == span.length;
        sound &= gap ? gaps && entry->crc == 0 : store_chunk_class(entry->id) == span.class;
    }
    return sound;
}

/* The chunks of a list that are alike: all bulk chunks, or all rows chunks, but for the last of
 * either, which may be short. */
static uint32_t
alike_until(const struct value_layout *layout, uint32_t index)
{
    uint32_t end = index < layout->bulk_count ? layout->bulk_count : layout->chunk_count;

    return index + 1 < end ? end - 1 : end;
}

static enum err_code
check_entries(const struct value_head *head, const struct value_segment *segment, struct err *err)
{
    const uint32_t end = segment->first + segment->count;
    const bool gaps = value_head_has_gaps(head);
    uint32_t from = segment->first, to;

    for (; from < end; from = to) {
        struct value_span span = value_layout_span(&head->layout, from);

        to = alike_until(&head->layout, from);
        if (to > end)
            to = end;
        if (entries_are_sound(segment, from, to, span, gaps))
            continue;
        while (entries_are_sound(segment, from, from + 1, span, gaps))
            from++;
        return err_set(err, ERR_DATA_LOSS,
                       "entry %" PRIu32 " of the list of value %" PRIu64 " is damaged", from,
                       head->id);
    }
    return OK;
}

enum err_code
value_segment_decode(const struct value_head *head, uint32_t number, struct bytes record,
                     struct value_segment *out, struct err *err)
{
    enum err_code code;

    out->number = number;
    out->count = 0;
    if (number >= value_segment_count(&head->layout) ||
        record.size != (size_t)entries_in(&head->layout, number) * VALUE_ENTRY_BYTES)
        return err_set(err, ERR_DATA_LOSS,
                       "segment %" PRIu32 " of the list of value %" PRIu64 " has %zu bytes, which "
                       "does not fit its %" PRIu32 " chunks",
                       number, head->id, record.size, head->layout.chunk_count);
    out->first = number * VALUE_SEGMENT_ENTRIES;
    out->present = true;
    memcpy(out->entries, record.data, record.size);
    out->count = (uint32_t)(record.size / VALUE_ENTRY_BYTES);
    code = check_entries(head, out, err);
    if (code != OK)
        out->count = 0;
    return code;
}

enum err_code
value_segment_read(const struct store_view *view, const struct value_head *head, uint32_t number,
                   struct value_segment *out, struct err *err)
{
    struct store_key key = store_key_list(head->id, number);
    struct bytes record;

    TRY(store_get(view, store_key_bytes(&key), &record, err));
    if (record.data != NULL)
        return value_segment_decode(head, number, record, out, err);
    if (!value_head_has_gaps(head))
        return err_set(err, ERR_DATA_LOSS,
                       "segment %" PRIu32 " of the list of value %" PRIu64 " is missing", number,
                       head->id);
    value_segment_init(out, head, number);
    return OK;
}

enum err_code
value_segment_write(struct store_txn *txn, uint64_t id, const struct value_segment *segment,
                    struct err *err)
{
    struct store_key key = store_key_list(id, segment->number);

    return store_put(txn, store_key_bytes(&key),
                     bytes_of(segment->entries, (size_t)segment->count * VALUE_ENTRY_BYTES), err);
}

/* For values that are mostly pattern: skips the gaps. */
static enum err_code
next_present(const struct store_view *view, const struct value_head *head, uint32_t from,
             bool *found, struct value_segment *out, struct err *err)
{
    struct store_key prefix = store_key_lists(head->id), after = store_key_list(head->id, from - 1);
    struct bytes begin = from == 0 ? (struct bytes){NULL, 0} : store_key_bytes(&after);
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    uint64_t id;
    uint32_t number;

    TRY(store_cursor_open(view, store_key_bytes(&prefix), begin, &cursor, err));
    TRY(store_cursor_next(cursor, found, &key, &record, err));
    if (!*found)
        return OK;
    if (!store_key_parse_list(key, &id, &number) || id != head->id || number < from)
        return err_set(err, ERR_DATA_LOSS, "the list of value %" PRIu64 " has a strange key",
                       head->id);
    return value_segment_decode(head, number, record, out, err);
}

enum err_code
value_segment_next(const struct store_view *view, const struct value_head *head, uint32_t from,
                   bool *found, struct value_segment *out, struct err *err)
{
    *found = false;
    if (from >= value_segment_count(&head->layout))
        return OK;
    if (value_head_has_gaps(head))
        return next_present(view, head, from, found, out, err);
    *found = true;
    return value_segment_read(view, head, from, out, err);
}

enum err_code
value_visit_chunks(const struct store_view *view,
                   void (*visit)(void *ctx, uint64_t chunk_id, uint64_t family), void *ctx,
                   struct err *err)
{
    struct store_key prefix = store_key_kind(STORE_KEY_LIST);
    AUTO_CURSOR cursor = NULL;
    struct value_head head = {0};
    struct value_segment segment;
    struct bytes key, record;
    uint64_t id = 0;
    uint32_t number = 0;
    bool found = false;

    TRY(store_cursor_open(view, store_key_bytes(&prefix), (struct bytes){NULL, 0}, &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        if (!store_key_parse_list(key, &id, &number))
            return err_set(err, ERR_DATA_LOSS, "a list has a strange key of %zu bytes", key.size);
        if (id != head.id)
            TRY(value_head_read(view, id, &head, err));
        TRY(value_segment_decode(&head, number, record, &segment, err));
        for (uint32_t i = 0; i < segment.count; i++)
            if (segment.entries[i].id != 0)
                visit(ctx, segment.entries[i].id, head.family);
    }
}
