/* What a step of an optimizer reports, and what its request weighs. */
#include "service/optimizer_apply.h"

#include "service/draft.h"
#include "store/base/alloc.h"

void
optimizer_applied_drop(struct optimizer_applied *applied)
{
    if (applied == NULL)
        return;
    mem_free(applied->variables);
    mem_free(applied);
}

void
optimizer_applied_settle(struct optimizer_applied *applied, bool dry_run)
{
    for (size_t i = 0; i < applied->variable_count; i++) {
        struct optimizer_changed *changed = &applied->variables[i];
        const struct draft_variable *v = changed->variable;
        uint64_t before = dry_run ? v->version : v->published_version - v->changes;

        changed->version = before + changed->change_number;
    }
}

uint64_t
optimizer_gradients_bytes(const struct optimizer_gradients *gradients)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < gradients->count; i++) {
        const struct optimizer_gradient *each = &gradients->gradients[i];

        bytes += each->dense == NULL ? 0 : each->dense->literal_bytes;
        bytes += each->indices == NULL ? 0 : each->indices->literal_bytes;
        bytes += each->values == NULL ? 0 : each->values->literal_bytes;
    }
    return bytes;
}

uint32_t
optimizer_gradients_locks(const struct optimizer_gradients *gradients, const char *model)
{
    uint32_t set = 0;

    for (size_t i = 0; i < gradients->count; i++)
        set |= service_update_lock_bit(model, gradients->gradients[i].variable);
    return set;
}
