/* assign_moving_average: a variable moves towards a value, by 1 - decay of what is between them. */
#include "service/expr/compute.h"
#include "service/run/verb.h"
#include "service/tensor/convert.h"
#include "service/tensor/kernels.h"
#include "service/training/average_update.h"
#include "store/base/scope.h"

/* 1 - decay in the variable's dtype. A number that a client wrote is subtracted as Python does and
 * comes by way of float32; a tensor in its own dtype. */
static enum err_code
read_rest(struct run *run, const struct run_op *op, enum dtype dtype,
          uint8_t rest[static AVERAGE_REST_BYTES], struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(run->service);
    const struct expr *root = op->decay->root;
    _Alignas(16) uint8_t decay[16], one[16];
    enum dtype t;

    TRY(expr_infer(op->decay, &run->source, DTYPE_UNSET, err));
    t = root->type.dtype;
    if (root->kind == EXPR_LITERAL && root->weak && root->type.shape.rank == 0) {
        double number = tensor_element_as_double(root->literal.type.dtype, root->literal.data);

        tensor_element_of_double(dtype, (double)(float)(1.0 - number), rest);
        return OK;
    }
    if (root->type.shape.rank != 0 || !dtype_is_float(t) ||
        !kernel_binary_known(KERNEL_SUBTRACT, t)) {
        char text[TENSOR_TYPE_TEXT_BYTES_MAX];

        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the decay must be a scalar of half, float, or double, it is %s",
                       tensor_type_text(&root->type, text));
    }
    TRY(draft_draw(run->draft, op->variable, op->decay, err));
    TRY(draft_work(run->draft, compute_work_bytes(op->decay), err));
    TRY(compute_read_all(op->decay, &run->source, &options, decay, err));
    tensor_element_of_double(t, 1, one);
    TRY(kernel_binary(KERNEL_SUBTRACT, t, (struct kernel_operand){one, 1},
                      (struct kernel_operand){decay, 1}, decay, 1, err));
    tensor_cast(t, decay, dtype, rest, 1);
    return OK;
}

static enum err_code
check_value(const struct draft_variable *variable, const struct tensor_type *value, struct err *err)
{
    char ours[TENSOR_TYPE_TEXT_BYTES_MAX], theirs[TENSOR_TYPE_TEXT_BYTES_MAX];

    if (tensor_type_equal(&variable->form.type, value))
        return OK;
    err_about(err, "variable", variable->name);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "assign_moving_average to '%s': %s expected, the value is %s", variable->name,
                   tensor_type_text(&variable->form.type, ours), tensor_type_text(value, theirs));
}

static enum err_code
average_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    struct draft_variable *variable = NULL;
    _Alignas(16) uint8_t rest[AVERAGE_REST_BYTES];

    TRY(draft_find(run->draft, op->variable, &variable, err));
    TRY(average_check_dtype(variable->name, variable->form.type.dtype, err));
    TRY(draft_check_device(run->draft, variable, err));
    TRY(draft_find_initialized(run->draft, op->variable, &variable, err));
    TRY(expr_infer(op->value, &run->source, variable->form.type.dtype, err));
    TRY(check_value(variable, &op->value->root->type, err));
    TRY(read_rest(run, op, variable->form.type.dtype, rest, err));
    TRY(draft_draw(run->draft, variable->name, op->value, err));
    if (op->zero_debias)
        TRY(average_update_debiased(run, variable, op->value, rest, err));
    else
        TRY(average_update(run, variable, op->value, rest, err));
    run_changed(out, variable);
    return OK;
}

const struct verb verb_assign_moving_average = {
    .name = "assign_moving_average",
    .summary = "Moves a variable towards a value, by 1 - decay of what is between them.",
    .fields = VERB_VARIABLE | VERB_VALUE | VERB_DECAY | VERB_ZERO_DEBIAS | VERB_DEVICE,
    .apply = average_apply,
};
