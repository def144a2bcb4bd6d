/* random_gamma(shape, alpha, beta, dtype, seed): `shape` samples for each of the parameters alpha
 * and beta, which are broadcast to each other; the result's shape is the one after the other.
 * Output (parameter, sample) has its own blocks of the stream. */
#include "service/expr/op_random.h"

#include <inttypes.h>

#include "service/tensor/convert.h"

struct random_gamma_params {
    struct attr_shape shape;
    enum dtype dtype;
    struct attr_seed seed;
    int64_t run;
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct random_gamma_params, shape, .required = true,
               .help = "shape of the samples of each alpha"),
    ATTR_DTYPE(struct random_gamma_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_SEED(struct random_gamma_params, seed, .help = "op seed"),
    OP_RANDOM_RUN(struct random_gamma_params),
    ATTR_END,
};

static const char *const arg_names[] = {"alpha", "beta"};

static enum err_code
settle_arg(struct expr_tree *tree, struct expr *node, uint32_t index, enum dtype dtype,
           struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    struct err inner = ERR_INIT;

    if (op_settle(tree, node->args[index], dtype, &inner) != OK)
        return op_fail(node, inner.code, err, "%s: %s", arg_names[index], inner.text);
    if (node->args[index]->type.dtype == dtype)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s is %s, dtype is %s", arg_names[index],
                   tensor_type_text(&node->args[index]->type, text), dtype_name(dtype));
}

/* TensorFlow r1.0 refuses what has no elements. */
static enum err_code
check_elements(const struct expr *node, const char *what, const struct shape *shape,
               struct err *err)
{
    char text[SHAPE_TEXT_BYTES_MAX];

    if (shape_count(shape) > 0)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "Input %s should have non-zero element count, got: 0 (%s)", what,
                   shape_text(shape, text));
}

static enum err_code
random_gamma_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct random_gamma_params *params = node->params;
    struct shape shape = params->shape.shape, each = {0};
    struct err inner = ERR_INIT;

    TRY(op_check_dtype(node, params->dtype, err));
    for (uint32_t i = 0; i < node->arg_count; i++)
        TRY(settle_arg(tree, node, i, params->dtype, err));
    each = node->args[0]->type.shape;
    if (node->arg_count == 2 && shape_broadcast(&node->args[0]->type.shape,
                                                &node->args[1]->type.shape, &each, &inner) != OK)
        return op_wrap(node, &inner, err);
    TRY(check_elements(node, "shape", &shape, err));
    TRY(check_elements(node, "alpha", &each, err));
    if (shape.rank + each.rank > SHAPE_RANK_MAX)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "shape has %" PRIu32 " dimensions, alpha has %" PRIu32
                       ", together %d are possible",
                       shape.rank, each.rank, SHAPE_RANK_MAX);
    for (uint32_t i = 0; i < each.rank; i++)
        shape.dims[shape.rank++] = each.dims[i];
    if (shape_check(&shape, &inner) != OK)
        return op_wrap(node, &inner, err);
    TRY(op_random_check_run(node, params->run, shape_count(&shape), err));
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = shape};
    return OK;
}

static enum err_code
random_gamma_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                  void *out, struct err *err)
{
    const struct random_gamma_params *params = node->params;
    const struct random_stream stream = op_random_stream(RANDOM_UNIFORM, node, params->run);
    const uint64_t samples = shape_count(&params->shape.shape);
    const uint64_t alphas = shape_count(&node->type.shape) / samples;
    const uint32_t size = dtype_size(node->type.dtype);
    struct kernel_operand alpha, beta;

    TRY(op_arg_broadcast(e, node, 0, first, count, NULL, &alpha, err));
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t index = (first + i) % alphas * samples + (first + i) / alphas;
        const double a = tensor_element_as_double(node->type.dtype, (const uint8_t *)alpha.data +
                                                                        i * alpha.step * size);

        if (!(a > 0)) /* the method would never come to an end */
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "alpha must be positive, got %.17g for element %" PRIu64, a, first + i);
        tensor_element_of_double(node->type.dtype, random_gamma(&stream, index, a),
                                 (uint8_t *)out + i * size);
    }
    if (node->arg_count == 1)
        return OK;
    TRY(op_arg_broadcast(e, node, 1, first, count, NULL, &beta, err));
    return kernel_binary(KERNEL_DIVIDE, node->type.dtype,
                         (struct kernel_operand){.data = out, .step = 1}, beta, out, count, err);
}

/* alpha gets the shape of both: alpha + zeros_like(beta). */
static const struct op_graph_node graph_nodes[] = {
    {.name = "shape", .type = "Const"},
    {.name = "zeros_like", .type = "ZerosLike", .inputs = "$1"},
    {.name = "add", .type = "Add", .inputs = "$0 zeros_like"},
    {.name = "RandomGamma",
     .type = "RandomGamma",
     .inputs = "shape add",
     .result = OP_GRAPH_TYPE_RESULT,
     .seeded = true},
    {.name = "truediv",
     .type = "RealDiv",
     .inputs = "RandomGamma $1",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node nodes_without_beta[] = {
    {.name = "shape", .type = "Const"},
    {.name = "beta", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "zeros_like", .type = "ZerosLike", .inputs = "beta", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "add", .type = "Add", .inputs = "$0 zeros_like"},
    {.name = "RandomGamma",
     .type = "RandomGamma",
     .inputs = "shape add",
     .result = OP_GRAPH_TYPE_RESULT,
     .seeded = true},
    {.name = "truediv",
     .type = "RealDiv",
     .inputs = "RandomGamma beta",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node *
graph_rows(const struct expr *node)
{
    return node->arg_count == 1 ? nodes_without_beta : graph_nodes;
}

const struct op op_random_gamma = {
    .name = "random_gamma",
    .summary = "Numbers of the gamma distribution of shape alpha and rate beta.",
    .attrs = attrs,
    .params_size = sizeof(struct random_gamma_params),
    .args_min = 1,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPE(FLOAT16) | OP_DTYPE(FLOAT32) | OP_DTYPE(FLOAT64),
    .random = true,
    .graph_nodes = graph_nodes,
    .graph_rows = graph_rows,
    .infer = random_gamma_infer,
    .eval = random_gamma_eval,
};
