/* Random ops: from the standard draw to the distribution asked for. Order and rounding of each step
 * are TensorFlow's, or the bits would not be; adding a mean of 0 is a step too (it makes -0 into
 * +0). Integers: minval + bits % (maxval - minval), slightly biased as TensorFlow's are. */
#include "service/expr/op_random.h"

#include <inttypes.h>
#include <math.h>

#include "service/tensor/convert.h"

enum { RANDOM_BLOCKS_PER_OUTPUT = 256 };

#define SHAPE_ROW(type) ATTR_SHAPE(type, shape, .required = true, .help = "shape of the result")
#define DTYPE_ROW(type)                                                                            \
    ATTR_DTYPE(type, dtype, .dtype_default = DTYPE_FLOAT32, .help = "element type of the result")
#define SEED_ROW(type) ATTR_SEED(type, seed, .help = "op seed")
#define MEAN_ROW       ATTR_F64(struct op_normal_params, mean, .help = "mean of the distribution")
#define STDDEV_ROW                                                                                 \
    ATTR_F64(struct op_normal_params, stddev, .f64_default = 1.0,                                  \
             .help = "standard deviation, before truncation")
#define MINVAL_ROW                                                                                 \
    ATTR_TENSOR(struct op_uniform_params, minval, .number_default = true, .i64_default = 0,        \
                .help = "least value, a scalar; 0 when not given")
#define MAXVAL_ROW                                                                                 \
    ATTR_TENSOR(struct op_uniform_params, maxval,                                                  \
                .help =                                                                            \
                    "upper bound, not reached, a scalar; 1 when not given, required for integers")

const struct attr_spec op_normal_attrs[] = {
    SHAPE_ROW(struct op_normal_params),
    MEAN_ROW,
    STDDEV_ROW,
    DTYPE_ROW(struct op_normal_params),
    SEED_ROW(struct op_normal_params),
    OP_RANDOM_RUN(struct op_normal_params),
    ATTR_END,
};

const struct attr_spec op_normal_initializer_attrs[] = {
    SHAPE_ROW(struct op_normal_params),
    MEAN_ROW,
    STDDEV_ROW,
    SEED_ROW(struct op_normal_params),
    DTYPE_ROW(struct op_normal_params),
    OP_RANDOM_RUN(struct op_normal_params),
    ATTR_END,
};

const struct attr_spec op_uniform_attrs[] = {
    SHAPE_ROW(struct op_uniform_params),
    MINVAL_ROW,
    MAXVAL_ROW,
    DTYPE_ROW(struct op_uniform_params),
    SEED_ROW(struct op_uniform_params),
    OP_RANDOM_RUN(struct op_uniform_params),
    ATTR_END,
};

const struct attr_spec op_uniform_initializer_attrs[] = {
    SHAPE_ROW(struct op_uniform_params),
    MINVAL_ROW,
    MAXVAL_ROW,
    SEED_ROW(struct op_uniform_params),
    DTYPE_ROW(struct op_uniform_params),
    OP_RANDOM_RUN(struct op_uniform_params),
    ATTR_END,
};

const struct op_graph_node op_uniform_nodes[] = {
    {.name = "shape", .type = "Const", .result = OP_GRAPH_TYPE_DIMS},
    {.name = "min", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "max", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "RandomUniform",
     .type = "RandomUniform",
     .inputs = "shape",
     .result = OP_GRAPH_TYPE_RESULT,
     .seeded = true},
    {.name = "sub", .type = "Sub", .inputs = "max min", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "mul", .type = "Mul", .inputs = "RandomUniform sub", .result = OP_GRAPH_TYPE_RESULT},
    {.name = "", .type = "Add", .inputs = "mul min", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL, .type = "random_uniform"},
};

static const struct op_graph_node uniform_integer_nodes[] = {
    {.name = "shape", .type = "Const", .result = OP_GRAPH_TYPE_DIMS},
    {.name = "min", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "max", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "",
     .type = "RandomUniformInt",
     .inputs = "shape min max",
     .result = OP_GRAPH_TYPE_RESULT,
     .seeded = true},
    {.name = NULL, .type = "random_uniform"},
};

const struct op_graph_node *
op_uniform_rows(const struct expr *node)
{
    const struct op_uniform_params *params = node->params;

    return dtype_is_integer(params->dtype) ? uniform_integer_nodes : op_uniform_nodes;
}

const struct op_graph_node op_normal_nodes[] = {
    {.name = "shape", .type = "Const", .result = OP_GRAPH_TYPE_DIMS},
    {.name = "mean", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "stddev", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "RandomStandardNormal",
     .type = "RandomStandardNormal",
     .inputs = "shape",
     .result = OP_GRAPH_TYPE_RESULT,
     .seeded = true},
    {.name = "mul",
     .type = "Mul",
     .inputs = "RandomStandardNormal stddev",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = "", .type = "Add", .inputs = "mul mean", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL, .type = "random_normal"},
};

const struct op_graph_node op_truncated_nodes[] = {
    {.name = "shape", .type = "Const", .result = OP_GRAPH_TYPE_DIMS},
    {.name = "mean", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "stddev", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "TruncatedNormal",
     .type = "TruncatedNormal",
     .inputs = "shape",
     .result = OP_GRAPH_TYPE_RESULT,
     .seeded = true},
    {.name = "mul",
     .type = "Mul",
     .inputs = "TruncatedNormal stddev",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = "", .type = "Add", .inputs = "mul mean", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL, .type = "truncated_normal"},
};

/* --- runs and streams ---------------------------------------------------------------------- */

enum err_code
op_random_check_blocks(const struct expr *node, int64_t run, uint64_t blocks, struct err *err)
{
    uint64_t base;

    if (!__builtin_mul_overflow((uint64_t)run, blocks, &base))
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "run: %" PRId64 " runs of %" PRIu64 " blocks of random numbers each are more "
                   "than 64 bits count",
                   run, blocks);
}

enum err_code
op_random_check_run(const struct expr *node, int64_t run, uint64_t outputs, struct err *err)
{
    uint64_t blocks;

    if (run == 0)
        return OK;
    if (__builtin_mul_overflow(outputs, RANDOM_BLOCKS_PER_OUTPUT, &blocks))
        blocks = UINT64_MAX;
    return op_random_check_blocks(node, run, blocks, err);
}

uint64_t
op_random_base(int64_t run, uint64_t outputs)
{
    return (uint64_t)run * outputs * RANDOM_BLOCKS_PER_OUTPUT;
}

struct random_stream
op_random_stream(enum random_kind kind, const struct expr *node, int64_t run)
{
    return (struct random_stream){
        .kind = kind,
        .dtype = node->type.dtype,
        .profile = node->profile,
        .seeds = node->seeds,
        .base_block = op_random_base(run, shape_count(&node->type.shape)),
    };
}

/* --- checks -------------------------------------------------------------------------------- */

enum err_code
op_random_check_float(const struct expr *node, enum dtype dtype, struct err *err)
{
    if (dtype_is_float(dtype))
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "Expected floating point type, got %s.",
                   dtype_name(dtype));
}

enum err_code
op_random_check_fits(const struct expr *node, const char *name, double value, enum dtype dtype,
                     struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];

    tensor_element_of_double(dtype, value, element);
    if (isfinite(tensor_element_as_double(dtype, element)))
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s: %.17g does not fit %s", name, value,
                   dtype_name(dtype));
}

/* --- scaling ------------------------------------------------------------------------------- */

/* values * scale + offset. */
static enum err_code
scale(enum dtype dtype, const void *factor, const void *offset, void *values, uint64_t count,
      struct err *err)
{
    struct kernel_operand all = {.data = values, .step = 1};

    TRY(kernel_binary(KERNEL_MULTIPLY, dtype, all, (struct kernel_operand){factor, 0}, values,
                      count, err));
    return kernel_binary(KERNEL_ADD, dtype, all, (struct kernel_operand){offset, 0}, values, count,
                         err);
}

enum err_code
op_random_normals(enum random_kind kind, const struct expr *node, int64_t run, double mean,
                  double stddev, uint64_t first, uint64_t count, void *out, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t offset[OP_ELEMENT_BYTES_MAX];
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t factor[OP_ELEMENT_BYTES_MAX];
    struct random_stream stream = op_random_stream(kind, node, run);

    tensor_element_of_double(stream.dtype, mean, offset);
    tensor_element_of_double(stream.dtype, stddev, factor);
    random_fill(&stream, first, count, out);
    return scale(stream.dtype, factor, offset, out, count, err);
}

/* low and high are elements. */
static enum err_code
uniforms_between(const struct expr *node, int64_t run, const void *low, const void *high,
                 uint64_t first, uint64_t count, void *out, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t span[OP_ELEMENT_BYTES_MAX];
    struct random_stream stream = op_random_stream(RANDOM_UNIFORM, node, run);

    TRY(kernel_binary(KERNEL_SUBTRACT, stream.dtype, (struct kernel_operand){high, 0},
                      (struct kernel_operand){low, 0}, span, 1, err));
    random_fill(&stream, first, count, out);
    return scale(stream.dtype, span, low, out, count, err);
}

enum err_code
op_random_uniforms(const struct expr *node, int64_t run, double low, double high, uint64_t first,
                   uint64_t count, void *out, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t from[OP_ELEMENT_BYTES_MAX];
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t to[OP_ELEMENT_BYTES_MAX];

    tensor_element_of_double(node->type.dtype, low, from);
    tensor_element_of_double(node->type.dtype, high, to);
    return uniforms_between(node, run, from, to, first, count, out, err);
}

/* --- normals ------------------------------------------------------------------------------- */

enum err_code
op_infer_normal(struct expr *node, struct err *err)
{
    const struct op_normal_params *params = node->params;

    TRY(op_check_dtype(node, params->dtype, err));
    TRY(op_random_check_fits(node, "mean", params->mean, params->dtype, err));
    TRY(op_random_check_fits(node, "stddev", params->stddev, params->dtype, err));
    TRY(op_random_check_run(node, params->run, shape_count(&params->shape.shape), err));
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = params->shape.shape};
    return OK;
}

enum err_code
op_eval_normal(enum random_kind kind, const struct expr *node, uint64_t first, uint64_t count,
               void *out, struct err *err)
{
    const struct op_normal_params *params = node->params;

    return op_random_normals(kind, node, params->run, params->mean, params->stddev, first, count,
                             out, err);
}

enum err_code
op_eval_random_normal(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                      void *out, struct err *err)
{
    (void)e;
    return op_eval_normal(RANDOM_NORMAL, node, first, count, out, err);
}

enum err_code
op_eval_truncated_normal(struct evaluator *e, const struct expr *node, uint64_t first,
                         uint64_t count, void *out, struct err *err)
{
    (void)e;
    return op_eval_normal(RANDOM_TRUNCATED_NORMAL, node, first, count, out, err);
}

/* --- uniforms ------------------------------------------------------------------------------ */

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
check_integers(const struct expr *node, const struct op_uniform_params *params, struct err *err)
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

enum err_code
op_infer_uniform(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct op_uniform_params *params = node->params;

    TRY(op_check_dtype(node, params->dtype, err));
    TRY(settle_bound(tree, node, "minval", &params->minval, params->dtype, err));
    TRY(settle_bound(tree, node, "maxval", &params->maxval, params->dtype, err));
    if (dtype_is_integer(params->dtype))
        TRY(check_integers(node, params, err));
    TRY(op_random_check_run(node, params->run, shape_count(&params->shape.shape), err));
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

enum err_code
op_eval_uniform(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                void *out, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t low[OP_ELEMENT_BYTES_MAX], high[OP_ELEMENT_BYTES_MAX];
    const struct op_uniform_params *params = node->params;
    struct random_stream stream;

    (void)e;
    if (dtype_is_integer(params->dtype)) {
        stream = op_random_stream(RANDOM_UNIFORM, node, params->run);
        stream.low = integer_of(&params->minval, 0);
        stream.high = integer_of(&params->maxval, 0);
        random_fill(&stream, first, count, out);
        return OK;
    }
    float_of(&params->minval, params->dtype, 0.0, low);
    float_of(&params->maxval, params->dtype, 1.0, high);
    return uniforms_between(node, params->run, low, high, first, count, out, err);
}
