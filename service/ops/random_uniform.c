/* random_uniform(shape, minval, maxval, dtype, seed): numbers of [minval, maxval).
 * floats: u * (T(maxval) - T(minval)) + T(minval), each step rounded; integers: minval + bits %
 * (maxval - minval), slightly biased as TensorFlow's are. */
#include <inttypes.h>

#include "service/op_random.h"
#include "service/tensor/convert.h"

struct random_uniform_params {
    struct attr_shape shape;
    struct attr_tensor minval, maxval;
    enum dtype dtype;
    struct attr_seed seed;
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct random_uniform_params, shape, .required = true,
               .help = "shape of the result"),
    ATTR_TENSOR(struct random_uniform_params, minval,
                .help = "least value, a scalar; 0 when not given"),
    ATTR_TENSOR(struct random_uniform_params, maxval,
                .help =
                    "upper bound, not reached, a scalar; 1 when not given, required for integers"),
    ATTR_DTYPE(struct random_uniform_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_SEED(struct random_uniform_params, seed, .help = "op seed"),
    ATTR_END,
};

static enum err_code
settle_bound(struct expr_tree *tree, const struct expr *node, const char *name,
             struct attr_tensor *bound, enum dtype dtype, struct err *err)
{
    char text[SHAPE_TEXT_BYTES_MAX];

    if (!bound->given)
        return OK;
    if (bound->value.type.shape.rank != 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s must be a scalar, got shape %s", name,
                       shape_text(&bound->value.type.shape, text));
    return op_settle_attr(tree, node, name, bound, dtype, err);
}

/* int32 and int64 only. */
static int64_t
integer_of(const struct attr_tensor *bound, int64_t fallback)
{
    int32_t narrow;
    int64_t wide;

    if (!bound->given)
        return fallback;
    if (bound->settled.type.dtype == DTYPE_INT32) {
        memcpy(&narrow, bound->settled.data, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, bound->settled.data, sizeof wide);
    return wide;
}

static enum err_code
check_integers(const struct expr *node, const struct random_uniform_params *params, struct err *err)
{
    int64_t low = integer_of(&params->minval, 0), high = integer_of(&params->maxval, 0);

    if (!params->maxval.given)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "Must specify maxval for integer dtype %s",
                       dtype_name(params->dtype));
    if (low >= high)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Need minval < maxval, got %" PRId64 " >= %" PRId64, low, high);
    return OK;
}

static enum err_code
random_uniform_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct random_uniform_params *params = node->params;

    TRY(op_check_dtype(node, params->dtype, err));
    TRY(settle_bound(tree, node, "minval", &params->minval, params->dtype, err));
    TRY(settle_bound(tree, node, "maxval", &params->maxval, params->dtype, err));
    if (dtype_is_integer(params->dtype))
        TRY(check_integers(node, params, err));
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = params->shape.shape};
    return OK;
}

static void
float_of(const struct attr_tensor *bound, enum dtype dtype, double fallback, void *element)
{
    if (bound->given)
        memcpy(element, bound->settled.data, dtype_size(dtype));
    else
        tensor_element_of_double(dtype, fallback, element);
}

static enum err_code
scale(const struct random_uniform_params *params, void *values, uint64_t count, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t low[OP_ELEMENT_BYTES_MAX], span[OP_ELEMENT_BYTES_MAX];
    enum dtype dtype = params->dtype;
    struct kernel_operand all = {.data = values, .step = 1};

    float_of(&params->minval, dtype, 0.0, low);
    float_of(&params->maxval, dtype, 1.0, span);
    TRY(kernel_binary(KERNEL_SUBTRACT, dtype, (struct kernel_operand){span, 0},
                      (struct kernel_operand){low, 0}, span, 1, err));
    TRY(kernel_binary(KERNEL_MULTIPLY, dtype, all, (struct kernel_operand){span, 0}, values, count,
                      err));
    return kernel_binary(KERNEL_ADD, dtype, all, (struct kernel_operand){low, 0}, values, count,
                         err);
}

static enum err_code
random_uniform_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                    void *out, struct err *err)
{
    const struct random_uniform_params *params = node->params;
    struct random_stream stream = op_random_stream(RANDOM_UNIFORM, node);

    (void)e;
    if (dtype_is_integer(params->dtype)) {
        stream.low = integer_of(&params->minval, 0);
        stream.high = integer_of(&params->maxval, 0);
    }
    random_fill(&stream, first, count, out);
    return dtype_is_integer(params->dtype) ? OK : scale(params, out, count, err);
}

const struct op op_random_uniform = {
    .name = "random_uniform",
    .summary = "Uniformly distributed numbers from minval up to, not including, maxval.",
    .attrs = attrs,
    .params_size = sizeof(struct random_uniform_params),
    .dtypes = OP_DTYPES_FLOAT | OP_DTYPE(INT32) | OP_DTYPE(INT64),
    .random = true,
    .infer = random_uniform_infer,
    .eval = random_uniform_eval,
};
