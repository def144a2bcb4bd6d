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
    return err_set(err, ERR_DATA_LOSS, "the devices of a variable's parts are damaged");
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

enum err_code
partition_devices_read(const struct store_view *view, const struct variable_record *variable,
                       struct partition_devices *out, struct err *err)
{
    AUTO(partition_devices) devices = {.count = variable->partition.count};
    AUTO(value_reader) reader = {0};
    uint64_t size = variable->part_devices.size;
    uint8_t *room = NULL;

    *out = (struct partition_devices){.count = 0};
    if (variable->part_devices.kind == VALUE_NONE)
        return OK;
    if (size == 0 || size > VALUE_WRITE_BYTES_MAX || devices.count == 0)
        return damaged(err);
    buf_init(&devices.texts, VALUE_WRITE_BYTES_MAX);
    devices.each = mem_zeroed(devices.count, sizeof *devices.each, err);
    if (devices.each == NULL)
        return ERR_NO_MEMORY;
    TRY(value_open(view, &variable->part_devices, &reader, err));
    TRY(buf_reserve(&devices.texts, size, &room, err));
    TRY(value_copy(&reader, 0, size, room, err));
    buf_commit(&devices.texts, size);
    TRY(find_each(&devices, err));
    *out = TAKE(devices);
    return OK;
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
