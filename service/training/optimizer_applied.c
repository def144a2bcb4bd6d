/* What a step of an optimizer reports, and what its request weighs. */
#include "service/training/optimizer_apply.h"

#include "service/state.h"
#include "store/base/alloc.h"

void
optimizer_applied_drop(struct optimizer_applied *applied)
{
    if (applied == NULL)
        return;
    mem_free(applied->variables);
    mem_free(applied);
}

bool
optimizer_applied_is_step(const struct optimizer_applied *applied)
{
    return applied->contributed == OPTIMIZER_CONTRIBUTED_NONE ||
           applied->contributed == OPTIMIZER_CONTRIBUTED_LAST;
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
