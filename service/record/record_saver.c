/* Records of savers: themselves, what they save, the lists of their last checkpoints. */
#include <math.h>

#include "service/record/record_parts.h"
#include "service/saving/saver.h"
#include "store/base/scope.h"

enum {
    RESHAPE = 1,
    SEQUENTIALLY = 1 << 1,
    ALLOW_EMPTY = 1 << 2,
    PAD = 1 << 3,
    SHARDED = 1 << 4,
    BUILT = 1 << 5,
    FLAGS_ALL = (1 << 6) - 1,
};

static uint8_t
flags_of(const struct saver_record *r)
{
    const struct saver_settings *s = &r->settings;

    return (uint8_t)((s->reshape ? RESHAPE : 0) | (s->restore_sequentially ? SEQUENTIALLY : 0) |
                     (s->allow_empty ? ALLOW_EMPTY : 0) | (s->pad_step_number ? PAD : 0) |
                     (s->sharded ? SHARDED : 0) | (r->built ? BUILT : 0));
}

static void
settings_decode(struct reader *in, struct saver_record *out)
{
    struct saver_settings *s = &out->settings;
    uint64_t hours;
    uint8_t flags;

    s->max_to_keep = reader_u32(in);
    hours = reader_u64(in);
    memcpy(&s->keep_every_hours, &hours, sizeof hours);
    flags = reader_u8(in);
    s->reshape = flags & RESHAPE;
    s->restore_sequentially = flags & SEQUENTIALLY;
    s->allow_empty = flags & ALLOW_EMPTY;
    s->pad_step_number = flags & PAD;
    s->sharded = flags & SHARDED;
    out->built = flags & BUILT;
    if (flags > FLAGS_ALL || s->max_to_keep > SAVER_KEEP_MAX || !isfinite(s->keep_every_hours) ||
        s->keep_every_hours < 0)
        in->failed = true;
}

enum err_code
record_decode_saver(struct bytes record, struct saver_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    out->id = reader_u64(&in);
    out->revision = reader_u64(&in);
    out->settings_revision = reader_u64(&in);
    settings_decode(&in, out);
    out->variables = reader_u64(&in);
    out->created_ms = reader_u64(&in);
    out->updated_ms = reader_u64(&in);
    out->created_revision = reader_u64(&in);
    out->next_keep_ms = reader_u64(&in);
    out->listed = reader_u64(&in);
    out->next_place = reader_u64(&in);
    record_name_decode(&in, sizeof out->latest, out->latest);
    out->latest_id = reader_u64(&in);
    return record_decoded(&in, format, "saver", err);
}

enum err_code
record_get_saver(const struct store_view *view, uint64_t model_id, const char *name, bool *found,
                 struct saver_record *out, struct err *err)
{
    struct record_key key;
    struct bytes record;

    *found = false;
    if (strlen(name) > NAME_BYTES_MAX)
        return OK;
    key = record_key_saver(model_id, name);
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    return *found ? record_decode_saver(record, out, err) : OK;
}

enum err_code
record_put_saver(struct store_txn *txn, uint64_t model_id, const char *name,
                 const struct saver_record *r, struct err *err)
{
    struct record_key key = record_key_saver(model_id, name);
    uint64_t hours;
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    memcpy(&hours, &r->settings.keep_every_hours, sizeof hours);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, r->id, err));
    TRY(buf_append_u64(&out, r->revision, err));
    TRY(buf_append_u64(&out, r->settings_revision, err));
    TRY(buf_append_u32(&out, r->settings.max_to_keep, err));
    TRY(buf_append_u64(&out, hours, err));
    TRY(buf_append_byte(&out, flags_of(r), err));
    TRY(buf_append_u64(&out, r->variables, err));
    TRY(buf_append_u64(&out, r->created_ms, err));
    TRY(buf_append_u64(&out, r->updated_ms, err));
    TRY(buf_append_u64(&out, r->created_revision, err));
    TRY(buf_append_u64(&out, r->next_keep_ms, err));
    TRY(buf_append_u64(&out, r->listed, err));
    TRY(buf_append_u64(&out, r->next_place, err));
    TRY(buf_append_bytes(&out, bytes_of_text(r->latest), err));
    TRY(buf_append_u64(&out, r->latest_id, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

/* --- what it saves ------------------------------------------------------------------------- */

enum err_code
record_decode_saved(struct bytes record, char *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    record_name_decode(&in, NAME_BYTES_MAX + 1, out);
    return record_decoded(&in, format, "saver's variable", err);
}

enum err_code
record_put_saved(struct store_txn *txn, uint64_t saver_id, struct bytes tensor,
                 const char *variable, struct err *err)
{
    struct record_key key = record_key_saved(saver_id, tensor);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_bytes(&out, bytes_of_text(variable), err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

/* --- its list ------------------------------------------------------------------------------ */

enum err_code
record_decode_last(struct bytes record, struct last_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    out->checkpoint_id = reader_u64(&in);
    out->saved_ms = reader_u64(&in);
    record_name_decode(&in, sizeof out->name, out->name);
    return record_decoded(&in, format, "saver's last checkpoint", err);
}

enum err_code
record_put_last(struct store_txn *txn, uint64_t saver_id, uint64_t place,
                const struct last_record *r, struct err *err)
{
    struct record_key key = record_key_last(saver_id, place);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, r->checkpoint_id, err));
    TRY(buf_append_u64(&out, r->saved_ms, err));
    TRY(buf_append_bytes(&out, bytes_of_text(r->name), err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

enum err_code
record_get_listed(const struct store_view *view, uint64_t saver_id, const char *checkpoint,
                  uint64_t *place, struct err *err)
{
    struct record_key key = record_key_listed(saver_id, checkpoint);
    struct bytes record;
    struct reader in;
    uint8_t format;

    *place = 0;
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    if (record.data == NULL)
        return OK;
    in = reader_of(record);
    format = reader_u8(&in);
    *place = reader_u64(&in);
    return record_decoded(&in, format, "place in a saver's list", err);
}

enum err_code
record_put_listed(struct store_txn *txn, uint64_t saver_id, const char *checkpoint, uint64_t place,
                  struct err *err)
{
    struct record_key key = record_key_listed(saver_id, checkpoint);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, place, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}
