#include "service/placement/partition_devices.h"
#include "service/placement/task.h"
#include "store/base/scope.h"

/* What part `index` has of `bytes`. */
static uint64_t
bytes_of_part(const struct variable_record *variable, uint64_t bytes, uint32_t index)
{
    const struct shape *shape = &variable->type.shape;
    struct partition_part part = partition_part_of(&variable->partition, shape, index);
    uint64_t all = shape_count(shape);
    double share = all == 0 ? 0 : (double)shape_count(&part.shape) / (double)all;

    return (uint64_t)((double)bytes * share + 0.5);
}

/* Parts have two sizes at most, and there may be thousands of them. */
enum err_code
task_each_device(const struct store_view *view, const struct variable_record *variable,
                 uint64_t bytes, task_visit *visit, void *context, struct err *err)
{
    const struct shape *shape = &variable->type.shape;
    AUTO(partition_devices) devices = {.count = 0};
    uint64_t each[2];
    uint32_t larger;

    TRY(partition_devices_look(view, variable, &devices, err));
    if (devices.count == 0) {
        visit(context, variable->device, bytes);
        return OK;
    }
    larger = partition_larger_parts(&variable->partition, shape);
    each[0] = bytes_of_part(variable, bytes, devices.count - 1);
    each[1] = bytes_of_part(variable, bytes, 0);
    for (uint32_t i = 0; i < devices.count; i++)
        visit(context, devices.each[i], each[i < larger]);
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
