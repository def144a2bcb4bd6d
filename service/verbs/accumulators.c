/* Gradients added to an accumulator of the model, their average taken, its step set. The order of
 * checks and the words are those of TensorFlow's conditional accumulators. */
#include <inttypes.h>

#include "service/expr/compute.h"
#include "service/run/draft.h"
#include "service/run/verb.h"
#include "service/training/accumulation_sum.h"
#include "service/training/accumulator.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

/* One that a run has worked with; in the draft's arena. */
struct accumulator_used {
    const struct accumulator_used *next;
    const char *name;
};

/* A change of one; in the draft's arena until the run is published. */
struct accumulator_change {
    const char *name;
    struct accumulator_record before, after;
    struct draft_value *values[ACCUMULATION_ROWS_VALUES]; /* of the new sum */
    bool adds;                                            /* there is a new sum */
};

/* --- shared -------------------------------------------------------------------------------- */

/* draft_publication */
static enum err_code
publish_change(struct store_txn *txn, const struct draft *draft, void *context, struct err *err)
{
    const struct accumulator_change *change = context;
    struct accumulator_record record = change->after;

    if (change->adds || record.num_accumulated == 0)
        TRY(accumulator_release(txn, &change->before, err));
    if (change->adds)
        TRY(draft_put_value(draft, txn, change->values[0], &record.sum.values, err));
    if (change->adds && record.sparse) {
        TRY(draft_put_value(draft, txn, change->values[1], &record.sum.numbers, err));
        TRY(draft_put_value(draft, txn, change->values[2], &record.sum.counts, err));
    }
    record.updated_ms = clock_wall_ms();
    record.revision = store_txn_revision(txn);
    TRY(record_put_accumulator(txn, draft->model.id, change->name, &record, err));
    return service_change_usage(txn, draft->model.id, &(struct usage_change){0}, err);
}

/* A second operation would have to see the first one's. */
static enum err_code
use(struct run *run, const char *name, struct err *err)
{
    struct accumulator_used *used;

    for (const struct accumulator_used *each = run->accumulators; each != NULL; each = each->next)
        if (strcmp(each->name, name) == 0)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "a run does one thing with an accumulator, this is its second with '%s'",
                           name);
    used = arena_alloc(&run->draft->arena, sizeof *used, err);
    if (used == NULL)
        return ERR_NO_MEMORY;
    *used = (struct accumulator_used){run->accumulators, name};
    run->accumulators = used;
    return OK;
}

static enum err_code
open_change(struct run *run, const struct run_op *op, struct run_result *out,
            struct accumulator_change **change, struct err *err)
{
    struct accumulator_result *result = mem_zeroed(1, sizeof *result, err);
    const char *name = op->accumulator->name;
    struct accumulator_change *made;
    struct record_key key;
    struct bytes record;

    out->accumulator = result;
    if (result == NULL)
        return ERR_NO_MEMORY;
    TRY(name_check("accumulator", name, err));
    TRY(use(run, name, err));
    memcpy(result->name, name, strlen(name) + 1);
    key = record_key_accumulator(run->draft->model.id, name);
    TRY(draft_rely_on(run->draft, &key, &record, err));
    if (record.data == NULL) {
        (void)err_set(err, ERR_NOT_FOUND, "there is no accumulator '%s'", name);
        err_about(err, "accumulator", name);
        return ERR_NOT_FOUND;
    }
    made = arena_alloc(&run->draft->arena, sizeof *made, err);
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->name = name;
    TRY(record_decode_accumulator(record, &made->before, err));
    made->after = made->before;
    *change = made;
    TRY(draft_check_no_device(run->draft, name, made->before.dtype, err));
    return run_check_resource(run, "accumulator", name, made->before.revision, err);
}

static enum err_code
close_change(struct run *run, struct accumulator_change *change, struct run_result *out,
             struct err *err)
{
    out->accumulator->num_accumulated = change->after.num_accumulated;
    out->accumulator->global_step = change->after.global_step;
    return draft_also_publish(run->draft, publish_change, change, err);
}

static enum err_code
about(enum err_code code, const char *name, struct err *err)
{
    if (code != OK && code != ERR_DEFER)
        err_about(err, "accumulator", name);
    return code;
}

/* --- adding -------------------------------------------------------------------------------- */

static enum err_code
check_kind(const struct accumulator_change *change, const struct run_op *op, struct err *err)
{
    bool sparse = op->indices != NULL;

    if (sparse == change->before.sparse)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "accumulator '%s' is %s, the gradient is %s",
                   change->name, change->before.sparse ? "sparse" : "dense",
                   sparse ? "sparse" : "dense");
}

static enum err_code
mismatch(const struct accumulator_change *change, const struct shape *expected,
         const struct shape *got, struct err *err)
{
    char ours[SHAPE_TEXT_BYTES_MAX], theirs[SHAPE_TEXT_BYTES_MAX];

    return err_set(err, ERR_INVALID_ARGUMENT,
                   "apply_grad to '%s': Shape mismatch: expected %s, got %s", change->name,
                   shape_text(expected, ours), shape_text(got, theirs));
}

static enum err_code
infer(struct run *run, const struct accumulator_change *change, struct expr_tree *tree,
      enum dtype dtype, struct err *err)
{
    TRY(expr_infer(tree, &run->source, dtype, err));
    if (dtype != DTYPE_UNSET && tree->root->type.dtype != dtype)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "apply_grad to '%s': the gradient is %s, the accumulator %s (there are no "
                       "implicit casts)",
                       change->name, dtype_name(tree->root->type.dtype), dtype_name(dtype));
    return draft_draw(run->draft, change->name, tree, err);
}

/* accumulation_read */
static enum err_code
read_evaluator(void *context, uint64_t first, uint64_t count, uint8_t *room, const void **out,
               struct err *err)
{
    *out = room;
    return evaluator_read(context, first, count, room, err);
}

static enum err_code
add_dense(struct run *run, const struct run_op *op, struct accumulator_change *change,
          struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(run->service);
    AUTO_CALL(compute_evaluator_drop) struct evaluator *evaluator = NULL;
    const struct accumulator_record *before = &change->before;
    struct sum_record *sum = &change->after.sum;
    bool adds = before->num_accumulated > 0;

    TRY(infer(run, change, op->value, before->dtype, err));
    if (before->shape_known && !shape_equal(&before->shape, &op->value->root->type.shape))
        return mismatch(change, &before->shape, &op->value->root->type.shape, err);
    if (adds && !shape_equal(&before->sum.type.shape, &op->value->root->type.shape))
        return mismatch(change, &before->sum.type.shape, &op->value->root->type.shape, err);
    *sum = (struct sum_record){.type = op->value->root->type};
    TRY(draft_work(run->draft, compute_work_bytes(op->value), err));
    TRY(evaluator_open(op->value, &run->source, &options, &evaluator, err));
    return accumulation_add_dense(run->draft, change->name, &sum->type,
                                  adds ? &before->sum.values : NULL, read_evaluator, evaluator,
                                  &change->values[0], err);
}

/* The type that the rows are of. Of an unknown shape the first gradient fixes what a row is; there
 * are then as many rows as may be. */
static enum err_code
type_of_rows(const struct accumulator_change *change, const struct tensor_type *values,
             struct tensor_type *out, struct err *err)
{
    const struct accumulator_record *before = &change->before;
    struct shape row = values->shape;

    *out = *values;
    if (before->shape_known || before->num_accumulated > 0) {
        out->shape = before->shape_known ? before->shape : before->sum.type.shape;
        return OK;
    }
    if (row.rank == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "apply_grad to '%s': the values of a sparse gradient have no rows: []",
                       change->name);
    row.dims[0] = 1;
    if (shape_count(&row) == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "apply_grad to '%s': Inner dimension should be greater than zero.",
                       change->name);
    out->shape.dims[0] = SHAPE_COUNT_MAX / shape_count(&row);
    return OK;
}

static enum err_code
evaluate(struct run *run, struct expr_tree *tree, struct tensor *out, struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(run->service);

    TRY(draft_work(run->draft, compute_work_bytes(tree), err));
    TRY(tensor_init(out, &tree->root->type, tensor_type_bytes(&tree->root->type), err));
    return compute_read_all(tree, &run->source, &options, out->data, err);
}

static enum err_code
check_rows(struct run *run, const struct run_op *op, struct accumulator_change *change,
           const struct sparse_target *target, struct tensor_type *type, struct err *err)
{
    uint64_t limit = run->service->limits.expression_bytes_max, bytes;

    TRY(infer(run, change, op->indices, DTYPE_UNSET, err));
    TRY(infer(run, change, op->value, change->before.dtype, err));
    TRY(type_of_rows(change, &op->value->root->type, type, err));
    TRY(sparse_check_gradient(target, &op->indices->root->type, &op->value->root->type, err));
    TRY(sparse_check_memory(target, &op->indices->root->type.shape, limit, err));
    bytes = tensor_type_bytes(&op->value->root->type);
    if (bytes <= limit)
        return OK;
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "the gradient for '%s' has %" PRIu64 " bytes, the limit is %" PRIu64
                   " (expression_max_bytes)",
                   change->name, bytes, limit);
}

static enum err_code
add_sparse(struct run *run, const struct run_op *op, struct accumulator_change *change,
           struct err *err)
{
    struct tensor_type type;
    const struct sparse_target target = {
        .verb = "apply_grad to", .name = change->name, .type = &type};
    AUTO_CALL(mem_free_scope) uint64_t *order = NULL;
    AUTO(accumulation_rows) before = {0};
    AUTO(accumulation_rows) rows = {0};
    AUTO(tensor) indices = {0};
    AUTO(tensor) values = {0};
    AUTO(sparse) named = {0};
    struct tensor_view view;

    TRY(check_rows(run, op, change, &target, &type, err));
    TRY(evaluate(run, op->indices, &indices, err));
    TRY(evaluate(run, op->value, &values, err));
    view = tensor_view_of(&indices);
    TRY(sparse_read_gradient(&target, &view, &named, err));
    TRY(sparse_sum_duplicates(&named, type.dtype, values.data, err));
    TRY(sparse_order(&named, &order, err));
    if (change->before.num_accumulated > 0)
        TRY(accumulation_rows_load(run->draft->view, &change->before.sum, &before, err));
    TRY(accumulation_rows_add(&before, &named, order, values.data, type.dtype,
                              run->service->limits.expression_bytes_max, &rows, err));
    change->after.sum = (struct sum_record){.type = type, .sparse = true, .rows = rows.count};
    return accumulation_rows_write(run->draft, change->name, &rows, type.dtype, change->values,
                                   err);
}

static enum err_code
grad_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    struct accumulator_change *change = NULL;
    enum err_code code;

    TRY(open_change(run, op, out, &change, err));
    if (op->accumulator->local_step < change->before.global_step) {
        out->accumulator->dropped = true;
        out->accumulator->num_accumulated = change->before.num_accumulated;
        out->accumulator->global_step = change->before.global_step;
        return OK;
    }
    TRY(about(check_kind(change, op, err), change->name, err));
    if (change->before.num_accumulated == UINT32_MAX)
        return err_set(err, ERR_FAILED_PRECONDITION, "accumulator '%s' has %" PRIu32 " gradients",
                       change->name, change->before.num_accumulated);
    code =
        change->before.sparse ? add_sparse(run, op, change, err) : add_dense(run, op, change, err);
    TRY(about(code, change->name, err));
    change->adds = true;
    change->after.num_accumulated++;
    out->accumulator->added = true;
    return close_change(run, change, out, err);
}

const struct verb verb_apply_grad = {
    .name = "apply_grad",
    .summary = "Adds a gradient to an accumulator, unless its local step is over.",
    .fields = VERB_ACCUMULATOR | VERB_GRADIENT | VERB_DEVICE,
    .apply = grad_apply,
};

/* --- taking -------------------------------------------------------------------------------- */

static enum err_code
check_elements(const struct accumulator_change *change, uint64_t elements, uint64_t elements_max,
               struct err *err)
{
    if (elements <= elements_max)
        return OK;
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "take_grad from '%s': the average has %" PRIu64 " elements, JSON takes %" PRIu64
                   " (setting max_json_elements)",
                   change->name, elements, elements_max);
}

static enum err_code
take_dense(struct run *run, const struct accumulator_change *change, struct accumulator_result *out,
           struct err *err)
{
    const struct sum_record *sum = &change->before.sum;
    uint64_t step = ACCUMULATION_PIECE_BYTES / dtype_size(sum->type.dtype);
    uint64_t total = shape_count(&sum->type.shape);
    AUTO(accumulation_average) average = {.open = false};

    TRY(draft_work(run->draft, sum->values.size, err));
    TRY(tensor_init(&out->values, &sum->type, tensor_type_bytes(&sum->type), err));
    TRY(accumulation_average_open(run->draft->view, sum, change->before.num_accumulated, &average,
                                  err));
    for (uint64_t first = 0; first < total; first += step)
        TRY(accumulation_average_read(&average, first, total - first < step ? total - first : step,
                                      NULL, out->values.data + first * dtype_size(sum->type.dtype),
                                      err));
    return OK;
}

static enum err_code
take_sparse(struct run *run, const struct accumulator_change *change,
            struct accumulator_result *out, struct err *err)
{
    const struct sum_record *sum = &change->before.sum;
    struct tensor_type numbers = {.dtype = DTYPE_INT64, .shape = {.rank = 1}};
    struct tensor_type values = sum->type;
    AUTO(accumulation_rows) rows = {0};

    TRY(draft_work(run->draft, sum->values.size, err));
    TRY(accumulation_rows_load(run->draft->view, sum, &rows, err));
    TRY(accumulation_rows_average(&rows, sum->type.dtype, err));
    numbers.shape.dims[0] = rows.count;
    values.shape.dims[0] = rows.count;
    out->sparse = true;
    TRY(tensor_init(&out->numbers, &numbers, tensor_type_bytes(&numbers), err));
    TRY(tensor_init(&out->values, &values, tensor_type_bytes(&values), err));
    memcpy(out->numbers.data, rows.numbers, (size_t)out->numbers.size);
    memcpy(out->values.data, rows.values, (size_t)out->values.size);
    return OK;
}

static enum err_code
check_required(const struct accumulator_change *change, const struct accumulator_request *request,
               struct err *err)
{
    if (request->num_required <= 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Argument num_required must be positive, but was %" PRId64,
                       request->num_required);
    if (request->num_required <= change->before.num_accumulated)
        return OK;
    if (request->lacking != NULL)
        *request->lacking = true;
    return err_set(err, ERR_FAILED_PRECONDITION,
                   "accumulator '%s' has %" PRIu32 " gradients, %" PRId64 " are required",
                   change->name, change->before.num_accumulated, request->num_required);
}

static enum err_code
grad_take(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    const struct accumulator_request *request = op->accumulator;
    struct accumulator_change *change = NULL;
    const struct sum_record *sum;
    uint64_t elements;

    if (request->lacking != NULL)
        *request->lacking = false;
    TRY(open_change(run, op, out, &change, err));
    TRY(about(check_required(change, request, err), change->name, err));
    sum = &change->before.sum;
    elements = sum->sparse ? sum->values.size / dtype_size(sum->type.dtype) + sum->rows
                           : shape_count(&sum->type.shape);
    TRY(about(check_elements(change, elements, request->elements_max, err), change->name, err));
    TRY(sum->sparse ? take_sparse(run, change, out->accumulator, err)
                    : take_dense(run, change, out->accumulator, err));
    out->accumulator->num_taken = change->before.num_accumulated;
    change->after.num_accumulated = 0;
    change->after.global_step = (int64_t)((uint64_t)change->before.global_step + 1);
    return close_change(run, change, out, err);
}

const struct verb verb_take_grad = {
    .name = "take_grad",
    .summary = "Takes the average of an accumulator's gradients, which is a step of it.",
    .fields = VERB_ACCUMULATOR | VERB_NUM_REQUIRED | VERB_DEVICE,
    .apply = grad_take,
};

/* --- the step ------------------------------------------------------------------------------ */

static enum err_code
step_set(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    struct accumulator_change *change = NULL;

    TRY(open_change(run, op, out, &change, err));
    change->after.global_step = op->accumulator->step;
    return close_change(run, change, out, err);
}

const struct verb verb_set_global_step = {
    .name = "set_global_step",
    .summary = "Sets the global step of an accumulator, that local steps are compared with.",
    .fields = VERB_ACCUMULATOR | VERB_STEP | VERB_DEVICE,
    .apply = step_set,
};
