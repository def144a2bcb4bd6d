/* Outcomes inside units: kept, counted, and removed by age. Always true: each outcome has its place
 * in the order of ages, and their count is the record that says it. */
#include "service/run/outcome_keep.h"

#include <inttypes.h>

#include "store/base/clock.h"
#include "store/base/scope.h"

enum {
    EXPIRED_PER_COMMIT = 4, /* more than one, so that they go faster than they come */
    RENDERED_BYTES_MAX = 1 << 30,
};

bool
outcome_expired(const struct service_limits *limits, uint64_t created_ms, uint64_t now_ms)
{
    return now_ms > created_ms && now_ms - created_ms >= limits->idempotency_keep_ms;
}

/* --- removing ------------------------------------------------------------------------------ */

/* The first expiry behind *place, which it becomes; size 0 at the end. */
static enum err_code
next_expiry(const struct store_view *view, struct record_key *place, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_expiries();
    struct bytes after = place->size == 0 ? bytes_of(NULL, 0) : record_key_bytes(place), key, value;
    bool found = false;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), after, &cursor, err));
    TRY(store_cursor_next(cursor, &found, &key, &value, err));
    place->size = found ? key.size : 0;
    if (found)
        memcpy(place->bytes, key.data, key.size);
    return OK;
}

/* A damaged outcome stays where it is: it is told to whoever asks for it, and to verify. */
static enum err_code
remove_at(struct store_txn *txn, const struct record_key *place, uint64_t *removed, struct err *err)
{
    struct bytes expiry = record_key_bytes(place), key = record_key_name(expiry);
    struct outcome_record record;
    bool found = false;
    enum err_code code = record_get_outcome(store_txn_view(txn), key, &found, &record, err);

    if (code == ERR_DATA_LOSS) {
        err_clear(err);
        return OK;
    }
    TRY(code);
    if (!found || record.created_ms != record_key_created_ms(expiry))
        return OK; /* likewise */
    TRY(value_release(txn, &record.reply, err));
    *removed += 1;
    return record_delete_outcome(txn, key, record.created_ms, err);
}

enum err_code
outcome_remove_expired(struct store_txn *txn, const struct service_limits *limits,
                       uint64_t count_max, uint64_t *removed, struct err *err)
{
    uint64_t now_ms = clock_wall_ms(), kept = 0;
    struct record_key place = {.size = 0};

    *removed = 0;
    for (uint64_t looked = 0; looked < count_max; looked++) {
        TRY(next_expiry(store_txn_view(txn), &place, err));
        if (place.size == 0 ||
            !outcome_expired(limits, record_key_created_ms(record_key_bytes(&place)), now_ms))
            break;
        TRY(remove_at(txn, &place, removed, err));
    }
    if (*removed == 0)
        return OK;
    TRY(record_get_kept(store_txn_view(txn), &kept, err));
    return record_put_kept(txn, kept > *removed ? kept - *removed : 0, err);
}

/* --- keeping ------------------------------------------------------------------------------- */

enum err_code
outcome_check_count(const struct service_limits *limits, uint64_t kept, struct err *err)
{
    if (kept < limits->idempotency_keys_max)
        return OK;
    return err_set(err, ERR_BUSY,
                   "%" PRIu64 " replies are kept for their Idempotency-Key, at most %" PRIu64
                   " are (idempotency_keys_max), none of them older than %" PRIu64
                   " ms (idempotency_keep_ms)",
                   kept, limits->idempotency_keys_max, limits->idempotency_keep_ms);
}

/* What was kept under the key before has expired; otherwise somebody would have been told. */
static enum err_code
replace(struct store_txn *txn, const struct service_limits *limits, struct bytes key,
        uint64_t *kept, struct err *err)
{
    struct outcome_record old;
    bool found = false;

    TRY(record_get_outcome(store_txn_view(txn), key, &found, &old, err));
    if (!found)
        return OK;
    if (!outcome_expired(limits, old.created_ms, clock_wall_ms()))
        return err_set(err, ERR_ABORTED,
                       "an earlier request had this Idempotency-Key; it had expired, and, as the "
                       "clock went back, has not: try again");
    TRY(value_release(txn, &old.reply, err));
    *kept -= *kept > 0;
    return record_delete_outcome(txn, key, old.created_ms, err);
}

static enum err_code
render(struct store_txn *txn, const struct service_limits *limits,
       const struct write_outcome *outcome, struct buf *reply, struct err *err)
{
    uint64_t size_max = limits->idempotency_reply_bytes_max;

    if (size_max > VALUE_WRITE_BYTES_MAX)
        size_max = VALUE_WRITE_BYTES_MAX;
    TRY(outcome->render(outcome->context, store_txn_revision(txn), reply, err));
    if (reply->size <= size_max)
        return OK;
    return err_set(
        err, ERR_PAYLOAD_TOO_LARGE,
        "the reply has %zu bytes, at most %" PRIu64
        " are kept for an Idempotency-Key (idempotency_reply_max_bytes): ask for less at "
        "once, or without a key",
        reply->size, size_max);
}

enum err_code
outcome_keep(struct store_txn *txn, const struct service_limits *limits,
             const struct write_outcome *outcome, struct err *err)
{
    struct outcome_record record = {.created_ms = clock_wall_ms(),
                                    .revision = store_txn_revision(txn)};
    uint64_t removed = 0, kept = 0;
    AUTO(buf) reply;

    buf_init(&reply, RENDERED_BYTES_MAX);
    TRY(outcome_remove_expired(txn, limits, EXPIRED_PER_COMMIT, &removed, err));
    TRY(record_get_kept(store_txn_view(txn), &kept, err));
    TRY(replace(txn, limits, outcome->key, &kept, err));
    TRY(outcome_check_count(limits, kept, err));
    TRY(render(txn, limits, outcome, &reply, err));
    TRY(value_write(txn, buf_bytes(&reply), STORE_CLASS_ROWS, &record.reply, err));
    memcpy(record.fingerprint, outcome->fingerprint, sizeof record.fingerprint);
    TRY(record_put_outcome(txn, outcome->key, &record, err));
    return record_put_kept(txn, kept + 1, err);
}
