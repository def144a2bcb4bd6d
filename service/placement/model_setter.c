#include "service/placement/model_setter.h"

#include "service/placement/partition_devices.h"
#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum err_code
model_setter_tasks(const struct service *service, const struct device_setter_args *args,
                   uint32_t *out, struct err *err)
{
    const struct cluster_job *job;
    char name[DEVICE_TEXT_BYTES_MAX + 1];

    TRY(device_setter_ps_job(args, name, err));
    job = cluster_find_job(service->cluster, bytes_of_text(name));
    return device_setter_tasks(args, job == NULL ? 0 : (uint32_t)job->task_count, out, err);
}

enum err_code
model_setter_open(struct model_setter *setter, const struct service *service,
                  const struct store_view *view, const struct model_record *model, struct err *err)
{
    const struct model_devices *devices = &model->devices;

    setter->view = view;
    setter->devices = devices;
    setter->model_id = model->id;
    setter->tasks = 0;
    setter->loaded = setter->changed = false;
    TRY(device_spec_parse(devices->device, &setter->scope, err));
    return devices->has_placement
               ? model_setter_tasks(service, &devices->placement, &setter->tasks, err)
               : OK;
}

void
model_setter_begin(struct model_setter *setter, const struct device_setter_state *state)
{
    setter->state = *state;
    setter->loaded = true;
}

enum err_code
model_setter_scopes(const struct device_scope *scopes, size_t count, struct device_spec *own,
                    bool *hides, struct err *err)
{
    *hides = false;
    for (size_t i = 0; i < count; i++)
        *hides |= scopes[i].resets;
    return device_scopes_merge(scopes, count, own, err);
}

/* --- one op -------------------------------------------------------------------------------- */

static uint8_t
placed_in(const struct device_spec *whole, const struct device_spec *own)
{
    return (uint8_t)((whole->has_job && !own->has_job ? RECORD_PLACED_JOB : 0) |
                     (whole->has_replica && !own->has_replica ? RECORD_PLACED_REPLICA : 0) |
                     (whole->has_task && !own->has_task ? RECORD_PLACED_TASK : 0) |
                     (whole->has_type && !own->has_type ? RECORD_PLACED_TYPE : 0) |
                     (whole->has_index && !own->has_index ? RECORD_PLACED_INDEX : 0));
}

enum err_code
model_setter_choose(struct model_setter *setter, const struct model_setter_op *op,
                    struct device_spec *out, uint8_t *placed, struct err *err)
{
    struct device_setter_op inner = {
        .type = op->type, .own = op->own, .tensor = op->tensor, .shape_known = op->shape_known};
    struct device_spec chosen = *op->own;
    bool drawn = false;

    *out = chosen;
    *placed = op->hides ? RECORD_PLACED_NEVER : 0;
    if (op->hides)
        return OK;
    if (setter->tasks > 0 && !setter->loaded) {
        TRY(record_get_setter(setter->view, setter->model_id, &setter->state, err));
        setter->loaded = true;
    }
    if (setter->tasks > 0)
        TRY(device_setter_choose(&setter->devices->placement, setter->tasks, &setter->state, &inner,
                                 &chosen, &drawn, err));
    setter->changed |= drawn;
    *out = setter->scope;
    TRY(device_spec_merge(out, &chosen, err));
    *placed = placed_in(out, op->own);
    return OK;
}

/* --- a variable ---------------------------------------------------------------------------- */

void
variable_places_drop(struct variable_places *places)
{
    mem_free(places->parts);
    buf_drop(&places->texts);
    places->parts = NULL;
    places->part_count = 0;
}

/* Fields that two devices do not have alike are left open. */
static void
keep_common(struct device_spec *into, const struct device_spec *other)
{
    into->has_job = into->has_job && other->has_job && strcmp(into->job, other->job) == 0;
    into->has_replica = into->has_replica && other->has_replica && into->replica == other->replica;
    into->has_task = into->has_task && other->has_task && into->task == other->task;
    into->has_type = into->has_type && other->has_type && strcmp(into->type, other->type) == 0;
    into->has_index = into->has_index && other->has_index && into->index == other->index;
}

static enum err_code
reserve_parts(struct variable_places *out, uint32_t count, struct err *err)
{
    buf_init(&out->texts, (size_t)count * (RECORD_DEVICE_BYTES_MAX + 1));
    out->parts = mem_zeroed(count, sizeof *out->parts, err);
    return out->parts == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
add_part(struct variable_places *out, const struct device_spec *device, struct err *err)
{
    char text[DEVICE_TEXT_BYTES_MAX + 1];
    size_t size = strlen(device_spec_print(device, text)) + 1;

    TRY(buf_append(&out->texts, text, size, err));
    out->part_count++;
    return OK;
}

static void
find_parts(struct variable_places *out)
{
    const char *at = (const char *)out->texts.data;

    for (uint32_t i = 0; i < out->part_count; i++) {
        out->parts[i] = at;
        at += strlen(at) + 1;
    }
}

static enum err_code
place_parts(struct model_setter *setter, const struct variable_form *form,
            const struct device_spec *own, bool hides, struct variable_places *out, struct err *err)
{
    const uint32_t count = form->partition.count;
    struct device_spec common = {.has_job = false}, one;

    TRY(reserve_parts(out, count, err));
    for (uint32_t i = 0; i < count; i++) {
        struct partition_part part = partition_part_of(&form->partition, &form->type.shape, i);
        struct tensor_type type = {.dtype = form->type.dtype, .shape = part.shape};
        struct model_setter_op op = {MODEL_SETTER_OP, own, hides, &type, true};

        TRY(model_setter_choose(setter, &op, &one, &out->placed, err));
        TRY(add_part(out, &one, err));
        if (i == 0)
            common = one;
        else
            keep_common(&common, &one);
    }
    find_parts(out);
    (void)device_spec_print(&common, out->device);
    return OK;
}

enum err_code
model_setter_place(struct model_setter *setter, const struct variable_form *form,
                   const struct device_spec *own, bool hides, struct variable_places *out,
                   struct err *err)
{
    struct model_setter_op op = {MODEL_SETTER_OP, own, hides, &form->type, form->shape_known};
    struct device_spec device;

    *out = (struct variable_places){.part_count = 0};
    if (form->partition.count > 0 && setter->tasks > 0 && !hides)
        return place_parts(setter, form, own, hides, out, err);
    TRY(model_setter_choose(setter, &op, &device, &out->placed, err));
    (void)device_spec_print(&device, out->device);
    return OK;
}

enum err_code
model_setter_place_record(struct model_setter *setter, struct store_txn *txn,
                          const struct device_spec *own, bool hides, struct variable_record *record,
                          struct err *err)
{
    const struct variable_form form = record_variable_form(record);
    AUTO(variable_places) places = {.part_count = 0};

    TRY(model_setter_place(setter, &form, own, hides, &places, err));
    memcpy(record->device, places.device, sizeof record->device);
    record->placed = places.placed;
    if (places.part_count == 0)
        return OK;
    return partition_devices_write(txn, places.parts, places.part_count, record->device,
                                   &record->part_devices, err);
}

enum err_code
model_setter_put(const struct model_setter *setter, struct store_txn *txn, struct err *err)
{
    return setter->changed ? record_put_setter(txn, setter->model_id, &setter->state, err) : OK;
}

enum err_code
model_setter_own(const char *device, uint8_t placed, struct device_spec *out, struct err *err)
{
    TRY(device_spec_parse(device, out, err));
    out->has_job = out->has_job && !(placed & RECORD_PLACED_JOB);
    out->has_replica = out->has_replica && !(placed & RECORD_PLACED_REPLICA);
    out->has_task = out->has_task && !(placed & RECORD_PLACED_TASK);
    out->has_type = out->has_type && !(placed & RECORD_PLACED_TYPE);
    out->has_index = out->has_index && !(placed & RECORD_PLACED_INDEX);
    return OK;
}
