#include "store/lmdb/env.h"

#include <errno.h>
#include <fcntl.h>

#include "store/base/check.h"
#include "store/base/clock.h"
#include "store/lmdb/mdberr.h"

/* --- reading ------------------------------------------------------------------------------- */

static MDB_txn *
take_idle(struct store_env *e)
{
    MDB_txn *txn = NULL;

    lock_acquire(&e->pool_lock);
    if (e->idle_count > 0)
        txn = e->idle[--e->idle_count];
    lock_release(&e->pool_lock);
    return txn;
}

enum err_code
store_env_read_begin(struct store_env *e, MDB_txn **out, struct err *err)
{
    MDB_txn *txn = take_idle(e);
    int rc;

    if (txn == NULL) {
        rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, out);
        return store_mdb_check(err, rc, "begin reading", e->name);
    }
    rc = mdb_txn_renew(txn);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return store_mdb_check(err, rc, "begin reading", e->name);
    }
    *out = txn;
    return OK;
}

void
store_env_read_end(struct store_env *e, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    lock_acquire(&e->pool_lock);
    if (e->idle_count < e->idle_max) {
        e->idle[e->idle_count++] = txn;
        txn = NULL;
    }
    lock_release(&e->pool_lock);
    if (txn != NULL)
        mdb_txn_abort(txn);
}

/* --- writing ------------------------------------------------------------------------------- */

void
store_env_turn_take(struct store_env *e, enum store_writer who)
{
    store_turn_take(&e->turn, who == STORE_WRITER_COMMITTER);
}

void
store_env_turn_give(struct store_env *e)
{
    store_turn_give(&e->turn);
}

enum err_code
store_env_write_begin(struct store_env *e, enum store_writer who, MDB_txn **out, struct err *err)
{
    int rc;

    store_env_turn_take(e, who);
    rc = mdb_txn_begin(e->env, NULL, 0, out);
    if (rc != 0)
        store_env_turn_give(e);
    return store_mdb_check(err, rc, "begin writing", e->name);
}

void
store_env_write_abort(struct store_env *e, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    store_env_turn_give(e);
}

/* Did a failed commit leave the file as it was? Then the next writer has the same number. A failed
 * write of the meta page makes LMDB refuse (MDB_PANIC). */
static bool
is_unchanged(struct store_env *e, size_t id)
{
    MDB_txn *probe = NULL;
    bool same;

    if (mdb_txn_begin(e->env, NULL, 0, &probe) != 0)
        return false;
    same = mdb_txn_id(probe) == id;
    mdb_txn_abort(probe);
    return same;
}

/* LMDB reports a short write, which is what a full disk gives, as EIO. */
static bool
is_for_want_of_space(const struct store_env *e, int rc)
{
    static const uint64_t low_bytes = 16 << 20;

    return store_mdb_is_full(rc) || (rc == EIO && store_folder_room_bytes(e->folder) < low_bytes);
}

static enum err_code
commit_failed(struct store_env *e, size_t id, int rc, struct err *err)
{
    bool full = is_for_want_of_space(e, rc);

    if ((full || rc == ENOMEM) && is_unchanged(e, id))
        return err_set(err, full ? ERR_FULL : ERR_NO_MEMORY, "cannot commit to %s: %s", e->name,
                       mdb_strerror(rc));
    return err_set(err, ERR_UNKNOWN, "a commit to %s failed and may or may not have happened: %s",
                   e->name, mdb_strerror(rc));
}

/* LMDB 0.9 takes these from the environment, at commit: given to mdb_txn_begin they are ignored.
 * Nobody else reads or writes them while we have the turn. */
static void
set_sync_flags(struct store_env *e, unsigned flags)
{
    if (e->sync_flags == flags)
        return;
    CHECK(mdb_env_set_flags(e->env, e->sync_flags, 0) == 0);
    CHECK(mdb_env_set_flags(e->env, flags, 1) == 0);
    e->sync_flags = flags;
}

enum err_code
store_env_write_commit(struct store_env *e, MDB_txn *txn, unsigned flags, struct err *err)
{
    size_t id = mdb_txn_id(txn);
    uint64_t began_us = clock_monotonic_us();
    enum err_code code = OK;
    int rc;

    set_sync_flags(e, flags);
    rc = mdb_txn_commit(txn);
    if (rc != 0) {
        code = commit_failed(e, id, rc, err);
    } else {
        uint64_t written = atomic_fetch_add(&e->written, 1) + 1;

        if (flags == 0) {
            atomic_store(&e->durable, written);
            histogram_add(&e->syncs, clock_monotonic_us() - began_us);
        }
    }
    store_env_turn_give(e);
    return code;
}

enum err_code
store_env_advance(struct store_env *e, unsigned flags, struct err *err)
{
    static const char nobodys_key[8] = {0};
    MDB_val key = {sizeof nobodys_key, (void *)(uintptr_t)nobodys_key}, value = {0, NULL};
    MDB_txn *txn = NULL;
    int rc;

    TRY(store_env_write_begin(e, STORE_WRITER_COMMITTER, &txn, err));
    rc = mdb_put(txn, e->dbi, &key, &value, 0);
    if (rc == 0)
        rc = mdb_del(txn, e->dbi, &key, NULL);
    if (rc != 0) {
        store_env_write_abort(e, txn);
        return store_mdb_check(err, rc, "write to", e->name);
    }
    return store_env_write_commit(e, txn, flags, err);
}

enum err_code
store_env_sync(struct store_env *e, struct err *err)
{
    uint64_t began_us = clock_monotonic_us();
    uint64_t written = atomic_load(&e->written), durable;
    int rc = mdb_env_sync(e->env, 1);

    if (rc != 0)
        return err_set(err, ERR_UNKNOWN, "cannot sync %s: %s", e->name, mdb_strerror(rc));
    histogram_add(&e->syncs, clock_monotonic_us() - began_us);
    durable = atomic_load(&e->durable);
    while (durable < written && !atomic_compare_exchange_weak(&e->durable, &durable, written))
        ;
    return OK;
}

void
store_env_write_back(struct store_env *e)
{
    int file = -1;

    if (mdb_env_get_fd(e->env, &file) == 0)
        (void)sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
}

/* --- space --------------------------------------------------------------------------------- */

static uint64_t
pages_of(const MDB_stat *stat)
{
    return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

static int
count_used(const struct store_env *e, MDB_txn *txn, uint64_t *pages, uint64_t *entries)
{
    static const MDB_dbi free_list = 0;
    static const uint64_t meta_pages = 2;
    MDB_stat main_tree, free_tree;
    int rc = mdb_stat(txn, e->dbi, &main_tree);

    if (rc == 0)
        rc = mdb_stat(txn, free_list, &free_tree);
    if (rc != 0)
        return rc;
    *pages = meta_pages + pages_of(&main_tree) + pages_of(&free_tree);
    *entries = main_tree.ms_entries;
    return 0;
}

enum err_code
store_env_left(struct store_env *e, MDB_txn *txn, uint64_t disk_bytes, uint64_t *bytes,
               struct err *err)
{
    uint64_t used = 0, entries = 0, file_bytes, growth_bytes = 0;
    MDB_envinfo info;

    TRY(store_mdb_check(err, count_used(e, txn, &used, &entries), "examine", e->name));
    TRY(store_mdb_check(err, mdb_env_info(e->env, &info), "examine", e->name));
    used *= e->page_bytes;
    file_bytes = ((uint64_t)info.me_last_pgno + 1) * e->page_bytes;
    if (file_bytes < used)
        file_bytes = used; /* the transaction has grown it */
    if (file_bytes < e->map_bytes)
        growth_bytes = e->map_bytes - file_bytes;
    if (growth_bytes > disk_bytes)
        growth_bytes = disk_bytes;
    *bytes = file_bytes - used + growth_bytes;
    return OK;
}

enum err_code
store_env_space(struct store_env *e, struct store_env_space *out, struct err *err)
{
    MDB_envinfo info;
    MDB_txn *txn = NULL;
    uint64_t used = 0, entries = 0, pages;
    int rc;

    TRY(store_env_read_begin(e, &txn, err));
    rc = count_used(e, txn, &used, &entries);
    if (rc == 0)
        rc = mdb_env_info(e->env, &info);
    store_env_read_end(e, txn);
    TRY(store_mdb_check(err, rc, "examine", e->name));
    pages = (uint64_t)info.me_last_pgno + 1;
    *out =
        (struct store_env_space){.entries = entries,
                                 .file_bytes = pages * e->page_bytes,
                                 .free_bytes = used < pages ? (pages - used) * e->page_bytes : 0};
    out->room_bytes = out->free_bytes;
    if (out->file_bytes < e->map_bytes)
        out->room_bytes += e->map_bytes - out->file_bytes;
    return OK;
}
