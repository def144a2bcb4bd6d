/* A data file is made, opened and closed. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "store/base/alloc.h"
#include "store/lmdb/env.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/short.h"

/* No WRITEMAP (a full disk would be a SIGBUS), no NORDAHEAD (cold reads 30 times slower), NOTLS so
 * that a snapshot belongs to nobody's thread. */
static const unsigned env_flags = MDB_NOSUBDIR | MDB_NOTLS;
static const uint64_t map_bytes_min = 1 << 20;

static int
open_once(const char *path, uint64_t map_bytes, uint32_t readers_max, MDB_env **out)
{
    MDB_env *env = NULL;
    int rc = mdb_env_create(&env);

    if (rc != 0)
        return rc;
    rc = mdb_env_set_mapsize(env, map_bytes);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(env, readers_max);
    if (rc == 0)
        rc = mdb_env_open(env, path, env_flags, 0600);
    if (rc != 0) {
        mdb_env_close(env);
        return rc;
    }
    *out = env;
    return 0;
}

/* Address space is scarce under limits, valgrind and sanitizers: half as much until it opens. */
static enum err_code
open_halving(struct store_env *e, const char *path, const struct store_env_options *options,
             struct err *err)
{
    uint64_t map_bytes = options->map_bytes & ~(uint64_t)4095;
    int rc;

    if (map_bytes < map_bytes_min)
        map_bytes = map_bytes_min;
    do {
        rc = open_once(path, map_bytes, options->readers_max, &e->env);
        e->map_bytes = map_bytes;
        map_bytes = (map_bytes / 2) & ~(uint64_t)4095;
    } while ((rc == ENOMEM || rc == EFBIG || rc == EINVAL) && map_bytes >= map_bytes_min);
    return store_mdb_check(err, rc, "open", path);
}

/* The one DBI is opened once, in a transaction of its own: without that LMDB's own look-ups crash.
 */
static enum err_code
open_dbi(struct store_env *e, store_env_seed *seed, void *context, struct err *err)
{
    MDB_txn *txn = NULL;
    enum err_code code;
    int rc = mdb_txn_begin(e->env, NULL, 0, &txn);

    TRY(store_mdb_check(err, rc, "begin in", e->name));
    code = store_mdb_check(err, mdb_dbi_open(txn, NULL, 0, &e->dbi), "open", e->name);
    if (code == OK && seed != NULL)
        code = seed(e, txn, context, err);
    if (code != OK) {
        mdb_txn_abort(txn);
        return code;
    }
    return store_mdb_check(err, mdb_txn_commit(txn), "commit to", e->name);
}

static enum err_code
create_at(const char *path, const char *name, const struct store_env_options *options,
          store_env_seed *seed, void *context, struct err *err)
{
    struct store_env e = {.name = name};
    enum err_code code;

    TRY(open_halving(&e, path, options, err));
    code = open_dbi(&e, seed, context, err);
    if (code == OK)
        code = store_mdb_check(err, mdb_env_sync(e.env, 1), "sync", name);
    mdb_env_close(e.env);
    return code;
}

enum err_code
store_env_create(const struct store_folder *folder, const char *name,
                 const struct store_env_options *options, store_env_seed *seed, void *context,
                 struct err *err)
{
    char fresh[STORE_PATH_BYTES_MAX], fresh_lock[STORE_PATH_BYTES_MAX], final[STORE_PATH_BYTES_MAX];

    if (!store_folder_path(folder, name, ".new", fresh) ||
        !store_folder_path(folder, name, ".new-lock", fresh_lock) ||
        !store_folder_path(folder, name, "", final))
        return err_set(err, ERR_UNAVAILABLE, "the path of the data folder is too long");
    (void)unlink(fresh); /* left by a crash, perhaps */
    (void)unlink(fresh_lock);
    TRY(create_at(fresh, name, options, seed, context, err));
    (void)unlink(fresh_lock);
    if (rename(fresh, final) != 0)
        return store_mdb_check(err, errno, "name", final);
    return store_folder_sync(folder, err);
}

static enum err_code
open_pool(struct store_env *e, uint32_t readers_max, struct err *err)
{
    MDB_stat stat;

    e->idle = mem_zeroed(readers_max, sizeof(MDB_txn *), err);
    if (e->idle == NULL)
        return ERR_NO_MEMORY;
    e->idle_max = readers_max;
    TRY(store_mdb_check(err, mdb_env_stat(e->env, &stat), "examine", e->name));
    e->page_bytes = stat.ms_psize;
    return open_dbi(e, NULL, NULL, err);
}

/* Opens only a file that has all its pages, and leaves any other as it was. */
static enum err_code
open_whole(struct store_env *e, const char *path, const struct store_env_options *options,
           struct err *err)
{
    struct store_short missing;
    enum err_code code;
    bool is_short;

    TRY(store_short_examine(path, &missing, err));
    is_short = missing.page_first != missing.page_end;
    if (is_short)
        TRY(store_short_extend(path, &missing, err));
    code = open_halving(e, path, options, err);
    if (code == OK) {
        code = store_short_check(e->env, path, &missing, err);
        if (code != OK)
            mdb_env_close(e->env);
    }
    if (code != OK) {
        e->env = NULL;
        if (is_short)
            store_short_undo(path, &missing);
    }
    return code;
}

enum err_code
store_env_open(struct store_env *e, const struct store_folder *folder, const char *name,
               const struct store_env_options *options, struct err *err)
{
    char path[STORE_PATH_BYTES_MAX];
    enum err_code code;

    *e = (struct store_env){.name = name, .folder = folder};
    if (!store_folder_path(folder, name, "", path))
        return err_set(err, ERR_UNAVAILABLE, "the path of the data folder is too long");
    TRY(open_whole(e, path, options, err));
    lock_init(&e->pool_lock);
    store_turn_init(&e->turn);
    code = open_pool(e, options->readers_max, err);
    if (code != OK)
        store_env_drop(e);
    return code;
}

void
store_env_drop(struct store_env *e)
{
    if (e->env == NULL)
        return;
    while (e->idle_count > 0)
        mdb_txn_abort(e->idle[--e->idle_count]);
    mem_free(e->idle);
    mdb_env_close(e->env);
    store_turn_drop(&e->turn);
    lock_drop(&e->pool_lock);
    e->env = NULL;
}
