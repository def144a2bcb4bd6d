/* apply_grad: a gradient, whole or of rows, added to an accumulator of the model. The order of
 * checks and the words are those of TensorFlow's conditional accumulators. */
#include <inttypes.h>

#include "service/expr/compute.h"
#include "service/run/verb.h"
#include "service/training/accumulator_change.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

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

    TRY(accumulator_change_open(run, op, out, &change, err));
    if (op->accumulator->local_step < change->before.global_step) {
        out->accumulator->dropped = true;
        out->accumulator->num_accumulated = change->before.num_accumulated;
        out->accumulator->global_step = change->before.global_step;
        return OK;
    }
    TRY(accumulator_about(check_kind(change, op, err), change->name, err));
    if (change->before.num_accumulated == UINT32_MAX)
        return err_set(err, ERR_FAILED_PRECONDITION, "accumulator '%s' has %" PRIu32 " gradients",
                       change->name, change->before.num_accumulated);
    code =
        change->before.sparse ? add_sparse(run, op, change, err) : add_dense(run, op, change, err);
    TRY(accumulator_about(code, change->name, err));
    change->adds = true;
    change->after.num_accumulated++;
    out->accumulator->added = true;
    return accumulator_change_close(run, change, out, err);
}

const struct verb verb_apply_grad = {
    .name = "apply_grad",
    .summary = "Adds a gradient to an accumulator, unless its local step is over.",
    .fields = VERB_ACCUMULATOR | VERB_GRADIENT | VERB_DEVICE,
    .apply = grad_apply,
};
