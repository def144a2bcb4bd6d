/* orthogonal_initializer(gain, dtype, seed): the orthogonal part of the singular value
 * decomposition of a uniformly drawn matrix, as r1.0 makes it: u where there are more rows than
 * columns, else v transposed; rows are all dimensions but the last. The draw is TensorFlow's own,
 * bit for bit; signs of rows or columns are up to the decomposition. Decomposed in float64, so that
 * a float32 result is orthogonal up to its own rounding. */
#include "service/expr/op_linear.h"
#include "service/expr/op_random.h"
#include "service/tensor/convert.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

struct orthogonal_params {
    struct attr_shape shape;
    double gain;
    enum dtype dtype;
    struct attr_seed seed;
    int64_t run;
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct orthogonal_params, shape, .required = true, .help = "shape of the result"),
    ATTR_F64(struct orthogonal_params, gain, .f64_default = 1.0,
             .help = "what the orthogonal matrix is multiplied by"),
    ATTR_DTYPE(struct orthogonal_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_SEED(struct orthogonal_params, seed, .help = "op seed"),
    OP_RANDOM_RUN(struct orthogonal_params),
    ATTR_END,
};

#define DRAW_AND_SVD                                                                               \
    {.name = "random_uniform/shape", .type = "Const"},                                             \
        {.name = "random_uniform/min", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},           \
        {.name = "random_uniform/max", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},           \
        {.name = "random_uniform/RandomUniform",                                                   \
         .type = "RandomUniform",                                                                  \
         .inputs = "random_uniform/shape",                                                         \
         .seeded = true},                                                                          \
        {.name = "random_uniform/sub",                                                             \
         .type = "Sub",                                                                            \
         .inputs = "random_uniform/max random_uniform/min",                                        \
         .result = OP_GRAPH_TYPE_SCALAR},                                                          \
        {.name = "random_uniform/mul",                                                             \
         .type = "Mul",                                                                            \
         .inputs = "random_uniform/RandomUniform random_uniform/sub"},                             \
        {.name = "random_uniform",                                                                 \
         .type = "Add",                                                                            \
         .inputs = "random_uniform/mul random_uniform/min"},                                       \
    {                                                                                              \
        .name = "Svd", .type = "Svd", .inputs = "random_uniform"                                   \
    }

static const struct op_graph_node graph_nodes[] = {
    DRAW_AND_SVD,
    {.name = "Reshape/shape", .type = "Const", .result = OP_GRAPH_TYPE_DIMS},
    {.name = "Reshape",
     .type = "Reshape",
     .inputs = "Svd:1 Reshape/shape",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = "mul/x", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "mul", .type = "Mul", .inputs = "mul/x Reshape", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL, .type = ""},
};

/* Of a matrix that is not tall the other side is taken, transposed. */
static const struct op_graph_node transposed_nodes[] = {
    DRAW_AND_SVD,
    {.name = "transpose/Rank", .type = "Rank", .inputs = "Svd:2"},
    {.name = "transpose/sub/y", .type = "Const"},
    {.name = "transpose/sub", .type = "Sub", .inputs = "transpose/Rank transpose/sub/y"},
    {.name = "transpose/Range/start", .type = "Const"},
    {.name = "transpose/Range/delta", .type = "Const"},
    {.name = "transpose/Range",
     .type = "Range",
     .inputs = "transpose/Range/start transpose/Rank transpose/Range/delta"},
    {.name = "transpose/sub_1", .type = "Sub", .inputs = "transpose/sub transpose/Range"},
    {.name = "transpose", .type = "Transpose", .inputs = "Svd:2 transpose/sub_1"},
    {.name = "Reshape/shape", .type = "Const", .result = OP_GRAPH_TYPE_DIMS},
    {.name = "Reshape",
     .type = "Reshape",
     .inputs = "transpose Reshape/shape",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = "mul/x", .type = "Const", .result = OP_GRAPH_TYPE_SCALAR},
    {.name = "mul", .type = "Mul", .inputs = "mul/x Reshape", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL, .type = ""},
};

static struct op_matrices
matrix_of(const struct expr *node)
{
    const struct shape *shape = &node->type.shape;
    struct op_matrices m = {
        .batch = 1, .rows = 1, .columns = shape->dims[shape->rank - 1], .dtype = DTYPE_FLOAT64};

    for (uint32_t i = 0; i + 1 < shape->rank; i++)
        m.rows *= shape->dims[i];
    return m;
}

static enum err_code
orthogonal_initializer_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct orthogonal_params *params = node->params;
    char text[SHAPE_TEXT_BYTES_MAX];
    struct err inner = ERR_INIT;

    (void)tree;
    TRY(op_random_check_float(node, params->dtype, err));
    if (params->shape.shape.rank < 2)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "The tensor to initialize must be at least two-dimensional, got shape %s",
                       shape_text(&params->shape.shape, text));
    TRY(op_random_check_fits(node, "gain", params->gain, params->dtype, err));
    if (shape_check(&params->shape.shape, &inner) != OK)
        return op_wrap(node, &inner, err);
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = params->shape.shape};
    return op_random_check_run(node, params->run, shape_count(&node->type.shape), err);
}

/* All the memory there is: the drawn matrix, the singular values, both sides. */
struct parts {
    double *drawn, *s, *u, *vh;
};

static void
parts_drop(struct parts *parts)
{
    mem_free(parts->drawn);
}

static uint64_t
parts_elements(const struct op_matrices *m)
{
    uint64_t least = m->rows < m->columns ? m->rows : m->columns;
    uint64_t both = op_linear_multiply(op_linear_add(m->rows, m->columns), least);

    return op_linear_add(op_linear_add(op_linear_multiply(m->rows, m->columns), least), both);
}

static enum err_code
parts_init(struct parts *parts, const struct op_matrices *m, struct err *err)
{
    uint64_t least = m->rows < m->columns ? m->rows : m->columns;

    parts->drawn = mem_aligned((size_t)(parts_elements(m) * sizeof(double)), err);
    if (parts->drawn == NULL)
        return ERR_NO_MEMORY;
    parts->s = parts->drawn + m->rows * m->columns;
    parts->u = parts->s + least;
    parts->vh = parts->u + m->rows * least;
    return OK;
}

/* Through `out`, which has room for as many numbers of the node's dtype. */
static void
draw(const struct expr *node, double *drawn, void *out)
{
    const struct orthogonal_params *params = node->params;
    struct random_stream stream = op_random_stream(RANDOM_UNIFORM, node, params->run);
    uint64_t count = shape_count(&node->type.shape);

    random_fill(&stream, 0, count, out);
    tensor_cast(node->type.dtype, out, DTYPE_FLOAT64, drawn, count);
}

static enum err_code
orthogonal_initializer_compute(struct evaluator *e, const struct expr *node, void *out,
                               struct err *err)
{
    const struct orthogonal_params *params = node->params;
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t gain[OP_ELEMENT_BYTES_MAX];
    struct op_matrices m = matrix_of(node);
    uint64_t count = shape_count(&node->type.shape);
    enum dtype dtype = node->type.dtype;
    struct kernel_operand all = {.data = out, .step = 1};
    AUTO(parts) parts = {0};
    struct err inner = ERR_INIT;

    (void)e;
    if (count == 0)
        return OK;
    TRY(parts_init(&parts, &m, err));
    draw(node, parts.drawn, out);
    if (blas_svd(DTYPE_FLOAT64, m.rows, m.columns, false, parts.drawn, parts.s, parts.u, parts.vh,
                 &inner) != OK)
        return op_wrap(node, &inner, err);
    tensor_cast(DTYPE_FLOAT64, m.rows > m.columns ? parts.u : parts.vh, dtype, out, count);
    tensor_element_of_double(dtype, params->gain, gain);
    return kernel_binary(KERNEL_MULTIPLY, dtype, all, (struct kernel_operand){gain, 0}, out, count,
                         err);
}

static uint64_t
orthogonal_initializer_scratch(const struct expr *node)
{
    struct op_matrices m = matrix_of(node);

    return op_linear_add(op_linear_multiply(parts_elements(&m), sizeof(double)),
                         blas_svd_bytes(DTYPE_FLOAT64, m.rows, m.columns));
}

static uint64_t
orthogonal_initializer_operations(const struct expr *node)
{
    struct op_matrices m = matrix_of(node);

    return op_linear_cubic(&m, 14);
}

static const struct op_graph_node *
graph_rows(const struct expr *node)
{
    const struct orthogonal_params *params = node->params;
    const struct shape *shape = &params->shape.shape;
    uint64_t rows = 1;

    for (uint32_t i = 0; i + 1 < shape->rank; i++)
        rows *= shape->dims[i];
    return shape->rank > 0 && rows > shape->dims[shape->rank - 1] ? graph_nodes : transposed_nodes;
}

const struct op op_orthogonal_initializer = {
    .name = "orthogonal_initializer",
    .summary = "An orthogonal matrix, in the variable's shape.",
    .attrs = attrs,
    .params_size = sizeof(struct orthogonal_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .initializer = true,
    .graph_nodes = graph_nodes,
    .graph_rows = graph_rows,
    .infer = orthogonal_initializer_infer,
    .compute = orthogonal_initializer_compute,
    .scratch_bytes = orthogonal_initializer_scratch,
    .operations = orthogonal_initializer_operations,
};
