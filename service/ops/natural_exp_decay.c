/* natural_exp_decay(learning_rate, global_step, decay_steps, decay_rate, staircase):
 * learning_rate * exp(-decay_rate * (global_step / decay_steps)). Later TensorFlow has it as
 * exponential_decay with exp(-decay_rate): the same but for the last bits. */
#include "service/expr/op_schedule.h"

static enum err_code
natural_exp_decay_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                       void *out, struct err *err)
{
    const struct op_schedule_decay_params *params = node->params;
    enum dtype dtype = node->type.dtype;
    struct op_schedule_number progress, rate;

    (void)first;
    (void)count; /* a scalar has one element */
    TRY(op_schedule_progress(e, node, params->staircase, &progress, err));
    TRY(op_schedule_arg(e, node, OP_SCHEDULE_DECAY_RATE, &rate, err));
    kernel_unary(KERNEL_NEGATIVE, dtype, rate.bytes, rate.bytes, 1);
    TRY(op_schedule_binary(node, KERNEL_MULTIPLY, &rate, &progress, &progress, err));
    kernel_unary(KERNEL_EXP, dtype, progress.bytes, progress.bytes, 1);
    TRY(op_schedule_arg(e, node, OP_SCHEDULE_LEARNING_RATE, &rate, err));
    TRY(op_schedule_binary(node, KERNEL_MULTIPLY, &rate, &progress, &rate, err));
    memcpy(out, rate.bytes, dtype_size(dtype));
    return OK;
}

static const struct op_graph_node smooth[] = {
    OP_SCHEDULE_GRAPH_DECAY,
    OP_SCHEDULE_NODE("Neg", "Neg", "Cast_2"),
    OP_SCHEDULE_NODE("Mul", "Mul", "Neg truediv"),
    OP_SCHEDULE_NODE("Exp", "Exp", "Mul"),
    OP_SCHEDULE_NODE("", "Mul", "$0 Exp"),
    {.name = NULL},
};

static const struct op_graph_node by_stairs[] = {
    OP_SCHEDULE_GRAPH_DECAY,
    OP_SCHEDULE_GRAPH_FLOOR,
    OP_SCHEDULE_NODE("Neg", "Neg", "Cast_2"),
    OP_SCHEDULE_NODE("Mul", "Mul", "Neg Floor"),
    OP_SCHEDULE_NODE("Exp", "Exp", "Mul"),
    OP_SCHEDULE_NODE("", "Mul", "$0 Exp"),
    {.name = NULL},
};

static const struct op_graph_node *
natural_exp_decay_graph(const struct expr *node)
{
    const struct op_schedule_decay_params *params = node->params;

    return params->staircase ? by_stairs : smooth;
}

const struct op op_natural_exp_decay = {
    .name = "natural_exp_decay",
    .summary =
        "A learning rate that falls exponentially: times exp(-decay_rate) every decay_steps.",
    .attrs = op_schedule_decay_attrs,
    .params_size = sizeof(struct op_schedule_decay_params),
    .args_min = OP_SCHEDULE_DECAY_ARGS,
    .args_max = OP_SCHEDULE_DECAY_ARGS,
    .arg_names = op_schedule_decay_arg_names,
    .dtypes = OP_DTYPES_FLOAT,
    .arg_dtypes = OP_DTYPES_REAL,
    .infer = op_infer_schedule,
    .eval = natural_exp_decay_eval,
    .graph_nodes = by_stairs,
    .graph_rows = natural_exp_decay_graph,
    .graph_name = "NaturalExpDecay",
    .graph_arg_names = op_schedule_decay_graph_args,
};
