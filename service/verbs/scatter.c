/* scatter_* and scatter_nd_*: rows of a variable changed by rows of updates, one after the other.
 * Nothing is changed before every index is known to be good. */
#include <stdio.h>

#include "service/expr/compute.h"
#include "service/run/draft.h"
#include "service/run/verb.h"
#include "service/training/sparse.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum {
    ND = KERNEL_SCATTER_COUNT, /* added to the kernel: an index has several numbers */
    VERB_BYTES_MAX = 32,
};

static enum kernel_scatter
kernel_of(const struct verb *verb)
{
    return (enum kernel_scatter)(verb->kernel % ND);
}

static bool
is_nd(const struct verb *verb)
{
    return verb->kernel >= ND;
}

struct scatter {
    struct draft_variable *variable;
    struct sparse_target target;
    struct sparse rows;    /* owned */
    struct tensor updates; /* owned; a scalar: the same for every element */
    char verb[VERB_BYTES_MAX];
};

static void
scatter_drop(struct scatter *s)
{
    sparse_drop(&s->rows);
    tensor_drop(&s->updates);
}

/* "scatter_add to", "scatter_sub from", "scatter_mul of". */
static const char *
verb_text(const struct verb *verb, char out[static VERB_BYTES_MAX])
{
    enum kernel_scatter kernel = kernel_of(verb);

    snprintf(out, VERB_BYTES_MAX, "%s %s", verb->name,
             kernel == KERNEL_SCATTER_ADD        ? "to"
             : kernel == KERNEL_SCATTER_SUBTRACT ? "from"
                                                 : "of");
    return out;
}

/* Types first, as where TensorFlow builds its graph; then whether there is a value. */
static enum err_code
prepare(struct run *run, const struct run_op *op, struct scatter *s, struct err *err)
{
    const struct tensor_type *indices = &op->indices->root->type, *updates = &op->value->root->type;
    struct draft *draft = run->draft;

    TRY(draft_find(draft, op->variable, &s->variable, err));
    if (!s->variable->form.shape_known)
        return compute_uninitialized(s->variable->name, err);
    s->target = (struct sparse_target){.verb = verb_text(op->verb, s->verb),
                                       .name = s->variable->name,
                                       .type = &s->variable->form.type};
    TRY(expr_infer(op->indices, &run->source, DTYPE_INT64, err));
    TRY(expr_infer(op->value, &run->source, s->target.type->dtype, err));
    if (is_nd(op->verb))
        TRY(sparse_check_scatter_nd(&s->target, kernel_of(op->verb), indices, updates, err));
    else
        TRY(sparse_check_scatter(&s->target, kernel_of(op->verb), indices, updates, err));
    TRY(draft_check_device(draft, s->variable, err));
    TRY(draft_find_initialized(draft, op->variable, &s->variable, err));
    TRY(sparse_check_memory(&s->target, &indices->shape, run->service->limits.expression_bytes_max,
                            err));
    TRY(draft_draw(draft, s->target.name, op->indices, err));
    return draft_draw(draft, s->target.name, op->value, err);
}

/* A row that is named often is changed often, by an update that need not be written out as often.
 */
static enum err_code
count_work(struct run *run, const struct scatter *s, struct err *err)
{
    uint64_t limit = run->service->limits.expression_operations_max, bytes;

    TRY(sparse_check_work(&s->target, &s->rows, limit, err));
    if (__builtin_mul_overflow(s->rows.count * s->rows.width, dtype_size(s->target.type->dtype),
                               &bytes))
        bytes = UINT64_MAX;
    return draft_work(run->draft, bytes, err);
}

/* Indices and updates, evaluated and checked. */
static enum err_code
compute(struct run *run, const struct run_op *op, struct scatter *s, struct err *err)
{
    const struct evaluator_options options = draft_evaluator_options(run->draft, s->variable);
    AUTO(tensor) indices = {0};
    struct tensor_view view;

    TRY(draft_work(run->draft, compute_work_bytes(op->indices), err));
    TRY(draft_work(run->draft, compute_work_bytes(op->value), err));
    TRY(compute_tensor(op->indices, "indices", &run->source, &options, &indices, err));
    view = tensor_view_of(&indices);
    if (is_nd(op->verb))
        TRY(sparse_read_nd(&s->target, &view, &s->rows, err));
    else
        TRY(sparse_read_rows(&s->target, &view, &s->rows, err));
    TRY(count_work(run, s, err));
    TRY(compute_tensor(op->value, "updates", &run->source, &options, &s->updates, err));
    view = tensor_view_of(&s->updates);
    return sparse_check_divisors(&s->target, kernel_of(op->verb), &view, err);
}

/* By ascending row: the chunks are taken one after the other. */
static enum err_code
change_rows(struct run *run, const struct scatter *s, enum kernel_scatter kernel, struct err *err)
{
    AUTO_CALL(mem_free_scope) uint64_t *order = NULL;
    const uint64_t row_bytes = s->rows.width * dtype_size(s->target.type->dtype);
    struct kernel_operand update = {.step = s->updates.type.shape.rank > 0};

    TRY(sparse_order(&s->rows, &order, err));
    for (uint64_t i = 0; i < s->rows.count; i++) {
        TRY(service_check_interrupt(run->service, err));
        update.data = s->updates.data + order[i] * update.step * row_bytes;
        TRY(draft_scatter_row(run->draft, s->variable, kernel, s->rows.rows[order[i]] * row_bytes,
                              row_bytes, update, err));
    }
    return OK;
}

static enum err_code
scatter_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    AUTO(scatter) s = {0};

    TRY(prepare(run, op, &s, err));
    TRY(compute(run, op, &s, err));
    TRY(run_want_rows(run, s.variable, &out->converted, err));
    TRY(change_rows(run, &s, kernel_of(op->verb), err));
    draft_edited(s.variable);
    run_changed(out, s.variable);
    return OK;
}

#define SCATTER(verb_name, of_kernel, text)                                                        \
    const struct verb verb_##verb_name = {                                                         \
        .name = #verb_name,                                                                        \
        .summary = text,                                                                           \
        .fields = VERB_VARIABLE | VERB_INDICES | VERB_UPDATES | VERB_DEVICE,                       \
        .kernel = of_kernel,                                                                       \
        .apply = scatter_apply,                                                                    \
    }

SCATTER(scatter_update, KERNEL_SCATTER_UPDATE,
        "Writes rows of a variable; of two for one row the last one stays.");
SCATTER(scatter_add, KERNEL_SCATTER_ADD, "Adds to rows of a variable.");
SCATTER(scatter_sub, KERNEL_SCATTER_SUBTRACT, "Subtracts from rows of a variable.");
SCATTER(scatter_mul, KERNEL_SCATTER_MULTIPLY, "Multiplies rows of a variable.");
SCATTER(scatter_div, KERNEL_SCATTER_DIVIDE,
        "Divides rows of a variable; integer quotients are cut off towards zero.");
SCATTER(scatter_min, KERNEL_SCATTER_MINIMUM, "The smaller of what rows hold and the updates.");
SCATTER(scatter_max, KERNEL_SCATTER_MAXIMUM, "The larger of what rows hold and the updates.");
SCATTER(scatter_nd_update, ND + KERNEL_SCATTER_UPDATE,
        "Writes parts of a variable, each named by indices into its first dimensions.");
SCATTER(scatter_nd_add, ND + KERNEL_SCATTER_ADD,
        "Adds to parts of a variable, each named by indices into its first dimensions.");
SCATTER(scatter_nd_sub, ND + KERNEL_SCATTER_SUBTRACT,
        "Subtracts from parts of a variable, each named by indices into its first dimensions.");
