/* Schedules: one number out of a few. The kernels of the arithmetic ops do it, so that a schedule
 * has the bits of the expression it stands for. */
#include "service/expr/op_schedule.h"

#include <math.h>

#include "service/tensor/convert.h"

const struct attr_spec op_schedule_decay_attrs[] = {
    ATTR_BOOL(struct op_schedule_decay_params, staircase,
              .help = "decay at intervals of decay_steps, not with every step"),
    ATTR_END,
};

const char *const op_schedule_decay_arg_names[] = {"learning_rate", "global_step", "decay_steps",
                                                   "decay_rate"};
const char *const op_schedule_decay_graph_args[] = {"learning_rate", "Cast/x", "Cast_1/x",
                                                    "Cast_2/x"};

/* --- inference ----------------------------------------------------------------------------- */

/* A number becomes a tensor by itself, as Python's do, and is cast afterwards. */
static enum err_code
infer_arg(struct expr_tree *tree, const struct expr *node, uint32_t index, enum dtype dtype,
          struct err *err)
{
    struct expr *arg = node->args[index];
    const char *name = node->op->arg_names[index];
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    struct err inner = ERR_INIT;

    if (arg->kind == EXPR_LITERAL && dtype == DTYPE_UNSET)
        dtype = op_natural_dtype(&arg->literal, arg->weak);
    if (op_settle(tree, arg, dtype, &inner) != OK)
        return op_fail(node, inner.code, err, "%s: %s", name, inner.text);
    TRY(op_check_arg_dtype(node, index, err));
    if (arg->type.shape.rank != 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s must be a scalar, it is %s", name,
                       tensor_type_text(&arg->type, text));
    return OK;
}

static enum err_code
check_global_step(const struct expr *node, double global_step, struct err *err)
{
    if (global_step >= 0)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "global_step must not be negative, it is %g",
                   global_step);
}

static enum err_code
check_decay_steps(const struct expr *node, double decay_steps, struct err *err)
{
    if (decay_steps > 0)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "decay_steps must be positive, it is %g",
                   decay_steps);
}

/* A literal is known to be wrong before anything is computed. */
static enum err_code
check_literal(const struct expr *node, uint32_t index,
              enum err_code (*check)(const struct expr *node, double value, struct err *err),
              struct err *err)
{
    const struct expr *arg = node->args[index];

    if (arg->kind != EXPR_LITERAL)
        return OK;
    return check(node, tensor_element_as_double(arg->settled.type.dtype, arg->settled.data), err);
}

enum err_code
op_infer_schedule(struct expr_tree *tree, struct expr *node, struct err *err)
{
    /* JSON writes 1.0 as 1, which Python would take for an integer: it is a rate all the same. */
    TRY(infer_arg(tree, node, OP_SCHEDULE_LEARNING_RATE, DTYPE_FLOAT32, err));
    for (uint32_t i = OP_SCHEDULE_LEARNING_RATE + 1; i < node->arg_count; i++)
        TRY(infer_arg(tree, node, i, DTYPE_UNSET, err));
    TRY(check_literal(node, OP_SCHEDULE_GLOBAL_STEP, check_global_step, err));
    TRY(check_literal(node, OP_SCHEDULE_DECAY_STEPS, check_decay_steps, err));
    node->type = node->args[OP_SCHEDULE_LEARNING_RATE]->type;
    return op_check_dtype(node, node->type.dtype, err);
}

/* --- numbers ------------------------------------------------------------------------------- */

enum err_code
op_schedule_arg(struct evaluator *e, const struct expr *node, uint32_t index,
                struct op_schedule_number *out, struct err *err)
{
    struct kernel_operand x;

    TRY(op_arg(e, node, index, 0, 1, NULL, &x, err));
    tensor_cast(node->args[index]->type.dtype, x.data, node->type.dtype, out->bytes, 1);
    return OK;
}

void
op_schedule_constant(const struct expr *node, double value, struct op_schedule_number *out)
{
    tensor_element_of_double(node->type.dtype, (float)value, out->bytes);
}

enum err_code
op_schedule_binary(const struct expr *node, enum kernel_binary op,
                   const struct op_schedule_number *a, const struct op_schedule_number *b,
                   struct op_schedule_number *out, struct err *err)
{
    return kernel_binary(op, node->type.dtype, (struct kernel_operand){a->bytes, 0},
                         (struct kernel_operand){b->bytes, 0}, out->bytes, 1, err);
}

static double
as_double(const struct expr *node, const struct op_schedule_number *number)
{
    return tensor_element_as_double(node->type.dtype, number->bytes);
}

/* Whole numbers beside a float are floats of its dtype. */
static void
floor_number(const struct expr *node, struct op_schedule_number *number)
{
    tensor_element_of_double(node->type.dtype, floor(as_double(node, number)), number->bytes);
}

void
op_schedule_ceil(const struct expr *node, struct op_schedule_number *number)
{
    tensor_element_of_double(node->type.dtype, ceil(as_double(node, number)), number->bytes);
}

/* --- steps --------------------------------------------------------------------------------- */

enum err_code
op_schedule_steps(struct evaluator *e, const struct expr *node,
                  struct op_schedule_number *global_step, struct op_schedule_number *decay_steps,
                  struct err *err)
{
    TRY(op_schedule_arg(e, node, OP_SCHEDULE_GLOBAL_STEP, global_step, err));
    TRY(op_schedule_arg(e, node, OP_SCHEDULE_DECAY_STEPS, decay_steps, err));
    TRY(check_global_step(node, as_double(node, global_step), err));
    return check_decay_steps(node, as_double(node, decay_steps), err);
}

enum err_code
op_schedule_progress(struct evaluator *e, const struct expr *node, bool staircase,
                     struct op_schedule_number *out, struct err *err)
{
    struct op_schedule_number decay_steps;

    TRY(op_schedule_steps(e, node, out, &decay_steps, err));
    TRY(op_schedule_binary(node, KERNEL_DIVIDE, out, &decay_steps, out, err));
    if (staircase)
        floor_number(node, out);
    return OK;
}
