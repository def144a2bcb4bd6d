#include "service/variable_device.h"

#include "service/device/placer.h"
#include "service/partition_devices.h"
#include "service/state.h"
#include "store/base/scope.h"

enum err_code
variable_device(const struct service *service, const struct model_record *model, const char *name,
                const char *device, enum dtype dtype, const struct device **out, struct err *err)
{
    const struct device_place_request request = {.node = name,
                                                 .device = device,
                                                 .dtype = dtype,
                                                 .allow_soft_placement =
                                                     model->devices.allow_soft_placement};
    enum err_code code = device_place(service->devices, &request, out, err);

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
