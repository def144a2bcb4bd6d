/* References: one record more or less that names a value, and what is freed when the last one goes.
 */
#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "store/key.h"
#include "store/value.h"
#include "store/value_family.h"
#include "store/value_list.h"

static bool
is_counted(const struct value_ref *ref)
{
    return ref->kind == VALUE_RECORD || ref->kind == VALUE_CHUNKS;
}

enum err_code
value_share(struct store_txn *txn, const struct value_ref *ref, struct err *err)
{
    struct value_head head;

    if (!is_counted(ref))
        return OK;
    TRY(value_head_of(store_txn_view(txn), ref, &head, err));
    if (__builtin_add_overflow(head.refs, 1, &head.refs))
        return err_set(err, ERR_FULL, "value %" PRIu64 " is named by %" PRIu32 " records already",
                       ref->id, UINT32_MAX);
    return value_head_write(txn, &head, err);
}

static enum err_code
free_unshared(struct store_txn *txn, const struct value_head *head,
              const struct value_segment *segment, const bool *shared, struct err *err)
{
    for (uint32_t i = 0; i < segment->count; i++)
        if (segment->entries[i].id != 0 && !shared[i])
            TRY(store_chunk_free(txn, head->family, segment->entries[i].id, err));
    return OK;
}

static enum err_code
free_list(struct store_txn *txn, const struct value_head *head, struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    AUTO_CALL(mem_free_scope) struct value_segment *segment = mem_alloc(sizeof *segment, err);
    AUTO(value_family) family = {0};
    bool shared[VALUE_SEGMENT_ENTRIES], found;
    struct store_key key;

    if (segment == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t from = 0;; from = segment->number + 1) {
        TRY(value_segment_next(view, head, from, &found, segment, err));
        if (!found)
            return value_family_leave(txn, head, err);
        TRY(value_family_mark(&family, view, head, segment, shared, err));
        TRY(free_unshared(txn, head, segment, shared, err));
        key = store_key_list(head->id, segment->number);
        TRY(store_delete(txn, store_key_bytes(&key), err));
    }
}

enum err_code
value_release(struct store_txn *txn, const struct value_ref *ref, struct err *err)
{
    struct value_head head;

    if (!is_counted(ref))
        return OK;
    TRY(value_head_of(store_txn_view(txn), ref, &head, err));
    if (--head.refs != 0)
        return value_head_write(txn, &head, err);
    if (head.kind == VALUE_CHUNKS)
        TRY(free_list(txn, &head, err));
    return value_head_delete(txn, &head, err);
}
