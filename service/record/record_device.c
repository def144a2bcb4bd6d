/* Records of where things go: what a model says of it, and what its setter has drawn. */
#include "service/record/record_parts.h"
#include "store/base/scope.h"

enum {
    DEVICES_SOFT = 1,
    DEVICES_PLACEMENT = 2, /* its arguments follow */
    PLACEMENT_MERGE = 1,
    PLACEMENT_TASKS = 2,
    PLACEMENT_CLUSTER = 4,
    PLACEMENT_OPS = 8,
};

static void
placement_decode(struct reader *in, struct device_setter_args *out)
{
    uint8_t strategy = reader_u8(in), load = reader_u8(in), version = reader_u8(in);
    uint8_t flags = reader_u8(in);

    if (strategy >= DEVICE_SETTER_STRATEGY_COUNT || load >= DEVICE_SETTER_LOAD_COUNT ||
        version >= DEVICE_SETTER_VERSION_COUNT)
        in->failed = true;
    out->strategy = (enum device_setter_strategy)strategy;
    out->load = (enum device_setter_load)load;
    out->version = (enum device_setter_version)version;
    out->merge_devices = flags & PLACEMENT_MERGE;
    out->has_ps_tasks = flags & PLACEMENT_TASKS;
    out->has_cluster = flags & PLACEMENT_CLUSTER;
    out->has_ps_ops = flags & PLACEMENT_OPS;
    out->ps_tasks = reader_u32(in);
    record_name_decode(in, sizeof out->ps_device, out->ps_device);
    record_name_decode(in, sizeof out->worker_device, out->worker_device);
    record_name_decode(in, sizeof out->cluster, out->cluster);
    record_name_decode(in, sizeof out->ps_ops, out->ps_ops);
}

static enum err_code
placement_encode(const struct device_setter_args *args, struct buf *out, struct err *err)
{
    TRY(buf_append_byte(out, (uint8_t)args->strategy, err));
    TRY(buf_append_byte(out, (uint8_t)args->load, err));
    TRY(buf_append_byte(out, (uint8_t)args->version, err));
    TRY(buf_append_byte(out,
                        (uint8_t)((args->merge_devices ? PLACEMENT_MERGE : 0) |
                                  (args->has_ps_tasks ? PLACEMENT_TASKS : 0) |
                                  (args->has_cluster ? PLACEMENT_CLUSTER : 0) |
                                  (args->has_ps_ops ? PLACEMENT_OPS : 0)),
                        err));
    TRY(buf_append_u32(out, args->ps_tasks, err));
    TRY(buf_append_bytes(out, bytes_of_text(args->ps_device), err));
    TRY(buf_append_bytes(out, bytes_of_text(args->worker_device), err));
    TRY(buf_append_bytes(out, bytes_of_text(args->cluster), err));
    return buf_append_bytes(out, bytes_of_text(args->ps_ops), err);
}

void
record_devices_decode(struct reader *in, struct model_devices *out)
{
    uint8_t flags;

    /* Every operation reads its model's record: what is not said is not filled. */
    out->device[0] = '\0';
    out->allow_soft_placement = out->has_placement = false;
    if (in->left.size == 0)
        return;
    flags = reader_u8(in);
    out->allow_soft_placement = flags & DEVICES_SOFT;
    out->has_placement = flags & DEVICES_PLACEMENT;
    record_name_decode(in, sizeof out->device, out->device);
    if (out->has_placement)
        placement_decode(in, &out->placement);
}

enum err_code
record_devices_encode(const struct model_devices *devices, struct buf *out, struct err *err)
{
    if (!devices->allow_soft_placement && !devices->has_placement && devices->device[0] == '\0')
        return OK;
    TRY(buf_append_byte(out,
                        (uint8_t)((devices->allow_soft_placement ? DEVICES_SOFT : 0) |
                                  (devices->has_placement ? DEVICES_PLACEMENT : 0)),
                        err));
    TRY(buf_append_bytes(out, bytes_of_text(devices->device), err));
    return devices->has_placement ? placement_encode(&devices->placement, out, err) : OK;
}

/* --- what was drawn ------------------------------------------------------------------------ */

enum err_code
record_decode_setter(struct bytes record, struct device_setter_state *out, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in);

    out->next = reader_u32(&in);
    out->load_count = reader_u32(&in);
    if (out->load_count > DEVICE_SETTER_TASKS_MAX || out->next >= DEVICE_SETTER_TASKS_MAX)
        in.failed = true;
    for (uint32_t i = 0; !in.failed && i < out->load_count; i++)
        out->loads[i] = reader_u64(&in);
    return record_decoded(&in, format, "device setter", err);
}

enum err_code
record_get_setter(const struct store_view *view, uint64_t model_id, struct device_setter_state *out,
                  struct err *err)
{
    struct record_key key = record_key_setter(model_id);
    struct bytes record;

    TRY(store_get(view, record_key_bytes(&key), &record, err));
    out->next = 0;
    out->load_count = 0;
    return record.data == NULL ? OK : record_decode_setter(record, out, err);
}

enum err_code
record_put_setter(struct store_txn *txn, uint64_t model_id, const struct device_setter_state *state,
                  struct err *err)
{
    struct record_key key = record_key_setter(model_id);
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u32(&out, state->next, err));
    TRY(buf_append_u32(&out, state->load_count, err));
    for (uint32_t i = 0; i < state->load_count; i++)
        TRY(buf_append_u64(&out, state->loads[i], err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}
