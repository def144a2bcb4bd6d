/* Where what is done to a variable runs: on the device that it is on, whatever device is asked for.
 * A device is looked for when something first runs on the variable, so that reading and saving
 * never need one. */
#include "service/run/draft_parts.h"

#include "service/device/engine.h"
#include "service/placement/variable_device.h"

void
draft_begin_operation(struct draft *draft, const char *name, const struct device_spec *asked)
{
    draft->operation.name = name;
    draft->operation.asked = asked;
    draft->operation.number++;
}

static enum err_code
note_conflict(struct draft *draft, const char *name, const char *device,
              const struct device *assigned, struct err *err)
{
    struct device_conflict conflict;

    if (!variable_conflict(draft->operation.name, name, draft->operation.asked, device, assigned,
                           &conflict))
        return OK;
    if (draft->conflicts == NULL)
        draft->conflicts = arena_alloc(&draft->arena, sizeof *draft->conflicts, err);
    if (draft->conflicts == NULL)
        return ERR_NO_MEMORY;
    variable_conflicts_add(draft->conflicts, &conflict);
    return OK;
}

enum err_code
draft_follow_device(struct draft *draft, struct draft_variable *variable, struct err *err)
{
    if (draft->operation.asked == NULL || variable->asked_by == draft->operation.number ||
        variable->is_state)
        return OK;
    variable->asked_by = draft->operation.number;
    return note_conflict(draft, variable->name, variable->device, variable->assigned, err);
}

/* A partitioned variable is one for each of its parts to TensorFlow: all of them have to be
 * somewhere. */
static enum err_code
find_device(struct draft *draft, struct draft_variable *variable, struct err *err)
{
    enum dtype dtype = variable->form.type.dtype;
    const struct device *part = NULL;

    for (uint32_t i = 0; variable->part_devices != NULL && i < variable->partition.count; i++)
        TRY(variable_device(draft->service, &draft->model, variable->name,
                            variable->part_devices[i], dtype, &part, err));
    return variable_device(draft->service, &draft->model, variable->name, variable->device, dtype,
                           &variable->assigned, err);
}

enum err_code
draft_check_device(struct draft *draft, struct draft_variable *variable, struct err *err)
{
    if (variable->assigned == NULL)
        TRY(find_device(draft, variable, err));
    return draft_follow_device(draft, variable, err);
}

enum err_code
draft_check_no_device(struct draft *draft, const char *name, enum dtype dtype, struct err *err)
{
    const struct device *assigned = NULL;

    TRY(variable_device(draft->service, &draft->model, name, NULL, dtype, &assigned, err));
    return draft->operation.asked == NULL ? OK : note_conflict(draft, name, NULL, assigned, err);
}

enum err_code
draft_scatter_row(struct draft *draft, struct draft_variable *variable, enum kernel_scatter kernel,
                  uint64_t offset, uint64_t size, struct kernel_operand update, struct err *err)
{
    const enum dtype dtype = variable->form.type.dtype;

    while (size > 0) {
        uint8_t *room = NULL;
        size_t part = 0;

        TRY(draft_edit(draft, variable, offset, size, &room, &part, err));
        TRY(device_scatter_row(variable->assigned, kernel, dtype, room, update,
                               part / dtype_size(dtype), err));
        update.data = (const uint8_t *)update.data + update.step * part;
        offset += part;
        size -= part;
    }
    return OK;
}
