/* polynomial_decay(learning_rate, global_step, decay_steps, end_learning_rate, power, cycle):
 * (learning_rate - end_learning_rate) * (1 - global_step / decay_steps) ^ power +
 * end_learning_rate. Past decay_steps it stays at the end; with `cycle` decay_steps becomes its
 * first multiple that the step has not passed. At step 0 that multiple is 1, as in TensorFlow from
 * 1.2 on: r1.0 takes 0, and its rate there is NaN. */
#include "service/expr/op_schedule.h"
#include "service/tensor/convert.h"

struct polynomial_decay_params {
    double end_learning_rate;
    double power;
    bool cycle;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct polynomial_decay_params, end_learning_rate, .f64_default = 0.0001,
             .help = "the learning rate at the end"),
    ATTR_F64(struct polynomial_decay_params, power, .f64_default = 1.0,
             .help = "of the polynomial; 1: a straight line"),
    ATTR_BOOL(struct polynomial_decay_params, cycle,
              .help = "rise again after decay_steps, and decay over a longer stretch"),
    ATTR_END,
};

static const char *const arg_names[] = {"learning_rate", "global_step", "decay_steps"};
static const char *const graph_args[] = {"learning_rate", "Cast/x", "Cast_1/x"};

enum { POLYNOMIAL_ARGS = 3 };

/* decay_steps times ceil(global_step / decay_steps). */
static enum err_code
lengthen(const struct expr *node, const struct op_schedule_number *global_step,
         struct op_schedule_number *decay_steps, struct err *err)
{
    struct op_schedule_number multiplier;

    TRY(op_schedule_binary(node, KERNEL_DIVIDE, global_step, decay_steps, &multiplier, err));
    op_schedule_ceil(node, &multiplier);
    if (tensor_element_as_double(node->type.dtype, multiplier.bytes) == 0)
        return OK;
    return op_schedule_binary(node, KERNEL_MULTIPLY, decay_steps, &multiplier, decay_steps, err);
}

static enum err_code
polynomial_decay_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                      void *out, struct err *err)
{
    const struct polynomial_decay_params *params = node->params;
    struct op_schedule_number step, decay_steps, rate, end, power, factor;

    (void)first;
    (void)count; /* a scalar has one element */
    TRY(op_schedule_steps(e, node, &step, &decay_steps, err));
    TRY(op_schedule_arg(e, node, OP_SCHEDULE_LEARNING_RATE, &rate, err));
    op_schedule_constant(node, params->end_learning_rate, &end);
    op_schedule_constant(node, params->power, &power);
    op_schedule_constant(node, 1, &factor);
    if (params->cycle)
        TRY(lengthen(node, &step, &decay_steps, err));
    else
        TRY(op_schedule_binary(node, KERNEL_MINIMUM, &step, &decay_steps, &step, err));
    TRY(op_schedule_binary(node, KERNEL_DIVIDE, &step, &decay_steps, &step, err));
    TRY(op_schedule_binary(node, KERNEL_SUBTRACT, &factor, &step, &factor, err));
    TRY(op_schedule_binary(node, KERNEL_POW, &factor, &power, &factor, err));
    TRY(op_schedule_binary(node, KERNEL_SUBTRACT, &rate, &end, &rate, err));
    TRY(op_schedule_binary(node, KERNEL_MULTIPLY, &rate, &factor, &rate, err));
    TRY(op_schedule_binary(node, KERNEL_ADD, &rate, &end, &rate, err));
    memcpy(out, rate.bytes, dtype_size(node->type.dtype));
    return OK;
}

/* --- TensorFlow's graph --------------------------------------------------------------------- */

#define GRAPH_CASTS                                                                                \
    OP_SCHEDULE_CAST("Cast", "$1"), OP_SCHEDULE_CAST("Cast_1", "$2"),                              \
        {.name = "Cast_2/x", .type = "Const"}, OP_SCHEDULE_CAST("Cast_2", "Cast_2/x"),             \
        {.name = "Cast_3/x", .type = "Const"}, OP_SCHEDULE_CAST("Cast_3", "Cast_3/x")

static const struct op_graph_node once[] = {
    GRAPH_CASTS,
    OP_SCHEDULE_NODE("Minimum", "Minimum", "Cast Cast_1"),
    OP_SCHEDULE_NODE("div", "RealDiv", "Minimum Cast_1"),
    OP_SCHEDULE_NODE("sub", "Sub", "$0 Cast_2"),
    OP_SCHEDULE_NODE("sub_1/x", "Const", NULL),
    OP_SCHEDULE_NODE("sub_1", "Sub", "sub_1/x div"),
    OP_SCHEDULE_NODE("Pow", "Pow", "sub_1 Cast_3"),
    OP_SCHEDULE_NODE("Mul", "Mul", "sub Pow"),
    OP_SCHEDULE_NODE("", "Add", "Mul Cast_2"),
    {.name = NULL},
};

static const struct op_graph_node again[] = {
    GRAPH_CASTS,
    OP_SCHEDULE_NODE("truediv", "RealDiv", "Cast Cast_1"),
    OP_SCHEDULE_NODE("Ceil", "Ceil", "truediv"),
    OP_SCHEDULE_NODE("Mul", "Mul", "Cast_1 Ceil"),
    OP_SCHEDULE_NODE("div", "RealDiv", "Cast Mul"),
    OP_SCHEDULE_NODE("sub", "Sub", "$0 Cast_2"),
    OP_SCHEDULE_NODE("sub_1/x", "Const", NULL),
    OP_SCHEDULE_NODE("sub_1", "Sub", "sub_1/x div"),
    OP_SCHEDULE_NODE("Pow", "Pow", "sub_1 Cast_3"),
    OP_SCHEDULE_NODE("Mul_1", "Mul", "sub Pow"),
    OP_SCHEDULE_NODE("", "Add", "Mul_1 Cast_2"),
    {.name = NULL},
};

static const struct op_graph_node *
polynomial_decay_graph(const struct expr *node)
{
    const struct polynomial_decay_params *params = node->params;

    return params->cycle ? again : once;
}

const struct op op_polynomial_decay = {
    .name = "polynomial_decay",
    .summary = "A learning rate that falls to end_learning_rate within decay_steps.",
    .attrs = attrs,
    .params_size = sizeof(struct polynomial_decay_params),
    .args_min = POLYNOMIAL_ARGS,
    .args_max = POLYNOMIAL_ARGS,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FLOAT,
    .arg_dtypes = OP_DTYPES_REAL,
    .infer = op_infer_schedule,
    .eval = polynomial_decay_eval,
    .graph_nodes = again,
    .graph_rows = polynomial_decay_graph,
    .graph_name = "PolynomialDecay",
    .graph_arg_names = graph_args,
};
