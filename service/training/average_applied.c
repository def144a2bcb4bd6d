/* What an update of moving averages reports, and what its request weighs. */
#include "service/training/average_apply.h"
#include "store/base/alloc.h"

void
average_applied_drop(struct average_applied *applied)
{
    if (applied == NULL)
        return;
    mem_free(applied->shadows);
    mem_free(applied);
}

uint64_t
average_selection_bytes(const struct average_selection *selection)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < selection->tensor_count; i++)
        bytes += selection->tensors[i].value->literal_bytes;
    return bytes;
}
