/* norm(tensor, ord, axis, keep_dims): of vectors, and of matrices where axis names two dimensions:
 * then 1 is the greatest sum of a column's absolute values, inf that of a row's, and 2 is refused
 * as in r1.0. Computed in float64, rounded once. */
#include <math.h>

#include "service/expr/op_reduce.h"
#include "store/base/scope.h"

/* Infinity is inf as the wire writes numbers that are not finite. */
enum ord { ORD_EUCLIDEAN, ORD_FRO, ORD_1, ORD_2, ORD_INF, ORD_INFINITY };

struct norm_params {
    int64_t ord;
    struct attr_ints axis;
    bool keep_dims;
};

static const char *const ords[] = {"euclidean", "fro", "1", "2", "inf", "Infinity", NULL};

static const struct attr_spec attrs[] = {
    ATTR_CHOICE(struct norm_params, ord, .choices = ords,
                .help = "euclidean (fro, 2), 1 or inf; of matrices euclidean (fro), 1 or inf"),
    ATTR_INTS(struct norm_params, axis,
              .help = "one dimension: norms of vectors; a list of two: of matrices; all elements "
                      "are one vector when not given"),
    ATTR_BOOL(struct norm_params, keep_dims, .help = "whether reduced dimensions stay, of size 1"),
    ATTR_END,
};

static const char *const arg_names[] = {"tensor"};
static const struct op_graph_node graph_nodes[] = {
    {.name = "Square", .type = "Square", .inputs = "$0"},
    {.name = "Const", .type = "Const"},
    {.name = "Sum", .type = "Sum", .inputs = "Square Const"},
    {.name = "Sqrt", .type = "Sqrt", .inputs = "Sum"},
    {.name = "Squeeze", .type = "Squeeze", .inputs = "Sqrt", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static bool
is_euclidean(const struct norm_params *params)
{
    return params->ord == ORD_EUCLIDEAN || params->ord == ORD_FRO || params->ord == ORD_2;
}

static bool
is_greatest(const struct norm_params *params)
{
    return params->ord == ORD_INF || params->ord == ORD_INFINITY;
}

static enum err_code
norm_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct norm_params *params = node->params;
    const struct tensor_type *from = &node->args[0]->type;
    struct op_axes axes;

    (void)tree;
    TRY(op_check_arg_dtype(node, 0, err));
    if (params->axis.given && params->axis.count != 1 && params->axis.count != 2)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "'axis' must be None, an integer, or a tuple of 2 unique integers, got a "
                       "list of %u",
                       (unsigned)params->axis.count);
    TRY(op_reduce_axes(node, &params->axis, &axes, err));
    if (params->axis.given && axes.count == 2 && params->ord == ORD_2)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "'ord' must be a supported matrix norm in ['euclidean', 'fro', 1, inf], "
                       "got 2");
    node->type =
        (struct tensor_type){.dtype = dtype_real(from->dtype),
                             .shape = op_axes_removed(&axes, &from->shape, params->keep_dims)};
    return OK;
}

/* Sums of absolute values along one dimension of the matrices, the greatest of them along the
 * other. */
struct matrix_axes {
    uint32_t sum, greatest; /* masks */
};

static struct matrix_axes
matrix_axes_of(const struct norm_params *params, const struct op_axes *axes)
{
    uint32_t first = 1u << axes->axes[0], second = 1u << axes->axes[1];

    return params->ord == ORD_1 ? (struct matrix_axes){first, second}
                                : (struct matrix_axes){second, first};
}

/* The sums with the dimension they were taken along at 1, so that dimensions keep their numbers. */
static struct tensor_type
sums_type(const struct expr *node, uint32_t mask)
{
    struct tensor_type type = {.dtype = DTYPE_FLOAT64, .shape = node->args[0]->type.shape};

    for (uint32_t i = 0; i < type.shape.rank; i++)
        if ((mask >> i & 1) != 0)
            type.shape.dims[i] = 1;
    return type;
}

static bool
in_two_steps(const struct norm_params *params, const struct op_axes *axes)
{
    return params->axis.given && axes->count == 2 && !is_euclidean(params);
}

/* A norm of no elements is 0, greatest values too. */
static void
raise_to_zero(struct kernel_reduction *r)
{
    double *values = (double *)(void *)r->results;

    for (uint64_t i = 0; i < r->result_count; i++)
        values[i] = values[i] < 0 ? 0 : values[i];
}

static enum err_code
norm_of_matrices(struct evaluator *e, const struct expr *node, const struct op_axes *axes,
                 void *out, struct err *err)
{
    struct matrix_axes masks = matrix_axes_of(node->params, axes);
    struct tensor_type type = sums_type(node, masks.sum);
    AUTO(kernel_reduction) sums = {0};
    AUTO(kernel_reduction) greatest = {0};

    TRY(op_reduce_run(e, node, KERNEL_REDUCE_SUM, KERNEL_REDUCE_ABS, masks.sum, &sums, err));
    TRY(kernel_reduction_init(&greatest, KERNEL_REDUCE_MAX, KERNEL_REDUCE_PLAIN, &type,
                              masks.greatest, err));
    kernel_reduction_feed(&greatest, sums.results, sums.result_count);
    raise_to_zero(&greatest);
    kernel_reduction_finish(&greatest, node->type.dtype, out);
    return OK;
}

static enum err_code
norm_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    const struct norm_params *params = node->params;
    struct op_axes axes = op_reduce_axes_of(node, &params->axis);
    enum kernel_reduce kind = is_greatest(params) ? KERNEL_REDUCE_MAX : KERNEL_REDUCE_SUM;
    AUTO(kernel_reduction) r = {0};

    if (in_two_steps(params, &axes))
        return norm_of_matrices(e, node, &axes, out, err);
    TRY(op_reduce_run(e, node, kind,
                      is_euclidean(params) ? KERNEL_REDUCE_SQUARE : KERNEL_REDUCE_ABS, axes.mask,
                      &r, err));
    raise_to_zero(&r);
    for (uint64_t i = 0; is_euclidean(params) && i < r.result_count; i++)
        ((double *)(void *)r.results)[i] = sqrt(((double *)(void *)r.results)[i]);
    kernel_reduction_finish(&r, node->type.dtype, out);
    return OK;
}

static uint64_t
norm_scratch(const struct expr *node)
{
    const struct norm_params *params = node->params;
    struct op_axes axes = op_reduce_axes_of(node, &params->axis);
    uint64_t bytes = op_reduce_piece_bytes(node);
    struct matrix_axes masks;
    struct tensor_type type;

    if (!in_two_steps(params, &axes))
        return bytes + kernel_reduction_bytes(&node->args[0]->type, axes.mask, KERNEL_REDUCE_ABS);
    masks = matrix_axes_of(params, &axes);
    type = sums_type(node, masks.sum);
    return bytes + kernel_reduction_bytes(&node->args[0]->type, masks.sum, KERNEL_REDUCE_ABS) +
           kernel_reduction_bytes(&type, masks.greatest, KERNEL_REDUCE_PLAIN);
}

const struct op op_norm = {
    .name = "norm",
    .summary = "The norm of vectors or matrices.",
    .attrs = attrs,
    .params_size = sizeof(struct norm_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FLOAT,
    .arg_dtypes = OP_DTYPES_FLOAT | OP_DTYPE(COMPLEX64) | OP_DTYPE(COMPLEX128),
    .access = OP_ACCESS_RUNS,
    .graph_nodes = graph_nodes,
    .infer = norm_infer,
    .compute = norm_compute,
    .scratch_bytes = norm_scratch,
    .operations = op_reduce_operations,
};
