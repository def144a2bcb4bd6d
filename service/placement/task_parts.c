#include "service/placement/partition_devices.h"
#include "service/placement/task.h"
#include "store/base/scope.h"

enum err_code
task_each_device(const struct store_view *view, const struct variable_record *variable,
                 uint64_t bytes, task_visit *visit, void *context, struct err *err)
{
    const struct shape *shape = &variable->type.shape;
    AUTO(partition_devices) devices = {.count = 0};
    struct err damage = ERR_INIT;
    enum err_code code = partition_devices_read(view, variable, &devices, &damage);
    uint64_t all = shape_count(shape);

    if (code != OK && code != ERR_DATA_LOSS)
        return err_set(err, code, "%s", damage.text);
    if (devices.count == 0) {
        visit(context, variable->device, bytes);
        return OK;
    }
    for (uint32_t i = 0; i < devices.count; i++) {
        struct partition_part part = partition_part_of(&variable->partition, shape, i);
        double share = all == 0 ? 0 : (double)shape_count(&part.shape) / (double)all;

        visit(context, devices.each[i], (uint64_t)((double)bytes * share + 0.5));
    }
    return OK;
}

static void
note(void *table, const char *device, uint64_t written_bytes)
{
    task_note(table, device, written_bytes);
}

enum err_code
task_note_variable(struct task_table *table, const struct store_view *view,
                   const struct variable_record *variable, uint64_t written_bytes, struct err *err)
{
    return task_each_device(view, variable, written_bytes, note, table, err);
}
