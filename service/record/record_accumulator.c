/* Records of accumulators. */
#include "service/record/record_parts.h"
#include "service/training/accumulator.h"
#include "store/base/scope.h"

enum { SPARSE = 1, SHAPE_KNOWN = 2, FLAGS_ALL = 3 };

static void
decode(struct reader *in, struct accumulator_record *out)
{
    struct tensor_type type = {.dtype = DTYPE_UNSET};
    uint8_t flags;

    out->id = reader_u64(in);
    out->revision = reader_u64(in);
    record_type_decode(in, &type);
    out->dtype = type.dtype;
    out->shape = type.shape;
    flags = reader_u8(in);
    out->sparse = flags & SPARSE;
    out->shape_known = flags & SHAPE_KNOWN;
    out->num_accumulated = reader_u32(in);
    out->global_step = (int64_t)reader_u64(in);
    out->created_ms = reader_u64(in);
    out->updated_ms = reader_u64(in);
    out->created_revision = reader_u64(in);
    out->sum = (struct sum_record){.values = {.kind = VALUE_NONE}};
    if (out->num_accumulated > 0)
        record_sum_decode(in, &out->sum);
    if (in->failed || flags > FLAGS_ALL || !dtype_is_float(out->dtype) ||
        (out->num_accumulated > 0 &&
         (out->sum.type.dtype != out->dtype || out->sum.sparse != out->sparse)))
        in->failed = true;
}

enum err_code
record_decode_accumulator(struct bytes record, struct accumulator_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    decode(&in, out);
    return record_decoded(&in, format, "model's accumulator", err);
}

enum err_code
record_get_accumulator(const struct store_view *view, uint64_t model_id, const char *name,
                       bool *found, struct accumulator_record *out, struct err *err)
{
    struct record_key key = record_key_accumulator(model_id, name);
    struct bytes record;

    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    return *found ? record_decode_accumulator(record, out, err) : OK;
}

enum err_code
record_put_accumulator(struct store_txn *txn, uint64_t model_id, const char *name,
                       const struct accumulator_record *r, struct err *err)
{
    struct record_key key = record_key_accumulator(model_id, name);
    struct tensor_type type = {.dtype = r->dtype, .shape = r->shape};
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, r->id, err));
    TRY(buf_append_u64(&out, r->revision, err));
    TRY(record_type_encode(&type, &out, err));
    TRY(buf_append_byte(
        &out, (uint8_t)((r->sparse ? SPARSE : 0) | (r->shape_known ? SHAPE_KNOWN : 0)), err));
    TRY(buf_append_u32(&out, r->num_accumulated, err));
    TRY(buf_append_u64(&out, (uint64_t)r->global_step, err));
    TRY(buf_append_u64(&out, r->created_ms, err));
    TRY(buf_append_u64(&out, r->updated_ms, err));
    TRY(buf_append_u64(&out, r->created_revision, err));
    if (r->num_accumulated > 0)
        TRY(record_sum_encode(&r->sum, &out, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}
