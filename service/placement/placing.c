#include "service/placement/placing.h"

#include <string.h>

#include "service/placement/model_setter.h"
#include "service/placement/task_usage.h"
#include "service/state.h"
#include "store/base/scope.h"

struct service_place
service_place_default(void)
{
    return (struct service_place){.name = "v", .dtype = DTYPE_FLOAT32, .assign = true};
}

/* What a model makes of it; its task would be the next one. */
static enum err_code
place_in_model(struct service *service, const struct service_place *place, struct device_spec *out,
               bool *soft, struct err *err)
{
    const struct tensor_type scalar = {.dtype = place->dtype};
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record model;
    struct model_setter setter;
    struct device_spec own;
    struct model_setter_op op = {.type = place->op != NULL ? place->op : MODEL_SETTER_OP,
                                 .own = &own,
                                 .tensor = &scalar,
                                 .shape_known = true};
    const struct store_view *view;
    uint8_t placed;

    TRY(model_setter_scopes(place->scopes, place->scope_count, &own, &op.hides, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, place->model, &model, err));
    TRY(model_setter_open(&setter, service, view, &model, err));
    *soft = place->soft_given ? place->soft : model.devices.allow_soft_placement;
    return model_setter_choose(&setter, &op, out, &placed, err);
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
    if (place->model != NULL)
        TRY(place_in_model(service, place, &spec, &request.allow_soft_placement, err));
    else
        TRY(device_scopes_merge(place->scopes, place->scope_count, &spec, err));
    device_spec_print(&spec, out->device);
    if (!place->assign)
        return OK;
    TRY(device_place(place->available != NULL ? place->available : service_devices(service),
                     &request, &device, err));
    memcpy(out->assigned, device->name, sizeof out->assigned);
    return OK;
}
