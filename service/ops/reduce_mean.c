/* reduce_mean(input_tensor, axis, keep_dims): the sum through the count. Floats are added in
 * float64 and rounded once; integers wrap in their own type, then divide towards zero. */
#include "service/expr/op_reduce.h"
#include "service/tensor/convert.h"
#include "store/base/check.h"
#include "store/base/scope.h"

static const struct op_graph_node graph_nodes[] = {
    {.name = "reduction_indices", .type = "Const"},
    {.name = "", .type = "Mean", .inputs = "$0 reduction_indices", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

/* Elements for each result. */
static uint64_t
count_each(const struct shape *shape, uint32_t axes)
{
    uint64_t count = 1;

    for (uint32_t i = 0; i < shape->rank; i++)
        count *= (axes >> i & 1) != 0 ? shape->dims[i] : 1;
    return count;
}

static enum err_code
reduce_mean_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct op_reduce_params *params = node->params;
    const struct tensor_type *from = &node->args[0]->type;
    struct op_axes axes;
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    TRY(op_infer_reduce(tree, node, err));
    axes = op_reduce_axes_of(node, &params->axis);
    if (!dtype_is_integer(from->dtype) || shape_count(&node->type.shape) == 0 ||
        count_each(&from->shape, axes.mask) > 0)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "integer division by zero: there are no elements in %s to take the mean of",
                   tensor_type_text(from, text));
}

static void
divide(const struct kernel_reduction *r, uint64_t count)
{
    double *doubles = (double *)(void *)r->results;
    int64_t *integers = (int64_t *)(void *)r->results;
    uint64_t *naturals = (uint64_t *)(void *)r->results;
    uint64_t parts = r->result_count * (r->wide == DTYPE_COMPLEX128 ? 2 : 1);

    for (uint64_t i = 0; i < parts; i++) {
        if (r->wide == DTYPE_INT64)
            integers[i] /= (int64_t)count;
        else if (r->wide == DTYPE_UINT64)
            naturals[i] /= count;
        else
            doubles[i] /= (double)count;
    }
}

static enum err_code
reduce_mean_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    const struct op_reduce_params *params = node->params;
    struct op_axes axes = op_reduce_axes_of(node, &params->axis);
    enum dtype dtype = node->type.dtype;
    AUTO(kernel_reduction) r = {0};

    TRY(op_reduce_run(e, node, KERNEL_REDUCE_SUM, KERNEL_REDUCE_PLAIN, axes.mask, &r, err));
    if (dtype_is_integer(dtype)) { /* the sum as the type holds it */
        kernel_reduction_finish(&r, dtype, out);
        tensor_cast(dtype, out, r.wide, r.results, r.result_count);
    }
    divide(&r, count_each(&node->args[0]->type.shape, axes.mask));
    kernel_reduction_finish(&r, dtype, out);
    return OK;
}

const struct op op_reduce_mean = {
    .name = "reduce_mean",
    .summary = "The mean of elements along dimensions; of integers, cut towards zero.",
    .attrs = op_reduce_attrs,
    .params_size = sizeof(struct op_reduce_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = op_reduce_arg_names,
    .dtypes = OP_DTYPES_NUMBER,
    .access = OP_ACCESS_RUNS,
    .graph_nodes = graph_nodes,
    .infer = reduce_mean_infer,
    .compute = reduce_mean_compute,
    .scratch_bytes = op_reduce_scratch,
    .operations = op_reduce_operations,
};
