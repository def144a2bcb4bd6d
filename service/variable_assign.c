/* Assigning values that arrive as bytes: one or many variables, created where asked, in one commit.
 */
#include <inttypes.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/graph/graph_place.h"
#include "service/incoming.h"
#include "service/placement/model_setter.h"
#include "service/placement/variable_device.h"
#include "service/placement/variable_place.h"
#include "service/variable.h"
#include "service/variable_slice.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

struct assign {
    struct service *service;
    const char *model;
    const struct variable_import *imports;
    size_t count;
    const struct variable_assign_options *how;
    const struct write_options *options;
    struct variable_change *out;      /* of the only variable; NULL when there are many */
    struct model_record model_record; /* set by each run of the unit, with the setter */
    struct model_setter setter;
    struct incoming_list values;
};

static enum err_code
missing(const struct assign *a, const char *name, struct err *err)
{
    if (a->how->create)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "there is no variable '%s'", name);
    err_about(err, "variable", name);
    return ERR_NOT_FOUND;
}

/* Says which of several it was. */
static enum err_code
failed(const struct assign *a, size_t i, enum err_code code, struct err *err)
{
    if (a->count > 1 && err != NULL)
        err->failed_operation = (int64_t)i;
    err_about(err, "variable", a->imports[i].name);
    return code;
}

static enum err_code
check_one(struct assign *a, const struct store_view *view, const struct model_record *model,
          size_t i, uint64_t *replaced_bytes, struct err *err)
{
    const struct variable_import *import = &a->imports[i];
    struct variable_record variable;
    struct variable_form form;
    bool found = false;

    variable.revision = 0;
    TRY(name_check("variable", import->name, err));
    TRY(incoming_check_size(import->name, &import->type, import->size, err));
    TRY(record_get_variable(view, model->id, import->name, &found, &variable, err));
    TRY(service_check_conditions(a->options, "variable", import->name, found, variable.revision,
                                 err));
    if (!found) {
        TRY(missing(a, import->name, err));
    } else {
        form = record_variable_form(&variable);
        TRY(service_check_assignable(&form, import->name, "assign to", &import->type,
                                     a->how->keep_shape, err));
        TRY(variable_check_device(a->service, view, model, import->name, &variable, err));
        a->values.items[i].class = service_class_of(&variable);
        *replaced_bytes += variable.value.size;
    }
    return service_check_room(a->service, import->name, import->size, import->size, err);
}

/* What can be refused before the first byte is read. */
static enum err_code
check_ahead(struct assign *a, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record model;
    uint64_t total = 0, replaced = 0;
    const struct store_view *view;

    TRY(incoming_list_init(&a->values, a->service, a->count, err));
    TRY(store_snapshot_open(a->service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, a->model, &model, err));
    for (size_t i = 0; i < a->count; i++) {
        enum err_code code = check_one(a, view, &model, i, &replaced, err);

        if (code != OK)
            return failed(a, i, code, err);
        if (__builtin_add_overflow(total, a->imports[i].size, &total))
            return err_set(err, ERR_FULL, "the tensors of this request have over 2^64 bytes");
    }
    if (total > replaced)
        TRY(model_quota_expect(view, model.id, total - replaced, err));
    return incoming_list_expect(&a->values, total, err);
}

static enum err_code
new_variable(struct store_txn *txn, struct assign *a, const struct variable_import *import,
             struct variable_record *out, struct err *err)
{
    const struct variable_scopes scopes = {.around = a->how->scopes, .count = a->how->scope_count};

    *out = (struct variable_record){
        .id = store_new_id(a->service->store),
        .type = import->type,
        .shape_known = true,
        .validate_shape = true,
        .trainable = a->how->trainable,
        .created_ms = clock_wall_ms(),
        .created_revision = store_txn_revision(txn),
    };
    out->serial = out->id;
    TRY(variable_place_new(&a->setter, txn, &scopes, out, err));
    TRY(record_texts_add(&out->collections, "collections",
                         bytes_of_text(VARIABLE_COLLECTION_GLOBAL), err));
    if (out->trainable)
        TRY(record_texts_add(&out->collections, "collections",
                             bytes_of_text(VARIABLE_COLLECTION_TRAINABLE), err));
    return OK;
}

static enum err_code
assign_one(struct store_txn *txn, struct assign *a, const struct model_record *model, size_t i,
           struct usage_change *change, struct err *err)
{
    const struct variable_import *import = &a->imports[i];
    struct variable_record variable;
    struct variable_form form;
    struct value_ref value;
    bool found = false;

    variable.revision = 0;
    TRY(record_get_variable(store_txn_view(txn), model->id, import->name, &found, &variable, err));
    TRY(service_check_conditions(a->options, "variable", import->name, found, variable.revision,
                                 err));
    if (!found) {
        TRY(missing(a, import->name, err));
        TRY(new_variable(txn, a, import, &variable, err));
        change->variables += 1;
        TRY(graph_place(txn, model->id, import->name, NULL, &variable, change, err));
    }
    form = record_variable_form(&variable);
    TRY(service_check_assignable(&form, import->name, "assign to", &import->type,
                                 a->how->keep_shape, err));
    TRY(variable_check_device(a->service, store_txn_view(txn), model, import->name, &variable,
                              err));
    TRY(incoming_list_publish(&a->values, i, txn, &value, err));
    TRY(service_set_value(txn, &variable, &import->type.shape, &value, change, err));
    TRY(task_note_variable(&a->service->tasks, store_txn_view(txn), &variable, value.size, err));
    TRY(record_put_variable(txn, model->id, import->name, &variable, err));
    if (a->out == NULL)
        return OK;
    snprintf(a->out->name, sizeof a->out->name, "%s", import->name);
    a->out->type = variable.type;
    a->out->version = variable.version;
    a->out->revision = variable.revision;
    a->out->created = !found;
    return OK;
}

static enum err_code
assign_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct assign *a = context;
    const struct store_view *view = store_txn_view(txn);
    struct usage_change change = {0};

    TRY(service_find_model(view, a->model, &a->model_record, err));
    TRY(model_setter_open(&a->setter, a->service, view, &a->model_record, err));
    for (size_t i = 0; i < a->count; i++) {
        enum err_code code = assign_one(txn, a, &a->model_record, i, &change, err);

        if (code != OK)
            return failed(a, i, code, err);
    }
    TRY(model_setter_put(&a->setter, txn, err));
    return service_change_usage(txn, a->model_record.id, &change, err);
}

static void
values_drop(struct assign *a)
{
    incoming_list_drop(&a->values);
}

static enum err_code
assign_all(struct assign *a, const struct tensor_source *source, uint64_t *revision,
           struct err *err)
{
    if (a->count > a->service->limits.variables_per_request_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%zu tensors in one request, the limit is %" PRIu32
                       " (variables_per_request_max)",
                       a->count, a->service->limits.variables_per_request_max);
    TRY(check_ahead(a, err));
    for (size_t i = 0; i < a->count; i++)
        TRY(incoming_list_read(&a->values, a->imports[i].name, &a->imports[i].type,
                               a->imports[i].size, source, err));
    TRY(service_commit(a->service, assign_unit, a, a->options, a->values.stage, revision, err));
    a->values.stage = NULL; /* taken */
    return OK;
}

enum err_code
variable_assign_many(struct service *service, const char *model,
                     const struct variable_import *imports, size_t count,
                     const struct tensor_source *source, const struct variable_assign_options *how,
                     const struct write_options *options, uint64_t *revision, struct err *err)
{
    AUTO_CALL(values_drop)
    struct assign a = {.service = service,
                       .model = model,
                       .imports = imports,
                       .count = count,
                       .how = how,
                       .options = options};

    return assign_all(&a, source, revision, err);
}

enum err_code
variable_assign(struct service *service, const char *model, const char *name,
                const struct tensor_type *type, uint64_t size, const struct tensor_source *source,
                const struct variable_assign_options *how, const struct write_options *options,
                struct variable_change *out, struct err *err)
{
    struct variable_import import = {.name = name, .type = *type, .size = size};
    AUTO_CALL(values_drop)
    struct assign a = {.service = service,
                       .model = model,
                       .imports = &import,
                       .count = 1,
                       .how = how,
                       .options = options,
                       .out = out};
    uint64_t revision = 0;

    if (how->slice.data != NULL)
        return variable_assign_slice(service, model, name, type, size, source, how->slice, options,
                                     out, err);
    return assign_all(&a, source, &revision, err);
}
