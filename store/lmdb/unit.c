/* One unit of work: what store_txn offers, and how a unit's changes join its batch.
 *
 * Puts and deletes wait in an overlay, chunks in buffers, freed chunks in a list: a unit that fails
 * has touched nothing, and dropping the three undoes it. */
#include <inttypes.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/key.h"
#include "store/lmdb/engine.h"
#include "store/lmdb/record.h"
#include "store/lmdb/system.h"
#include "store/lmdb/view.h"

enum {
    META_RESERVE_PART = 8, /* of the map */
    META_RESERVE_BYTES_MIN = 256 << 10,
    META_RESERVE_BYTES_MAX = 16 << 20,
};

const struct store_view *
store_txn_view(const struct store_txn *txn)
{
    return &txn->view;
}

uint64_t
store_txn_revision(const struct store_txn *txn)
{
    return txn->batch->revision + 1;
}

struct store *
store_of_txn(const struct store_txn *txn)
{
    return txn->view.store;
}

enum err_code
store_expect(struct store_txn *txn, struct bytes key, struct bytes value, struct err *err)
{
    struct bytes actual;

    TRY(store_get(&txn->view, key, &actual, err));
    if ((actual.data == NULL) == (value.data == NULL) && bytes_equal(actual, value))
        return OK;
    return err_set(err, ERR_CONFLICT, "a record that was relied on has changed since it was read");
}

enum err_code
store_txn_changes(const struct store_txn *txn, struct bytes prefix, store_change_visit *visit,
                  void *context, struct err *err)
{
    const struct store_change *change = store_overlay_seek(&txn->overlay, prefix, false);

    for (; change != NULL && bytes_start_with(change->key, prefix); change = change->next[0]) {
        struct bytes before;

        TRY(store_record_get(&txn->view.store->meta, txn->view.meta, change->key, &before, err));
        if (before.data != NULL || change->value.data != NULL)
            TRY(visit(context, change->key, before, change->value, err));
    }
    return OK;
}

enum err_code
store_put(struct store_txn *txn, struct bytes key, struct bytes value, struct err *err)
{
    TRY(store_key_check(key, err));
    if (value.size > STORE_RECORD_BYTES_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "a record of %zu bytes is over the limit of %d bytes", value.size,
                       STORE_RECORD_BYTES_MAX);
    if (value.data == NULL)
        value = bytes_of("", 0);
    txn->changed = true;
    return store_overlay_set(&txn->overlay, key, value, err);
}

enum err_code
store_delete(struct store_txn *txn, struct bytes key, struct err *err)
{
    struct bytes old = bytes_of(NULL, 0);
    struct err damage = ERR_INIT;
    enum err_code code = store_get(&txn->view, key, &old, &damage);

    /* A damaged record is there, and who wants to be rid of it need not read it. */
    if (code != OK && code != ERR_DATA_LOSS)
        return err_set(err, code, "%s", damage.text);
    if (code == OK && old.data == NULL)
        return OK;
    txn->changed = true;
    return store_overlay_set(&txn->overlay, key, bytes_of(NULL, 0), err);
}

/* --- chunks -------------------------------------------------------------------------------- */

static enum err_code
reserve_made(struct store_made_list *list, struct err *err)
{
    struct store_made *grown =
        mem_grown(list->items, list->count, &list->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    list->items = grown;
    return OK;
}

enum err_code
store_txn_chunk(struct store_txn *txn, enum store_class class, struct store_chunk_place place,
                uint32_t length, struct store_chunk *out, struct err *err)
{
    struct store_batch *batch = txn->batch;
    struct store_made_list *list = &batch->made[class];

    CHECK(length <= store_class_bytes(class));
    TRY(reserve_made(list, err));
    *out = (struct store_chunk){.id = store_chunk_id(class, store_new_id(batch->store)),
                                .length = length,
                                .bytes = store_buffers_take(&batch->store->buffers, class, err)};
    if (out->bytes == NULL)
        return ERR_NO_MEMORY;
    store_chunk_prepare(out, place);
    list->items[list->count++] = (struct store_made){out->id, out->bytes};
    batch->chunk_bytes += store_class_bytes(class);
    txn->changed = true;
    return OK;
}

enum err_code
store_chunk_free(struct store_txn *txn, uint64_t family, uint64_t id, struct err *err)
{
    txn->changed = true;
    return store_freed_add(&txn->freed, (struct store_freed){id, family, store_txn_revision(txn)},
                           err);
}

const uint8_t *
store_batch_find_made(const struct store_batch *batch, uint64_t id)
{
    enum store_class class = store_chunk_class(id);
    size_t low = 0, high;

    if (class == STORE_CLASS_COUNT)
        return NULL;
    high = batch->made[class].count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct store_made *made = &batch->made[class].items[middle];

        if (made->id == id)
            return made->payload;
        if (made->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- running ------------------------------------------------------------------------------- */

static void
begin_unit(struct store_txn *txn, struct store_batch *batch)
{
    *txn = (struct store_txn){.batch = batch};
    txn->view = (struct store_view){
        .store = batch->store, .meta = batch->meta, .revision = batch->revision, .unit = txn};
    store_overlay_init(&txn->overlay);
    for (int class = 0; class < STORE_CLASS_COUNT; class ++)
        txn->made_before[class] = batch->made[class].count;
}

static void
end_unit(struct store_txn *txn)
{
    store_overlay_drop(&txn->overlay);
    store_freed_drop(&txn->freed);
}

static void
undo_made(struct store_txn *txn)
{
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        struct store_made_list *list = &txn->batch->made[class];

        while (list->count > txn->made_before[class]) {
            store_buffers_give(&txn->view.store->buffers, (enum store_class) class,
                               list->items[--list->count].payload);
            txn->batch->chunk_bytes -= store_class_bytes((enum store_class) class);
        }
    }
}

static void
check_sealed(const struct store_txn *txn)
{
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        const struct store_made_list *list = &txn->batch->made[class];

        for (size_t i = txn->made_before[class]; i < list->count; i++)
            CHECK(store_chunk_is_sealed(list->items[i].payload - STORE_CHUNK_HEAD_BYTES));
    }
}

/* Whether the unit's records take more bytes than those they replace. What it writes down of its
 * changes does not count: that log gives up its oldest where room is short. */
static enum err_code
check_grows(const struct store_txn *txn, bool *grows, struct err *err)
{
    const struct store_change *change = txn->overlay.first[0];
    uint64_t before = 0, after = 0;

    for (; change != NULL; change = change->next[0]) {
        struct bytes old;

        if (change->key.data[0] == STORE_KEY_CHANGE)
            continue;
        TRY(store_record_get(&txn->view.store->meta, txn->view.meta, change->key, &old, err));
        if (old.data != NULL)
            before += change->key.size + old.size;
        if (change->value.data != NULL)
            after += change->key.size + change->value.size;
    }
    *grows = after > before;
    return OK;
}

/* Trees are copied where they change, so deleting takes pages before it gives any: the last of the
 * meta file's are kept for units that do not make it larger. */
static enum err_code
measure_room(const struct store_txn *txn, uint64_t *left_bytes, uint64_t *reserve_bytes,
             struct err *err)
{
    struct store_env *meta = &txn->view.store->meta;
    const uint64_t disk_reserve_bytes = txn->view.store->config.disk_reserve_bytes;
    uint64_t disk_bytes;

    *reserve_bytes = meta->map_bytes / META_RESERVE_PART;
    if (*reserve_bytes > META_RESERVE_BYTES_MAX)
        *reserve_bytes = META_RESERVE_BYTES_MAX;
    if (*reserve_bytes < META_RESERVE_BYTES_MIN)
        *reserve_bytes = META_RESERVE_BYTES_MIN;
    /* Records may take half of what the disk keeps back, the other half is for deleting. */
    disk_bytes = txn->batch->disk_bytes;
    if (*reserve_bytes > disk_reserve_bytes / 2 &&
        __builtin_add_overflow(disk_bytes, *reserve_bytes - disk_reserve_bytes / 2, &disk_bytes))
        disk_bytes = UINT64_MAX;
    return store_env_left(meta, txn->view.meta, disk_bytes, left_bytes, err);
}

enum err_code
store_txn_is_short(const struct store_txn *txn, bool *is_short, struct err *err)
{
    uint64_t left_bytes, reserve_bytes;

    TRY(measure_room(txn, &left_bytes, &reserve_bytes, err));
    *is_short = left_bytes < reserve_bytes;
    return OK;
}

static enum err_code
check_reserve(const struct store_txn *txn, struct err *err)
{
    uint64_t left_bytes, reserve_bytes;
    bool grows = false;

    TRY(measure_room(txn, &left_bytes, &reserve_bytes, err));
    if (left_bytes >= reserve_bytes)
        return OK;
    TRY(check_grows(txn, &grows, err));
    if (!grows)
        return OK;
    return err_set(err, ERR_FULL,
                   "%s has %" PRIu64
                   " bytes left, of address space (map size) or on the disk, which "
                   "are kept for deleting",
                   txn->view.store->meta.name, left_bytes);
}

/* Key order, which is what the tree likes best. */
static enum err_code
flush_changes(struct store_txn *txn, struct err *err)
{
    const struct store_env *meta = &txn->view.store->meta;
    const struct store_change *change = txn->overlay.first[0];

    for (; change != NULL; change = change->next[0]) {
        if (change->value.data == NULL)
            TRY(store_record_delete(meta, txn->view.meta, change->key, err));
        else
            TRY(store_record_put(meta, txn->view.meta, change->key, change->value, err));
    }
    return OK;
}

static enum err_code
run_unit(struct store_txn *txn, store_unit *unit, void *context, bool *broken, struct err *err)
{
    enum err_code code = unit(txn, context, err);

    CHECK(txn->cursors_open == 0);
    if (code != OK || !txn->changed)
        return code;
    check_sealed(txn);
    TRY(check_reserve(txn, err));
    code = flush_changes(txn, err);
    *broken = code != OK;
    return code;
}

static void
check_quiet(const struct store_txn *txn)
{
    CHECK(txn->freed.count == 0);
    for (int class = 0; class < STORE_CLASS_COUNT; class ++)
        CHECK(txn->batch->made[class].count == txn->made_before[class]);
}

enum err_code
store_unit_run(struct store_batch *batch, struct store_call *call, bool *broken, struct err *err)
{
    struct store_txn txn;
    enum err_code code;

    begin_unit(&txn, batch);
    code = run_unit(&txn, call->unit, call->context, broken, err);
    call->changed = code == OK && txn.changed;
    if (code != OK) {
        undo_made(&txn);
    } else if (txn.changed && call->quiet) {
        check_quiet(&txn);
        batch->changed = true;
    } else if (txn.changed) {
        batch->changed = true;
        batch->revision++;
        store_freed_move(&batch->freed, &txn.freed);
    }
    call->revision = batch->revision;
    end_unit(&txn);
    return code;
}
