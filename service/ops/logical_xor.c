/* logical_xor(x, y): of bools, with broadcasting. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x", "y"};

/* Of either and not of both; TensorFlow r1.0 has no node for it. */
static const struct op_graph_node graph[] = {
    {.name = "LogicalOr", .type = "LogicalOr", .inputs = "$0 $1", .result = OP_GRAPH_TYPE_RESULT},
    {.name = "LogicalAnd", .type = "LogicalAnd", .inputs = "$0 $1", .result = OP_GRAPH_TYPE_RESULT},
    {.name = "LogicalNot",
     .type = "LogicalNot",
     .inputs = "LogicalAnd",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = "",
     .type = "LogicalAnd",
     .inputs = "LogicalOr LogicalNot",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

const struct op op_logical_xor = {
    .name = "logical_xor",
    .summary = "Whether just one is true, element by element, with broadcasting.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPE(BOOL),
    .infer = op_infer_binary,
    .eval = op_eval_binary,
    .constant = op_constant_binary,
    .kernel = KERNEL_XOR,
    .graph_nodes = graph,
    .graph_name = "LogicalXor",
};
