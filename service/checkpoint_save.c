/* Saving: a manifest of names, one reference more per value. */
#include <inttypes.h>
#include <stdio.h>

#include "service/checkpoint.h"
#include "service/commit.h"
#include "service/compute.h"
#include "service/key_walk.h"
#include "service/state.h"
#include "service/tensor/convert.h"
#include "service/variable.h"
#include "store/base/scope.h"

struct save {
    struct service *service;
    const char *model;
    const struct checkpoint_save_spec *spec;
    const struct write_options *options;
    struct checkpoint_info *out;
};

static enum err_code
save_variable(struct store_txn *txn, struct checkpoint_record *record, struct bytes tensor_name,
              const char *variable_name, const struct variable_record *variable, struct err *err)
{
    struct tensor_record tensor = {
        .type = variable->type, .trainable = variable->trainable, .value = variable->value};

    if (variable->value.kind == VALUE_NONE)
        return compute_uninitialized(variable_name, err);
    TRY(value_share(txn, &variable->value, err));
    return checkpoint_add(txn, record, tensor_name, &tensor, err);
}

static enum err_code
save_picks(struct store_txn *txn, const struct save *s, uint64_t model_id,
           struct checkpoint_record *record, struct err *err)
{
    struct variable_record variable;

    for (size_t i = 0; i < s->spec->pick_count; i++) {
        const struct checkpoint_pick *pick = &s->spec->picks[i];

        TRY(service_find_variable(store_txn_view(txn), model_id, pick->variable, &variable, err));
        TRY(save_variable(txn, record, bytes_of_text(pick->tensor), pick->variable, &variable,
                          err));
    }
    return OK;
}

/* Every variable of the default collection. */
static enum err_code
save_all(struct store_txn *txn, const struct save *s, uint64_t model_id,
         struct checkpoint_record *record, struct err *err)
{
    struct record_key prefix =
        record_key_variable(model_id, s->spec->prefix ? s->spec->prefix : "");
    struct bytes collection = bytes_of_text(VARIABLE_COLLECTION_GLOBAL), key;
    AUTO(key_walk) walk;
    bool found = true;

    key_walk_init(&walk, store_txn_view(txn), &prefix);
    for (;;) {
        struct variable_record variable;
        char name[NAME_BYTES_MAX + 1];

        TRY(key_walk_next(&walk, &found, &key, err));
        if (!found)
            return OK;
        snprintf(name, sizeof name, "%.*s", (int)record_key_name(key).size,
                 (const char *)record_key_name(key).data);
        TRY(service_find_variable(store_txn_view(txn), model_id, name, &variable, err));
        if (record_texts_hold(&variable.collections, collection))
            TRY(save_variable(txn, record, record_key_name(key), name, &variable, err));
    }
}

/* The global step: given, or an integer scalar variable's value in this very state. */
static enum err_code
find_step(const struct store_view *view, const struct save *s, uint64_t model_id,
          struct checkpoint_record *record, struct err *err)
{
    const char *name = s->spec->global_step_variable;
    AUTO(value_reader) reader = {0};
    struct variable_record variable;
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    _Alignas(16) uint8_t element[16];

    record->has_global_step = s->spec->has_global_step || name != NULL;
    record->global_step = s->spec->global_step;
    if (name == NULL)
        return OK;
    TRY(service_find_variable(view, model_id, name, &variable, err));
    if (variable.value.kind == VALUE_NONE)
        return compute_uninitialized(name, err);
    if (!dtype_is_integer(variable.type.dtype) || shape_count(&variable.type.shape) != 1)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "global_step '%s' must be an integer scalar, it is %s", name,
                       tensor_type_text(&variable.type, text));
    TRY(value_open(view, &variable.value, &reader, err));
    TRY(value_copy(&reader, 0, dtype_size(variable.type.dtype), element, err));
    tensor_cast(variable.type.dtype, element, DTYPE_INT64, &record->global_step, 1);
    return OK;
}

static enum err_code
full_name(const struct save *s, const struct checkpoint_record *record,
          char out[static NAME_BYTES_MAX + 1], struct err *err)
{
    int length = record->has_global_step ? snprintf(out, NAME_BYTES_MAX + 1, "%s-%" PRId64,
                                                    s->spec->name, record->global_step)
                                         : snprintf(out, NAME_BYTES_MAX + 1, "%s", s->spec->name);

    if (length > NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the checkpoint name with its step has %d bytes, at most %d are legal",
                       length, NAME_BYTES_MAX);
    return OK;
}

static enum err_code
save_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct save *s = context;
    const struct store_view *view = store_txn_view(txn);
    struct usage_change change = {0};
    struct checkpoint_record record = {0}, step = {0}, existing = {0};
    struct model_record model;
    bool found = false;

    TRY(service_find_model(view, s->model, &model, err));
    TRY(find_step(view, s, model.id, &step, err));
    TRY(full_name(s, &step, s->out->name, err));
    TRY(record_get_checkpoint(view, model.id, s->out->name, &found, &existing, err));
    TRY(service_check_conditions(s->options, "checkpoint", s->out->name, found, existing.revision,
                                 err));
    TRY(checkpoint_begin(txn, model.id, s->out->name, s->spec->overwrite, &record, &change, err));
    record.has_global_step = step.has_global_step;
    record.global_step = step.global_step;
    if (s->spec->picks != NULL)
        TRY(save_picks(txn, s, model.id, &record, err));
    else
        TRY(save_all(txn, s, model.id, &record, err));
    if (record.tensors == 0 && !s->spec->allow_empty)
        return err_set(err, ERR_INVALID_ARGUMENT, "No variables to save%s%s%s",
                       s->spec->prefix ? ": none begins with '" : "",
                       s->spec->prefix ? s->spec->prefix : "", s->spec->prefix ? "'" : "");
    TRY(checkpoint_finish(txn, model.id, s->out->name, &record, &change, err));
    s->out->record = record;
    s->out->replaced = found;
    return OK;
}

enum err_code
checkpoint_save(struct service *service, const char *model, const struct checkpoint_save_spec *spec,
                const struct write_options *options, struct checkpoint_info *out,
                uint64_t *revision, struct err *err)
{
    struct save s = {
        .service = service, .model = model, .spec = spec, .options = options, .out = out};

    TRY(name_check("checkpoint", spec->name, err));
    if (spec->prefix != NULL && strlen(spec->prefix) > NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a prefix of %zu bytes, names have at most %d",
                       strlen(spec->prefix), NAME_BYTES_MAX);
    for (size_t i = 0; spec->picks != NULL && i < spec->pick_count; i++) {
        TRY(name_check("variable", spec->picks[i].variable, err));
        TRY(name_check_tensor(bytes_of_text(spec->picks[i].tensor), err));
    }
    return service_commit(service, save_unit, &s, options, NULL, revision, err);
}
