/* Where variables that a run makes go: beside what they are kept for, or where the model's device
 * and placement say. A task is drawn in the draft, and expected to be the next one when the draft
 * is published: whoever drew it meanwhile makes the run begin anew. */
#include "service/placement/model_setter.h"
#include "service/run/draft_parts.h"

/* Written once, whatever the run has drawn. */
static enum err_code
publish_setter(struct store_txn *txn, const struct draft *draft, void *context, struct err *err)
{
    (void)draft;
    return model_setter_put(context, txn, err);
}

static enum err_code
open_setter(struct draft *draft, struct err *err)
{
    struct record_key model = record_key_model(draft->model_name);
    struct record_key drawn = record_key_setter(draft->model.id);
    struct model_setter *setter = arena_alloc(&draft->arena, sizeof *setter, err);
    struct bytes record;

    if (setter == NULL)
        return ERR_NO_MEMORY;
    TRY(draft_rely_on(draft, &model, &record, err));
    TRY(model_setter_open(setter, draft->service, draft->view, &draft->model, err));
    if (setter->tasks > 0) {
        TRY(draft_rely_on(draft, &drawn, &record, err));
        TRY(draft_also_publish(draft, publish_setter, setter, err));
    }
    draft->setter = setter;
    return OK;
}

enum err_code
draft_place(struct draft *draft, struct draft_variable *variable, struct err *err)
{
    const struct device_spec none = {.has_job = false};
    struct variable_places places;

    if (draft->setter == NULL)
        TRY(open_setter(draft, err));
    /* Nothing that a run makes by itself is in parts, so that `places` owns nothing. */
    TRY(model_setter_place(draft->setter, &variable->form, &none, false, &places, err));
    variable->placed = places.placed;
    if (places.device[0] == '\0')
        return OK;
    variable->device = arena_text(&draft->arena, bytes_of_text(places.device), err);
    return variable->device == NULL ? ERR_NO_MEMORY : OK;
}

void
draft_place_beside(struct draft_variable *variable, const struct draft_variable *other)
{
    variable->device = other->part_devices != NULL ? other->part_devices[0] : other->device;
    variable->placed = other->placed;
}
