/* Assigning values that arrive as bytes: one or many variables, created where asked, in one commit.
 */
#include <inttypes.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/graph/graph_place.h"
#include "service/placement/model_newcomers.h"
#include "service/placement/variable_device.h"
#include "service/variable/incoming.h"
#include "service/variable/variable.h"
#include "service/variable/variable_slice.h"
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
    struct model_record model_record; /* set by each run of the unit, with all that follows */
    struct device_spec asked;         /* the model's scope and the request's */
    struct model_newcomers newcomers;
    size_t created; /* of those */
    struct arena arena;
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

/* --- where they go ------------------------------------------------------------------------- */

/* What is made, which is known before any of it is. A name that comes twice is made once. */
static enum err_code
add_newcomers(struct assign *a, const struct store_view *view, struct err *err)
{
    /* Of one alone the request says it, of a file's nobody does. */
    struct model_newcomer newcomer = {.trained = a->out != NULL && a->how->trainable};

    for (size_t i = 0; a->how->create && i < a->count; i++) {
        struct variable_record variable;
        bool found = false;

        TRY(record_get_variable(view, a->model_record.id, a->imports[i].name, &found, &variable,
                                err));
        if (found)
            continue;
        newcomer.name = a->imports[i].name;
        newcomer.type = a->imports[i].type;
        TRY(model_newcomers_add(&a->newcomers, &a->arena, &newcomer, err));
    }
    return OK;
}

static enum err_code
begin_places(struct assign *a, const struct store_view *view, struct err *err)
{
    const struct model_record *model = &a->model_record;

    arena_drop(&a->arena);
    arena_init(&a->arena, SIZE_MAX / 2);
    a->newcomers = (struct model_newcomers){.count = 0};
    a->created = 0;
    if (a->how->conflicts != NULL)
        a->how->conflicts->count = 0;
    TRY(model_setter_scopes(a->how->scopes, a->how->scope_count, &a->newcomers.own,
                            &a->newcomers.hides, err));
    TRY(device_spec_parse(a->newcomers.hides ? "" : model->devices.device, &a->asked, err));
    TRY(device_spec_merge(&a->asked, &a->newcomers.own, err));
    TRY(add_newcomers(a, view, err));
    return model_newcomers_place(&a->newcomers, a->service, view, model, model->id, err);
}

/* A name that comes twice was made the first time, and has no place the second. */
static const struct model_newcomer *
next_newcomer(struct assign *a)
{
    while (a->newcomers.each[a->created].home == NULL)
        a->created++;
    return &a->newcomers.each[a->created++];
}

/* It follows what is there, or what it is kept for, whatever was asked. */
static enum err_code
note_device(struct assign *a, const char *name, const struct variable_record *variable,
            struct err *err)
{
    const struct device *assigned = NULL;
    struct device_conflict conflict;

    if (a->how->conflicts == NULL || a->how->scope_count == 0)
        return OK;
    TRY(variable_device(a->service, &a->model_record, name, variable->device, variable->type.dtype,
                        &assigned, err));
    if (variable_conflict("assign", name, &a->asked, variable->device, assigned, &conflict))
        variable_conflicts_add(a->how->conflicts, &conflict);
    return OK;
}

static enum err_code
new_variable(struct store_txn *txn, struct assign *a, const struct model_newcomer *newcomer,
             struct variable_record *out, struct err *err)
{
    *out = (struct variable_record){
        .id = store_new_id(a->service->store),
        .shape_known = true,
        .validate_shape = true,
        .trainable = a->how->trainable && !newcomer->kept,
        .created_ms = clock_wall_ms(),
        .created_revision = store_txn_revision(txn),
    };
    out->serial = out->id;
    TRY(model_newcomer_settle(newcomer, txn, out, err));
    TRY(record_texts_add(&out->collections, "collections",
                         bytes_of_text(VARIABLE_COLLECTION_GLOBAL), err));
    if (out->trainable)
        TRY(record_texts_add(&out->collections, "collections",
                             bytes_of_text(VARIABLE_COLLECTION_TRAINABLE), err));
    return OK;
}

/* --- doing it ------------------------------------------------------------------------------ */

static enum err_code
find_or_make(struct store_txn *txn, struct assign *a, const struct variable_import *import,
             bool *found, bool *follows, struct variable_record *out, struct usage_change *change,
             struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    const struct model_newcomer *newcomer = NULL;

    out->revision = 0;
    TRY(record_get_variable(view, a->model_record.id, import->name, found, out, err));
    TRY(service_check_conditions(a->options, "variable", import->name, *found, out->revision, err));
    if (!*found) {
        TRY(missing(a, import->name, err));
        newcomer = next_newcomer(a);
        TRY(new_variable(txn, a, newcomer, out, err));
        change->variables += 1;
        TRY(graph_place(txn, a->model_record.id, import->name, NULL, out, change, err));
    }
    *follows = *found || newcomer->kept;
    return OK;
}

static enum err_code
assign_one(struct store_txn *txn, struct assign *a, size_t i, struct usage_change *change,
           struct err *err)
{
    const struct variable_import *import = &a->imports[i];
    struct variable_record variable;
    struct variable_form form;
    struct value_ref value;
    bool found = false, follows = false;

    TRY(find_or_make(txn, a, import, &found, &follows, &variable, change, err));
    form = record_variable_form(&variable);
    TRY(service_check_assignable(&form, import->name, "assign to", &import->type,
                                 a->how->keep_shape, err));
    TRY(variable_check_device(a->service, store_txn_view(txn), &a->model_record, import->name,
                              &variable, err));
    if (follows)
        TRY(note_device(a, import->name, &variable, err));
    TRY(incoming_list_publish(&a->values, i, txn, &value, err));
    TRY(service_set_value(txn, &variable, &import->type.shape, &value, change, err));
    TRY(task_note_variable(&a->service->tasks, store_txn_view(txn), &variable, value.size, err));
    TRY(record_put_variable(txn, a->model_record.id, import->name, &variable, err));
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
    TRY(begin_places(a, view, err));
    for (size_t i = 0; i < a->count; i++) {
        enum err_code code = assign_one(txn, a, i, &change, err);

        if (code != OK)
            return failed(a, i, code, err);
    }
    TRY(model_newcomers_put(&a->newcomers, txn, err));
    return service_change_usage(txn, a->model_record.id, &change, err);
}

static void
assign_drop(struct assign *a)
{
    incoming_list_drop(&a->values);
    arena_drop(&a->arena);
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
    AUTO(assign)
    a = {.service = service,
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
    AUTO(assign)
    a = {.service = service,
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
