/* Records of a model as a whole: itself, its counts, its counters of names, places in its graph. */
#include "service/record/record_parts.h"
#include "service/state.h"
#include "store/base/scope.h"

enum err_code
record_check_format(const struct store_view *view, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_model("");
    struct bytes key, record;
    bool found = false;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    if (store_cursor_next(cursor, &found, &key, &record, NULL) != OK || !found ||
        record.size == 0 || record.data[0] == RECORD_FORMAT)
        return OK;
    return err_set(err, ERR_UNAVAILABLE,
                   "the data folder was written by another version: its records have format %u, "
                   "this program knows %d",
                   record.data[0], RECORD_FORMAT);
}

enum err_code
record_decode_model(struct bytes record, struct model_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in), profile, seed_mode;

    out->id = reader_u64(&in);
    out->has_seed = reader_u8(&in) != 0;
    out->seed = (int64_t)reader_u64(&in);
    profile = reader_u8(&in);
    seed_mode = reader_u8(&in);
    if (profile >= RANDOM_PROFILE_COUNT || seed_mode >= MODEL_SEED_MODE_COUNT)
        in.failed = true;
    out->profile = (enum random_profile)profile;
    out->seed_mode = (enum model_seed_mode)seed_mode;
    out->created_ms = reader_u64(&in);
    out->created_revision = reader_u64(&in);
    record_texts_decode(&in, &out->labels);
    record_devices_decode(&in, &out->devices);
    return record_decoded(&in, format, "model", err);
}

enum err_code
record_put_model(struct store_txn *txn, const char *model, const struct model_record *r,
                 struct err *err)
{
    struct record_key key = record_key_model(model);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, r->id, err));
    TRY(buf_append_byte(&out, r->has_seed, err));
    TRY(buf_append_u64(&out, (uint64_t)r->seed, err));
    TRY(buf_append_byte(&out, (uint8_t)r->profile, err));
    TRY(buf_append_byte(&out, (uint8_t)r->seed_mode, err));
    TRY(buf_append_u64(&out, r->created_ms, err));
    TRY(buf_append_u64(&out, r->created_revision, err));
    TRY(record_texts_encode(&r->labels, &out, err));
    TRY(record_devices_encode(&r->devices, &out, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

enum err_code
record_get_model(const struct store_view *view, const char *model, bool *found,
                 struct model_record *out, struct err *err)
{
    struct record_key key;
    struct bytes record;

    /* No longer name was ever let in, and a key has no room for one. */
    *found = false;
    if (strlen(model) > NAME_MODEL_BYTES_MAX)
        return OK;
    key = record_key_model(model);
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    return *found ? record_decode_model(record, out, err) : OK;
}

/* A model without a quota has nothing of it in its record. */
enum { QUOTA_BYTES = 1, QUOTA_VARIABLES = 2 };

static void
decode_quota(struct reader *in, struct model_quota *out)
{
    uint8_t set = reader_u8(in);

    out->bytes = (struct model_limit){(set & QUOTA_BYTES) != 0, reader_u64(in)};
    out->variables = (struct model_limit){(set & QUOTA_VARIABLES) != 0, reader_u64(in)};
}

static enum err_code
encode_quota(const struct model_quota *quota, struct buf *out, struct err *err)
{
    uint8_t set = (uint8_t)((quota->bytes.set ? QUOTA_BYTES : 0) |
                            (quota->variables.set ? QUOTA_VARIABLES : 0));

    if (set == 0)
        return OK;
    TRY(buf_append_byte(out, set, err));
    TRY(buf_append_u64(out, quota->bytes.most, err));
    return buf_append_u64(out, quota->variables.most, err);
}

enum err_code
record_get_usage(const struct store_view *view, uint64_t model_id, struct usage_record *out,
                 struct err *err)
{
    struct record_key key = record_key_usage(model_id);
    struct bytes record;
    struct reader in;
    uint8_t format;

    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *out = (struct usage_record){0};
    if (record.data == NULL)
        return OK;
    in = reader_of(record);
    format = reader_u8(&in);
    out->revision = reader_u64(&in);
    out->variables = reader_u64(&in);
    out->initialized = reader_u64(&in);
    out->bytes = reader_u64(&in);
    out->checkpoints = reader_u64(&in);
    out->checkpoint_bytes = reader_u64(&in);
    out->graph_nodes = reader_u64(&in);
    if (in.left.size > 0)
        decode_quota(&in, &out->quota);
    return record_decoded(&in, format, "usage", err);
}

enum err_code
record_put_usage(struct store_txn *txn, uint64_t model_id, const struct usage_record *r,
                 struct err *err)
{
    struct record_key key = record_key_usage(model_id);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, r->revision, err));
    TRY(buf_append_u64(&out, r->variables, err));
    TRY(buf_append_u64(&out, r->initialized, err));
    TRY(buf_append_u64(&out, r->bytes, err));
    TRY(buf_append_u64(&out, r->checkpoints, err));
    TRY(buf_append_u64(&out, r->checkpoint_bytes, err));
    TRY(buf_append_u64(&out, r->graph_nodes, err));
    TRY(encode_quota(&r->quota, &out, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

static enum err_code
get_counter(const struct store_view *view, const struct record_key *key, const char *kind,
            uint64_t *out, struct err *err)
{
    struct bytes record;
    struct reader in;
    uint8_t format;

    *out = 0;
    TRY(store_get(view, record_key_bytes(key), &record, err));
    if (record.data == NULL)
        return OK;
    in = reader_of(record);
    format = reader_u8(&in);
    *out = reader_u64(&in);
    return record_decoded(&in, format, kind, err);
}

static enum err_code
put_counter(struct store_txn *txn, const struct record_key *key, uint64_t number, struct err *err)
{
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, number, err));
    return store_put(txn, record_key_bytes(key), buf_bytes(&out), err);
}

enum err_code
record_get_name_counter(const struct store_view *view, uint64_t model_id, const char *base,
                        uint64_t *out, struct err *err)
{
    struct record_key key = record_key_name_counter(model_id, base);

    return get_counter(view, &key, "name counter", out, err);
}

enum err_code
record_put_name_counter(struct store_txn *txn, uint64_t model_id, const char *base, uint64_t number,
                        struct err *err)
{
    struct record_key key = record_key_name_counter(model_id, base);

    return put_counter(txn, &key, number, err);
}

enum err_code
record_get_scope_counter(const struct store_view *view, uint64_t model_id, const char *scope,
                         uint64_t *out, struct err *err)
{
    struct record_key key = record_key_scope_counter(model_id, scope);

    return get_counter(view, &key, "scope counter", out, err);
}

enum err_code
record_put_scope_counter(struct store_txn *txn, uint64_t model_id, const char *scope,
                         uint64_t number, struct err *err)
{
    struct record_key key = record_key_scope_counter(model_id, scope);

    return put_counter(txn, &key, number, err);
}

/* --- places in the graph ------------------------------------------------------------------- */

enum err_code
record_decode_place(struct bytes record, struct place_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    out->name = reader_bytes(&in);
    out->numbers = reader_bytes(&in);
    if (out->name.size == 0 || out->name.size > NAME_BYTES_MAX)
        in.failed = true;
    return record_decoded(&in, format, "place in a graph", err);
}

enum err_code
record_put_place(struct store_txn *txn, uint64_t model_id, uint64_t position,
                 const struct place_record *r, struct err *err)
{
    struct record_key key = record_key_place(model_id, position);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_bytes(&out, r->name, err));
    TRY(buf_append_bytes(&out, r->numbers, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}
