/* How much room there is, and the numbers operators look at. */
#include <inttypes.h>

#include "store/base/clock.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/system.h"

struct space {
    uint64_t file_bytes, free_bytes, room_bytes; /* room: of the roomier chunk file */
    struct store_env_space meta, chunks[STORE_CLASS_COUNT];
};

static enum err_code
read_space(struct store *store, struct space *out, struct err *err)
{
    TRY(store_env_space(&store->meta, &out->meta, err));
    out->file_bytes = out->meta.file_bytes;
    out->free_bytes = out->meta.free_bytes;
    out->room_bytes = 0;
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        const struct store_env_space *s = &out->chunks[class];

        TRY(store_env_space(&store->chunks[class], &out->chunks[class], err));
        out->file_bytes += s->file_bytes;
        out->free_bytes += s->free_bytes;
        if (s->room_bytes > out->room_bytes)
            out->room_bytes = s->room_bytes;
    }
    return OK;
}

/* `have` may be less than nothing: then it is nothing. */
static enum err_code
check_fits(uint64_t size_bytes, uint64_t have, uint64_t taken, const char *what, struct err *err)
{
    uint64_t left = have > taken ? have - taken : 0;

    if (size_bytes <= left)
        return OK;
    return err_set(err, ERR_FULL, "%" PRIu64 " bytes do not fit: %s has %" PRIu64 " left",
                   size_bytes, what, left);
}

static enum err_code
check_now(struct store *store, uint64_t size_bytes, struct err *err)
{
    struct space space;
    uint64_t disk_bytes;

    TRY(read_space(store, &space, err));
    TRY(check_fits(size_bytes, space.room_bytes, 0, "the address space of a data file (map size)",
                   err));
    if (store->config.size_max_bytes != 0)
        TRY(check_fits(size_bytes, store->config.size_max_bytes,
                       space.file_bytes - space.free_bytes, "the store's size limit", err));
    disk_bytes = store_folder_room_bytes(&store->folder);
    return check_fits(size_bytes, disk_bytes + space.free_bytes, store->config.disk_reserve_bytes,
                      "the disk (less its reserve)", err);
}

/* What was deleted a moment ago is no room yet, but may soon be. A unit cannot wait for that: it is
 * what the committer does next. */
enum err_code
store_reserve_check(struct store *store, uint64_t size_bytes, struct err *err)
{
    struct err full = ERR_INIT;
    enum err_code code = check_now(store, size_bytes, &full);

    if (code == ERR_FULL && !store_committer_is_this_thread(store) &&
        (store_sweep_is_under_way(store) || store_garbage_count(&store->garbage) > 0)) {
        store_committer_relieve(store);
        return check_now(store, size_bytes, err);
    }
    return code == OK ? OK : err_set(err, code, "%s", full.text);
}

enum err_code
store_disk_check(struct store *store, uint64_t size_bytes, struct err *err)
{
    return check_fits(size_bytes, store_folder_room_bytes(&store->folder),
                      store->config.disk_reserve_bytes, "the disk (less its reserve)", err);
}

enum err_code
store_growth_check(struct store *store, enum store_class class, uint64_t size_bytes,
                   struct err *err)
{
    const uint64_t room_bytes = store_folder_room_bytes(&store->folder);
    uint64_t reserve_bytes = store->config.disk_reserve_bytes;
    struct store_env_space chunks;
    struct space space;

    /* Small chunks may take a quarter of what is kept back, lest the end of a value fails whose
     * bulk found room in its file. */
    if (class == STORE_CLASS_ROWS)
        reserve_bytes -= reserve_bytes / 4;
    if (store->config.size_max_bytes != 0) {
        TRY(read_space(store, &space, err));
        TRY(check_fits(size_bytes, store->config.size_max_bytes,
                       space.file_bytes - space.free_bytes, "the store's size limit", err));
    }
    if (room_bytes >= reserve_bytes && room_bytes - reserve_bytes >= size_bytes)
        return OK;
    TRY(store_env_space(&store->chunks[class], &chunks, err));
    if (size_bytes <= chunks.free_bytes)
        return OK;
    return check_fits(size_bytes - chunks.free_bytes, room_bytes, reserve_bytes,
                      "the disk (less its reserve)", err);
}

enum err_code
store_temporary_file(struct store *store, int *descriptor, struct err *err)
{
    return store_folder_temporary(&store->folder, descriptor, err);
}

static enum err_code
count_system(struct store *store, uint64_t *count, struct err *err)
{
    MDB_txn *txn = NULL;
    enum err_code code;

    TRY(store_env_read_begin(&store->meta, &txn, err));
    code = store_system_count(&store->meta, txn, count, err);
    store_env_read_end(&store->meta, txn);
    return code;
}

static void
read_open_things(struct store *store, struct store_stats *out)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t oldest = store_snapshots_oldest(&store->snapshots);

    if (oldest != 0 && oldest < out->revision) /* neither just being opened, nor none */
        out->snapshot_lag = out->revision - oldest;
    lock_acquire(&store->snapshots.lock);
    out->snapshots_open = store->snapshots.count;
    lock_release(&store->snapshots.lock);
    lock_acquire(&store->leases.lock);
    out->leases_open = store->leases.count;
    for (const struct store_lease *l = store->leases.first; l != NULL; l = l->next) {
        if (now_ms - l->opened_ms > out->lease_age_ms_max)
            out->lease_age_ms_max = now_ms - l->opened_ms;
    }
    lock_release(&store->leases.lock);
    lock_acquire(&store->committer.lock);
    out->queue_units = store->committer.waiting;
    lock_release(&store->committer.lock);
}

static struct store_file_stats
file_stats(const struct store_env *env, const struct store_env_space *space)
{
    return (struct store_file_stats){
        .name = env->name, .bytes = space->file_bytes, .free_bytes = space->free_bytes};
}

static enum err_code
read_sizes(struct store *store, struct store_stats *out, struct err *err)
{
    struct space space;
    uint64_t system_records = 0;

    TRY(read_space(store, &space, err));
    TRY(count_system(store, &system_records, err));
    out->records = space.meta.entries - system_records;
    out->record_bytes = space.meta.file_bytes - space.meta.free_bytes;
    out->files[0] = file_stats(&store->meta, &space.meta);
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        out->files[1 + class] = file_stats(&store->chunks[class], &space.chunks[class]);
        out->chunks[class] = space.chunks[class].entries;
        out->chunk_bytes[class] =
            space.chunks[class].entries * store_class_bytes((enum store_class) class);
    }
    out->file_bytes = space.file_bytes;
    out->free_bytes = space.free_bytes;
    out->map_bytes = store->meta.map_bytes;
    out->size_max_bytes = store->config.size_max_bytes;
    out->disk_free_bytes = store_folder_room_bytes(&store->folder);
    out->disk_reserve_bytes = store->config.disk_reserve_bytes;
    return OK;
}

enum err_code
store_stats_read(struct store *store, struct store_stats *out, struct err *err)
{
    bool sweeping = store_sweep_is_under_way(store);
    struct err own = ERR_INIT;
    enum err_code code;

    /* Sweeping before garbage, garbage before sizes: who sees none left does not see its chunks
     * either. */
    *out = (struct store_stats){.failed = atomic_load(&store->failed),
                                .sweeping = sweeping,
                                .garbage_chunks = store_garbage_count(&store->garbage)};
    code = read_sizes(store, out, &own);
    if (code != OK && !out->failed) /* a failed store's files may be unreadable, too */
        return err_set(err, code, "%s", own.text);
    out->revision = atomic_load(&store->revision);
    histogram_collect(&store->meta.syncs, &out->syncs);
    for (int class = 0; class < STORE_CLASS_COUNT; class ++)
        histogram_collect(&store->chunks[class].syncs, &out->syncs);
    histogram_collect(&store->commits, &out->commits);
    out->units = atomic_load(&store->units);
    read_open_things(store, out);
    return OK;
}
