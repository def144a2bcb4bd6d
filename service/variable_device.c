#include "service/variable_device.h"

#include "service/device/placer.h"
#include "service/state.h"

enum err_code
variable_device(const struct service *service, const struct model_record *model, const char *name,
                const char *device, enum dtype dtype, const struct device **out, struct err *err)
{
    const struct device_place_request request = {
        .node = name,
        .device = device,
        .dtype = dtype,
        .allow_soft_placement = model->devices.allow_soft_placement};
    enum err_code code = device_place(service->devices, &request, out, err);

    if (code != OK)
        err_about(err, "variable", name);
    return code;
}

enum err_code
variable_check_device(const struct service *service, const struct model_record *model,
                      const char *name, const struct variable_record *variable, struct err *err)
{
    const struct device *device = NULL;

    return variable_device(service, model, name, variable->device, variable->type.dtype, &device,
                           err);
}
