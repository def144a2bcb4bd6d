#include "service/placing.h"

#include <string.h>

#include "service/task_usage.h"

struct service_place
service_place_default(void)
{
    return (struct service_place){.name = "v", .dtype = DTYPE_FLOAT32, .assign = true};
}

enum err_code
service_place(struct service *service, const struct service_place *place,
              struct service_placed *out, struct err *err)
{
    struct device_place_request request = {.node = place->name,
                                           .op = place->op,
                                           .device = out->device,
                                           .colocated = place->colocated,
                                           .colocated_count = place->colocated_count,
                                           .dtype = place->dtype,
                                           .allow_soft_placement = place->soft};
    const struct device *device = NULL;
    struct device_spec spec;

    memset(out, 0, sizeof *out);
    TRY(device_scopes_merge(place->scopes, place->scope_count, &spec, err));
    device_spec_print(&spec, out->device);
    if (!place->assign)
        return OK;
    TRY(device_place(place->available != NULL ? place->available : service_devices(service),
                     &request, &device, err));
    memcpy(out->assigned, device->name, sizeof out->assigned);
    return OK;
}
