/* Records of requests that had an idempotency key: what became of each, by key and by age. */
#include "service/record/record_parts.h"
#include "store/base/scope.h"

enum err_code
record_decode_outcome(struct bytes record, struct outcome_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);
    struct bytes fingerprint;

    out->created_ms = reader_u64(&in);
    out->revision = reader_u64(&in);
    fingerprint = reader_take(&in, sizeof out->fingerprint);
    if (!in.failed)
        memcpy(out->fingerprint, fingerprint.data, sizeof out->fingerprint);
    value_ref_decode(&in, &out->reply);
    if (out->reply.kind == VALUE_NONE)
        in.failed = true;
    return record_decoded(&in, format, "kept outcome", err);
}

enum err_code
record_get_outcome(const struct store_view *view, struct bytes idempotency_key, bool *found,
                   struct outcome_record *out, struct err *err)
{
    struct record_key key = record_key_outcome(idempotency_key);
    struct bytes record;

    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    return *found ? record_decode_outcome(record, out, err) : OK;
}

enum err_code
record_put_outcome(struct store_txn *txn, struct bytes idempotency_key,
                   const struct outcome_record *r, struct err *err)
{
    struct record_key key = record_key_outcome(idempotency_key);
    struct record_key expiry = record_key_expiry(r->created_ms, idempotency_key);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, r->created_ms, err));
    TRY(buf_append_u64(&out, r->revision, err));
    TRY(buf_append(&out, r->fingerprint, sizeof r->fingerprint, err));
    TRY(value_ref_encode(&r->reply, &out, err));
    TRY(store_put(txn, record_key_bytes(&key), buf_bytes(&out), err));
    return store_put(txn, record_key_bytes(&expiry), bytes_of("", 0), err);
}

enum err_code
record_delete_outcome(struct store_txn *txn, struct bytes idempotency_key, uint64_t created_ms,
                      struct err *err)
{
    struct record_key key = record_key_outcome(idempotency_key);
    struct record_key expiry = record_key_expiry(created_ms, idempotency_key);

    TRY(store_delete(txn, record_key_bytes(&key), err));
    return store_delete(txn, record_key_bytes(&expiry), err);
}

enum err_code
record_get_kept(const struct store_view *view, uint64_t *out, struct err *err)
{
    struct record_key key = record_key_kept();
    struct bytes record;
    struct reader in;
    uint8_t format;

    *out = 0;
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    if (record.data == NULL)
        return OK;
    in = reader_of(record);
    format = reader_u8(&in);
    *out = reader_u64(&in);
    return record_decoded(&in, format, "kept count", err);
}

enum err_code
record_put_kept(struct store_txn *txn, uint64_t count, struct err *err)
{
    struct record_key key = record_key_kept();
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, count, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}
