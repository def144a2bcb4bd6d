#include "store/lmdb/interval.h"

#include <inttypes.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/mdberr.h"

/* Chunk files first, as everywhere. */
static struct store_env *
env_at(struct store *store, int i)
{
    return i < STORE_CLASS_COUNT ? &store->chunks[i] : &store->meta;
}

static void
end_pins(MDB_txn *pins[STORE_SIDE_FILES])
{
    for (int i = 0; i < STORE_SIDE_FILES; i++) {
        if (pins[i] != NULL)
            mdb_txn_abort(pins[i]);
        pins[i] = NULL;
    }
}

static enum err_code
pin(struct store_env *env, MDB_txn **out, struct store_image_meta *meta, struct err *err)
{
    struct store_image image;
    int file = -1;

    TRY(store_mdb_check(err, mdb_txn_begin(env->env, NULL, MDB_RDONLY, out), "begin reading",
                        env->name));
    TRY(store_mdb_check(err, mdb_env_get_fd(env->env, &file), "examine", env->name));
    TRY(store_image_read(file, env->name, &image, err));
    if (image.transaction != mdb_txn_id(*out))
        return err_set(err, ERR_INTERNAL,
                       "%s has transaction %" PRIu64 " on disk, %zu was expected", env->name,
                       image.transaction, mdb_txn_id(*out));
    *meta = image.meta;
    return OK;
}

/* With every writer waiting. */
static enum err_code
sync_and_pin(struct store *store, MDB_txn *pins[STORE_SIDE_FILES], struct store_side_point *point,
             struct err *err)
{
    for (int i = 0; i < STORE_SIDE_FILES; i++)
        TRY(store_env_sync(env_at(store, i), err));
    for (int i = 0; i < STORE_SIDE_FILES; i++)
        TRY(pin(env_at(store, i), &pins[i], &point->metas[i], err));
    return OK;
}

static enum err_code
make_point(struct store *store, MDB_txn *pins[STORE_SIDE_FILES], struct err *err)
{
    struct store_side_point point = {.generation = store->interval.generation + 1};
    uint64_t revision = atomic_load(&store->revision);
    enum err_code code;

    /* Most of the writing is done before writers have to wait. */
    for (int i = 0; i < STORE_SIDE_FILES; i++)
        TRY(store_env_sync(env_at(store, i), err));
    for (int i = 0; i < STORE_SIDE_FILES; i++)
        store_env_turn_take(env_at(store, i), STORE_WRITER_COMMITTER);
    code = sync_and_pin(store, pins, &point, err);
    for (int i = 0; i < STORE_SIDE_FILES; i++)
        store_env_turn_give(env_at(store, i));
    TRY(code);
    TRY(store_side_boot(point.boot, err));
    TRY(store_side_write(&store->folder, &point, err));
    store->interval.generation = point.generation;
    atomic_store(&store->revision_durable, revision);
    return OK;
}

enum err_code
store_interval_sync(struct store *store, struct err *err)
{
    MDB_txn *pins[STORE_SIDE_FILES] = {NULL};
    enum err_code code = make_point(store, pins, err);

    if (code != OK) {
        end_pins(pins);
        return code;
    }
    end_pins(store->interval.pins);
    for (int i = 0; i < STORE_SIDE_FILES; i++)
        store->interval.pins[i] = pins[i];
    store->interval.last_ms = clock_monotonic_ms();
    return OK;
}

enum err_code
store_interval_start(struct store *store, struct err *err)
{
    if (store->config.durability != STORE_DURABLE_INTERVAL)
        return OK;
    return store_interval_sync(store, err);
}

uint64_t
store_interval_due_ms(struct store *store)
{
    uint64_t passed_ms;
    bool dirty = false;

    if (store->config.durability != STORE_DURABLE_INTERVAL || atomic_load(&store->failed))
        return UINT64_MAX;
    for (int i = 0; i < STORE_SIDE_FILES; i++) {
        struct store_env *env = env_at(store, i);

        dirty |= atomic_load(&env->written) != atomic_load(&env->durable);
    }
    if (!dirty)
        return UINT64_MAX;
    passed_ms = clock_monotonic_ms() - store->interval.last_ms;
    return passed_ms >= store->config.interval_ms ? 0 : store->config.interval_ms - passed_ms;
}

void
store_interval_drop(struct store *store)
{
    end_pins(store->interval.pins);
}
