/* assign, assign_add and assign_sub of an expression.
 *
 * Small values are computed inside the commit, so that updates of one counter by many clients queue
 * up instead of chasing each other. Big ones are computed from a snapshot into staged chunks and
 * published by a small unit that expects everything that was read to be unchanged; else it is done
 * again. */
#include <inttypes.h>

#include "service/commit.h"
#include "service/compute.h"
#include "service/graph_walk.h"
#include "service/state.h"
#include "service/tensor/kernels.h"
#include "service/variable_info.h"
#include "service/variable_write.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

struct update {
    struct service *service;
    const char *model, *name;
    enum variable_update verb;
    struct expr_tree *value;
    bool validate_shape;
    const struct write_options *options;
    struct variable_change *out;
    /* As TensorFlow's graph would have it: nodes before the update's, and how many it has. 0 of an
     * update that asks for no number. */
    uint64_t graph_position, graph_nodes;
    /* the staged way */
    struct value_builder *builder;
    const struct compute_source *reads;
    uint64_t variable_id, variable_version;
};

static const char *
verb_text(enum variable_update verb)
{
    return verb == VARIABLE_ASSIGN       ? "assign to"
           : verb == VARIABLE_ASSIGN_ADD ? "assign_add to"
                                         : "assign_sub from";
}

/* An update whose op seeds are places in the graph takes its nodes' places there when it is done:
 * its expression's and the Assign (AssignAdd, AssignSub) op. */
static enum err_code
take_places(struct update *u, const struct store_view *view, const struct model_record *model,
            struct err *err)
{
    struct usage_record usage;

    u->graph_position = 0;
    u->graph_nodes = 0;
    if (model->seed_mode != MODEL_SEED_MODE_TF || !graph_wants_seed(u->value))
        return OK;
    TRY(record_get_usage(view, model->id, &usage, err));
    u->graph_position = usage.graph_nodes;
    TRY(graph_count(u->value, &u->graph_nodes, err));
    u->graph_nodes += 1;
    return OK;
}

/* Infers the value for this variable and checks that it fits; draws its seeds. */
static enum err_code
prepare(struct update *u, const struct store_view *view, const struct model_record *model,
        const struct variable_record *variable, const struct expr_source *source, struct err *err)
{
    bool strict = u->validate_shape || u->verb != VARIABLE_ASSIGN;

    TRY(service_check_conditions(u->options, "variable", u->name, true, variable->revision, err));
    if (u->verb != VARIABLE_ASSIGN && variable->value.kind == VALUE_NONE)
        return compute_uninitialized(u->name, err);
    if (u->verb != VARIABLE_ASSIGN && !kernel_binary_known(KERNEL_ADD, variable->type.dtype)) {
        err_about(err, "variable", u->name);
        return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s': %s has no arithmetic",
                       verb_text(u->verb), u->name, dtype_name(variable->type.dtype));
    }
    TRY(expr_infer(u->value, source, variable->type.dtype, err));
    if (u->verb != VARIABLE_ASSIGN &&
        !shape_equal(&u->value->root->type.shape, &variable->type.shape)) {
        char ours[SHAPE_TEXT_BYTES_MAX], theirs[SHAPE_TEXT_BYTES_MAX];

        (void)err_set(err, ERR_INVALID_ARGUMENT,
                      "%s '%s': shape %s expected, the value has %s (updates do not broadcast)",
                      verb_text(u->verb), u->name, shape_text(&variable->type.shape, ours),
                      shape_text(&u->value->root->type.shape, theirs));
        err_about(err, "variable", u->name);
        return ERR_INVALID_ARGUMENT;
    }
    TRY(service_check_assignable(variable, u->name, verb_text(u->verb), &u->value->root->type,
                                 strict, err));
    TRY(take_places(u, view, model, err));
    return graph_draw(model, u->graph_position, u->name, u->value, err);
}

/* old op value, in place of value. */
static enum err_code
combine(const struct update *u, enum dtype dtype, const void *old, void *value, uint64_t count,
        struct err *err)
{
    enum kernel_binary op = u->verb == VARIABLE_ASSIGN_ADD ? KERNEL_ADD : KERNEL_SUBTRACT;

    return kernel_binary(op, dtype, (struct kernel_operand){old, 1},
                         (struct kernel_operand){value, 1}, value, count, err);
}

static enum err_code
finish(struct update *u, struct store_txn *txn, uint64_t model_id, struct variable_record *variable,
       const struct value_ref *ref, struct err *err)
{
    struct usage_change change = {.graph_nodes = (int64_t)u->graph_nodes};

    TRY(service_set_value(txn, variable, &u->value->root->type.shape, ref, &change, err));
    TRY(record_put_variable(txn, model_id, u->name, variable, err));
    TRY(service_change_usage(txn, model_id, &change, err));
    memcpy(u->out->name, u->name, strlen(u->name) + 1);
    u->out->type = variable->type;
    u->out->version = variable->version;
    u->out->revision = variable->revision;
    u->out->created = false;
    return OK;
}

/* --- inside the commit --- */

static enum err_code
small_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct update *u = context;
    const struct evaluator_options options = service_evaluator_options(u->service);
    const struct store_view *view = store_txn_view(txn);
    AUTO(compute_source) reads = {0};
    AUTO_CALL(mem_free_scope) uint8_t *bytes = NULL;
    AUTO_CALL(mem_free_scope) uint8_t *old = NULL;
    struct expr_source source;
    struct model_record model;
    struct variable_record variable;
    struct value_ref ref;
    uint64_t size;

    TRY(service_find_model(view, u->model, &model, err));
    TRY(service_find_variable(view, model.id, u->name, &variable, err));
    compute_source_init(&reads, view, model.id);
    source = compute_expr_source(&reads);
    TRY(prepare(u, view, &model, &variable, &source, err));
    size = tensor_type_bytes(&u->value->root->type);
    if (size > SERVICE_COMMIT_BYTES_MAX || u->value->root->type.dtype == DTYPE_STRING)
        return ERR_DEFER; /* it was another when the request looked: the staged way, then */
    bytes = mem_aligned(size, err);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    TRY(compute_read_all(u->value, &source, &options, bytes, err));
    if (u->verb != VARIABLE_ASSIGN) {
        AUTO(value_reader) reader = {0};

        old = mem_aligned(size, err);
        if (old == NULL)
            return ERR_NO_MEMORY;
        TRY(value_open(view, &variable.value, &reader, err));
        TRY(value_copy(&reader, 0, size, old, err));
        TRY(combine(u, variable.type.dtype, old, bytes, shape_count(&variable.type.shape), err));
    }
    TRY(value_write(txn, bytes_of(bytes, size), service_class_of(&variable), &ref, err));
    return finish(u, txn, model.id, &variable, &ref, err);
}

/* --- ahead of the commit --- */

/* Others may have taken them: then the seeds are others too. */
static enum err_code
check_places(const struct update *u, const struct store_view *view, uint64_t model_id,
             struct err *err)
{
    struct usage_record usage;

    if (u->graph_nodes == 0)
        return OK;
    TRY(record_get_usage(view, model_id, &usage, err));
    if (usage.graph_nodes == u->graph_position)
        return OK;
    return err_set(err, ERR_CONFLICT, "the graph of model '%s' grew meanwhile", u->model);
}

static enum err_code
publish_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct update *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct model_record model;
    struct variable_record variable;
    struct value_ref ref;

    TRY(service_find_model(view, u->model, &model, err));
    TRY(service_find_variable(view, model.id, u->name, &variable, err));
    TRY(service_check_conditions(u->options, "variable", u->name, true, variable.revision, err));
    if (variable.id != u->variable_id ||
        (u->verb != VARIABLE_ASSIGN && variable.version != u->variable_version))
        return err_set(err, ERR_CONFLICT, "variable '%s' changed meanwhile", u->name);
    TRY(check_places(u, view, model.id, err));
    TRY(compute_check_reads(u->reads, txn, err));
    TRY(service_check_assignable(&variable, u->name, verb_text(u->verb), &u->value->root->type,
                                 u->validate_shape, err));
    TRY(value_builder_publish(u->builder, txn, &ref, err));
    return finish(u, txn, model.id, &variable, &ref, err);
}

/* Adds (subtracts) the variable's old bytes, chunk by chunk, to what the expression gives. */
static enum err_code
build_combined(struct update *u, const struct store_view *view,
               const struct variable_record *variable, const struct expr_source *source,
               struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(u->service);
    AUTO_CALL(compute_evaluator_drop) struct evaluator *evaluator = NULL;
    AUTO_CALL(mem_free_scope) uint8_t *old = mem_aligned(STORE_BULK_BYTES, err);
    AUTO(value_reader) reader = {0};
    uint32_t element_size = dtype_size(variable->type.dtype);
    uint64_t left = shape_count(&variable->type.shape), first = 0;

    if (old == NULL)
        return ERR_NO_MEMORY;
    TRY(evaluator_open(u->value, source, &options, &evaluator, err));
    TRY(value_open(view, &variable->value, &reader, err));
    while (left > 0) {
        uint8_t *room = NULL;
        size_t size = 0;
        uint64_t count;

        TRY(value_builder_reserve(u->builder, &room, &size, err));
        if (size > STORE_BULK_BYTES)
            size = STORE_BULK_BYTES;
        count = size / element_size < left ? size / element_size : left;
        TRY(evaluator_read(evaluator, first, count, room, err));
        TRY(value_copy(&reader, first * element_size, count * element_size, old, err));
        TRY(combine(u, variable->type.dtype, old, room, count, err));
        TRY(value_builder_commit(u->builder, count * element_size, err));
        first += count;
        left -= count;
    }
    return OK;
}

/* A constant takes no room, unless an old value is added to it. */
static uint64_t
stored_bytes(const struct update *u, uint64_t size)
{
    bool string = u->value->root->type.dtype == DTYPE_STRING;

    return u->verb == VARIABLE_ASSIGN && !string ? compute_stored_bytes(u->value) : size;
}

static enum err_code
try_staged(struct update *u, uint64_t *revision, struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(u->service);
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_STAGE stage = NULL;
    AUTO(compute_source) reads = {0};
    AUTO(buf) strings;
    AUTO_CALL(service_builder_drop) struct value_builder *builder = NULL;
    struct expr_source source;
    struct model_record model;
    struct variable_record variable;
    const struct store_view *view;
    enum err_code code;
    uint64_t size = 0;

    buf_init(&strings, u->service->limits.expression_bytes_max);
    TRY(store_snapshot_open(u->service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, u->model, &model, err));
    TRY(service_find_variable(view, model.id, u->name, &variable, err));
    compute_source_init(&reads, view, model.id);
    source = compute_expr_source(&reads);
    TRY(prepare(u, view, &model, &variable, &source, err));
    TRY(compute_size(u->value, &source, &options, &strings, &size, err));
    TRY(service_check_room(u->service, u->name, size, stored_bytes(u, size), err));
    TRY(store_stage_open(u->service->store, &stage, err));
    TRY(value_builder_open(u->service->store, stage, size, service_class_of(&variable), &builder,
                           err));
    u->builder = builder;
    if (u->value->root->type.dtype == DTYPE_STRING)
        TRY(value_builder_append(builder, strings.data, strings.size, err));
    else if (u->verb == VARIABLE_ASSIGN)
        TRY(compute_build(u->value, &source, &options, builder, err));
    else
        TRY(build_combined(u, view, &variable, &source, err));
    u->reads = &reads;
    u->variable_id = variable.id;
    u->variable_version = variable.version;
    store_snapshot_drop(snapshot); /* not held over the wait: it would keep garbage */
    snapshot = NULL;
    code = service_commit(u->service, publish_unit, u, u->options, stage, revision, err);
    if (code == OK)
        stage = NULL; /* taken */
    return code;
}

static enum err_code
update_staged(struct update *u, uint64_t *revision, struct err *err)
{
    struct lock *lock = service_update_lock(u->service, u->model, u->name);
    enum err_code code = ERR_CONFLICT;

    lock_acquire(lock);
    for (int i = 0; code == ERR_CONFLICT && i < SERVICE_UPDATE_TRIES_MAX; i++) {
        err_clear(err);
        code = try_staged(u, revision, err);
    }
    lock_release(lock);
    if (code != ERR_CONFLICT)
        return code;
    err_clear(err);
    return err_set(err, ERR_ABORTED,
                   "variable '%s' or what its new value reads changed %d times while it was "
                   "computed: try again",
                   u->name, SERVICE_UPDATE_TRIES_MAX);
}

/* Whether the update can be computed while others wait. Strings, whose size only evaluation tells,
 * never are. */
static enum err_code
is_small(struct update *u, bool *small, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(compute_source) reads = {0};
    struct expr_source source;
    struct model_record model;
    struct variable_record variable;
    const struct store_view *view;
    uint64_t size;

    TRY(name_check("variable", u->name, err));
    TRY(store_snapshot_open(u->service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, u->model, &model, err));
    TRY(service_find_variable(view, model.id, u->name, &variable, err));
    compute_source_init(&reads, view, model.id);
    source = compute_expr_source(&reads);
    TRY(prepare(u, view, &model, &variable, &source, err));
    size = tensor_type_bytes(&u->value->root->type);
    *small = u->value->root->type.dtype != DTYPE_STRING && size <= SERVICE_COMMIT_BYTES_MAX &&
             variable.value.size <= SERVICE_COMMIT_BYTES_MAX &&
             compute_work_bytes(u->value) <= SERVICE_COMMIT_WORK_BYTES_MAX;
    return OK;
}

enum err_code
variable_update(struct service *service, const char *model, const char *name,
                enum variable_update verb, struct expr_tree *value, bool validate_shape,
                const struct write_options *options, struct variable_change *out, struct err *err)
{
    struct update u = {.service = service,
                       .model = model,
                       .name = name,
                       .verb = verb,
                       .value = value,
                       .validate_shape = validate_shape,
                       .options = options,
                       .out = out};
    uint64_t revision = 0;
    bool small = false;
    enum err_code code = ERR_DEFER;

    TRY(is_small(&u, &small, err));
    if (small)
        code = service_commit(service, small_unit, &u, options, NULL, &revision, err);
    if (code == ERR_DEFER) {
        err_clear(err);
        code = update_staged(&u, &revision, err);
    }
    return code;
}
