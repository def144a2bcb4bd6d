/* Restoring: first the whole plan, into the report; then, when nothing forbids it, all of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/checkpoint.h"
#include "service/commit.h"
#include "service/graph_place.h"
#include "service/key_walk.h"
#include "service/state.h"
#include "service/variable.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

void
restore_report_drop(struct restore_report *report)
{
    mem_free(report->restored.names);
    mem_free(report->missing.names);
    mem_free(report->unexpected.names);
    mem_free(report->mismatched.names);
    *report = (struct restore_report){0};
}

struct restore {
    struct service *service;
    const char *model;
    const struct checkpoint_restore_spec *spec;
    const struct write_options *options;
    struct restore_report *report;
    struct model_record target;
    uint64_t checkpoint_id;
    const struct store_view *view; /* of the run */
    struct store_txn *txn;         /* NULL: only planning */
    struct usage_change change;
};

static enum err_code
list_add(struct restore_list *list, struct bytes tensor, const char *variable, const char *reason,
         struct err *err)
{
    struct restore_name *name;

    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;

        name = mem_resize(list->names, capacity * sizeof *name, err);
        if (name == NULL)
            return ERR_NO_MEMORY;
        list->names = name;
        list->capacity = capacity;
    }
    name = &list->names[list->count++];
    snprintf(name->tensor, sizeof name->tensor, "%.*s", (int)tensor.size,
             (const char *)tensor.data);
    snprintf(name->variable, sizeof name->variable, "%s", variable);
    snprintf(name->reason, sizeof name->reason, "%s", reason);
    return OK;
}

/* "" when the tensor may go into the variable, else why not. */
static void
mismatch(const struct restore *r, const struct variable_record *variable,
         const struct tensor_record *tensor, char *out, size_t size)
{
    char ours[SHAPE_TEXT_BYTES_MAX], theirs[SHAPE_TEXT_BYTES_MAX];
    bool same_count = shape_count(&variable->type.shape) == shape_count(&tensor->type.shape);

    out[0] = '\0';
    if (variable->type.dtype != tensor->type.dtype)
        snprintf(out, size, "Expected dtype %s does not equal restored dtype %s",
                 dtype_name(variable->type.dtype), dtype_name(tensor->type.dtype));
    else if (!variable->validate_shape || !variable->shape_known ||
             shape_equal(&variable->type.shape, &tensor->type.shape))
        return;
    else if (r->spec->reshape && same_count)
        return;
    else if (r->spec->reshape)
        snprintf(out, size,
                 "Input to reshape is a tensor with %" PRIu64
                 " values, but the requested shape has %" PRIu64,
                 shape_count(&tensor->type.shape), shape_count(&variable->type.shape));
    else
        snprintf(out, size,
                 "Assign requires shapes of both tensors to match. lhs shape= %.80s rhs shape= "
                 "%.80s",
                 shape_text(&variable->type.shape, ours), shape_text(&tensor->type.shape, theirs));
}

static enum err_code
new_variable(struct restore *r, const char *name, const struct tensor_record *tensor,
             struct variable_record *out, struct err *err)
{
    *out = (struct variable_record){
        .id = store_new_id(r->service->store),
        .type = tensor->type,
        .shape_known = true,
        .validate_shape = true,
        .trainable = tensor->trainable,
        .created_ms = clock_wall_ms(),
        .created_revision = r->txn ? store_txn_revision(r->txn) : 0,
    };
    out->serial = out->id;
    r->change.variables += 1;
    if (r->txn != NULL)
        TRY(graph_place(r->txn, r->target.id, name, NULL, out, &r->change, err));
    TRY(record_texts_add(&out->collections, "collections",
                         bytes_of_text(VARIABLE_COLLECTION_GLOBAL), err));
    if (!out->trainable)
        return OK;
    return record_texts_add(&out->collections, "collections",
                            bytes_of_text(VARIABLE_COLLECTION_TRAINABLE), err);
}

static enum err_code
apply(struct restore *r, const char *name, struct variable_record *variable,
      const struct tensor_record *tensor, struct err *err)
{
    bool keeps_shape = variable->validate_shape && variable->shape_known;
    struct shape shape = keeps_shape ? variable->type.shape : tensor->type.shape;

    if (r->txn == NULL)
        return OK;
    TRY(value_share(r->txn, &tensor->value, err));
    TRY(service_set_value(r->txn, variable, &shape, &tensor->value, &r->change, err));
    return record_put_variable(r->txn, r->target.id, name, variable, err);
}

/* A checkpoint from elsewhere may name tensors as no variable can be named. */
static bool
skips_name(const struct restore *r, const char *name)
{
    return r->spec->on_extra == RESTORE_SKIP && name_check("variable", name, NULL) != OK;
}

static enum err_code
restore_one(struct restore *r, struct bytes tensor_name, const char *name, struct err *err)
{
    struct tensor_record tensor;
    struct variable_record variable;
    char reason[256] = "";
    bool found = false;

    TRY(record_get_tensor(r->view, r->checkpoint_id, tensor_name, &found, &tensor, err));
    if (!found)
        return list_add(&r->report->missing, tensor_name, name, "", err);
    TRY(record_get_variable(r->view, r->target.id, name, &found, &variable, err));
    if (!found && (!r->spec->create || skips_name(r, name)))
        return list_add(&r->report->unexpected, tensor_name, name, "", err);
    if (!found) {
        TRY(name_check("variable", name, err));
        TRY(new_variable(r, name, &tensor, &variable, err));
    }
    mismatch(r, &variable, &tensor, reason, sizeof reason);
    if (reason[0] != '\0')
        return list_add(&r->report->mismatched, tensor_name, name, reason, err);
    TRY(apply(r, name, &variable, &tensor, err));
    return list_add(&r->report->restored, tensor_name, name, "", err);
}

/* The variable name that a tensor's name maps to; the first prefix that matches is replaced. */
static void
map_name(const struct checkpoint_restore_spec *spec, struct bytes tensor, char *out, size_t size)
{
    for (size_t i = 0; i < spec->prefix_map_count; i++) {
        struct bytes from = bytes_of_text(spec->prefix_map[i].tensor);

        if (bytes_start_with(tensor, from)) {
            snprintf(out, size, "%s%.*s", spec->prefix_map[i].variable,
                     (int)(tensor.size - from.size), (const char *)tensor.data + from.size);
            return;
        }
    }
    snprintf(out, size, "%.*s", (int)tensor.size, (const char *)tensor.data);
}

static enum err_code
restore_all(struct restore *r, struct err *err)
{
    struct record_key prefix = record_key_tensor(r->checkpoint_id, bytes_of("", 0));
    AUTO(key_walk) walk;
    struct bytes key;
    bool found = true;

    key_walk_init(&walk, r->view, &prefix);
    for (;;) {
        char name[2 * NAME_TENSOR_BYTES_MAX];

        TRY(key_walk_next(&walk, &found, &key, err));
        if (!found)
            return OK;
        map_name(r->spec, record_key_name(key), name, sizeof name);
        TRY(restore_one(r, record_key_name(key), name, err));
    }
}

static int
compare_variables(const void *a, const void *b)
{
    const struct restore_name *x = *(const struct restore_name *const *)a;
    const struct restore_name *y = *(const struct restore_name *const *)b;

    return strcmp(x->variable, y->variable);
}

/* Two tensors for one variable: which would win is nobody's to guess. */
static enum err_code
check_each_once(const struct restore *r, struct err *err)
{
    const struct restore_list *restored = &r->report->restored;
    AUTO_CALL(mem_free_scope)
    const struct restore_name **names =
        mem_zeroed(restored->count, sizeof(struct restore_name *), err);

    if (names == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < restored->count; i++)
        names[i] = &restored->names[i];
    qsort(names, restored->count, sizeof(struct restore_name *), compare_variables);
    for (size_t i = 1; i < restored->count; i++) {
        if (strcmp(names[i - 1]->variable, names[i]->variable) != 0)
            continue;
        err_about(err, "variable", names[i]->variable);
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "variable '%s' would be restored from two tensors, '%s' and '%s'",
                       names[i]->variable, names[i - 1]->tensor, names[i]->tensor);
    }
    return OK;
}

/* Whether what the report holds is allowed. */
static enum err_code
judge(const struct restore *r, struct err *err)
{
    const struct restore_report *report = r->report;

    if (report->missing.count > 0 && r->spec->on_missing == RESTORE_ERROR) {
        err_about(err, "tensor", report->missing.names[0].tensor);
        return err_set(err, ERR_NOT_FOUND, "Key %s not found in checkpoint '%s' (%zu missing)",
                       report->missing.names[0].tensor, r->spec->name, report->missing.count);
    }
    if (report->unexpected.count > 0 && r->spec->on_extra == RESTORE_ERROR) {
        err_about(err, "variable", report->unexpected.names[0].variable);
        return err_set(err, ERR_NOT_FOUND,
                       "tensor '%s' of checkpoint '%s' has no variable '%s' to go to (%zu such): "
                       "name those to restore, or \"on_extra\": \"skip\", or \"create\": true",
                       report->unexpected.names[0].tensor, r->spec->name,
                       report->unexpected.names[0].variable, report->unexpected.count);
    }
    if (report->mismatched.count > 0 && r->spec->on_mismatch == RESTORE_ERROR) {
        err_about(err, "variable", report->mismatched.names[0].variable);
        return err_set(err, ERR_INVALID_ARGUMENT, "restore '%s' from '%s': %s (%zu mismatched)",
                       report->mismatched.names[0].variable, report->mismatched.names[0].tensor,
                       report->mismatched.names[0].reason, report->mismatched.count);
    }
    return check_each_once(r, err);
}

static enum err_code
run(struct restore *r, struct err *err)
{
    struct model_record source;
    struct usage_record usage;
    struct checkpoint_record checkpoint;

    restore_report_drop(r->report);
    r->change = (struct usage_change){0};
    TRY(service_find_model(r->view, r->model, &r->target, err));
    TRY(record_get_usage(r->view, r->target.id, &usage, err));
    TRY(service_check_conditions(r->options, "model", r->model, true, usage.revision, err));
    if (r->spec->source_model != NULL)
        TRY(service_find_model(r->view, r->spec->source_model, &source, err));
    else
        source = r->target;
    TRY(service_find_checkpoint(r->view, source.id, r->spec->name, &checkpoint, err));
    r->checkpoint_id = checkpoint.id;
    if (r->spec->picks == NULL)
        TRY(restore_all(r, err));
    for (size_t i = 0; r->spec->picks != NULL && i < r->spec->pick_count; i++)
        TRY(restore_one(r, bytes_of_text(r->spec->picks[i].tensor), r->spec->picks[i].variable,
                        err));
    TRY(judge(r, err));
    if (r->txn == NULL || r->report->restored.count == 0)
        return OK;
    return service_change_usage(r->txn, r->target.id, &r->change, err);
}

static enum err_code
restore_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct restore *r = context;

    r->txn = txn;
    r->view = store_txn_view(txn);
    return run(r, err);
}

enum err_code
checkpoint_restore(struct service *service, const char *model,
                   const struct checkpoint_restore_spec *spec, const struct write_options *options,
                   struct restore_report *out, struct err *err)
{
    struct restore r = {
        .service = service, .model = model, .spec = spec, .options = options, .report = out};

    *out = (struct restore_report){0};
    TRY(name_check("checkpoint", spec->name, err));
    if (spec->source_model != NULL)
        TRY(name_check_model(spec->source_model, err));
    for (size_t i = 0; spec->picks != NULL && i < spec->pick_count; i++) {
        TRY(name_check_tensor(bytes_of_text(spec->picks[i].tensor), err));
        TRY(name_check("variable", spec->picks[i].variable, err));
    }
    if (spec->dry_run) {
        AUTO_SNAPSHOT snapshot = NULL;

        TRY(store_snapshot_open(service->store, &snapshot, err));
        r.view = store_snapshot_view(snapshot);
        TRY(run(&r, err));
        out->revision = store_view_revision(r.view);
        return OK;
    }
    return service_commit(service, restore_unit, &r, options, NULL, &out->revision, err);
}
