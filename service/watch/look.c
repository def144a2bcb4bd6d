#include "service/watch/look.h"

#include "service/expr/compute.h"
#include "service/state.h"
#include "service/tensor/convert.h"
#include "store/base/scope.h"

enum err_code
look_step(const struct store_view *view, uint64_t model_id, bool *has, int64_t *step,
          struct err *err)
{
    AUTO(value_reader) reader = {0};
    struct variable_record record;
    uint8_t element[sizeof(int64_t)];
    bool found = false;

    *has = false;
    TRY(record_get_variable(view, model_id, "global_step", &found, &record, err));
    if (!found || record.value.kind == VALUE_NONE || record.type.shape.rank != 0 ||
        (record.type.dtype != DTYPE_INT32 && record.type.dtype != DTYPE_INT64))
        return OK;
    TRY(value_open(view, &record.value, &reader, err));
    TRY(value_copy(&reader, 0, dtype_size(record.type.dtype), element, err));
    tensor_cast(record.type.dtype, element, DTYPE_INT64, step, 1);
    *has = true;
    return OK;
}

static enum err_code
find_variable(const struct store_view *view, uint64_t model_id, const char *name,
              struct look_value *out, struct err *err)
{
    struct variable_record record;

    TRY(name_check("variable", name, err));
    TRY(service_find_variable(view, model_id, name, &record, err));
    if (record.value.kind == VALUE_NONE)
        return compute_uninitialized(name, err);
    *out = (struct look_value){.type = record.type,
                               .value = record.value,
                               .revision = record.revision,
                               .version = record.version,
                               .variable_id = record.id,
                               .updated_ms = record.updated_ms};
    return OK;
}

static enum err_code
find_tensor(const struct store_view *view, uint64_t checkpoint_id, const char *checkpoint,
            const char *name, struct tensor_record *out, struct err *err)
{
    bool found = false;

    TRY(record_get_tensor(view, checkpoint_id, bytes_of_text(name), &found, out, err));
    if (found)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "Key %s not found in checkpoint '%s'", name, checkpoint);
    err_about(err, "tensor", name);
    return ERR_NOT_FOUND;
}

/* `step` may be NULL. */
static enum err_code
find_saved(const struct store_view *view, uint64_t model_id, const char *checkpoint,
           const char *name, struct look_value *out, struct look *step, struct err *err)
{
    struct checkpoint_record record;
    struct tensor_record tensor;

    TRY(name_check("checkpoint", checkpoint, err));
    TRY(name_check_tensor(bytes_of_text(name), err));
    TRY(service_open_checkpoint(view, model_id, checkpoint, &record, err));
    TRY(find_tensor(view, record.id, checkpoint, name, &tensor, err));
    *out = (struct look_value){
        .type = tensor.type, .value = tensor.value, .revision = record.revision};
    if (step != NULL) {
        step->has_step = record.has_global_step;
        step->step = record.global_step;
    }
    return OK;
}

static enum err_code
find(struct look *look, const struct look_spec *spec, struct err *err)
{
    const struct store_view *view = store_snapshot_view(look->snapshot);
    struct model_record model;

    TRY(service_find_model(view, spec->model, &model, err));
    look->model_id = model.id;
    if (spec->checkpoint != NULL) {
        TRY(find_saved(view, model.id, spec->checkpoint, spec->name, &look->value, look, err));
    } else {
        TRY(find_variable(view, model.id, spec->name, &look->value, err));
        TRY(look_step(view, model.id, &look->has_step, &look->step, err));
    }
    if (!spec->compared)
        return OK;
    if (spec->against != NULL)
        return find_saved(view, model.id, spec->against, spec->name, &look->against, NULL, err);
    return find_variable(view, model.id, spec->name, &look->against, err);
}

enum err_code
look_open(struct service *service, const struct look_spec *spec, struct look *out, struct err *err)
{
    AUTO(look) look = {.service = service};

    TRY(store_snapshot_open(service->store, &look.snapshot, err));
    TRY(find(&look, spec, err));
    *out = TAKE(look);
    return OK;
}

void
look_settle(struct look *look)
{
    store_snapshot_drop(look->snapshot);
    look->snapshot = NULL;
}

void
look_drop(struct look *look)
{
    look_settle(look);
}
