/* argmax(input, axis): place of the greatest element along one dimension. */
#include "service/expr/op_argminmax.h"

static const struct op_graph_node graph_nodes[] = {
    {.name = "dimension", .type = "Const"},
    {.name = "", .type = "ArgMax", .inputs = "$0 dimension", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static enum err_code
argmax_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    return op_compute_argminmax(e, node, false, out, err);
}

const struct op op_argmax = {
    .name = "argmax",
    .summary = "The place of the greatest element along one dimension, the first of equal ones.",
    .attrs = op_argminmax_attrs,
    .params_size = sizeof(struct op_argminmax_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = op_argminmax_arg_names,
    .dtypes = OP_DTYPE(INT64),
    .arg_dtypes = OP_DTYPES_REAL,
    .access = OP_ACCESS_RUNS,
    .graph_nodes = graph_nodes,
    .infer = op_infer_argminmax,
    .compute = argmax_compute,
    .scratch_bytes = op_argminmax_scratch,
    .operations = op_reduce_operations,
};
