#include "service/record/record_history.h"

#include <math.h>

#include "service/record/record_parts.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { NUMBER_BYTES = 8 };

uint64_t
record_key_last_number(struct bytes key)
{
    uint64_t number = 0;

    CHECK(key.size >= NUMBER_BYTES);
    for (size_t i = key.size - NUMBER_BYTES; i < key.size; i++)
        number = number << 8 | key.data[i];
    return number;
}

enum err_code
record_decode_history(struct bytes record, struct history_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    out->snapshots = reader_u32(&in);
    out->spacing = reader_u64(&in);
    out->version = reader_u64(&in);
    out->taken_ms = reader_u64(&in);
    if (out->snapshots == 0 || out->snapshots > RECORD_SNAPSHOTS_MAX || out->spacing == 0)
        in.failed = true;
    return record_decoded(&in, format, "variable's history", err);
}

enum err_code
record_get_history(const struct store_view *view, uint64_t model_id, uint64_t variable_id,
                   bool *found, struct history_record *out, struct err *err)
{
    struct record_key key = record_key_history(model_id, variable_id);
    struct bytes record;

    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    return *found ? record_decode_history(record, out, err) : OK;
}

enum err_code
record_put_history(struct store_txn *txn, uint64_t model_id, uint64_t variable_id,
                   const struct history_record *record, struct err *err)
{
    struct record_key key = record_key_history(model_id, variable_id);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u32(&out, record->snapshots, err));
    TRY(buf_append_u64(&out, record->spacing, err));
    TRY(buf_append_u64(&out, record->version, err));
    TRY(buf_append_u64(&out, record->taken_ms, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

/* --- snapshots ----------------------------------------------------------------------------- */

double
record_snapshot_base(const struct kernel_statistics *elements)
{
    if (elements->min > 0 && elements->max <= 2 * elements->min)
        return elements->min;
    return elements->max < 0 && elements->min >= 2 * elements->max ? elements->max : 0;
}

double
record_snapshot_point(const struct snapshot_record *snapshot, uint32_t index)
{
    return record_snapshot_base(&snapshot->elements) + (double)snapshot->points[index];
}

static uint64_t
bits_of(double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static double
reader_double(struct reader *in)
{
    const uint64_t bits = reader_u64(in);
    double number;

    memcpy(&number, &bits, sizeof number);
    return number;
}

static void
decode_elements(struct reader *in, struct kernel_statistics *out)
{
    out->count = reader_u64(in);
    out->nan = reader_u64(in);
    out->pos_inf = reader_u64(in);
    out->neg_inf = reader_u64(in);
    out->zero = reader_u64(in);
    out->negative = reader_u64(in);
    out->min = reader_double(in);
    out->max = reader_double(in);
    out->min_key = reader_u64(in);
    out->max_key = reader_u64(in);
    out->sum = reader_double(in);
    out->absolute = reader_double(in);
    out->deviations = reader_double(in);
}

static enum err_code
encode_elements(const struct kernel_statistics *e, struct buf *out, struct err *err)
{
    const uint64_t numbers[] = {e->count,
                                e->nan,
                                e->pos_inf,
                                e->neg_inf,
                                e->zero,
                                e->negative,
                                bits_of(e->min),
                                bits_of(e->max),
                                e->min_key,
                                e->max_key,
                                bits_of(e->sum),
                                bits_of(e->absolute),
                                bits_of(e->deviations)};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        TRY(buf_append_u64(out, numbers[i], err));
    return OK;
}

static bool
is_plausible(const struct snapshot_record *record)
{
    const struct kernel_statistics *e = &record->elements;

    if (e->nan > e->count || e->pos_inf > e->count - e->nan ||
        e->neg_inf > e->count - e->nan - e->pos_inf)
        return false;
    if ((record->point_count == 0) != (kernel_statistics_finite(e) == 0))
        return false;
    for (uint32_t i = 0; i < record->point_count; i++)
        if (!isfinite(record->points[i]) || (i > 0 && record->points[i] < record->points[i - 1]))
            return false;
    return true;
}

enum err_code
record_decode_snapshot(struct bytes record, struct snapshot_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    out->version = reader_u64(&in);
    out->revision = reader_u64(&in);
    out->time_ms = reader_u64(&in);
    out->has_step = reader_u8(&in) != 0;
    out->step = (int64_t)reader_u64(&in);
    decode_elements(&in, &out->elements);
    out->point_count = reader_u32(&in);
    if (out->point_count > RECORD_SNAPSHOT_POINTS)
        in.failed = true;
    for (uint32_t i = 0; !in.failed && i < out->point_count; i++) {
        const uint32_t bits = reader_u32(&in);

        memcpy(&out->points[i], &bits, sizeof bits);
    }
    if (!in.failed && !is_plausible(out))
        in.failed = true;
    return record_decoded(&in, format, "snapshot of a variable", err);
}

enum err_code
record_put_snapshot(struct store_txn *txn, uint64_t model_id, uint64_t variable_id,
                    const struct snapshot_record *record, struct err *err)
{
    struct record_key key = record_key_snapshot(model_id, variable_id, record->version);
    AUTO(buf) out;

    CHECK(record->point_count <= RECORD_SNAPSHOT_POINTS);
    buf_init(&out, RECORD_SNAPSHOT_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, record->version, err));
    TRY(buf_append_u64(&out, record->revision, err));
    TRY(buf_append_u64(&out, record->time_ms, err));
    TRY(buf_append_byte(&out, record->has_step, err));
    TRY(buf_append_u64(&out, (uint64_t)record->step, err));
    TRY(encode_elements(&record->elements, &out, err));
    TRY(buf_append_u32(&out, record->point_count, err));
    for (uint32_t i = 0; i < record->point_count; i++) {
        uint32_t bits;

        memcpy(&bits, &record->points[i], sizeof bits);
        TRY(buf_append_u32(&out, bits, err));
    }
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}
