/* Writing a slice: only the chunks it touches are rewritten. The slice's bytes are held in memory,
 * because a slice may run backwards; they are bounded by expression_bytes_max and, since the patch
 * is made inside the commit while others wait, by SLICE_BYTES_MAX. */
#include "service/variable/variable_slice.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/expr/compute.h"
#include "service/placement/variable_device.h"
#include "service/tensor/slice.h"
#include "service/variable/incoming.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

enum {
    SLICE_BYTES_MAX = 64 << 20,
    SLICE_TOUCHED_BYTES_MAX = 64 << 20, /* of chunks: a wide step touches more than it writes */
    SLICE_RUNS_MAX = 1 << 22,
};

struct assign_slice {
    struct service *service;
    const char *model, *name;
    const struct tensor_type *type;
    struct bytes slice, bytes;
    struct shape costed; /* the variable's shape when the cost was checked */
    const struct write_options *options;
    struct variable_change *out;
};

/* The slice resolved against the variable as it is now; refuses what does not fit. */
static enum err_code
resolve(const struct assign_slice *a, const struct store_view *view,
        const struct model_record *model, const struct variable_record *variable,
        struct slice *slice, struct err *err)
{
    char ours[SHAPE_TEXT_BYTES_MAX], theirs[SHAPE_TEXT_BYTES_MAX];

    TRY(service_check_conditions(a->options, "variable", a->name, true, variable->revision, err));
    TRY(variable_check_device(a->service, view, model, a->name, variable, err));
    if (variable->value.kind == VALUE_NONE)
        return compute_uninitialized(a->name, err);
    if (variable->type.dtype == DTYPE_STRING)
        return err_set(err, ERR_INVALID_ARGUMENT, "string tensors are written whole, not by slice");
    TRY(slice_parse(a->slice, &variable->type.shape, slice, err));
    if (a->type->dtype != variable->type.dtype)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "assign to a slice of '%s': dtype %s expected, the value is %s", a->name,
                       dtype_name(variable->type.dtype), dtype_name(a->type->dtype));
    if (!shape_equal(&slice->result, &a->type->shape))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "assign to '%s' [%.*s]: the slice has shape %s, the value has %s", a->name,
                       (int)a->slice.size, (const char *)a->slice.data,
                       shape_text(&slice->result, ours), shape_text(&a->type->shape, theirs));
    return OK;
}

/* What a slice costs to write: its contiguous runs, and the chunks they lie in. */
struct cost {
    uint32_t element_size, chunk_bytes;
    uint64_t runs, chunks, last_chunk; /* chunks may count one twice where rows meet */
};

static enum err_code
add_cost(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
         struct err *err)
{
    struct cost *cost = context;
    uint64_t from = source_first * cost->element_size / cost->chunk_bytes;
    uint64_t to = ((source_first + count) * cost->element_size - 1) / cost->chunk_bytes;

    (void)result_first;
    cost->chunks += to - from + (cost->runs == 0 || from != cost->last_chunk);
    cost->last_chunk = to;
    if (++cost->runs <= SLICE_RUNS_MAX &&
        cost->chunks * cost->chunk_bytes <= SLICE_TOUCHED_BYTES_MAX)
        return OK;
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "a slice of over %d separate runs, or that touches over %d bytes of chunks: "
                   "write it in parts",
                   SLICE_RUNS_MAX, SLICE_TOUCHED_BYTES_MAX);
}

static enum err_code
check_cost(const struct variable_record *variable, const struct slice *slice, struct err *err)
{
    struct cost cost = {.element_size = dtype_size(variable->type.dtype),
                        .chunk_bytes = store_class_bytes(service_class_of(variable))};

    return slice_each_run(slice, add_cost, &cost, err);
}

struct patching {
    struct value_patch *patch;
    const uint8_t *bytes;
    uint32_t element_size;
};

static void
patch_scope_drop(struct patching *p)
{
    value_patch_drop(p->patch);
}

static enum err_code
patch_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
          struct err *err)
{
    struct patching *p = context;

    return value_patch_write(
        p->patch, source_first * p->element_size,
        bytes_of(p->bytes + result_first * p->element_size, (size_t)(count * p->element_size)),
        err);
}

static enum err_code
slice_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct assign_slice *a = context;
    AUTO_CALL(patch_scope_drop)
    struct patching p = {.bytes = a->bytes.data, .element_size = dtype_size(a->type->dtype)};
    const struct store_view *view = store_txn_view(txn);
    struct model_record model;
    struct variable_record variable;
    struct slice slice;

    TRY(service_find_model(view, a->model, &model, err));
    TRY(service_find_variable(view, model.id, a->name, &variable, err));
    TRY(resolve(a, view, &model, &variable, &slice, err));
    if (!shape_equal(&variable.type.shape, &a->costed))
        TRY(check_cost(&variable, &slice, err));
    TRY(value_patch_open(txn, &variable.value, &p.patch, err));
    TRY(slice_each_run(&slice, patch_run, &p, err));
    TRY(value_patch_close(p.patch, &variable.value, err));
    TRY(task_note_variable(&a->service->tasks, view, &variable, a->bytes.size, err));
    variable.version += 1;
    variable.revision = store_txn_revision(txn);
    variable.updated_ms = clock_wall_ms();
    TRY(record_put_variable(txn, model.id, a->name, &variable, err));
    TRY(service_change_usage(txn, model.id, &(struct usage_change){0}, err));
    snprintf(a->out->name, sizeof a->out->name, "%s", a->name);
    a->out->type = variable.type;
    a->out->version = variable.version;
    a->out->revision = variable.revision;
    a->out->created = false;
    return OK;
}

static enum err_code
check_ahead(struct assign_slice *a, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record model;
    struct variable_record variable;
    struct slice slice;

    TRY(name_check("variable", a->name, err));
    TRY(store_snapshot_open(a->service->store, &snapshot, err));
    TRY(service_find_model(store_snapshot_view(snapshot), a->model, &model, err));
    TRY(service_find_variable(store_snapshot_view(snapshot), model.id, a->name, &variable, err));
    TRY(resolve(a, store_snapshot_view(snapshot), &model, &variable, &slice, err));
    a->costed = variable.type.shape;
    return check_cost(&variable, &slice, err);
}

enum err_code
variable_assign_slice(struct service *service, const char *model, const char *name,
                      const struct tensor_type *type, uint64_t size,
                      const struct tensor_source *source, struct bytes slice,
                      const struct write_options *options, struct variable_change *out,
                      struct err *err)
{
    struct assign_slice a = {.service = service,
                             .model = model,
                             .name = name,
                             .type = type,
                             .slice = slice,
                             .options = options,
                             .out = out};
    AUTO_CALL(mem_free_scope) uint8_t *bytes = NULL;
    uint64_t revision = 0;

    TRY(incoming_check_size(name, type, size, err));
    TRY(check_ahead(&a, err));
    if (size > SLICE_BYTES_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "a slice of %" PRIu64 " bytes, at most %d are written at once: write it in "
                       "parts",
                       size, SLICE_BYTES_MAX);
    TRY(store_reserve_check(service->store, size, err));
    bytes = mem_aligned(size, err);
    if (bytes == NULL)
        return ERR_NO_MEMORY;
    TRY(source->read(source->context, bytes, size, err));
    TRY(incoming_check_bytes(name, type->dtype, bytes_of(bytes, size), 0, err));
    a.bytes = bytes_of(bytes, size);
    return service_commit(service, slice_unit, &a, options, NULL, &revision, err);
}
