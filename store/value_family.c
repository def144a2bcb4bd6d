#include "store/value_family.h"

#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/key.h"
#include "store/scope.h"

void
value_family_drop(struct value_family *family)
{
    mem_free(family->ids);
    mem_free(family->segment);
    *family = (struct value_family){0};
}

enum err_code
value_family_join(struct store_txn *txn, const struct value_head *head, struct err *err)
{
    struct store_key key = store_key_family(head->family, head->id);

    return store_put(txn, store_key_bytes(&key), bytes_of("", 0), err);
}

enum err_code
value_family_leave(struct store_txn *txn, const struct value_head *head, struct err *err)
{
    struct store_key key = store_key_family(head->family, head->id);

    return store_delete(txn, store_key_bytes(&key), err);
}

static enum err_code
add_sibling(struct value_family *family, uint64_t id, struct err *err)
{
    uint64_t *grown = mem_grown(family->ids, family->count, &family->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    family->ids = grown;
    family->ids[family->count++] = id;
    return OK;
}

static enum err_code
look_up(struct value_family *family, const struct store_view *view, const struct value_head *head,
        struct err *err)
{
    struct store_key prefix = store_key_families(head->family);
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    uint64_t group, id;
    bool found;

    TRY(store_cursor_open(view, store_key_bytes(&prefix), (struct bytes){NULL, 0}, &cursor, err));
    family->count = family->older = 0;
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            break;
        if (!store_key_parse_family(key, &group, &id) || group != head->family || record.size != 0)
            return err_set(err, ERR_DATA_LOSS, "family %" PRIu64 " has a strange member",
                           head->family);
        if (id == head->id)
            continue;
        family->older += id < head->id;
        TRY(add_sibling(family, id, err));
    }
    if (family->segment == NULL)
        family->segment = mem_alloc(sizeof *family->segment, err);
    if (family->segment == NULL)
        return ERR_NO_MEMORY;
    family->known = true;
    return OK;
}

bool
value_family_is_exclusive(const struct value_head *head, const struct value_entry *entry)
{
    return entry->id == 0 || store_chunk_number(entry->id) > head->forked;
}

/* Entries whose chunks others may have. */
static size_t
count_open(const struct value_head *head, const struct value_segment *segment)
{
    size_t count = 0;

    for (uint32_t i = 0; i < segment->count; i++)
        count += !value_family_is_exclusive(head, &segment->entries[i]);
    return count;
}

/* What the sibling has of the segment; *open counts the entries left that nobody was found for. */
static enum err_code
mark_sibling(struct value_family *family, const struct store_view *view,
             const struct value_head *head, uint64_t id, const struct value_segment *segment,
             bool *shared, size_t *open, struct err *err)
{
    struct value_head sibling = *head;

    sibling.id = id;
    TRY(value_segment_read(view, &sibling, segment->number, family->segment, err));
    for (uint32_t i = 0; i < segment->count; i++) {
        bool same =
            segment->entries[i].id != 0 && segment->entries[i].id == family->segment->entries[i].id;

        *open -= same && !shared[i] && !value_family_is_exclusive(head, &segment->entries[i]);
        shared[i] |= same;
    }
    return OK;
}

enum err_code
value_family_mark(struct value_family *family, const struct store_view *view,
                  const struct value_head *head, const struct value_segment *segment,
                  bool shared[VALUE_SEGMENT_ENTRIES], struct err *err)
{
    size_t open = count_open(head, segment), older, younger;

    memset(shared, 0, VALUE_SEGMENT_ENTRIES * sizeof shared[0]);
    if (open > 0 && !family->known)
        TRY(look_up(family, view, head, err));
    /* From the nearest outwards: what a list shares it shares most likely with the one that it was
     * forked from, or with the one that was forked from it. */
    older = younger = family->older;
    while (open > 0 && (older > 0 || younger < family->count)) {
        if (older > 0)
            TRY(mark_sibling(family, view, head, family->ids[--older], segment, shared, &open,
                             err));
        if (open > 0 && younger < family->count)
            TRY(mark_sibling(family, view, head, family->ids[younger++], segment, shared, &open,
                             err));
    }
    return OK;
}
