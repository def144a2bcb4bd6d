/* Building a store from nothing (store/transfer.h). Nobody reads it meanwhile and a crash leaves
 * nothing behind that counts, so commits are not synced; finish does that once. Keys ascend, so the
 * files have no holes. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/log.h"
#include "store/base/scope.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/loaded.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/record.h"
#include "store/lmdb/system.h"
#include "store/lmdb/view.h"
#include "store/lmdb/wire.h"
#include "store/transfer.h"

enum {
    LOAD_READERS = 16,
    LOAD_WRITE_BYTES = 4 << 20, /* a transaction */
    LOAD_FILES = 1 + STORE_CLASS_COUNT,
    KEY_ROOM = STORE_KEY_BYTES_MAX,
};

static const uint64_t revision_max = (uint64_t)1 << 53; /* what JSON can say */

/* One file being filled. */
struct load_file {
    struct store_env env;
    MDB_txn *txn; /* NULL: none is under way */
    size_t bytes; /* put by it */
};

enum load_stage { LOAD_OPENED, LOAD_BEGUN, LOAD_FINISHED, LOAD_INSTALLED };

struct store_load {
    struct store_folder own;           /* of a load that is beside nothing: the data folder */
    const struct store_folder *parent; /* the data folder */
    struct store_folder folder;        /* "load" inside it */
    char directory[STORE_PATH_BYTES_MAX];
    struct store_env_options options;
    bool force;
    enum load_stage stage;
    struct load_file files[LOAD_FILES]; /* chunks by class, then records */
    uint64_t incarnation;
    size_t key_size;
    uint8_t key[KEY_ROOM];             /* the last */
    uint64_t chunk[STORE_CLASS_COUNT]; /* the last */
    uint8_t *room[STORE_CLASS_COUNT];  /* a buffer for one; owned by `buffers` */
    struct store_buffers buffers;
};

/* --- opening and dropping --------------------------------------------------------------------- */

static enum err_code
open_folder(struct store_load *load, struct err *err)
{
    if (!store_folder_path(load->parent, store_load_name, "", load->directory))
        return err_set(err, ERR_UNAVAILABLE, "the path of the data folder is too long");
    TRY(store_load_clear(load->parent, err));
    TRY(store_folder_open(&load->folder, load->directory, load->force, err));
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        load->room[class] = store_buffers_take(&load->buffers, (enum store_class) class, err);
        if (load->room[class] == NULL)
            return ERR_NO_MEMORY;
    }
    return OK;
}

static struct store_load *
make(const struct store_config *config, struct err *err)
{
    struct store_load *load = mem_zeroed(1, sizeof *load, err);

    if (load == NULL)
        return NULL;
    load->options = (struct store_env_options){.map_bytes = config->map_size_bytes,
                                               .readers_max = LOAD_READERS};
    load->force = config->force_file_system;
    store_buffers_init(&load->buffers);
    return load;
}

enum err_code
store_load_open(const struct store_config *config, struct store_load **out, struct err *err)
{
    struct store_load *load = make(config, err);
    enum err_code code;

    if (load == NULL)
        return ERR_NO_MEMORY;
    load->parent = &load->own;
    code = store_folder_open(&load->own, config->directory, load->force, err);
    if (code == OK)
        code = store_load_check_empty(load->parent, err);
    if (code == OK)
        code = open_folder(load, err);
    if (code != OK) {
        store_load_drop(load);
        return code;
    }
    *out = load;
    return OK;
}

enum err_code
store_load_open_beside(struct store *store, struct store_load **out, struct err *err)
{
    struct store_load *load = make(&store->config, err);
    enum err_code code;

    if (load == NULL)
        return ERR_NO_MEMORY;
    load->parent = &store->folder;
    code = open_folder(load, err);
    if (code != OK) {
        store_load_drop(load);
        return code;
    }
    *out = load;
    return OK;
}

static void
close_files(struct store_load *load)
{
    for (int i = 0; i < LOAD_FILES; i++) {
        if (load->files[i].txn != NULL)
            store_env_write_abort(&load->files[i].env, load->files[i].txn);
        load->files[i].txn = NULL;
        store_env_drop(&load->files[i].env);
    }
}

void
store_load_drop(struct store_load *load)
{
    struct err err = ERR_INIT;

    if (load == NULL)
        return;
    close_files(load);
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        if (load->room[class] != NULL)
            store_buffers_give(&load->buffers, (enum store_class) class, load->room[class]);
    }
    store_buffers_drop(&load->buffers);
    if (load->folder.path[0] != '\0') {
        store_folder_drop(&load->folder);
        if (load->stage != LOAD_INSTALLED && store_load_clear(load->parent, &err) != OK)
            log_failure("removing what was loaded", &err);
    }
    store_folder_drop(&load->own);
    mem_free(load);
}

/* --- filling ---------------------------------------------------------------------------------- */

static enum err_code
seed(struct store_env *meta, MDB_txn *txn, void *context, struct err *err)
{
    const struct store_state *state = context;

    TRY(store_system_put(meta, txn, STORE_SYSTEM_FORMAT, STORE_FORMAT_VERSION, err));
    TRY(store_system_put(meta, txn, STORE_SYSTEM_IDENTITY, state->identity, err));
    TRY(store_system_put(meta, txn, STORE_SYSTEM_INCARNATION, state->incarnation, err));
    TRY(store_system_put(meta, txn, STORE_SYSTEM_REVISION, state->revision, err));
    TRY(store_system_put(meta, txn, STORE_SYSTEM_ORIGIN, state->origin, err));
    return store_system_put(meta, txn, STORE_SYSTEM_CLEAN, 1, err);
}

static enum err_code
create(struct store_load *load, struct load_file *file, const char *name, store_env_seed *first,
       const struct store_state *state, struct err *err)
{
    TRY(store_env_create(&load->folder, name, &load->options, first, (void *)(uintptr_t)state,
                         err));
    return store_env_open(&file->env, &load->folder, name, &load->options, err);
}

enum err_code
store_load_begin(struct store_load *load, const struct store_state *state, struct err *err)
{
    CHECK(load->stage == LOAD_OPENED);
    if (state->incarnation >= STORE_INCARNATION_MAX || state->revision >= revision_max ||
        state->origin > state->revision)
        return err_set(err, ERR_DATA_LOSS,
                       "no store was opened %" PRIu64 " times and has revision %" PRIu64
                       " since %" PRIu64,
                       state->incarnation, state->revision, state->origin);
    load->incarnation = state->incarnation;
    for (int class = 0; class < STORE_CLASS_COUNT; class ++)
        TRY(create(load, &load->files[class], store_chunk_names[class], NULL, NULL, err));
    TRY(create(load, &load->files[STORE_CLASS_COUNT], store_meta_name, seed, state, err));
    load->stage = LOAD_BEGUN;
    return OK;
}

static enum err_code
commit(struct load_file *file, struct err *err)
{
    MDB_txn *txn = file->txn;

    if (txn == NULL)
        return OK;
    file->txn = NULL;
    file->bytes = 0;
    return store_env_write_commit(&file->env, txn, MDB_NOSYNC, err);
}

/* Room for a record at a key behind all others; *out is written before the next call. */
static enum err_code
put(struct load_file *file, struct bytes key, size_t size, void **out, struct err *err)
{
    MDB_val k = {key.size, (void *)(uintptr_t)key.data}, v = {size, NULL};

    if (file->bytes >= LOAD_WRITE_BYTES)
        TRY(commit(file, err));
    if (file->txn == NULL)
        TRY(store_env_write_begin(&file->env, STORE_WRITER_OTHER, &file->txn, err));
    TRY(store_mdb_check(err, mdb_put(file->txn, file->env.dbi, &k, &v, MDB_RESERVE | MDB_APPEND),
                        "write to", file->env.name));
    file->bytes += key.size + size;
    *out = v.mv_data;
    return OK;
}

enum err_code
store_load_record(struct store_load *load, struct bytes key, struct bytes value, struct err *err)
{
    void *out = NULL;

    CHECK(load->stage == LOAD_BEGUN);
    if (store_key_check(key, err) != OK)
        return ERR_DATA_LOSS;
    if (value.size > STORE_RECORD_BYTES_MAX)
        return err_set(err, ERR_DATA_LOSS, "a record has %zu bytes, at most %d are possible",
                       value.size, (int)STORE_RECORD_BYTES_MAX);
    if (load->key_size != 0 && bytes_compare(bytes_of(load->key, load->key_size), key) >= 0)
        return err_set(err, ERR_DATA_LOSS, "the keys of the records do not ascend");
    TRY(put(&load->files[STORE_CLASS_COUNT], key, STORE_RECORD_HEAD_BYTES + value.size, &out, err));
    store_record_write(out, key, value);
    memcpy(load->key, key.data, key.size);
    load->key_size = key.size;
    return OK;
}

static enum err_code
check_chunk(const struct store_load *load, uint64_t id, struct bytes payload, struct err *err)
{
    enum store_class class = store_chunk_class(id);

    if (class == STORE_CLASS_COUNT ||
        store_chunk_number(id) >> STORE_NUMBER_BITS > load->incarnation)
        return err_set(err, ERR_DATA_LOSS, "%016" PRIx64 " is not the id of a chunk", id);
    if (payload.size > store_class_bytes(class))
        return err_set(err, ERR_DATA_LOSS,
                       "chunk %016" PRIx64 " has %zu bytes, at most %" PRIu32 " are possible", id,
                       payload.size, store_class_bytes(class));
    if (id <= load->chunk[class])
        return err_set(err, ERR_DATA_LOSS, "the ids of the chunks do not ascend");
    return OK;
}

enum err_code
store_load_chunk(struct store_load *load, uint64_t id, struct store_chunk_place place,
                 struct bytes payload, struct err *err)
{
    enum store_class class = store_chunk_class(id);
    uint8_t key[STORE_CHUNK_KEY_BYTES];
    struct store_chunk chunk = {.id = id, .length = (uint32_t)payload.size};
    void *out = NULL;

    CHECK(load->stage == LOAD_BEGUN);
    TRY(check_chunk(load, id, payload, err));
    chunk.bytes = load->room[class];
    store_chunk_prepare(&chunk, place);
    if (payload.size != 0)
        memcpy(chunk.bytes, payload.data, payload.size);
    store_chunk_seal(&chunk);
    wire_put_key(key, id);
    TRY(put(&load->files[class], bytes_of(key, sizeof key), store_chunk_record_bytes(class), &out,
            err));
    memcpy(out, store_chunk_record(&chunk), store_chunk_record_bytes(class));
    load->chunk[class] = id;
    return OK;
}

/* --- the end ---------------------------------------------------------------------------------- */

enum err_code
store_load_finish(struct store_load *load, struct err *err)
{
    CHECK(load->stage == LOAD_BEGUN);
    for (int i = 0; i < LOAD_FILES; i++) {
        TRY(commit(&load->files[i], err));
        TRY(store_env_sync(&load->files[i].env, err));
    }
    close_files(load);
    TRY(store_folder_sync(&load->folder, err));
    close(load->folder.lock); /* whoever opens it takes the lock */
    load->folder.lock = -1;
    load->stage = LOAD_FINISHED;
    return OK;
}

const char *
store_load_directory(const struct store_load *load)
{
    return load->directory;
}

enum err_code
store_load_install(struct store_load *load, struct err *err)
{
    CHECK(load->stage == LOAD_FINISHED);
    TRY(store_loaded_decide(load->parent, err));
    load->stage = LOAD_INSTALLED;
    return load->parent == &load->own ? store_loaded_settle(load->parent, err) : OK;
}
