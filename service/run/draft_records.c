/* Records that are not of variables or checkpoints: what a run relies on, and what it leaves beside
 * them. */
#include "service/run/draft_parts.h"

static enum err_code
add_record(struct draft *draft, struct draft_record **out, struct err *err)
{
    struct draft_record *record = arena_alloc(&draft->arena, sizeof *record, err);

    if (record == NULL)
        return ERR_NO_MEMORY;
    *draft->records_end = record;
    draft->records_end = &record->next;
    *out = record;
    return OK;
}

enum err_code
draft_rely_on(struct draft *draft, const struct record_key *key, struct bytes *out, struct err *err)
{
    struct draft_record *record = NULL;
    struct bytes value;
    uint8_t *copy;

    TRY(store_get(draft->view, record_key_bytes(key), &value, err));
    *out = value;
    if (value.data != NULL) {
        copy = arena_alloc(&draft->arena, value.size, err);
        if (copy == NULL)
            return ERR_NO_MEMORY;
        memcpy(copy, value.data, value.size);
        *out = bytes_of(copy, value.size);
    }
    TRY(add_record(draft, &record, err));
    record->key = *key;
    record->value = *out;
    return OK;
}

enum err_code
draft_also_publish(struct draft *draft, draft_publication *publish, void *context, struct err *err)
{
    struct draft_record *record = NULL;

    TRY(add_record(draft, &record, err));
    record->publish = publish;
    record->context = context;
    return OK;
}

void *
draft_to_publish(const struct draft *draft, draft_publication *publish, size_t index)
{
    for (const struct draft_record *each = draft->records; each != NULL; each = each->next)
        if (each->publish == publish && index-- == 0)
            return each->context;
    return NULL;
}
