/* What an update of moving averages reports, and what its request weighs. */
#include "service/average_apply.h"
#include "service/draft.h"
#include "store/base/alloc.h"

void
average_applied_drop(struct average_applied *applied)
{
    if (applied == NULL)
        return;
    mem_free(applied->shadows);
    mem_free(applied);
}

void
average_applied_settle(struct average_applied *applied, bool dry_run)
{
    for (size_t i = 0; i < applied->shadow_count; i++) {
        struct average_changed *changed = &applied->shadows[i];
        const struct draft_variable *v = changed->variable;
        uint64_t before = dry_run ? v->version : v->published_version - v->changes;

        changed->version = before + changed->change_number;
    }
}

uint64_t
average_selection_bytes(const struct average_selection *selection)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < selection->tensor_count; i++)
        bytes += selection->tensors[i].value->literal_bytes;
    return bytes;
}
