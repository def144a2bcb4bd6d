/* abs(x): without the sign; of complex numbers the length, in the type of their parts. Integers
 * wrap. */
#include "service/expr/op_elementwise.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x"};

static const struct op_graph_node graph_of_real[] = {
    {.name = "", .type = "Abs", .inputs = "$0", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};
static const struct op_graph_node graph_of_complex[] = {
    {.name = "", .type = "ComplexAbs", .inputs = "$0", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node *
abs_graph(const struct expr *node)
{
    return node->args[0]->type.dtype == node->type.dtype ? graph_of_real : graph_of_complex;
}

const struct op op_abs = {
    .name = "abs",
    .summary = "The absolute value; of a complex number its length.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_REAL,
    .arg_dtypes = OP_DTYPES_NUMBER,
    .infer = op_infer_unary,
    .eval = op_eval_unary,
    .constant = op_constant_unary,
    .kernel = KERNEL_ABS,
    .graph_rows = abs_graph,
    .graph_name = "Abs",
};
