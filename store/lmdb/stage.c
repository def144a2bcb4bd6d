/* Staging: chunks written ahead of the commit that names them, 1 MiB at a time, on the caller's
 * thread.
 *
 * The writes are MDB_NOMETASYNC, never MDB_NOSYNC (except in interval mode, whose sync points cover
 * it): staging under NOSYNC between synced commits lost acknowledged data in 284 of 880 simulated
 * power cuts, NOMETASYNC in none of 805. Until a unit names them the chunks are garbage that nobody
 * sees: a dropped stage deletes them, a crash leaves them to the sweep. */
#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/mdberr.h"
#include "store/lmdb/view.h"
#include "store/lmdb/wire.h"

/* Sealed ones up to STORE_STAGE_WRITE_BYTES, and all that may be open. */
enum { PENDING_MAX = STORE_STAGE_WRITE_BYTES / STORE_ROWS_BYTES + 1 + STORE_STAGE_UNSEALED_MAX };

struct pending {
    uint64_t id;
    uint8_t *payload;
};

struct store_stage {
    struct store *store;
    struct pending pending[STORE_CLASS_COUNT][PENDING_MAX]; /* in the order they were asked for */
    unsigned count[STORE_CLASS_COUNT];
    uint64_t written[STORE_CLASS_COUNT]; /* the commit that holds the last of them */
    struct store_stage_entry entry;
};

void
store_stages_init(struct store_stages *s)
{
    *s = (struct store_stages){0};
    lock_init(&s->lock);
}

void
store_stages_drop(struct store_stages *s)
{
    CHECK(s->first == NULL);
    lock_drop(&s->lock);
}

static void
enlist(struct store_stages *s, struct store_stage_entry *entry)
{
    lock_acquire(&s->lock);
    entry->next = s->first;
    if (s->first != NULL)
        s->first->previous = entry;
    s->first = entry;
    lock_release(&s->lock);
}

static void
delist(struct store_stages *s, struct store_stage_entry *entry)
{
    lock_acquire(&s->lock);
    if (entry->previous == NULL)
        s->first = entry->next;
    else
        entry->previous->next = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    lock_release(&s->lock);
}

enum err_code
store_stage_open(struct store *store, struct store_stage **out, struct err *err)
{
    struct store_stage *stage = mem_zeroed(1, sizeof *stage, err);

    if (stage == NULL)
        return ERR_NO_MEMORY;
    stage->store = store;
    enlist(&store->stages, &stage->entry);
    *out = stage;
    return OK;
}

void
store_interrupt(struct store *store)
{
    atomic_store(&store->interrupted, true);
}

enum err_code
store_interrupt_check(const struct store *store, struct err *err)
{
    if (!atomic_load(&store->interrupted))
        return OK;
    return err_set(err, ERR_UNAVAILABLE, "the server is stopping; this was given up unfinished");
}

uint64_t
store_stage_written(const struct store_stage *stage, enum store_class class)
{
    return stage->written[class];
}

/* --- writing out --------------------------------------------------------------------------- */

static bool
is_sealed(const struct pending *p)
{
    return store_chunk_is_sealed(p->payload - STORE_CHUNK_HEAD_BYTES);
}

static unsigned
count_sealed(const struct store_stage *stage, enum store_class class)
{
    unsigned sealed = 0;

    for (unsigned i = 0; i < stage->count[class]; i++)
        sealed += is_sealed(&stage->pending[class][i]);
    return sealed;
}

static enum err_code
put_sealed(struct store_stage *stage, enum store_class class, MDB_txn *txn, struct err *err)
{
    struct store_env *env = &stage->store->chunks[class];

    for (unsigned i = 0; i < stage->count[class]; i++) {
        const struct pending *p = &stage->pending[class][i];
        uint8_t key[STORE_CHUNK_KEY_BYTES];
        MDB_val k = {sizeof key, key};
        MDB_val v = {store_chunk_record_bytes(class), p->payload - STORE_CHUNK_HEAD_BYTES};

        if (!is_sealed(p))
            continue;
        wire_put_key(key, p->id);
        TRY(store_mdb_check(err, mdb_put(txn, env->dbi, &k, &v, MDB_NOOVERWRITE), "write to",
                            env->name));
    }
    return OK;
}

static enum err_code
write_sealed(struct store_stage *stage, enum store_class class, struct err *err)
{
    struct store_env *env = &stage->store->chunks[class];
    unsigned flags = store_lazy_flags(stage->store);
    MDB_txn *txn = NULL;
    enum err_code code;

    if (atomic_load(&stage->store->failed))
        return err_set(err, ERR_UNAVAILABLE,
                       "the store stopped writing after a failed sync; restart the server");
    TRY(store_env_write_begin(env, STORE_WRITER_OTHER, &txn, err));
    code = store_growth_check(
        stage->store, class, (uint64_t)count_sealed(stage, class) * store_chunk_record_bytes(class),
        err);
    if (code == OK)
        code = put_sealed(stage, class, txn, err);
    if (code != OK) {
        store_env_write_abort(env, txn);
        return code;
    }
    code = store_env_write_commit(env, txn, flags, err);
    if (code == ERR_UNKNOWN)
        store_fail(stage->store, err);
    /* Whoever writes much waits for the disk here, lest all wait for it at the next sync point. */
    if (code == OK && flags == MDB_NOSYNC)
        store_env_write_back(env);
    return code;
}

/* When the file is full, what was freed a moment ago may do. */
static enum err_code
write_or_make_room(struct store_stage *stage, enum store_class class, struct err *err)
{
    struct err full = ERR_INIT;
    enum err_code code = write_sealed(stage, class, &full);

    if (code == ERR_FULL) {
        store_committer_relieve(stage->store);
        return write_sealed(stage, class, err);
    }
    return code == OK ? OK : err_set(err, code, "%s", full.text);
}

/* Listed before they are written: deleting what is not there does no harm, forgetting would. */
static enum err_code
list_sealed(struct store_stage *stage, enum store_class class, struct err *err)
{
    enum err_code code = OK;

    lock_acquire(&stage->store->stages.lock);
    for (unsigned i = 0; i < stage->count[class] && code == OK; i++) {
        struct store_freed entry = {.id = stage->pending[class][i].id};

        if (is_sealed(&stage->pending[class][i]))
            code = store_freed_add(&stage->entry.ids, entry, err);
    }
    lock_release(&stage->store->stages.lock);
    return code;
}

static void
forget_sealed(struct store_stage *stage, enum store_class class)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < stage->count[class]; i++) {
        struct pending p = stage->pending[class][i];

        if (is_sealed(&p))
            store_buffers_give(&stage->store->buffers, class, p.payload);
        else
            stage->pending[class][kept++] = p;
    }
    stage->count[class] = kept;
}

static enum err_code
flush(struct store_stage *stage, enum store_class class, struct err *err)
{
    if (count_sealed(stage, class) == 0)
        return OK;
    TRY(list_sealed(stage, class, err));
    TRY(write_or_make_room(stage, class, err));
    stage->written[class] = atomic_load(&stage->store->chunks[class].written);
    forget_sealed(stage, class);
    return OK;
}

enum err_code
store_stage_flush(struct store_stage *stage, struct err *err)
{
    for (int i = 0; i < STORE_CLASS_COUNT; i++) {
        enum store_class class = (enum store_class)i;

        if (count_sealed(stage, class) != stage->count[class])
            return err_set(err, ERR_INTERNAL, "%u staged chunks are not sealed",
                           stage->count[class] - count_sealed(stage, class));
        TRY(flush(stage, class, err));
    }
    return OK;
}

/* --- filling ------------------------------------------------------------------------------- */

enum err_code
store_stage_chunk(struct store_stage *stage, enum store_class class, struct store_chunk_place place,
                  uint32_t length, struct store_chunk *out, struct err *err)
{
    unsigned sealed = count_sealed(stage, class);

    CHECK(length <= store_class_bytes(class));
    TRY(store_interrupt_check(stage->store, err));
    if (stage->count[class] - sealed >= STORE_STAGE_UNSEALED_MAX)
        return err_set(err, ERR_INTERNAL, "%u staged chunks are being filled already",
                       stage->count[class] - sealed);
    if (sealed * store_chunk_record_bytes(class) >= STORE_STAGE_WRITE_BYTES)
        TRY(flush(stage, class, err));
    CHECK(stage->count[class] < PENDING_MAX);
    *out = (struct store_chunk){.id = store_chunk_id(class, store_new_id(stage->store)),
                                .length = length,
                                .bytes = store_buffers_take(&stage->store->buffers, class, err)};
    if (out->bytes == NULL)
        return ERR_NO_MEMORY;
    store_chunk_prepare(out, place);
    stage->pending[class][stage->count[class]++] = (struct pending){out->id, out->bytes};
    return OK;
}

static const struct pending *
find_pending(const struct store_stage *stage, uint64_t id)
{
    enum store_class class = store_chunk_class(id);

    for (unsigned i = class == STORE_CLASS_COUNT ? 0 : stage->count[class]; i-- > 0;) {
        if (stage->pending[class][i].id == id)
            return &stage->pending[class][i];
    }
    return NULL;
}

enum err_code
store_stage_read(struct store_stage *stage, uint64_t id, uint32_t length, struct bytes *out,
                 struct err *err)
{
    const struct pending *p = find_pending(stage, id);
    struct bytes record;

    if (p == NULL) {
        TRY(store_chunk_find(stage->store, id, &record, err));
    } else {
        CHECK(is_sealed(p));
        record = bytes_of(p->payload - STORE_CHUNK_HEAD_BYTES,
                          store_chunk_record_bytes(store_chunk_class(id)));
    }
    TRY(store_chunk_check_head(record, id, err));
    if (store_chunk_length(record) != length)
        return err_set(err, ERR_DATA_LOSS,
                       "staged chunk %016" PRIx64 " holds %" PRIu32 " bytes, not %" PRIu32, id,
                       store_chunk_length(record), length);
    *out = bytes_of(record.data + STORE_CHUNK_HEAD_BYTES, length);
    return OK;
}

/* --- ending -------------------------------------------------------------------------------- */

static void
end(struct store_stage *stage)
{
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        while (stage->count[class] > 0)
            store_buffers_give(&stage->store->buffers, (enum store_class) class,
                               stage->pending[class][--stage->count[class]].payload);
    }
    delist(&stage->store->stages, &stage->entry);
    store_freed_drop(&stage->entry.ids);
    mem_free(stage);
}

void
store_stage_published(struct store_stage *stage)
{
    end(stage);
}

void
store_stage_drop(struct store_stage *stage)
{
    struct store *store;

    if (stage == NULL)
        return;
    store = stage->store;
    if (stage->entry.ids.count > 0) {
        lock_acquire(&store->stages.lock); /* a walk finds them in one place or the other */
        store_garbage_give(&store->garbage, &stage->entry.ids);
        lock_release(&store->stages.lock);
        store_committer_poke(store);
    }
    end(stage);
}
