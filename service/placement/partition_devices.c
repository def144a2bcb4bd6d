/* Encoding: the texts one after the other, each with the NUL at its end. */
#include "service/placement/partition_devices.h"

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* A text of each part and its end. */
_Static_assert(PARTITION_PARTS_MAX *(RECORD_DEVICE_BYTES_MAX + 1) <= VALUE_WRITE_BYTES_MAX,
               "the devices of all parts are written at once");

static enum err_code
damaged(struct err *err)
{
    return err_set(err, ERR_DATA_LOSS, "they are not one for each part");
}

/* Divides the texts that were read. */
static enum err_code
find_each(struct partition_devices *devices, struct err *err)
{
    const char *at = (const char *)devices->texts.data;
    size_t left = devices->texts.size;

    for (uint32_t i = 0; i < devices->count; i++) {
        const char *end = left > 0 ? memchr(at, '\0', left) : NULL;

        if (end == NULL || end - at > RECORD_DEVICE_BYTES_MAX)
            return damaged(err);
        devices->each[i] = at;
        left -= (size_t)(end - at) + 1;
        at = end + 1;
    }
    return left == 0 ? OK : damaged(err);
}

/* The texts, in *out, which has room for a device of each part. */
static enum err_code
read_each(const struct store_view *view, const struct value_ref *ref, struct partition_devices *out,
          struct err *err)
{
    AUTO(value_reader) reader = {0};
    uint8_t *room = NULL;

    if (ref->size == 0 || ref->size > VALUE_WRITE_BYTES_MAX || out->count == 0)
        return damaged(err);
    TRY(value_open(view, ref, &reader, err));
    TRY(value_verify(&reader, err));
    TRY(buf_reserve(&out->texts, ref->size, &room, err));
    TRY(value_copy(&reader, 0, ref->size, room, err));
    buf_commit(&out->texts, ref->size);
    return find_each(out, err);
}

enum err_code
partition_devices_read(const struct store_view *view, const struct variable_record *variable,
                       struct partition_devices *out, struct err *err)
{
    AUTO(partition_devices) devices = {.count = variable->partition.count};
    enum err_code code;

    *out = (struct partition_devices){.count = 0};
    if (variable->part_devices.kind == VALUE_NONE)
        return OK;
    buf_init(&devices.texts, VALUE_WRITE_BYTES_MAX);
    devices.each = mem_zeroed(devices.count, sizeof *devices.each, err);
    if (devices.each == NULL)
        return ERR_NO_MEMORY;
    code = read_each(view, &variable->part_devices, &devices, err);
    if (code == ERR_DATA_LOSS)
        err_prefix(err, "the devices of a variable's parts");
    if (code == OK)
        *out = TAKE(devices);
    return code;
}

enum err_code
partition_devices_of(const struct store_view *view, const char *name,
                     const struct variable_record *variable, struct partition_devices *out,
                     struct err *err)
{
    enum err_code code = partition_devices_read(view, variable, out, err);

    if (code == ERR_DATA_LOSS)
        err_prefix(err, "variable '%s'", name);
    return code;
}

enum err_code
partition_devices_look(const struct store_view *view, const struct variable_record *variable,
                       struct partition_devices *out, struct err *err)
{
    struct err damage = ERR_INIT;
    enum err_code code = partition_devices_read(view, variable, out, &damage);

    out->damaged = code == ERR_DATA_LOSS;
    return code == OK || out->damaged ? OK : err_set(err, code, "%s", damage.text);
}

void
partition_devices_drop(struct partition_devices *devices)
{
    mem_free(devices->each);
    buf_drop(&devices->texts);
    *devices = (struct partition_devices){.count = 0};
}

const char *
partition_devices_at(const struct partition_devices *devices,
                     const struct variable_record *variable, uint32_t index)
{
    CHECK(index < variable->partition.count);
    return devices->count > 0 ? devices->each[index] : variable->device;
}

enum err_code
partition_devices_write(struct store_txn *txn, const char *const *each, uint32_t count,
                        const char *device, struct value_ref *out, struct err *err)
{
    AUTO(buf) texts;
    uint32_t alike = 0;

    buf_init(&texts, VALUE_WRITE_BYTES_MAX);
    *out = (struct value_ref){.kind = VALUE_NONE};
    while (alike < count && strcmp(each[alike], device) == 0)
        alike++;
    if (alike == count)
        return OK;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(strlen(each[i]) <= RECORD_DEVICE_BYTES_MAX);
        TRY(buf_append(&texts, each[i], strlen(each[i]) + 1, err));
    }
    return value_write(txn, buf_bytes(&texts), STORE_CLASS_ROWS, out, err);
}
