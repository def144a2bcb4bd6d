#include "store/value_list.h"

#include <inttypes.h>

#include "store/base/check.h"
#include "store/base/scope.h"
#include "store/key.h"

static void
cursor_drop(struct store_cursor **cursor)
{
    store_cursor_drop(*cursor);
}

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

static bool
entry_is_sound(const struct value_head *head, const struct value_entry *entry, uint32_t index)
{
    struct value_span span = value_layout_span(&head->layout, index);

    if (entry->length != span.length)
        return false;
    if (entry->id == 0)
        return entry->crc == 0 && value_head_has_gaps(head);
    return store_chunk_class(entry->id) == span.class;
}

enum err_code
value_segment_decode(const struct value_head *head, uint32_t number, struct bytes record,
                     struct value_segment *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint32_t count;

    out->number = number;
    out->count = 0;
    if (number >= value_segment_count(&head->layout) ||
        record.size != (size_t)entries_in(&head->layout, number) * VALUE_ENTRY_BYTES)
        return err_set(err, ERR_DATA_LOSS,
                       "segment %" PRIu32 " of the list of value %" PRIu64 " has %zu bytes, which "
                       "does not fit its %" PRIu32 " chunks",
                       number, head->id, record.size, head->layout.chunk_count);
    count = entries_in(&head->layout, number);
    out->first = number * VALUE_SEGMENT_ENTRIES;
    out->present = true;
    for (uint32_t i = 0; i < count; i++) {
        out->entries[i].id = reader_u64(&in);
        out->entries[i].crc = reader_u32(&in);
        out->entries[i].length = reader_u32(&in);
        if (!entry_is_sound(head, &out->entries[i], out->first + i))
            return err_set(err, ERR_DATA_LOSS,
                           "entry %" PRIu32 " of the list of value %" PRIu64 " is damaged",
                           out->first + i, head->id);
    }
    out->count = count;
    return OK;
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
    AUTO(buf) record;

    buf_init(&record, STORE_RECORD_BYTES_MAX);
    for (uint32_t i = 0; i < segment->count; i++) {
        TRY(buf_append_u64(&record, segment->entries[i].id, err));
        TRY(buf_append_u32(&record, segment->entries[i].crc, err));
        TRY(buf_append_u32(&record, segment->entries[i].length, err));
    }
    return store_put(txn, store_key_bytes(&key), buf_bytes(&record), err);
}

/* For values that are mostly pattern: skips the gaps. */
static enum err_code
next_present(const struct store_view *view, const struct value_head *head, uint32_t from,
             bool *found, struct value_segment *out, struct err *err)
{
    struct store_key prefix = store_key_lists(head->id), after = store_key_list(head->id, from - 1);
    struct bytes begin = from == 0 ? (struct bytes){NULL, 0} : store_key_bytes(&after);
    AUTO_CALL(cursor_drop) struct store_cursor *cursor = NULL;
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
    AUTO_CALL(cursor_drop) struct store_cursor *cursor = NULL;
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
