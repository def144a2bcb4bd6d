/* Records of moving averages, and of what they average. */
#include <stdio.h>

#include "service/record/record_parts.h"
#include "service/training/average.h"
#include "store/base/scope.h"

enum { AVERAGE_HAS_NUM_UPDATES = 1, AVERAGE_ZERO_DEBIAS = 2 };

static double
decode_f64(struct reader *in)
{
    uint64_t bits = reader_u64(in);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static enum err_code
decode(struct bytes record, struct average_config *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in), flags;
    struct bytes num_updates;

    out->id = reader_u64(&in);
    flags = reader_u8(&in);
    out->has_num_updates = flags & AVERAGE_HAS_NUM_UPDATES;
    out->zero_debias = flags & AVERAGE_ZERO_DEBIAS;
    out->decay = decode_f64(&in);
    num_updates = reader_bytes(&in);
    record_name_decode(&in, sizeof out->suffix, out->suffix);
    out->created_ms = reader_u64(&in);
    out->updated_ms = reader_u64(&in);
    out->created_revision = reader_u64(&in);
    out->revision = reader_u64(&in);
    TRY(record_decoded(&in, format, "moving average", err));
    return out->has_num_updates ? record_expr_decode(num_updates, &out->num_updates, err) : OK;
}

enum err_code
record_decode_average(struct bytes record, struct average_config *out, struct err *err)
{
    AUTO(average_config) config = {0};

    TRY(decode(record, &config, err));
    *out = TAKE(config);
    return OK;
}

enum err_code
record_get_average(const struct store_view *view, uint64_t model_id, const char *name, bool *found,
                   struct average_config *out, struct err *err)
{
    struct record_key key;
    struct bytes record;
    enum err_code code;

    *found = false;
    if (strlen(name) > NAME_BYTES_MAX)
        return OK;
    key = record_key_average(model_id, name);
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    if (!*found)
        return OK;
    code = record_decode_average(record, out, err);
    if (code != OK) {
        err_about(err, "moving_averages", name);
        return code;
    }
    snprintf(out->name, sizeof out->name, "%s", name);
    return OK;
}

enum err_code
record_put_average(struct store_txn *txn, uint64_t model_id, const struct average_config *config,
                   struct err *err)
{
    struct record_key key = record_key_average(model_id, config->name);
    uint64_t decay;
    AUTO(buf) out;

    memcpy(&decay, &config->decay, sizeof decay);
    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, config->id, err));
    TRY(buf_append_byte(&out,
                        (uint8_t)((config->has_num_updates ? AVERAGE_HAS_NUM_UPDATES : 0) |
                                  (config->zero_debias ? AVERAGE_ZERO_DEBIAS : 0)),
                        err));
    TRY(buf_append_u64(&out, decay, err));
    if (config->has_num_updates)
        TRY(record_expr_encode(&config->num_updates, "num_updates", AVERAGE_EXPRESSION_BYTES_MAX,
                               &out, err));
    else
        TRY(buf_append_bytes(&out, bytes_of("", 0), err));
    TRY(buf_append_bytes(&out, bytes_of_text(config->suffix), err));
    TRY(buf_append_u64(&out, config->created_ms, err));
    TRY(buf_append_u64(&out, config->updated_ms, err));
    TRY(buf_append_u64(&out, config->created_revision, err));
    TRY(buf_append_u64(&out, config->revision, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

/* --- members ------------------------------------------------------------------------------- */

enum err_code
record_decode_member(struct bytes record, struct average_member *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in), is_tensor = reader_u8(&in);
    struct bytes value = reader_bytes(&in);

    if (is_tensor > 1)
        in.failed = true;
    TRY(record_decoded(&in, format, "moving average's member", err));
    out->is_tensor = is_tensor == 1;
    return out->is_tensor ? record_expr_decode(value, &out->value, err) : OK;
}

enum err_code
record_get_member(const struct store_view *view, uint64_t average_id, const char *name, bool *found,
                  struct average_member *out, struct err *err)
{
    struct record_key key = record_key_member(average_id, name);
    struct bytes record;

    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    if (!*found)
        return OK;
    TRY(record_decode_member(record, out, err));
    snprintf(out->name, sizeof out->name, "%s", name);
    return OK;
}

enum err_code
record_put_member(struct store_txn *txn, uint64_t average_id, const char *name,
                  const struct expr_tree *value, struct err *err)
{
    struct record_key key = record_key_member(average_id, name);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_byte(&out, value != NULL, err));
    if (value != NULL)
        TRY(record_expr_encode(value, "a tensor that is averaged", AVERAGE_EXPRESSION_BYTES_MAX,
                               &out, err));
    else
        TRY(buf_append_bytes(&out, bytes_of("", 0), err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}
