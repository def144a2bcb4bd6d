/* inverse_time_decay(learning_rate, global_step, decay_steps, decay_rate, staircase):
 * learning_rate / (1 + decay_rate * (global_step / decay_steps)). */
#include "service/expr/op_schedule.h"

static enum err_code
inverse_time_decay_eval(struct evaluator *e, const struct expr *node, uint64_t first,
                        uint64_t count, void *out, struct err *err)
{
    const struct op_schedule_decay_params *params = node->params;
    struct op_schedule_number progress, rate, one;

    (void)first;
    (void)count; /* a scalar has one element */
    TRY(op_schedule_progress(e, node, params->staircase, &progress, err));
    TRY(op_schedule_arg(e, node, OP_SCHEDULE_DECAY_RATE, &rate, err));
    TRY(op_schedule_binary(node, KERNEL_MULTIPLY, &rate, &progress, &progress, err));
    op_schedule_constant(node, 1, &one);
    TRY(op_schedule_binary(node, KERNEL_ADD, &one, &progress, &progress, err));
    TRY(op_schedule_arg(e, node, OP_SCHEDULE_LEARNING_RATE, &rate, err));
    TRY(op_schedule_binary(node, KERNEL_DIVIDE, &rate, &progress, &rate, err));
    memcpy(out, rate.bytes, dtype_size(node->type.dtype));
    return OK;
}

/* The one is made as an integer, and cast. */
static const struct op_graph_node smooth[] = {
    OP_SCHEDULE_GRAPH_DECAY,
    {.name = "Const", .type = "Const"},
    OP_SCHEDULE_NODE("Cast_3", "Cast", "Const"),
    OP_SCHEDULE_NODE("Mul", "Mul", "Cast_2 truediv"),
    OP_SCHEDULE_NODE("Add", "Add", "Cast_3 Mul"),
    OP_SCHEDULE_NODE("", "RealDiv", "$0 Add"),
    {.name = NULL},
};

static const struct op_graph_node by_stairs[] = {
    OP_SCHEDULE_GRAPH_DECAY,
    OP_SCHEDULE_GRAPH_FLOOR,
    {.name = "Const", .type = "Const"},
    OP_SCHEDULE_NODE("Cast_3", "Cast", "Const"),
    OP_SCHEDULE_NODE("Mul", "Mul", "Cast_2 Floor"),
    OP_SCHEDULE_NODE("Add", "Add", "Cast_3 Mul"),
    OP_SCHEDULE_NODE("", "RealDiv", "$0 Add"),
    {.name = NULL},
};

static const struct op_graph_node *
inverse_time_decay_graph(const struct expr *node)
{
    const struct op_schedule_decay_params *params = node->params;

    return params->staircase ? by_stairs : smooth;
}

const struct op op_inverse_time_decay = {
    .name = "inverse_time_decay",
    .summary = "A learning rate divided by 1 + decay_rate * global_step / decay_steps.",
    .attrs = op_schedule_decay_attrs,
    .params_size = sizeof(struct op_schedule_decay_params),
    .args_min = OP_SCHEDULE_DECAY_ARGS,
    .args_max = OP_SCHEDULE_DECAY_ARGS,
    .arg_names = op_schedule_decay_arg_names,
    .dtypes = OP_DTYPES_FLOAT,
    .arg_dtypes = OP_DTYPES_REAL,
    .infer = op_infer_schedule,
    .eval = inverse_time_decay_eval,
    .graph_nodes = by_stairs,
    .graph_rows = inverse_time_decay_graph,
    .graph_name = "InverseTimeDecay",
    .graph_arg_names = op_schedule_decay_graph_args,
};
