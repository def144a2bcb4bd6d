/* assign, assign_add, assign_sub: a new whole value, or a slice of it. */
#include "service/device/engine.h"
#include "service/expr/compute.h"
#include "service/run/draft.h"
#include "service/run/verb.h"
#include "service/tensor/kernels.h"
#include "service/verbs/assign_slice.h"
#include "store/base/scope.h"

enum { ASSIGN = KERNEL_BINARY_COUNT }; /* no kernel: the value alone */

static const char *
verb_text(const struct verb *verb)
{
    return verb->kernel == ASSIGN       ? "assign to"
           : verb->kernel == KERNEL_ADD ? "assign_add to"
                                        : "assign_sub from";
}

static enum kernel_scatter
slice_kernel(const struct verb *verb)
{
    return verb->kernel == ASSIGN       ? KERNEL_SCATTER_UPDATE
           : verb->kernel == KERNEL_ADD ? KERNEL_SCATTER_ADD
                                        : KERNEL_SCATTER_SUBTRACT;
}

/* An update of what is there does not broadcast, and has arithmetic. */
static enum err_code
check_combined(const struct run_op *op, const struct draft_variable *variable, struct err *err)
{
    const struct tensor_type *ours = &variable->form.type, *theirs = &op->value->root->type;
    char our_shape[SHAPE_TEXT_BYTES_MAX], their_shape[SHAPE_TEXT_BYTES_MAX];

    if (op->verb->kernel == ASSIGN || shape_equal(&theirs->shape, &ours->shape))
        return OK;
    (void)err_set(err, ERR_INVALID_ARGUMENT,
                  "%s '%s': shape %s expected, the value has %s (updates do not broadcast)",
                  verb_text(op->verb), variable->name, shape_text(&ours->shape, our_shape),
                  shape_text(&theirs->shape, their_shape));
    err_about(err, "variable", variable->name);
    return ERR_INVALID_ARGUMENT;
}

static enum err_code
check_arithmetic(const struct run_op *op, const struct draft_variable *variable, struct err *err)
{
    enum dtype dtype = variable->form.type.dtype;

    if (op->verb->kernel == ASSIGN || kernel_binary_known(KERNEL_ADD, dtype))
        return OK;
    err_about(err, "variable", variable->name);
    return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s': %s has no arithmetic", verb_text(op->verb),
                   variable->name, dtype_name(dtype));
}

/* Infers the value for this variable and checks that it fits; draws its seeds. */
static enum err_code
prepare(struct run *run, const struct run_op *op, struct draft_variable **out, struct err *err)
{
    struct draft_variable *variable = NULL;

    if (op->verb->kernel != ASSIGN && !op->validate_shape)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field 'validate_shape': only assign may change a shape");
    TRY(draft_find(run->draft, op->variable, &variable, err));
    TRY(draft_check_device(run->draft, variable, err));
    if (op->verb->kernel != ASSIGN)
        TRY(draft_find_initialized(run->draft, op->variable, &variable, err));
    TRY(check_arithmetic(op, variable, err));
    TRY(expr_infer(op->value, &run->source, variable->form.type.dtype, err));
    TRY(check_combined(op, variable, err));
    TRY(service_check_assignable(&variable->form, variable->name, verb_text(op->verb),
                                 &op->value->root->type, op->validate_shape, err));
    *out = variable;
    return draft_draw(run->draft, variable->name, op->value, err);
}

static enum err_code
write_strings(struct run *run, const struct run_op *op, struct draft_variable *variable,
              struct err *err)
{
    AUTO_WRITER w = NULL;
    AUTO(buf) strings;
    uint64_t size = 0;

    buf_init(&strings, run->service->limits.expression_bytes_max);
    TRY(draft_size_of(run->draft, op->value, &run->source, &strings, &size, err));
    TRY(draft_write_open(run->draft, variable, size, &w, err));
    TRY(draft_write_append(w, strings.data, strings.size, err));
    return draft_write_close(TAKE(w), &op->value->root->type.shape, err);
}

struct combining {
    struct evaluator *value;
    const struct device *device;
    enum kernel_binary kernel;
    enum dtype dtype;
};

/* old op value */
static enum err_code
combine_tile(void *context, uint64_t first, uint64_t count, const void *old, void *room,
             struct err *err)
{
    const struct combining *c = context;

    TRY(evaluator_read(c->value, first, count, room, err));
    return device_binary(c->device, c->kernel, c->dtype, (struct kernel_operand){old, 1},
                         (struct kernel_operand){room, 1}, room, count, err);
}

static enum err_code
write_combined(struct run *run, const struct run_op *op, struct draft_variable *variable,
               struct draft_writer *w, struct err *err)
{
    const struct evaluator_options options = draft_evaluator_options(run->draft, variable);
    AUTO_CALL(compute_evaluator_drop) struct evaluator *evaluator = NULL;
    struct combining combining = {.device = variable->assigned,
                                  .kernel = (enum kernel_binary)op->verb->kernel,
                                  .dtype = variable->form.type.dtype};

    TRY(draft_work(run->draft, compute_work_bytes(op->value), err));
    TRY(evaluator_open(op->value, &run->source, &options, &evaluator, err));
    combining.value = evaluator;
    return draft_write_over(w, variable, &variable->form.type, combine_tile, &combining, err);
}

static enum err_code
assign_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    struct draft_variable *variable = NULL;
    AUTO_WRITER w = NULL;

    if (op->slice != NULL)
        return verb_assign_slice(run, op, verb_text(op->verb), slice_kernel(op->verb), out, err);
    TRY(prepare(run, op, &variable, err));
    if (op->value->root->type.dtype == DTYPE_STRING) {
        TRY(write_strings(run, op, variable, err));
        run_changed(out, variable);
        return OK;
    }
    TRY(draft_write_open(run->draft, variable, tensor_type_bytes(&op->value->root->type), &w, err));
    if (op->verb->kernel == ASSIGN)
        TRY(draft_write_expr(w, op->value, &run->source, err));
    else
        TRY(write_combined(run, op, variable, w, err));
    TRY(draft_write_close(TAKE(w), &op->value->root->type.shape, err));
    run_changed(out, variable);
    return OK;
}

const struct verb verb_assign = {
    .name = "assign",
    .summary = "Gives a variable a new value, also while it has none.",
    .fields = VERB_VARIABLE | VERB_VALUE | VERB_SLICE | VERB_VALIDATE_SHAPE | VERB_DEVICE,
    .kernel = ASSIGN,
    .apply = assign_apply,
};

const struct verb verb_assign_add = {
    .name = "assign_add",
    .summary = "Adds a value of the variable's shape to it.",
    .fields = VERB_VARIABLE | VERB_VALUE | VERB_SLICE | VERB_VALIDATE_SHAPE | VERB_DEVICE,
    .kernel = KERNEL_ADD,
    .apply = assign_apply,
};

const struct verb verb_assign_sub = {
    .name = "assign_sub",
    .summary = "Subtracts a value of the variable's shape from it.",
    .fields = VERB_VARIABLE | VERB_VALUE | VERB_SLICE | VERB_VALIDATE_SHAPE | VERB_DEVICE,
    .kernel = KERNEL_SUBTRACT,
    .apply = assign_apply,
};
