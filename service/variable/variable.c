/* Creating and deleting variables: definitions. */
#include "service/variable/variable.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/expr/compute.h"
#include "service/expr/op.h"
#include "service/expr/recipe.h"
#include "service/graph/graph_place.h"
#include "service/placement/model_setter.h"
#include "service/placement/variable_place.h"
#include "service/state.h"
#include "service/variable/variable_info.h"
#include "service/watch/history.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

/* Initial values may be larger than a commit should carry: they are built ahead of it. */
enum { EXPR_RECORD_BYTES_MAX = 64 << 20 };

struct variable_spec
variable_spec_default(void)
{
    return (struct variable_spec){.dtype = DTYPE_UNSET, .trainable = true, .validate_shape = true};
}

/* The first name of base, base_1, base_2 … that is free. Numbers are never given twice, so the next
 * one is kept in a record of its own: n variables of one base name cost n look-ups, not n * n. */
static enum err_code
unique_name(struct store_txn *txn, uint64_t model_id, const char *base, char *out, struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    struct variable_record existing;
    uint64_t number = 0;
    bool taken = false;

    TRY(record_get_name_counter(view, model_id, base, &number, err));
    for (;; number++) {
        int length = number == 0 ? snprintf(out, NAME_BYTES_MAX + 1, "%s", base)
                                 : snprintf(out, NAME_BYTES_MAX + 1, "%s_%" PRIu64, base, number);

        if (length > NAME_BYTES_MAX)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "a unique name for '%s' would be over %d bytes", base, NAME_BYTES_MAX);
        TRY(record_get_variable(view, model_id, out, &taken, &existing, err));
        if (!taken)
            return record_put_name_counter(txn, model_id, base, number + 1, err);
    }
}

static enum err_code
choose_name(struct store_txn *txn, uint64_t model_id, const struct variable_spec *spec,
            const struct write_options *options, char *out, struct err *err)
{
    struct variable_record existing;
    bool found = false;

    existing.revision = 0;
    if (spec->name == NULL)
        return unique_name(txn, model_id,
                           spec->partition.kind == PARTITION_NONE ? VARIABLE_NAME_DEFAULT
                                                                  : VARIABLE_NAME_PARTITIONED,
                           out, err);
    TRY(name_check("variable", spec->name, err));
    if (spec->uniquify)
        return unique_name(txn, model_id, spec->name, out, err);
    TRY(record_get_variable(store_txn_view(txn), model_id, spec->name, &found, &existing, err));
    TRY(service_check_conditions(options, "variable", spec->name, found, existing.revision, err));
    if (found)
        return err_set(err, ERR_ALREADY_EXISTS, "variable '%s' exists already", spec->name);
    memcpy(out, spec->name, strlen(spec->name) + 1);
    return OK;
}

struct create_unit {
    struct service *service;
    const char *model;
    const struct variable_spec *specs;
    size_t count;
    const struct write_options *options;
    struct variable_info *out;
    size_t done; /* infos filled in this run */
    struct model_setter setter;
    struct store_stage *stage;
    struct value_builder **initial; /* by spec: the encoded initial value, NULL when none; owned */
};

/* Type of the new variable, from its initial value and what the request says of it. */
static enum err_code
decide_type(struct store_txn *txn, const struct create_unit *u, uint64_t model_id,
            const struct variable_spec *spec, struct variable_record *record, struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(u->service);
    AUTO(compute_source) source = {0};
    struct expr_source reads;
    char ours[SHAPE_TEXT_BYTES_MAX], theirs[SHAPE_TEXT_BYTES_MAX];

    if (spec->is_virtual && spec->initial_value == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "a virtual variable has an initial_value");
    if (spec->initial_value == NULL) {
        if (spec->dtype == DTYPE_UNSET || (spec->shape == NULL && spec->validate_shape))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "initial_value must be specified, or dtype and shape of a variable that "
                           "will be assigned or restored");
        record->type.dtype = spec->dtype;
        record->shape_known = spec->shape != NULL;
        if (spec->shape != NULL)
            record->type.shape = *spec->shape;
        return shape_check(&record->type.shape, err);
    }
    compute_source_init(&source, store_txn_view(txn), model_id);
    reads = compute_expr_source(&source);
    TRY(expr_infer(spec->initial_value, &reads, spec->dtype, err));
    TRY(evaluator_check(spec->initial_value, &options, err));
    if (spec->is_virtual)
        TRY(recipe_check(spec->initial_value, err));
    record->type = spec->initial_value->root->type;
    if (spec->dtype != DTYPE_UNSET && spec->dtype != record->type.dtype)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the variable is declared %s, its initial value is %s",
                       dtype_name(spec->dtype), dtype_name(record->type.dtype));
    if (spec->shape != NULL && !shape_equal(spec->shape, &record->type.shape))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the variable is declared with shape %s, its initial value has %s",
                       shape_text(spec->shape, ours), shape_text(&record->type.shape, theirs));
    /* Without validate_shape the shape is open until something is assigned. */
    record->shape_known = spec->validate_shape;
    if (!record->shape_known)
        record->type.shape = (struct shape){0};
    return OK;
}

/* A slicing is of one shape, so the shape is known and stays. */
static enum err_code
decide_partition(const struct variable_spec *spec, struct variable_record *record, struct err *err)
{
    if (spec->partition.kind == PARTITION_NONE)
        return OK;
    if (!spec->validate_shape)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a partitioned variable keeps its shape: it cannot be declared with "
                       "validate_shape false");
    return partition_choose(&spec->partition, &record->type, &record->partition, err);
}

static enum err_code
set_collections(const struct variable_spec *spec, struct variable_record *record, struct err *err)
{
    struct bytes trainable = bytes_of_text(VARIABLE_COLLECTION_TRAINABLE);

    if (spec->collections == NULL)
        TRY(record_texts_add(&record->collections, "collections",
                             bytes_of_text(VARIABLE_COLLECTION_GLOBAL), err));
    for (size_t i = 0; spec->collections != NULL && i < spec->collection_count; i++)
        TRY(record_texts_add(&record->collections, "collections",
                             bytes_of_text(spec->collections[i]), err));
    if (spec->trainable && !record_texts_hold(&record->collections, trainable))
        TRY(record_texts_add(&record->collections, "collections", trainable, err));
    return record->collections.size <= RECORD_COLLECTIONS_BYTES_MAX
               ? OK
               : err_set(err, ERR_INVALID_ARGUMENT, "collections take more than %d bytes",
                         RECORD_COLLECTIONS_BYTES_MAX);
}

static enum err_code
create_one(struct store_txn *txn, struct create_unit *u, uint64_t model_id, size_t i,
           struct err *err)
{
    const struct variable_spec *spec = &u->specs[i];
    struct variable_record record = {
        .id = store_new_id(u->service->store),
        .validate_shape = spec->validate_shape,
        .trainable = spec->trainable,
        .row_updates = spec->row_updates,
        .is_virtual = spec->is_virtual,
        .created_ms = clock_wall_ms(),
        .created_revision = store_txn_revision(txn),
        .revision = store_txn_revision(txn),
    };
    struct usage_change change = {.variables = 1};
    char name[NAME_BYTES_MAX + 1];

    TRY(choose_name(txn, model_id, spec, u->options, name, err));
    TRY(decide_type(txn, u, model_id, spec, &record, err));
    TRY(decide_partition(spec, &record, err));
    TRY(set_collections(spec, &record, err));
    record.serial = record.id;
    record.updated_ms = record.created_ms;
    TRY(variable_place_new(&u->setter, txn, &spec->scopes, &record, err));
    if (u->initial[i] != NULL)
        TRY(value_builder_publish(u->initial[i], txn, &record.initial_value, err));
    /* TensorFlow: a variable with zero elements counts as initialized from the start. */
    if (record.shape_known && shape_count(&record.type.shape) == 0) {
        record.value = (struct value_ref){.kind = VALUE_INLINE};
        change.initialized = 1;
    }
    TRY(graph_place(txn, model_id, name, spec->initial_value, &record, &change, err));
    TRY(record_put_variable(txn, model_id, name, &record, err));
    TRY(service_change_usage(txn, model_id, &change, err));
    variable_info_begin(u->service, u->setter.devices, &u->out[i]);
    return variable_info_fill(store_txn_view(txn), name, strlen(name), &record, &u->out[i], err);
}

/* Says which of several it was. */
static enum err_code
creation_failed(const struct create_unit *u, size_t i, enum err_code code, struct err *err)
{
    if (u->count > 1 && err != NULL)
        err->failed_operation = (int64_t)i;
    if (u->specs[i].name != NULL)
        err_about(err, "variable", u->specs[i].name);
    return code;
}

static enum err_code
create_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct create_unit *u = context;
    struct model_record model;

    for (size_t i = 0; i < u->done; i++)
        variable_info_drop(&u->out[i]);
    u->done = 0;
    TRY(service_find_model(store_txn_view(txn), u->model, &model, err));
    TRY(model_setter_open(&u->setter, u->service, store_txn_view(txn), &model, err));
    for (; u->done < u->count; u->done++) {
        enum err_code code = create_one(txn, u, model.id, u->done, err);

        if (code != OK)
            return creation_failed(u, u->done, code, err);
    }
    return model_setter_put(&u->setter, txn, err);
}

/* An initializer is called with the shape and dtype of its variable, as tf.get_variable does. */
static void
declare_initializer(const struct variable_spec *spec)
{
    struct expr *root = spec->initial_value->root;
    const struct attr_spec *rows = root->kind == EXPR_OP ? root->op->attrs : NULL;

    if (rows == NULL || !root->op->initializer)
        return;
    for (size_t i = 0; rows[i].name != NULL; i++) {
        void *at = attr_at(&rows[i], root->params);

        if (root->given[i])
            continue;
        if (rows[i].kind == ATTR_KIND_SHAPE && spec->shape != NULL)
            *(struct attr_shape *)at = (struct attr_shape){.given = true, .shape = *spec->shape};
        else if (rows[i].kind == ATTR_KIND_DTYPE && spec->dtype != DTYPE_UNSET)
            *(enum dtype *)at = spec->dtype;
        else
            continue;
        root->given[i] = true;
    }
}

static enum err_code
encode_initial_value(struct create_unit *u, size_t i, struct err *err)
{
    AUTO(buf) encoded;

    buf_init(&encoded, EXPR_RECORD_BYTES_MAX);
    declare_initializer(&u->specs[i]);
    TRY(expr_encode(u->specs[i].initial_value, &encoded, err));
    if (encoded.size > VALUE_RECORD_BYTES_MAX && u->stage == NULL) {
        TRY(store_reserve_check(u->service->store, encoded.size, err));
        TRY(store_stage_open(u->service->store, &u->stage, err));
    }
    TRY(value_builder_open(u->service->store, u->stage, encoded.size, STORE_CLASS_ROWS,
                           &u->initial[i], err));
    return value_builder_append(u->initial[i], encoded.data, encoded.size, err);
}

static void
create_scope_drop(struct create_unit *u)
{
    for (size_t i = 0; u->initial != NULL && i < u->count; i++)
        value_builder_drop(u->initial[i]);
    mem_free(u->initial);
    store_stage_drop(u->stage);
}

enum err_code
variable_create(struct service *service, const char *model, const struct variable_spec *specs,
                size_t count, const struct write_options *options, struct variable_info *out,
                uint64_t *revision, struct err *err)
{
    AUTO_CALL(create_scope_drop)
    struct create_unit u = {.service = service,
                            .model = model,
                            .specs = specs,
                            .count = count,
                            .options = options,
                            .out = out};
    enum err_code code;

    if (count > service->limits.variables_per_request_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%zu variables in one request, the limit is %" PRIu32
                       " (variables_per_request_max)",
                       count, service->limits.variables_per_request_max);
    u.initial = mem_zeroed(count, sizeof(struct value_builder *), err);
    if (u.initial == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (specs[i].initial_value == NULL)
            continue;
        code = encode_initial_value(&u, i, err);
        if (code != OK)
            return creation_failed(&u, i, code, err);
    }
    code = service_commit(service, create_unit, &u, options, u.stage, revision, err);
    if (code == OK) {
        u.stage = NULL; /* taken */
        return OK;
    }
    for (size_t i = 0; i < u.done; i++)
        variable_info_drop(&out[i]);
    return code;
}

struct delete_unit {
    struct service *service;
    const char *model, *name;
    const struct write_options *options;
};

static enum err_code
delete_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct delete_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct usage_change change = {.variables = -1};
    struct model_record model;
    struct variable_record variable;
    struct record_key key;

    TRY(service_find_model(view, u->model, &model, err));
    TRY(service_find_variable(view, model.id, u->name, &variable, err));
    TRY(service_check_conditions(u->options, "variable", u->name, true, variable.revision, err));
    if (variable.value.kind != VALUE_NONE) {
        change.initialized = -1;
        change.bytes = -(int64_t)variable.value.size;
    }
    TRY(task_note_variable(&u->service->tasks, view, &variable, 0, err));
    TRY(value_release(txn, &variable.initial_value, err));
    TRY(value_release(txn, &variable.initialized_with, err));
    TRY(value_release(txn, &variable.part_devices, err));
    TRY(value_release(txn, &variable.value, err));
    key = record_key_variable(model.id, u->name);
    TRY(store_delete(txn, record_key_bytes(&key), err));
    TRY(history_remove(txn, model.id, variable.id, err));
    TRY(graph_leave(txn, model.id, &variable, err));
    return service_change_usage(txn, model.id, &change, err);
}

enum err_code
variable_delete(struct service *service, const char *model, const char *name,
                const struct write_options *options, uint64_t *revision, struct err *err)
{
    struct delete_unit u = {.service = service, .model = model, .name = name, .options = options};

    TRY(name_check("variable", name, err));
    return service_commit(service, delete_unit, &u, options, NULL, revision, err);
}
