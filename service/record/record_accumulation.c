#include "service/record/record_accumulation.h"

#include "service/record/record_parts.h"
#include "store/base/scope.h"

enum { COUNT_BYTES = sizeof(uint32_t), NUMBER_BYTES = sizeof(uint64_t) };

/* --- accumulations ------------------------------------------------------------------------- */

enum err_code
record_decode_accumulation(struct bytes record, struct accumulation_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);
    uint64_t norm;

    out->id = reader_u64(&in);
    out->replicas = reader_u32(&in);
    out->count = reader_u32(&in);
    out->sums = reader_u32(&in);
    out->workers = reader_u32(&in);
    out->started_ms = reader_u64(&in);
    out->updated_ms = reader_u64(&in);
    out->started_revision = reader_u64(&in);
    out->revision = reader_u64(&in);
    record_name_decode(&in, sizeof out->global_step, out->global_step);
    out->has_clip_norm = reader_u8(&in) != 0;
    norm = reader_u64(&in);
    memcpy(&out->clip_norm, &norm, sizeof norm);
    if (out->count == 0 || out->count >= out->replicas || out->workers > out->count)
        in.failed = true;
    return record_decoded(&in, format, "model's accumulation", err);
}

enum err_code
record_get_accumulation(const struct store_view *view, uint64_t model_id, const char *optimizer,
                        const char *key, bool *found, struct accumulation_record *out,
                        struct err *err)
{
    struct record_key at = record_key_accumulation(model_id, optimizer, key);
    struct bytes record;

    TRY(store_get(view, record_key_bytes(&at), &record, err));
    *found = record.data != NULL;
    return *found ? record_decode_accumulation(record, out, err) : OK;
}

enum err_code
record_put_accumulation(struct store_txn *txn, uint64_t model_id, const char *optimizer,
                        const char *key, const struct accumulation_record *r, struct err *err)
{
    struct record_key at = record_key_accumulation(model_id, optimizer, key);
    uint64_t norm;
    AUTO(buf) out;

    memcpy(&norm, &r->clip_norm, sizeof norm);
    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, r->id, err));
    TRY(buf_append_u32(&out, r->replicas, err));
    TRY(buf_append_u32(&out, r->count, err));
    TRY(buf_append_u32(&out, r->sums, err));
    TRY(buf_append_u32(&out, r->workers, err));
    TRY(buf_append_u64(&out, r->started_ms, err));
    TRY(buf_append_u64(&out, r->updated_ms, err));
    TRY(buf_append_u64(&out, r->started_revision, err));
    TRY(buf_append_u64(&out, r->revision, err));
    TRY(buf_append_bytes(&out, bytes_of_text(r->global_step), err));
    TRY(buf_append_byte(&out, r->has_clip_norm, err));
    TRY(buf_append_u64(&out, norm, err));
    return store_put(txn, record_key_bytes(&at), buf_bytes(&out), err);
}

/* --- sums ---------------------------------------------------------------------------------- */

/* What does not fit would be read past its end. */
static bool
sum_fits(const struct sum_record *sum)
{
    const struct shape *shape = &sum->type.shape;
    uint64_t bytes = tensor_type_bytes(&sum->type), row_bytes;

    if (!sum->sparse)
        return sum->values.kind != VALUE_NONE && sum->values.size == bytes &&
               sum->numbers.kind == VALUE_NONE && sum->counts.kind == VALUE_NONE;
    if (shape->rank == 0 || sum->rows > shape->dims[0])
        return false;
    row_bytes = shape->dims[0] == 0 ? 0 : bytes / shape->dims[0];
    return sum->values.size == sum->rows * row_bytes &&
           sum->numbers.size == sum->rows * NUMBER_BYTES &&
           sum->counts.size == sum->rows * COUNT_BYTES;
}

void
record_sum_decode(struct reader *in, struct sum_record *out)
{
    out->variable_id = reader_u64(in);
    record_type_decode(in, &out->type);
    out->sparse = reader_u8(in) != 0;
    out->rows = reader_u64(in);
    value_ref_decode(in, &out->values);
    value_ref_decode(in, &out->numbers);
    value_ref_decode(in, &out->counts);
    if (!in->failed && !sum_fits(out))
        in->failed = true;
}

enum err_code
record_sum_encode(const struct sum_record *r, struct buf *out, struct err *err)
{
    if (!sum_fits(r))
        return err_set(err, ERR_INTERNAL,
                       "a sum of gradients was to be recorded that does not "
                       "fit its type");
    TRY(buf_append_u64(out, r->variable_id, err));
    TRY(record_type_encode(&r->type, out, err));
    TRY(buf_append_byte(out, r->sparse, err));
    TRY(buf_append_u64(out, r->rows, err));
    TRY(value_ref_encode(&r->values, out, err));
    TRY(value_ref_encode(&r->numbers, out, err));
    return value_ref_encode(&r->counts, out, err);
}

enum err_code
record_decode_sum(struct bytes record, struct sum_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    record_sum_decode(&in, out);
    return record_decoded(&in, format, "sum of gradients", err);
}

enum err_code
record_get_sum(const struct store_view *view, uint64_t accumulation_id, const char *variable,
               bool *found, struct sum_record *out, struct err *err)
{
    struct record_key at = record_key_sum(accumulation_id, variable);
    struct bytes record;

    TRY(store_get(view, record_key_bytes(&at), &record, err));
    *found = record.data != NULL;
    return *found ? record_decode_sum(record, out, err) : OK;
}

enum err_code
record_put_sum(struct store_txn *txn, uint64_t accumulation_id, const char *variable,
               const struct sum_record *record, struct err *err)
{
    struct record_key at = record_key_sum(accumulation_id, variable);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(record_sum_encode(record, &out, err));
    return store_put(txn, record_key_bytes(&at), buf_bytes(&out), err);
}

/* --- steps --------------------------------------------------------------------------------- */

static void
step_decode(struct reader *in, struct applied_step *out)
{
    record_name_decode(in, sizeof out->key, out->key);
    out->replicas = reader_u32(in);
    out->revision = reader_u64(in);
    out->applied_ms = reader_u64(in);
    out->has_global_step = reader_u8(in) != 0;
    out->global_step = (int64_t)reader_u64(in);
}

enum err_code
record_decode_steps(struct bytes record, struct steps_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    out->count = reader_u32(&in);
    if (out->count > ACCUMULATION_STEPS_MAX)
        in.failed = true;
    for (uint32_t i = 0; !in.failed && i < out->count; i++)
        step_decode(&in, &out->steps[i]);
    return record_decoded(&in, format, "step list", err);
}

enum err_code
record_get_steps(const struct store_view *view, uint64_t model_id, const char *optimizer,
                 struct steps_record *out, struct err *err)
{
    struct record_key at = record_key_steps(model_id, optimizer);
    struct bytes record;

    *out = (struct steps_record){0};
    TRY(store_get(view, record_key_bytes(&at), &record, err));
    return record.data == NULL ? OK : record_decode_steps(record, out, err);
}

enum err_code
record_put_steps(struct store_txn *txn, uint64_t model_id, const char *optimizer,
                 const struct steps_record *record, struct err *err)
{
    struct record_key at = record_key_steps(model_id, optimizer);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u32(&out, record->count, err));
    for (uint32_t i = 0; i < record->count; i++) {
        const struct applied_step *step = &record->steps[i];

        TRY(buf_append_bytes(&out, bytes_of_text(step->key), err));
        TRY(buf_append_u32(&out, step->replicas, err));
        TRY(buf_append_u64(&out, step->revision, err));
        TRY(buf_append_u64(&out, step->applied_ms, err));
        TRY(buf_append_byte(&out, step->has_global_step, err));
        TRY(buf_append_u64(&out, (uint64_t)step->global_step, err));
    }
    return store_put(txn, record_key_bytes(&at), buf_bytes(&out), err);
}
