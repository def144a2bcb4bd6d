/* Where what is done to a variable runs: on the device that it is on, whatever device is asked for.
 * A device is looked for when something first runs on the variable, so that reading and saving
 * never need one. */
#include "service/run/draft_parts.h"

#include <stdio.h>

#include "service/device/conflict.h"
#include "service/placement/variable_device.h"

void
draft_begin_operation(struct draft *draft, const char *name, const struct device_spec *asked)
{
    draft->operation.name = name;
    draft->operation.asked = asked;
    draft->operation.number++;
}

/* As the placer read it. */
static struct device_spec
own_spec(const char *device)
{
    struct device_spec spec = {.has_job = false};

    if (device_spec_parse(device, &spec, NULL) != OK)
        spec = (struct device_spec){.has_job = false};
    return spec;
}

static bool
is_there(const struct device_spec *asked, const struct device_spec *own,
         const struct device *assigned)
{
    struct device_spec runtime;

    return device_spec_covers(asked, own) ||
           (assigned != NULL && device_spec_to_runtime(asked, &runtime) &&
            device_spec_covers(&runtime, &assigned->spec));
}

/* Nothing to tell when the operation runs where it was asked to, or is asked for what the variable
 * asks for: soft placement brings both to the same device. `assigned` NULL: nothing runs on it. */
static enum err_code
note_conflict(struct draft *draft, const char *name, const char *device,
              const struct device *assigned, struct err *err)
{
    const struct draft_operation *operation = &draft->operation;
    struct device_spec own = own_spec(device == NULL ? "" : device);
    struct device_conflict conflict = {.operation = operation->name};

    device_spec_print(operation->asked, conflict.asked);
    if (conflict.asked[0] == '\0' || is_there(operation->asked, &own, assigned))
        return OK;
    device_spec_print(&own, conflict.device);
    if (conflict.device[0] == '\0' && assigned != NULL)
        snprintf(conflict.device, sizeof conflict.device, "%s", assigned->name);
    snprintf(conflict.name, sizeof conflict.name, "%s", name);
    if (draft->conflicts == NULL)
        draft->conflicts = arena_alloc(&draft->arena, sizeof *draft->conflicts, err);
    if (draft->conflicts == NULL)
        return ERR_NO_MEMORY;
    if (draft->conflicts->count < DEVICE_CONFLICTS_MAX)
        draft->conflicts->told[draft->conflicts->count] = conflict;
    draft->conflicts->count++;
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

/* A divided variable is one for each of its parts to TensorFlow: all of them have to be somewhere.
 */
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
