#include "service/run/outcome.h"

#include "service/commit.h"
#include "service/run/outcome_keep.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

enum { ROOM_MADE_AT_ONCE = 256 };

/* --- keys in use --------------------------------------------------------------------------- */

static enum err_code
check_key(struct bytes key, struct err *err)
{
    if (key.size == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the Idempotency-Key is empty");
    if (key.size > OUTCOME_KEY_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "an Idempotency-Key has at most %d characters, this one has %zu",
                       OUTCOME_KEY_BYTES_MAX, key.size);
    for (size_t i = 0; i < key.size; i++) {
        if (key.data[i] <= 0x20 || key.data[i] >= 0x7F)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "an Idempotency-Key is made of visible ASCII characters, number %zu of "
                           "this one is byte 0x%02x",
                           i + 1, key.data[i]);
    }
    return OK;
}

static struct outcome_use **
list_of(struct service *service, struct bytes key)
{
    return &service->uses[(bytes_hash(BYTES_HASH_BEGIN, key) >> 32) % SERVICE_USE_LISTS];
}

enum err_code
outcome_begin(struct service *service, struct bytes key, struct outcome_use *use, struct err *err)
{
    struct outcome_use **list, *other;

    TRY(check_key(key, err));
    list = list_of(service, key);
    lock_acquire(&service->uses_lock);
    for (other = *list; other != NULL && !bytes_equal(other->key, key);)
        other = other->next;
    if (other == NULL) {
        *use = (struct outcome_use){.key = key, .next = *list, .begun = true};
        *list = use;
    }
    lock_release(&service->uses_lock);
    if (other == NULL)
        return OK;
    return err_set(err, ERR_ABORTED,
                   "a request with the Idempotency-Key '%.*s' is still running: wait for it, then "
                   "repeat this one",
                   (int)key.size, (const char *)key.data);
}

void
outcome_end(struct service *service, struct outcome_use *use)
{
    struct outcome_use **at;

    if (!use->begun)
        return;
    lock_acquire(&service->uses_lock);
    for (at = list_of(service, use->key); *at != use;)
        at = &(*at)->next;
    *at = use->next;
    lock_release(&service->uses_lock);
    use->begun = false;
}

/* --- what was kept ------------------------------------------------------------------------- */

static enum err_code
read_reply(const struct store_view *view, const struct outcome_record *record, struct buf *reply,
           struct err *err)
{
    AUTO(value_reader) reader = {0};
    uint8_t *room = NULL;
    size_t size = (size_t)record->reply.size;

    TRY(value_open(view, &record->reply, &reader, err));
    TRY(buf_reserve(reply, size, &room, err));
    TRY(value_copy(&reader, 0, size, room, err));
    buf_commit(reply, size);
    return OK;
}

struct room_unit {
    const struct service_limits *limits;
    uint64_t removed;
};

static enum err_code
room_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct room_unit *u = context;

    return outcome_remove_expired(txn, u->limits, ROOM_MADE_AT_ONCE, &u->removed, err);
}

/* Units that keep an outcome remove some themselves, but not when they fail: they alone would never
 * get below the limit again. */
static enum err_code
make_room(struct service *service, struct err *err)
{
    struct room_unit u = {.limits = &service->limits, .removed = 1};
    uint64_t kept = UINT64_MAX;

    while (u.removed > 0 && kept >= service->limits.idempotency_keys_max) {
        AUTO_SNAPSHOT snapshot = NULL;

        TRY(store_update(service->store, room_unit, &u, NULL, NULL, err));
        TRY(store_snapshot_open(service->store, &snapshot, err));
        TRY(record_get_kept(store_snapshot_view(snapshot), &kept, err));
    }
    return outcome_check_count(&service->limits, kept, err);
}

enum err_code
outcome_find(struct service *service, struct bytes key, bool *found,
             uint8_t fingerprint[static OUTCOME_FINGERPRINT_BYTES], struct buf *reply,
             struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    struct outcome_record record;
    uint64_t kept = 0;

    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(record_get_outcome(view, key, found, &record, err));
    if (*found && outcome_expired(&service->limits, record.created_ms, clock_wall_ms()))
        *found = false;
    if (*found) {
        memcpy(fingerprint, record.fingerprint, OUTCOME_FINGERPRINT_BYTES);
        return read_reply(view, &record, reply, err);
    }
    TRY(record_get_kept(view, &kept, err));
    if (kept < service->limits.idempotency_keys_max)
        return OK;
    store_snapshot_drop(snapshot); /* not held over the wait */
    snapshot = NULL;
    return make_room(service, err);
}

/* --- outside the store --------------------------------------------------------------------- */

static enum err_code
nothing_unit(struct store_txn *txn, void *context, struct err *err)
{
    (void)txn;
    (void)context;
    (void)err;
    return OK;
}

enum err_code
outcome_note(struct service *service, const struct write_options *options, uint64_t *revision,
             struct err *err)
{
    *revision = service_revision(service);
    if (options == NULL || options->outcome == NULL)
        return OK;
    return service_commit(service, nothing_unit, NULL, options, NULL, revision, err);
}
