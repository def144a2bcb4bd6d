/* Broadcasting as runs. Dimensions of size 1 in the result vanish; a dimension joins its inner
 * neighbour when both are repeated or when both walk through the source without a gap. */
#include "service/broadcast.h"

static bool
joins(const struct broadcast *plan, uint64_t stride)
{
    uint32_t inner = plan->rank - 1;

    if (plan->strides[inner] == 0)
        return stride == 0;
    return stride == plan->strides[inner] * plan->sizes[inner];
}

static void
add_dimension(struct broadcast *plan, uint64_t size, uint64_t stride)
{
    if (plan->rank > 0 && joins(plan, stride)) {
        plan->sizes[plan->rank - 1] *= size;
        return;
    }
    plan->sizes[plan->rank] = size;
    plan->strides[plan->rank++] = stride;
}

void
op_broadcast_init(struct broadcast *plan, const struct shape *from, const struct shape *to)
{
    uint64_t stride = 1;

    *plan = (struct broadcast){0};
    for (uint32_t i = 0; i < to->rank; i++) {
        uint64_t size = to->dims[to->rank - 1 - i];
        uint64_t own = i < from->rank ? from->dims[from->rank - 1 - i] : 1;

        if (size == 1)
            continue;
        add_dimension(plan, size, own == 1 ? 0 : stride);
        stride *= own;
    }
    if (plan->rank == 0)
        add_dimension(plan, 1, 0);
}

void
op_broadcast_start(const struct broadcast *plan, uint64_t first, struct broadcast_walk *walk)
{
    *walk = (struct broadcast_walk){.plan = plan};
    for (uint32_t i = 0; i < plan->rank && first > 0; i++) {
        walk->at[i] = first % plan->sizes[i];
        walk->source += walk->at[i] * plan->strides[i];
        first /= plan->sizes[i];
    }
}

/* The innermost dimension is done: back to its start, one step outwards. */
static void
carry(struct broadcast_walk *walk)
{
    const struct broadcast *plan = walk->plan;

    for (uint32_t i = 0; i < plan->rank && walk->at[i] == plan->sizes[i]; i++) {
        walk->at[i] = 0;
        walk->source -= plan->sizes[i] * plan->strides[i];
        if (i + 1 == plan->rank)
            return;
        walk->at[i + 1]++;
        walk->source += plan->strides[i + 1];
    }
}

struct broadcast_run
op_broadcast_next(struct broadcast_walk *walk, uint64_t count_max)
{
    const struct broadcast *plan = walk->plan;
    uint64_t left = plan->sizes[0] - walk->at[0];
    struct broadcast_run run = {.source = walk->source,
                                .count = left < count_max ? left : count_max,
                                .step = (uint32_t)plan->strides[0]};

    walk->at[0] += run.count;
    walk->source += run.count * plan->strides[0];
    if (walk->at[0] == plan->sizes[0])
        carry(walk);
    return run;
}
