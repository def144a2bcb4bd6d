#include "tests/support/stored.h"

#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "store/value_family.h"
#include "store/value_list.h"

static enum err_code
list_usage(const struct store_view *view, const struct value_head *head, struct stored_usage *out,
           struct err *err)
{
    AUTO_CALL(mem_free_scope) struct value_segment *segment = mem_alloc(sizeof *segment, err);
    AUTO(value_family) family = {0};
    bool shared[VALUE_SEGMENT_ENTRIES], found;

    if (segment == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t from = 0;; from = segment->number + 1) {
        TRY(value_segment_next(view, head, from, &found, segment, err));
        if (!found)
            return OK;
        TRY(value_family_mark(&family, view, head, segment, shared, err));
        for (uint32_t i = 0; i < segment->count; i++) {
            if (segment->entries[i].id == 0)
                continue;
            if (shared[i])
                out->shared_bytes += segment->entries[i].length;
            else
                out->unique_bytes += segment->entries[i].length;
        }
    }
}

enum err_code
stored_usage(const struct store_view *view, const struct value_ref *ref, struct stored_usage *out,
             struct err *err)
{
    struct value_head head;

    *out = (struct stored_usage){0};
    if (ref->kind != VALUE_RECORD && ref->kind != VALUE_CHUNKS) {
        out->unique_bytes = ref->kind == VALUE_INLINE ? ref->size : 0;
        out->references = ref->kind == VALUE_INLINE ? 1 : 0;
        return OK;
    }
    TRY(value_head_of(view, ref, &head, err));
    out->references = head.refs;
    if (head.kind == VALUE_CHUNKS)
        return list_usage(view, &head, out, err);
    out->unique_bytes = head.layout.size;
    return OK;
}

enum err_code
stored_each_piece(const struct store_view *view, const struct value_ref *ref,
                  enum err_code (*visit)(void *ctx, uint64_t id, uint64_t size, struct err *err),
                  void *ctx, struct err *err)
{
    AUTO_CALL(mem_free_scope) struct value_segment *segment = NULL;
    struct value_head head;
    bool found;

    if (ref->kind != VALUE_RECORD && ref->kind != VALUE_CHUNKS)
        return OK;
    TRY(value_head_of(view, ref, &head, err));
    if (head.kind != VALUE_CHUNKS)
        return visit(ctx, ref->id, head.layout.size, err);
    segment = mem_alloc(sizeof *segment, err);
    if (segment == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t from = 0;; from = segment->number + 1) {
        TRY(value_segment_next(view, &head, from, &found, segment, err));
        if (!found)
            return OK;
        for (uint32_t i = 0; i < segment->count; i++) {
            if (segment->entries[i].id != 0)
                TRY(visit(ctx, segment->entries[i].id, segment->entries[i].length, err));
        }
    }
}
