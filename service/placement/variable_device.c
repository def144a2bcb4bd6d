#include "service/placement/variable_device.h"

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

    TRY(partition_devices_read(view, variable, &parts, err));
    for (uint32_t i = 0; i < parts.count; i++)
        TRY(variable_device(service, model, name, parts.each[i], variable->type.dtype, &device,
                            err));
    return variable_device(service, model, name, variable->device, variable->type.dtype, &device,
                           err);
}
