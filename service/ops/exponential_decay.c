/* exponential_decay(learning_rate, global_step, decay_steps, decay_rate, staircase):
 * learning_rate * decay_rate ^ (global_step / decay_steps). */
#include "service/expr/op_schedule.h"

static enum err_code
exponential_decay_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                       void *out, struct err *err)
{
    const struct op_schedule_decay_params *params = node->params;
    struct op_schedule_number progress, rate;

    (void)first;
    (void)count; /* a scalar has one element */
    TRY(op_schedule_progress(e, node, params->staircase, &progress, err));
    TRY(op_schedule_arg(e, node, OP_SCHEDULE_DECAY_RATE, &rate, err));
    TRY(op_schedule_binary(node, KERNEL_POW, &rate, &progress, &progress, err));
    TRY(op_schedule_arg(e, node, OP_SCHEDULE_LEARNING_RATE, &rate, err));
    TRY(op_schedule_binary(node, KERNEL_MULTIPLY, &rate, &progress, &rate, err));
    memcpy(out, rate.bytes, dtype_size(node->type.dtype));
    return OK;
}

static const struct op_graph_node smooth[] = {
    OP_SCHEDULE_GRAPH_DECAY,
    OP_SCHEDULE_NODE("Pow", "Pow", "Cast_2 truediv"),
    OP_SCHEDULE_NODE("", "Mul", "$0 Pow"),
    {.name = NULL},
};

static const struct op_graph_node by_stairs[] = {
    OP_SCHEDULE_GRAPH_DECAY,
    OP_SCHEDULE_GRAPH_FLOOR,
    OP_SCHEDULE_NODE("Pow", "Pow", "Cast_2 Floor"),
    OP_SCHEDULE_NODE("", "Mul", "$0 Pow"),
    {.name = NULL},
};

static const struct op_graph_node *
exponential_decay_graph(const struct expr *node)
{
    const struct op_schedule_decay_params *params = node->params;

    return params->staircase ? by_stairs : smooth;
}

const struct op op_exponential_decay = {
    .name = "exponential_decay",
    .summary = "A learning rate that falls by a factor: times decay_rate every decay_steps.",
    .attrs = op_schedule_decay_attrs,
    .params_size = sizeof(struct op_schedule_decay_params),
    .args_min = OP_SCHEDULE_DECAY_ARGS,
    .args_max = OP_SCHEDULE_DECAY_ARGS,
    .arg_names = op_schedule_decay_arg_names,
    .dtypes = OP_DTYPES_FLOAT,
    .arg_dtypes = OP_DTYPES_REAL,
    .infer = op_infer_schedule,
    .eval = exponential_decay_eval,
    .graph_nodes = by_stairs,
    .graph_rows = exponential_decay_graph,
    .graph_name = "ExponentialDecay",
    .graph_arg_names = op_schedule_decay_graph_args,
};
