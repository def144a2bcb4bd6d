#include "service/placement/device_question.h"

#include <string.h>

#include "service/placement/model_setter.h"
#include "service/placement/task_usage.h"
#include "service/state.h"
#include "store/base/scope.h"

struct device_question
device_question_default(void)
{
    return (struct device_question){.name = "v", .dtype = DTYPE_FLOAT32, .assign = true};
}

/* What a model makes of it; its task would be the next one. */
static enum err_code
place_in_model(struct service *service, const struct device_question *question,
               struct device_spec *out, bool *soft, struct err *err)
{
    const struct tensor_type scalar = {.dtype = question->dtype};
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record model;
    struct model_setter setter;
    struct device_spec own;
    struct model_setter_op op = {.type = question->op != NULL ? question->op : MODEL_SETTER_OP,
                                 .own = &own,
                                 .tensor = &scalar,
                                 .shape_known = true};
    const struct store_view *view;
    uint8_t placed;

    TRY(model_setter_scopes(question->scopes, question->scope_count, &own, &op.hides, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, question->model, &model, err));
    TRY(model_setter_open(&setter, service, view, &model, err));
    *soft = question->soft_given ? question->soft : model.devices.allow_soft_placement;
    return model_setter_choose(&setter, &op, out, &placed, err);
}

enum err_code
device_question_answer(struct service *service, const struct device_question *question,
                       struct device_answer *out, struct err *err)
{
    struct device_place_request request = {.node = question->name,
                                           .op = question->op,
                                           .device = out->device,
                                           .colocated = question->colocated,
                                           .colocated_count = question->colocated_count,
                                           .dtype = question->dtype,
                                           .allow_soft_placement = question->soft};
    const struct device *device = NULL;
    struct device_spec spec;

    memset(out, 0, sizeof *out);
    if (question->model != NULL)
        TRY(place_in_model(service, question, &spec, &request.allow_soft_placement, err));
    else
        TRY(device_scopes_merge(question->scopes, question->scope_count, &spec, err));
    device_spec_print(&spec, out->device);
    if (!question->assign)
        return OK;
    TRY(device_place(question->available != NULL ? question->available : service_devices(service),
                     &request, &device, err));
    memcpy(out->assigned, device->name, sizeof out->assigned);
    return OK;
}
