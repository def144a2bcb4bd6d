/* clip_by_norm(t, clip_norm, axes): (t * clip_norm) * min(1 / norm(t), 1 / clip_norm), in r1.0's
 * order, each step rounded to t's type; the sum of squares alone is float64's. */
#include <float.h>
#include <math.h>

#include "service/expr/op_layout.h"
#include "service/expr/op_reduce.h"
#include "service/tensor/convert.h"
#include "store/base/scope.h"

struct clip_by_norm_params {
    double clip_norm;
    struct attr_ints axes;
};

static const struct attr_spec attrs[] = {
    ATTR_F64(struct clip_by_norm_params, clip_norm, .required = true, .f64_min = DBL_TRUE_MIN,
             .f64_max = DBL_MAX, .help = "the greatest norm the result may have"),
    ATTR_INTS(struct clip_by_norm_params, axes,
              .help = "dimensions to take each norm along; all when not given"),
    ATTR_END,
};

static const char *const arg_names[] = {"t"};
static const struct op_graph_node graph_nodes[] = {
    {.name = "mul", .type = "Mul", .inputs = "$0 $0", .result = OP_GRAPH_TYPE_RESULT},
    {.name = "Const", .type = "Const"},
    {.name = "Sum", .type = "Sum", .inputs = "mul Const"},
    {.name = "Rsqrt", .type = "Rsqrt", .inputs = "Sum"},
    {.name = "mul_1/y", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "mul_1", .type = "Mul", .inputs = "$0 mul_1/y", .result = OP_GRAPH_TYPE_RESULT},
    {.name = "Const_1", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "truediv/y", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "truediv",
     .type = "RealDiv",
     .inputs = "Const_1 truediv/y",
     .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "Minimum", .type = "Minimum", .inputs = "Rsqrt truediv"},
    {.name = "mul_2", .type = "Mul", .inputs = "mul_1 Minimum", .result = OP_GRAPH_TYPE_RESULT},
    {.name = "", .type = "Identity", .inputs = "mul_2", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static enum err_code
clip_by_norm_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct clip_by_norm_params *params = node->params;
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];
    enum dtype dtype = node->args[0]->type.dtype;
    struct op_axes axes;
    double rounded;

    (void)tree;
    TRY(op_check_arg_dtype(node, 0, err));
    TRY(op_reduce_axes(node, &params->axes, &axes, err));
    tensor_element_of_double(dtype, params->clip_norm, element);
    rounded = tensor_element_as_double(dtype, element);
    if (!isfinite(rounded) || rounded == 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "clip_norm: %.17g does not fit %s",
                       params->clip_norm, dtype_name(dtype));
    node->type = node->args[0]->type;
    return OK;
}

/* Sums of squares become factors of dtype: min(1 / sqrt(sum), 1 / clip_norm). */
static void
factors_of(struct kernel_reduction *r, double clip_norm, enum dtype dtype)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];
    uint32_t size = dtype_size(dtype);
    double limit;

    tensor_element_of_double(dtype, clip_norm, element);
    tensor_element_of_double(dtype, 1 / tensor_element_as_double(dtype, element), element);
    limit = tensor_element_as_double(dtype, element);
    for (uint64_t i = 0; i < r->result_count; i++) {
        double sum, inverse;

        memcpy(&sum, r->results + i * sizeof sum, sizeof sum);
        inverse = 1 / sqrt(sum);
        tensor_element_of_double(dtype, inverse > limit ? limit : inverse, r->results + i * size);
    }
}

/* Each element by the factor of the sum it went into. */
static enum err_code
scale(const struct expr *node, const struct kernel_reduction *r, const struct op_axes *axes,
      uint8_t *out, struct err *err)
{
    const struct shape *shape = &node->type.shape;
    struct shape kept = op_axes_removed(axes, shape, true);
    uint64_t count = shape_count(shape);
    uint32_t size = dtype_size(node->type.dtype);
    struct op_layout layout;
    struct op_layout_walk walk;

    op_layout_broadcast(&layout, &kept, shape);
    op_layout_start(&layout, 0, &walk);
    for (uint64_t done = 0; done < count;) {
        struct op_layout_run run = op_layout_next(&walk, count - done);
        struct kernel_operand all = {.data = out + done * size, .step = 1};
        struct kernel_operand factor = {.data = r->results + run.source * size,
                                        .step = (uint32_t)run.step};

        TRY(kernel_binary(KERNEL_MULTIPLY, node->type.dtype, all, factor, out + done * size,
                          run.count, err));
        done += run.count;
    }
    return OK;
}

static enum err_code
clip_by_norm_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    const struct clip_by_norm_params *params = node->params;
    struct op_axes axes = op_reduce_axes_of(node, &params->axes);
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t norm[OP_ELEMENT_BYTES_MAX];
    uint64_t count = shape_count(&node->type.shape);
    enum dtype dtype = node->type.dtype;
    AUTO(kernel_reduction) r = {0};

    TRY(op_arg_read(e, node, 0, 0, count, out, err));
    TRY(kernel_reduction_init(&r, KERNEL_REDUCE_SUM, KERNEL_REDUCE_SQUARE, &node->type, axes.mask,
                              err));
    kernel_reduction_feed(&r, out, count);
    factors_of(&r, params->clip_norm, dtype);
    tensor_element_of_double(dtype, params->clip_norm, norm);
    TRY(kernel_binary(KERNEL_MULTIPLY, dtype, (struct kernel_operand){out, 1},
                      (struct kernel_operand){norm, 0}, out, count, err));
    return scale(node, &r, &axes, out, err);
}

static uint64_t
clip_by_norm_scratch(const struct expr *node)
{
    const struct clip_by_norm_params *params = node->params;
    struct op_axes axes = op_reduce_axes_of(node, &params->axes);

    return kernel_reduction_bytes(&node->type, axes.mask, KERNEL_REDUCE_SQUARE);
}

const struct op op_clip_by_norm = {
    .name = "clip_by_norm",
    .summary = "The argument, scaled down to a norm where it has a greater one.",
    .attrs = attrs,
    .params_size = sizeof(struct clip_by_norm_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FLOAT,
    .access = OP_ACCESS_RUNS,
    .graph_nodes = graph_nodes,
    .infer = clip_by_norm_infer,
    .compute = clip_by_norm_compute,
    .scratch_bytes = clip_by_norm_scratch,
    .operations = op_reduce_operations,
};
