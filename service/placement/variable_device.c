#include "service/placement/variable_device.h"

#include <stdio.h>

#include "service/device/placer.h"
#include "service/placement/partition_devices.h"
#include "service/state.h"
#include "store/base/scope.h"

/* What device_place finds for no specification, without the reading of one: the usual case, and a
 * part of every small commit. NULL: that has the words. */
static const struct device *
find_any(const struct device_set *set, enum dtype dtype)
{
    const struct device *best = NULL;

    for (size_t i = 0; i < set->count; i++) {
        const struct device *device = &set->devices[i];

        if ((best == NULL || device->kind->priority > best->kind->priority) &&
            device->kind->has_kernel(dtype))
            best = device;
    }
    return best;
}

enum err_code
variable_device(const struct service *service, const struct model_record *model, const char *name,
                const char *device, enum dtype dtype, const struct device **out, struct err *err)
{
    const struct device_place_request request = {.node = name,
                                                 .device = device,
                                                 .dtype = dtype,
                                                 .allow_soft_placement =
                                                     model->devices.allow_soft_placement};
    enum err_code code;

    *out = device == NULL || device[0] == '\0' ? find_any(service->devices, dtype) : NULL;
    if (*out != NULL)
        return OK;
    code = device_place(service->devices, &request, out, err);
    if (code != OK)
        err_about(err, "variable", name);
    return code;
}

enum err_code
variable_check_device(const struct service *service, const struct store_view *view,
                      const struct model_record *model, const char *name,
                      const struct variable_record *variable, struct err *err)
{
    AUTO(partition_devices) parts = {.count = 0};
    const struct device *device = NULL;

    TRY(partition_devices_of(view, name, variable, &parts, err));
    for (uint32_t i = 0; i < parts.count; i++)
        TRY(variable_device(service, model, name, parts.each[i], variable->type.dtype, &device,
                            err));
    return variable_device(service, model, name, variable->device, variable->type.dtype, &device,
                           err);
}

/* --- asked elsewhere ----------------------------------------------------------------------- */

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

bool
variable_conflict(const char *operation, const char *name, const struct device_spec *asked,
                  const char *device, const struct device *assigned, struct device_conflict *out)
{
    struct device_spec own = own_spec(device == NULL ? "" : device);

    if (device_spec_is_empty(asked) || is_there(asked, &own, assigned))
        return false;
    *out = (struct device_conflict){.operation = operation};
    device_spec_print(asked, out->asked);
    device_spec_print(&own, out->device);
    if (out->device[0] == '\0' && assigned != NULL)
        snprintf(out->device, sizeof out->device, "%s", assigned->name);
    snprintf(out->name, sizeof out->name, "%s", name);
    return true;
}

void
variable_conflicts_add(struct device_conflicts *conflicts, const struct device_conflict *conflict)
{
    if (conflicts->count < DEVICE_CONFLICTS_MAX)
        conflicts->told[conflicts->count] = *conflict;
    conflicts->count++;
}
