/* Opening and closing: the data folder, the three files, the system records.
 *
 * Nothing is written before the format version was read and is ours. From then on the clean mark is
 * gone (durably) until store_close, so a start knows whether there may be chunks that nothing
 * names. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "store/base/alloc.h"
#include "store/base/log.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/loaded.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/system.h"

enum { READERS_OWN = 16 /* reader slots for the engine itself */ };

const char *const store_meta_name = "meta.mdb";
const char *const store_chunk_names[STORE_CLASS_COUNT] = {"rows.mdb", "bulk.mdb"};

struct store_config
store_config_default(const char *directory)
{
    return (struct store_config){
        .directory = directory,
        .durability = STORE_DURABLE_COMMIT,
        .interval_ms = 1000,
        .map_size_bytes = (uint64_t)1 << 40,
        .disk_reserve_bytes = 64 << 20,
        .readers_max = 1024,
        .batch_units_max = 1024,
    };
}

/* --- files --------------------------------------------------------------------------------- */

static bool
is_there(const struct store *store, const char *name)
{
    return faccessat(store->folder.directory, name, F_OK, 0) == 0;
}

/* The first records of a new store. */
static enum err_code
seed_meta(struct store_env *meta, MDB_txn *txn, void *context, struct err *err)
{
    uint64_t identity = 0;

    (void)context;
    if (getrandom(&identity, sizeof identity, 0) != (ssize_t)sizeof identity)
        return err_set(err, ERR_INTERNAL, "no random bytes to be had: %s", strerror(errno));
    TRY(store_system_put(meta, txn, STORE_SYSTEM_FORMAT, STORE_FORMAT_VERSION, err));
    TRY(store_system_put(meta, txn, STORE_SYSTEM_IDENTITY, identity, err));
    TRY(store_system_put(meta, txn, STORE_SYSTEM_INCARNATION, 0, err));
    TRY(store_system_put(meta, txn, STORE_SYSTEM_REVISION, 0, err));
    return store_system_put(meta, txn, STORE_SYSTEM_CLEAN, 1, err);
}

static enum err_code
check_empty(struct store_env *env, struct err *err)
{
    struct store_env_space space;

    TRY(store_env_space(env, &space, err));
    if (space.entries != 0)
        return err_set(err, ERR_DATA_LOSS, "%s/%s is missing, yet %s holds %" PRIu64 " chunks",
                       env->folder->path, store_meta_name, env->name, space.entries);
    return OK;
}

static enum err_code
open_chunks(struct store *store, const struct store_env_options *options, bool fresh,
            struct err *err)
{
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        struct store_env *env = &store->chunks[class];
        const char *name = store_chunk_names[class];

        if (!is_there(store, name)) {
            if (!fresh)
                return err_set(err, ERR_DATA_LOSS, "%s/%s is missing", store->folder.path, name);
            TRY(store_env_create(&store->folder, name, options, NULL, NULL, err));
        }
        TRY(store_env_open(env, &store->folder, name, options, err));
        if (fresh) /* left by a start that was cut short, or the meta file was lost */
            TRY(check_empty(env, err));
    }
    return OK;
}

static enum err_code
check_format(struct store *store, struct err *err)
{
    uint64_t format = 0;
    bool found = false;
    MDB_txn *txn = NULL;
    enum err_code code;

    TRY(store_env_read_begin(&store->meta, &txn, err));
    code = store_system_get(&store->meta, txn, STORE_SYSTEM_FORMAT, &found, &format, err);
    store_env_read_end(&store->meta, txn);
    TRY(code);
    if (!found || format != STORE_FORMAT_VERSION)
        return err_set(err, ERR_DATA_LOSS,
                       "the data folder '%s' has format version %" PRIu64
                       ", this program knows version %d",
                       store->folder.path, format, STORE_FORMAT_VERSION);
    return OK;
}

static enum err_code
refuse_missing(const char *directory, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no store in the data folder '%.500s'",
                   directory == NULL ? "" : directory);
}

/* The meta file comes last when a store is made and first when it is opened: with it, all are
 * there. */
static enum err_code
open_files(struct store *store, struct err *err)
{
    const struct store_env_options options = {.map_bytes = store->config.map_size_bytes,
                                              .readers_max =
                                                  store->config.readers_max + READERS_OWN};
    const char *const names[STORE_SIDE_FILES] = {store_chunk_names[0], store_chunk_names[1],
                                                 store_meta_name};
    bool fresh = !is_there(store, store_meta_name);

    if (fresh && store->config.must_exist)
        return refuse_missing(store->folder.path, err);
    TRY(store_side_recover(&store->folder, names, err));
    if (fresh) {
        TRY(open_chunks(store, &options, true, err));
        TRY(store_env_create(&store->folder, store_meta_name, &options, seed_meta, NULL, err));
    }
    TRY(store_env_open(&store->meta, &store->folder, store_meta_name, &options, err));
    TRY(check_format(store, err));
    return fresh ? OK : open_chunks(store, &options, false, err);
}

/* --- the system records -------------------------------------------------------------------- */

struct state {
    uint64_t identity, incarnation, revision, origin;
    bool clean;
};

static enum err_code
read_state(const struct store_env *meta, MDB_txn *txn, struct state *state, struct err *err)
{
    uint64_t mark;
    bool identity = false, incarnation = false, revision = false, origin;

    TRY(store_system_get(meta, txn, STORE_SYSTEM_IDENTITY, &identity, &state->identity, err));
    TRY(store_system_get(meta, txn, STORE_SYSTEM_INCARNATION, &incarnation, &state->incarnation,
                         err));
    TRY(store_system_get(meta, txn, STORE_SYSTEM_REVISION, &revision, &state->revision, err));
    TRY(store_system_get(meta, txn, STORE_SYSTEM_ORIGIN, &origin, &state->origin, err));
    TRY(store_system_get(meta, txn, STORE_SYSTEM_CLEAN, &state->clean, &mark, err));
    if (!identity || !incarnation || !revision)
        return err_set(err, ERR_DATA_LOSS, "system records are missing in %s", meta->name);
    if (state->incarnation >= STORE_INCARNATION_MAX)
        return err_set(err, ERR_INTERNAL, "the store was opened %d times, which is all it can take",
                       STORE_INCARNATION_MAX);
    return OK;
}

static enum err_code
begin_incarnation(struct store *store, struct state *state, struct err *err)
{
    struct store_env *meta = &store->meta;
    MDB_txn *txn = NULL;
    enum err_code code;

    TRY(store_env_write_begin(meta, STORE_WRITER_COMMITTER, &txn, err));
    code = read_state(meta, txn, state, err);
    if (code == OK)
        code = store_system_put(meta, txn, STORE_SYSTEM_INCARNATION, state->incarnation + 1, err);
    if (code == OK)
        code = store_system_delete(meta, txn, STORE_SYSTEM_CLEAN, err);
    if (code != OK) {
        store_env_write_abort(meta, txn);
        return code;
    }
    return store_env_write_commit(meta, txn, 0, err);
}

static enum err_code
mark_clean(struct store *store, struct err *err)
{
    struct store_env *meta = &store->meta;
    MDB_txn *txn = NULL;
    enum err_code code;

    for (int class = 0; class < STORE_CLASS_COUNT; class ++)
        TRY(store_env_sync(&store->chunks[class], err));
    TRY(store_env_sync(meta, err));
    TRY(store_env_write_begin(meta, STORE_WRITER_COMMITTER, &txn, err));
    code = store_system_put(meta, txn, STORE_SYSTEM_CLEAN, 1, err);
    if (code != OK) {
        store_env_write_abort(meta, txn);
        return code;
    }
    TRY(store_env_write_commit(meta, txn, 0, err));
    return store_side_remove(&store->folder, err);
}

/* --- the store ----------------------------------------------------------------------------- */

static void
init(struct store *store, const struct store_config *config)
{
    store->config = *config;
    store->config.directory = NULL; /* folder.path is our copy */
    if (store->config.batch_units_max == 0)
        store->config.batch_units_max = 1;
    if (store->config.readers_max == 0)
        store->config.readers_max = 1;
    store_buffers_init(&store->buffers);
    store_snapshots_init(&store->snapshots);
    store_leases_init(&store->leases);
    store_pins_init(&store->pins);
    store_garbage_init(&store->garbage);
    store_stages_init(&store->stages);
    store_turn_init(&store->in_step);
    store_committer_init(&store->committer);
    store_sweep_init(&store->sweep);
}

static void
drop(struct store *store)
{
    store_sweep_drop(&store->sweep);
    store_leases_drop(&store->leases);
    store_snapshots_drop(&store->snapshots); /* first: closing a file under a reader is no use */
    store_interval_drop(store);
    for (int class = STORE_CLASS_COUNT; class -- > 0;)
        store_env_drop(&store->chunks[class]);
    store_env_drop(&store->meta);
    store_folder_drop(&store->folder);
    store_committer_drop(&store->committer);
    store_turn_drop(&store->in_step);
    store_stages_drop(&store->stages);
    store_garbage_drop(&store->garbage);
    store_pins_drop(&store->pins);
    store_buffers_drop(&store->buffers);
    mem_free(store);
}

static enum err_code
open_all(struct store *store, const struct store_config *config, struct err *err)
{
    struct state state = {0};

    if (config->must_exist && access(config->directory, F_OK) != 0)
        return refuse_missing(config->directory, err);
    TRY(store_folder_open(&store->folder, config->directory, config->force_file_system, err));
    TRY(store_loaded_settle(&store->folder, err));
    TRY(open_files(store, err));
    TRY(begin_incarnation(store, &state, err));
    snprintf(store->identity, sizeof store->identity, "%016" PRIx64, state.identity);
    store->origin = state.origin;
    store->incarnation = state.incarnation + 1;
    atomic_store(&store->next_number, store->incarnation << STORE_NUMBER_BITS | 1);
    atomic_store(&store->revision, state.revision);
    atomic_store(&store->revision_durable, state.revision);
    if (store->config.verify_at_open)
        TRY(store_sweep_verify(store, err));
    if (!state.clean)
        TRY(store_sweep_prepare(store, err));
    TRY(store_interval_start(store, err));
    TRY(store_committer_start(store, err));
    return store_sweep_start(store, err);
}

enum err_code
store_open(const struct store_config *config, struct store **out, struct err *err)
{
    struct store *store = mem_zeroed(1, sizeof *store, err);
    enum err_code code;

    if (store == NULL)
        return ERR_NO_MEMORY;
    init(store, config);
    code = open_all(store, config, err);
    if (code != OK) {
        store_committer_stop(store);
        drop(store);
        return code;
    }
    *out = store;
    return OK;
}

static bool
may_be_clean(struct store *store)
{
    const struct store_doomed *doomed = &store->garbage.doomed;

    if (atomic_load(&store->failed) || atomic_load(&store->leaked))
        return false;
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        if (doomed->count[class] != 0)
            return false;
    }
    return store_garbage_count(&store->garbage) == 0;
}

void
store_close(struct store *store)
{
    struct err err = ERR_INIT;

    if (store == NULL)
        return;
    store_sweep_stop(store);
    store_committer_stop(store);
    if (may_be_clean(store) && mark_clean(store, &err) != OK)
        log_failure("closing the store", &err);
    drop(store);
}

/* --- small things -------------------------------------------------------------------------- */

uint64_t
store_new_id(struct store *store)
{
    return atomic_fetch_add(&store->next_number, 1);
}

uint64_t
store_revision(struct store *store)
{
    return atomic_load(&store->revision);
}

uint64_t
store_origin(const struct store *store)
{
    return store->origin;
}

const char *
store_identity(const struct store *store)
{
    return store->identity;
}

const char *
store_durability_name(const struct store *store)
{
    return store->config.durability == STORE_DURABLE_COMMIT ? "commit" : "interval";
}
