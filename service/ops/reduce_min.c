/* reduce_min(input_tensor, axis, keep_dims): minima; NaN where an element is, the type's greatest
 * value where there are none. */
#include "service/expr/op_reduce.h"

static const struct op_graph_node graph_nodes[] = {
    {.name = "reduction_indices", .type = "Const"},
    {.name = "", .type = "Min", .inputs = "$0 reduction_indices", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

const struct op op_reduce_min = {
    .name = "reduce_min",
    .summary = "The least element along dimensions; NaN where one is.",
    .attrs = op_reduce_attrs,
    .params_size = sizeof(struct op_reduce_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = op_reduce_arg_names,
    .dtypes = OP_DTYPES_REAL,
    .access = OP_ACCESS_RUNS,
    .kernel = KERNEL_REDUCE_MIN,
    .graph_nodes = graph_nodes,
    .infer = op_infer_reduce,
    .compute = op_compute_reduce,
    .scratch_bytes = op_reduce_scratch,
    .operations = op_reduce_operations,
};
