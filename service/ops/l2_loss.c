/* l2_loss(t): sum(t ** 2) / 2, in float64, rounded once. */
#include "service/expr/op_reduce.h"
#include "store/base/scope.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"t"};

static enum err_code
l2_loss_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    TRY(op_check_arg_dtype(node, 0, err));
    node->type = (struct tensor_type){.dtype = node->args[0]->type.dtype};
    return OK;
}

static enum err_code
l2_loss_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    AUTO(kernel_reduction) r = {0};

    TRY(op_reduce_run(e, node, KERNEL_REDUCE_SUM, KERNEL_REDUCE_SQUARE, UINT32_MAX, &r, err));
    *(double *)(void *)r.results /= 2;
    kernel_reduction_finish(&r, node->type.dtype, out);
    return OK;
}

static uint64_t
l2_loss_scratch(const struct expr *node)
{
    return op_reduce_piece_bytes(node) +
           kernel_reduction_bytes(&node->args[0]->type, UINT32_MAX, KERNEL_REDUCE_SQUARE);
}

const struct op op_l2_loss = {
    .name = "l2_loss",
    .summary = "Half the sum of the squares of all elements.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FLOAT,
    .access = OP_ACCESS_RUNS,
    .graph_type = "L2Loss",
    .infer = l2_loss_infer,
    .compute = l2_loss_compute,
    .scratch_bytes = l2_loss_scratch,
    .operations = op_reduce_operations,
};
