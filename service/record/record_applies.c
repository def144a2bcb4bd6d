/* The record of an optimizer's last applies. */
#include "service/record/record_parts.h"

#include <inttypes.h>

#include "store/base/scope.h"

enum err_code
record_decode_applies(struct bytes record, struct applies_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    out->applies = reader_u64(&in);
    out->count = reader_u32(&in);
    if (out->count > RECORD_APPLIES_MAX)
        in.failed = true;
    for (uint32_t i = 0; !in.failed && i < out->count; i++)
        out->revisions[i] = reader_u64(&in);
    return record_decoded(&in, format, "optimizer's applies", err);
}

enum err_code
record_get_applies(const struct store_view *view, uint64_t model_id, const char *optimizer,
                   struct applies_record *out, struct err *err)
{
    struct record_key key = record_key_applies(model_id, optimizer);
    struct bytes record;

    *out = (struct applies_record){0};
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    return record.data == NULL ? OK : record_decode_applies(record, out, err);
}

enum err_code
record_put_applies(struct store_txn *txn, uint64_t model_id, const char *optimizer,
                   const struct applies_record *record, struct err *err)
{
    struct record_key key = record_key_applies(model_id, optimizer);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, record->applies, err));
    TRY(buf_append_u32(&out, record->count, err));
    for (uint32_t i = 0; i < record->count; i++)
        TRY(buf_append_u64(&out, record->revisions[i], err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}
