/* Encoding: little-endian integers in the order of the struct; a new field means a new format byte,
 * or a flag that says it is there. */
#include "service/record/record_parts.h"

#include <inttypes.h>

#include "store/base/scope.h"

void
record_texts_decode(struct reader *in, struct record_texts *out)
{
    struct bytes all = reader_bytes(in);
    struct reader each = reader_of(all);

    out->size = 0;
    if (in->failed || all.size > sizeof out->bytes) {
        in->failed = true;
        return;
    }
    memcpy(out->bytes, all.data, all.size);
    out->size = (uint32_t)all.size;
    while (each.left.size > 0 && !each.failed)
        (void)reader_bytes(&each);
    in->failed = each.failed;
}

enum err_code
record_texts_encode(const struct record_texts *texts, struct buf *out, struct err *err)
{
    return buf_append_bytes(out, bytes_of(texts->bytes, texts->size), err);
}

enum err_code
record_type_encode(const struct tensor_type *type, struct buf *out, struct err *err)
{
    TRY(buf_append_byte(out, (uint8_t)type->dtype, err));
    return shape_encode(&type->shape, out, err);
}

void
record_type_decode(struct reader *in, struct tensor_type *out)
{
    uint8_t dtype = reader_u8(in);

    if (dtype >= DTYPE_COUNT)
        in->failed = true;
    out->dtype = (enum dtype)dtype;
    shape_decode(in, &out->shape);
    if (!in->failed && shape_check(&out->shape, NULL) != OK)
        in->failed = true;
}

/* A value that does not fit its type would be read past its end. */
static bool
value_fits(const struct tensor_type *type, const struct value_ref *value)
{
    return value->kind == VALUE_NONE || type->dtype == DTYPE_STRING ||
           value->size == tensor_type_bytes(type);
}

static enum err_code
check_value(const struct tensor_type *type, const struct value_ref *value, struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    if (value_fits(type, value))
        return OK;
    return err_set(err, ERR_INTERNAL, "a value of %" PRIu64 " bytes was to be recorded as %s",
                   value->size, tensor_type_text(type, text));
}

enum err_code
record_decoded(const struct reader *in, uint8_t format, const char *kind, struct err *err)
{
    if (format != RECORD_FORMAT)
        return err_set(err, ERR_DATA_LOSS, "a %s record has format %u, this program knows %d", kind,
                       (unsigned)format, RECORD_FORMAT);
    if (!reader_ended_well(in))
        return err_set(err, ERR_DATA_LOSS, "a %s record is damaged", kind);
    return OK;
}

enum {
    VARIABLE_SHAPE_KNOWN = 1,
    VARIABLE_VALIDATE = 2,
    VARIABLE_TRAINABLE = 4,
    VARIABLE_ROWS = 8,
    VARIABLE_PARTITIONED = 16, /* axis and count follow the flags */
    VARIABLE_VIRTUAL = 32,
    VARIABLE_PLACED_FURTHER = 64, /* the caching device and the parts' devices follow the value */
    VARIABLE_PLACED = 128,        /* what of its device the model gave follows at the end */
};

/* Parts that do not divide the shape would be asked for past its end. */
static void
partition_decode(struct reader *in, const struct variable_record *variable, struct partition *out)
{
    out->axis = reader_u32(in);
    out->count = reader_u32(in);
    if (out->count == 0 || !variable->shape_known || !partition_fits(out, &variable->type.shape))
        in->failed = true;
}

static enum err_code
decode_device(struct reader *in, const char *what, char out[static RECORD_DEVICE_BYTES_MAX + 1],
              struct err *err)
{
    struct bytes device = reader_bytes(in);

    if (device.size > RECORD_DEVICE_BYTES_MAX)
        return err_set(err, ERR_DATA_LOSS, "a variable record is damaged: %s of %zu bytes", what,
                       device.size);
    if (device.size > 0)
        memcpy(out, device.data, device.size);
    out[device.size] = '\0';
    return OK;
}

/* Variables of whom nothing of it is said, as all of earlier versions, have nothing of it here. */
static enum err_code
decode_further_places(struct reader *in, bool there, struct variable_record *out, struct err *err)
{
    out->caching_device[0] = '\0';
    out->part_devices = (struct value_ref){.kind = VALUE_NONE};
    if (!there)
        return OK;
    TRY(decode_device(in, "caching device", out->caching_device, err));
    value_ref_decode(in, &out->part_devices);
    return OK;
}

enum err_code
record_decode_variable(struct bytes record, struct variable_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in), flags;

    out->id = reader_u64(&in);
    record_type_decode(&in, &out->type);
    flags = reader_u8(&in);
    out->shape_known = flags & VARIABLE_SHAPE_KNOWN;
    out->validate_shape = flags & VARIABLE_VALIDATE;
    out->trainable = flags & VARIABLE_TRAINABLE;
    out->row_updates = flags & VARIABLE_ROWS;
    out->is_virtual = flags & VARIABLE_VIRTUAL;
    out->partition = (struct partition){0};
    if (flags & VARIABLE_PARTITIONED)
        partition_decode(&in, out, &out->partition);
    out->created_ms = reader_u64(&in);
    out->updated_ms = reader_u64(&in);
    out->created_revision = reader_u64(&in);
    out->revision = reader_u64(&in);
    out->version = reader_u64(&in);
    out->serial = reader_u64(&in);
    out->graph_position = reader_u64(&in);
    out->graph_number = reader_u64(&in);
    TRY(decode_device(&in, "device", out->device, err));
    record_texts_decode(&in, &out->collections);
    value_ref_decode(&in, &out->initial_value);
    value_ref_decode(&in, &out->initialized_with);
    value_ref_decode(&in, &out->value);
    TRY(decode_further_places(&in, flags & VARIABLE_PLACED_FURTHER, out, err));
    out->placed = flags & VARIABLE_PLACED ? reader_u8(&in) : 0;
    if (!in.failed && !value_fits(&out->type, &out->value))
        in.failed = true;
    return record_decoded(&in, format, "variable", err);
}

static bool
is_placed_further(const struct variable_record *r)
{
    return r->caching_device[0] != '\0' || r->part_devices.kind != VALUE_NONE;
}

static uint8_t
variable_flags(const struct variable_record *r)
{
    return (uint8_t)((r->shape_known ? VARIABLE_SHAPE_KNOWN : 0) |
                     (r->validate_shape ? VARIABLE_VALIDATE : 0) |
                     (r->trainable ? VARIABLE_TRAINABLE : 0) |
                     (r->row_updates ? VARIABLE_ROWS : 0) | (r->is_virtual ? VARIABLE_VIRTUAL : 0) |
                     (r->partition.count > 0 ? VARIABLE_PARTITIONED : 0) |
                     (is_placed_further(r) ? VARIABLE_PLACED_FURTHER : 0) |
                     (r->placed != 0 ? VARIABLE_PLACED : 0));
}

enum err_code
record_put_variable(struct store_txn *txn, uint64_t model_id, const char *name,
                    const struct variable_record *r, struct err *err)
{
    struct record_key key = record_key_variable(model_id, name);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(check_value(&r->type, &r->value, err));
    if (r->partition.count > 0 && !partition_fits(&r->partition, &r->type.shape))
        return err_set(err, ERR_INTERNAL, "variable '%s' was to be recorded in parts it has not",
                       name);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, r->id, err));
    TRY(record_type_encode(&r->type, &out, err));
    TRY(buf_append_byte(&out, variable_flags(r), err));
    if (r->partition.count > 0) {
        TRY(buf_append_u32(&out, r->partition.axis, err));
        TRY(buf_append_u32(&out, r->partition.count, err));
    }
    TRY(buf_append_u64(&out, r->created_ms, err));
    TRY(buf_append_u64(&out, r->updated_ms, err));
    TRY(buf_append_u64(&out, r->created_revision, err));
    TRY(buf_append_u64(&out, r->revision, err));
    TRY(buf_append_u64(&out, r->version, err));
    TRY(buf_append_u64(&out, r->serial, err));
    TRY(buf_append_u64(&out, r->graph_position, err));
    TRY(buf_append_u64(&out, r->graph_number, err));
    TRY(buf_append_bytes(&out, bytes_of_text(r->device), err));
    TRY(record_texts_encode(&r->collections, &out, err));
    TRY(value_ref_encode(&r->initial_value, &out, err));
    TRY(value_ref_encode(&r->initialized_with, &out, err));
    TRY(value_ref_encode(&r->value, &out, err));
    if (is_placed_further(r)) {
        TRY(buf_append_bytes(&out, bytes_of_text(r->caching_device), err));
        TRY(value_ref_encode(&r->part_devices, &out, err));
    }
    if (r->placed != 0)
        TRY(buf_append_byte(&out, r->placed, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

enum err_code
record_get_variable(const struct store_view *view, uint64_t model_id, const char *name, bool *found,
                    struct variable_record *out, struct err *err)
{
    struct record_key key;
    struct bytes record;

    *found = false;
    if (strlen(name) > NAME_BYTES_MAX)
        return OK;
    key = record_key_variable(model_id, name);
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    if (!*found)
        return OK;
    if (record_decode_variable(record, out, err) == OK)
        return OK;
    err_about(err, "variable", name);
    return ERR_DATA_LOSS;
}

enum { CHECKPOINT_HAS_STEP = 1, CHECKPOINT_PINNED = 2 };

enum err_code
record_decode_checkpoint(struct bytes record, struct checkpoint_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in), flags;

    out->id = reader_u64(&in);
    flags = reader_u8(&in);
    out->has_global_step = flags & CHECKPOINT_HAS_STEP;
    out->pinned = flags & CHECKPOINT_PINNED;
    out->global_step = (int64_t)reader_u64(&in);
    out->created_ms = reader_u64(&in);
    out->revision = reader_u64(&in);
    out->changed_revision = reader_u64(&in);
    out->tensors = reader_u64(&in);
    out->bytes = reader_u64(&in);
    out->shards = reader_u32(&in);
    record_name_decode(&in, sizeof out->saver, out->saver);
    out->saver_id = reader_u64(&in);
    record_texts_decode(&in, &out->labels);
    value_ref_decode(&in, &out->metadata);
    if (out->shards == 0)
        in.failed = true;
    return record_decoded(&in, format, "checkpoint", err);
}

enum err_code
record_put_checkpoint(struct store_txn *txn, uint64_t model_id, const char *name,
                      const struct checkpoint_record *r, struct err *err)
{
    struct record_key key = record_key_checkpoint(model_id, name);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, r->id, err));
    TRY(buf_append_byte(&out,
                        (uint8_t)((r->has_global_step ? CHECKPOINT_HAS_STEP : 0) |
                                  (r->pinned ? CHECKPOINT_PINNED : 0)),
                        err));
    TRY(buf_append_u64(&out, (uint64_t)r->global_step, err));
    TRY(buf_append_u64(&out, r->created_ms, err));
    TRY(buf_append_u64(&out, r->revision, err));
    TRY(buf_append_u64(&out, r->changed_revision, err));
    TRY(buf_append_u64(&out, r->tensors, err));
    TRY(buf_append_u64(&out, r->bytes, err));
    TRY(buf_append_u32(&out, r->shards, err));
    TRY(buf_append_bytes(&out, bytes_of_text(r->saver), err));
    TRY(buf_append_u64(&out, r->saver_id, err));
    TRY(record_texts_encode(&r->labels, &out, err));
    TRY(value_ref_encode(&r->metadata, &out, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

enum err_code
record_get_checkpoint(const struct store_view *view, uint64_t model_id, const char *name,
                      bool *found, struct checkpoint_record *out, struct err *err)
{
    struct record_key key;
    struct bytes record;

    *found = false;
    if (strlen(name) > NAME_BYTES_MAX)
        return OK;
    key = record_key_checkpoint(model_id, name);
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    return *found ? record_decode_checkpoint(record, out, err) : OK;
}

/* A record that ends before it is of a tensor that was whole. */
static void
slices_decode(struct reader *in, struct tensor_record *out)
{
    out->partition = (struct partition){0};
    out->part_shards = bytes_of(NULL, 0);
    if (in->failed || in->left.size == 0)
        return;
    out->partition.axis = reader_u32(in);
    out->partition.count = reader_u32(in);
    out->part_shards = reader_bytes(in);
    if (out->partition.count == 0 || !partition_fits(&out->partition, &out->type.shape) ||
        (out->part_shards.size != 0 &&
         out->part_shards.size != (size_t)out->partition.count * PARTITION_SHARD_BYTES))
        in->failed = true;
}

enum err_code
record_decode_tensor(struct bytes record, struct tensor_record *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    record_type_decode(&in, &out->type);
    out->trainable = reader_u8(&in) != 0;
    out->position = reader_u32(&in);
    out->shard = reader_u32(&in);
    value_ref_decode(&in, &out->value);
    slices_decode(&in, out);
    if (!in.failed && !value_fits(&out->type, &out->value))
        in.failed = true;
    return record_decoded(&in, format, "checkpoint tensor", err);
}

enum err_code
record_put_tensor(struct store_txn *txn, uint64_t checkpoint_id, struct bytes name,
                  const struct tensor_record *r, struct err *err)
{
    struct record_key key = record_key_tensor(checkpoint_id, name);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(check_value(&r->type, &r->value, err));
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(record_type_encode(&r->type, &out, err));
    TRY(buf_append_byte(&out, r->trainable, err));
    TRY(buf_append_u32(&out, r->position, err));
    TRY(buf_append_u32(&out, r->shard, err));
    TRY(value_ref_encode(&r->value, &out, err));
    if (r->partition.count > 0) {
        TRY(buf_append_u32(&out, r->partition.axis, err));
        TRY(buf_append_u32(&out, r->partition.count, err));
        TRY(buf_append_bytes(&out, r->part_shards, err));
    }
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

enum err_code
record_get_tensor(const struct store_view *view, uint64_t checkpoint_id, struct bytes name,
                  bool *found, struct tensor_record *out, struct err *err)
{
    struct record_key key;
    struct bytes record;

    *found = false;
    if (name.size > NAME_TENSOR_BYTES_MAX)
        return OK;
    key = record_key_tensor(checkpoint_id, name);
    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    return *found ? record_decode_tensor(record, out, err) : OK;
}
