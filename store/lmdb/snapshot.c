/* Snapshots and leases: what somebody is still reading.
 *
 * A snapshot is registered before its transaction begins, with revision 0 ("unknown"), so garbage
 * that it might see can never be missed: the committer either sees it registered, or had decided
 * before, and then the snapshot begins on a state that no longer names what was deleted. */
#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/clock.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/system.h"

void
store_snapshots_init(struct store_snapshots *s)
{
    *s = (struct store_snapshots){0};
    lock_init(&s->lock);
}

void
store_snapshots_drop(struct store_snapshots *s)
{
    CHECK(s->first == NULL);
    lock_drop(&s->lock);
}

uint64_t
store_snapshots_oldest(struct store_snapshots *s)
{
    uint64_t oldest = UINT64_MAX;

    lock_acquire(&s->lock);
    for (const struct store_snapshot *it = s->first; it != NULL; it = it->next) {
        uint64_t revision = atomic_load(&it->revision);

        if (revision < oldest)
            oldest = revision;
    }
    lock_release(&s->lock);
    return oldest;
}

/* The limit is counted here: a lock file left by a start with more readers keeps its slots. */
static enum err_code
enlist(struct store_snapshots *s, struct store_snapshot *snapshot, uint32_t count_max,
       struct err *err)
{
    bool full;

    lock_acquire(&s->lock);
    full = s->count >= count_max;
    if (!full) {
        snapshot->next = s->first;
        if (s->first != NULL)
            s->first->previous = snapshot;
        s->first = snapshot;
        s->count++;
    }
    lock_release(&s->lock);
    if (full)
        return err_set(err, ERR_BUSY, "%" PRIu32 " snapshots are open already", count_max);
    return OK;
}

static void
delist(struct store_snapshots *s, struct store_snapshot *snapshot)
{
    lock_acquire(&s->lock);
    if (snapshot->previous == NULL)
        s->first = snapshot->next;
    else
        snapshot->previous->next = snapshot->next;
    if (snapshot->next != NULL)
        snapshot->next->previous = snapshot->previous;
    s->count--;
    lock_release(&s->lock);
}

static enum err_code
begin(struct store_snapshot *snapshot, struct err *err)
{
    struct store *store = snapshot->view.store;
    bool found = false;
    enum err_code code;

    TRY(store_env_read_begin(&store->meta, &snapshot->view.meta, err));
    code = store_system_get(&store->meta, snapshot->view.meta, STORE_SYSTEM_REVISION, &found,
                            &snapshot->view.revision, err);
    if (code != OK)
        store_env_read_end(&store->meta, snapshot->view.meta);
    else
        atomic_store(&snapshot->revision, snapshot->view.revision);
    return code;
}

enum err_code
store_snapshot_open(struct store *store, struct store_snapshot **out, struct err *err)
{
    struct store_snapshot *snapshot = mem_zeroed(1, sizeof *snapshot, err);
    enum err_code code;

    if (snapshot == NULL)
        return ERR_NO_MEMORY;
    snapshot->view.store = store;
    code = enlist(&store->snapshots, snapshot, store->config.readers_max, err);
    if (code == OK) {
        code = begin(snapshot, err);
        if (code != OK)
            delist(&store->snapshots, snapshot);
    }
    if (code != OK) {
        mem_free(snapshot);
        return code;
    }
    *out = snapshot;
    return OK;
}

void
store_snapshot_drop(struct store_snapshot *snapshot)
{
    struct store *store;

    if (snapshot == NULL)
        return;
    store = snapshot->view.store;
    store_env_read_end(&store->meta, snapshot->view.meta);
    delist(&store->snapshots, snapshot);
    mem_free(snapshot);
}

const struct store_view *
store_snapshot_view(const struct store_snapshot *snapshot)
{
    return &snapshot->view;
}

/* --- leases -------------------------------------------------------------------------------- */

void
store_leases_init(struct store_leases *l)
{
    *l = (struct store_leases){0};
    lock_init(&l->lock);
}

void
store_leases_drop(struct store_leases *l)
{
    CHECK(l->first == NULL);
    lock_drop(&l->lock);
}

enum err_code
store_lease_open(struct store *store, struct store_lease **out, struct err *err)
{
    struct store_leases *all = &store->leases;
    struct store_lease *lease = mem_zeroed(1, sizeof *lease, err);

    if (lease == NULL)
        return ERR_NO_MEMORY;
    lease->store = store;
    lease->opened_ms = clock_monotonic_ms();
    lock_acquire(&all->lock);
    lease->next = all->first;
    if (all->first != NULL)
        all->first->previous = lease;
    all->first = lease;
    all->count++;
    lock_release(&all->lock);
    *out = lease;
    return OK;
}

/* The snapshot is still registered here, so nothing it sees is deleted before the pin is in place.
 */
enum err_code
store_lease_add(struct store_lease *lease, const struct store_snapshot *snapshot, uint64_t family,
                struct err *err)
{
    struct store *store = lease->store;

    CHECK(snapshot->view.store == store);
    return store_pins_add(&store->pins, &lease->pins, family, atomic_load(&store->next_number),
                          snapshot->view.revision, err);
}

enum err_code
store_lease_add_all(struct store_lease *lease, const struct store_snapshot *snapshot,
                    struct err *err)
{
    return store_lease_add(lease, snapshot, STORE_PINS_ALL_FAMILIES, err);
}

void
store_lease_drop(struct store_lease *lease)
{
    struct store_leases *all;

    if (lease == NULL)
        return;
    all = &lease->store->leases;
    if (lease->pins != NULL)
        store_pins_remove(&lease->store->pins, lease->pins);
    lock_acquire(&all->lock);
    if (lease->previous == NULL)
        all->first = lease->next;
    else
        lease->previous->next = lease->next;
    if (lease->next != NULL)
        lease->next->previous = lease->previous;
    all->count--;
    lock_release(&all->lock);
    mem_free(lease);
}
