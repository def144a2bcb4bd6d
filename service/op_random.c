/* Random ops: from the standard draw to the distribution asked for. Order and rounding of each step
 * are TensorFlow's, or the bits would not be; adding a mean of 0 is a step too (it makes -0 into
 * +0). */
#include "service/op_random.h"

#include <math.h>

#include "service/tensor/convert.h"

const struct attr_spec op_normal_attrs[] = {
    ATTR_SHAPE(struct op_normal_params, shape, .required = true, .help = "shape of the result"),
    ATTR_F64(struct op_normal_params, mean, .help = "mean of the distribution"),
    ATTR_F64(struct op_normal_params, stddev, .f64_default = 1.0,
             .help = "standard deviation, before truncation"),
    ATTR_DTYPE(struct op_normal_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_SEED(struct op_normal_params, seed, .help = "op seed"),
    ATTR_END,
};

struct random_stream
op_random_stream(enum random_kind kind, const struct expr *node)
{
    return (struct random_stream){
        .kind = kind,
        .dtype = node->type.dtype,
        .profile = RANDOM_PROFILE_R1_LINUX,
        .seeds = node->seeds,
    };
}

static enum err_code
check_fits(const struct expr *node, const char *name, double value, enum dtype dtype,
           struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];

    tensor_element_of_double(dtype, value, element);
    if (isfinite(tensor_element_as_double(dtype, element)))
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s: %.17g does not fit %s", name, value,
                   dtype_name(dtype));
}

enum err_code
op_infer_normal(enum random_kind kind, struct expr *node, struct err *err)
{
    const struct op_normal_params *params = node->params;

    TRY(op_check_dtype(node, params->dtype, err));
    if (!random_kind_known(kind, params->dtype))
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "dtype %s is not possible",
                       dtype_name(params->dtype));
    TRY(check_fits(node, "mean", params->mean, params->dtype, err));
    TRY(check_fits(node, "stddev", params->stddev, params->dtype, err));
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = params->shape.shape};
    return OK;
}

enum err_code
op_eval_normal(enum random_kind kind, const struct expr *node, uint64_t first, uint64_t count,
               void *out, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t mean[OP_ELEMENT_BYTES_MAX], stddev[OP_ELEMENT_BYTES_MAX];
    const struct op_normal_params *params = node->params;
    struct random_stream stream = op_random_stream(kind, node);
    struct kernel_operand all = {.data = out, .step = 1};
    enum dtype dtype = node->type.dtype;

    tensor_element_of_double(dtype, params->mean, mean);
    tensor_element_of_double(dtype, params->stddev, stddev);
    random_fill(&stream, first, count, out);
    TRY(kernel_binary(KERNEL_MULTIPLY, dtype, all, (struct kernel_operand){stddev, 0}, out, count,
                      err));
    return kernel_binary(KERNEL_ADD, dtype, all, (struct kernel_operand){mean, 0}, out, count, err);
}
