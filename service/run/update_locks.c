/* Who waits for whom before a commit. Big updates are computed ahead of it and take turns by locks;
 * small ones wait for nobody, but for a big one that they made start again too often. Always true:
 * whoever waits for small ones to leave has closed their gate, and whoever is inside leaves without
 * waiting for anything but a commit. */
#include "service/state.h"
#include "store/base/check.h"

uint32_t
service_update_lock_bit(const char *model, const char *name)
{
    const char *const names[] = {model, name, NULL};

    return UINT32_C(1) << ((service_topic(names) >> 32) % SERVICE_UPDATE_LOCKS);
}

void
service_update_locks(struct service *service, uint32_t set, bool acquire)
{
    for (uint32_t i = 0; i < SERVICE_UPDATE_LOCKS; i++) {
        if (!(set >> i & 1))
            continue;
        if (acquire)
            lock_acquire(&service->updates[i]);
        else
            lock_release(&service->updates[i]);
    }
}

/* --- the gate ------------------------------------------------------------------------------ */

static bool
is_in(uint32_t set, uint32_t bit)
{
    return (set >> bit & 1) != 0;
}

/* Whether one of the set is not zero. */
static bool
any(const uint32_t counts[static SERVICE_UPDATE_LOCKS], uint32_t set)
{
    for (uint32_t i = 0; i < SERVICE_UPDATE_LOCKS; i++)
        if (is_in(set, i) && counts[i] > 0)
            return true;
    return false;
}

static void
add(uint32_t counts[static SERVICE_UPDATE_LOCKS], uint32_t set)
{
    for (uint32_t i = 0; i < SERVICE_UPDATE_LOCKS; i++)
        counts[i] += is_in(set, i);
}

static void
take(uint32_t counts[static SERVICE_UPDATE_LOCKS], uint32_t set)
{
    for (uint32_t i = 0; i < SERVICE_UPDATE_LOCKS; i++) {
        CHECK(!is_in(set, i) || counts[i] > 0);
        counts[i] -= is_in(set, i);
    }
}

void
service_update_enter(struct service *service, uint32_t set)
{
    struct update_gate *gate = &service->gate;

    lock_acquire(&gate->lock);
    while (any(gate->closed, set))
        condition_wait(&gate->moved, &gate->lock);
    add(gate->inside, set);
    lock_release(&gate->lock);
}

void
service_update_leave(struct service *service, uint32_t set)
{
    struct update_gate *gate = &service->gate;

    lock_acquire(&gate->lock);
    take(gate->inside, set);
    if (any(gate->closed, set))
        condition_broadcast(&gate->moved);
    lock_release(&gate->lock);
}

void
service_update_close(struct service *service, uint32_t set)
{
    struct update_gate *gate = &service->gate;

    lock_acquire(&gate->lock);
    add(gate->closed, set);
    while (any(gate->inside, set))
        condition_wait(&gate->moved, &gate->lock);
    lock_release(&gate->lock);
}

void
service_update_open(struct service *service, uint32_t set)
{
    struct update_gate *gate = &service->gate;

    lock_acquire(&gate->lock);
    take(gate->closed, set);
    condition_broadcast(&gate->moved);
    lock_release(&gate->lock);
}
