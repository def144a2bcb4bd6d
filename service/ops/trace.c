/* trace(x): the sum of the diagonal, of each matrix of a batch; floats are added in float64 and
 * rounded once, integers wrap. */
#include "service/expr/op_linear.h"
#include "service/tensor/reduce.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x"};
static const struct op_graph_node graph_nodes[] = {
    {.name = "MatrixDiagPart", .type = "MatrixDiagPart", .inputs = "$0"},
    {.name = "Sum/reduction_indices", .type = "Const"},
    {.name = "Sum",
     .type = "Sum",
     .inputs = "MatrixDiagPart Sum/reduction_indices",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static enum err_code
trace_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct tensor_type *from = &node->args[0]->type;

    (void)tree;
    TRY(op_linear_check(node, 0, err));
    node->type = (struct tensor_type){
        .dtype = from->dtype, .shape = op_linear_shape(&from->shape, UINT64_MAX, UINT64_MAX)};
    return OK;
}

static struct tensor_type
diagonal_type(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    return (struct tensor_type){
        .dtype = m.dtype, .shape = {.rank = 1, .dims = {m.rows < m.columns ? m.rows : m.columns}}};
}

/* The diagonal of the matrix whose first element is `first`, added up. */
static enum err_code
trace_one(struct evaluator *e, const struct expr *node, uint64_t first, uint8_t *diagonal,
          void *out, struct err *err)
{
    struct tensor_type type = diagonal_type(node);
    uint64_t step = op_linear_matrices(node, 0).columns + 1, count = type.shape.dims[0];
    uint32_t size = dtype_size(type.dtype);
    AUTO(kernel_reduction) r = {0};

    for (uint64_t i = 0; i < count; i++)
        TRY(op_arg_read(e, node, 0, first + i * step, 1, diagonal + i * size, err));
    TRY(kernel_reduction_init(&r, KERNEL_REDUCE_SUM, KERNEL_REDUCE_PLAIN, &type, 1, err));
    kernel_reduction_feed(&r, diagonal, count);
    kernel_reduction_finish(&r, type.dtype, out);
    return OK;
}

static enum err_code
trace_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    struct op_matrices m = op_linear_matrices(node, 0);
    struct tensor_type type = diagonal_type(node);
    AUTO_CALL(mem_free_scope) void *diagonal = mem_aligned(tensor_type_bytes(&type), err);
    uint32_t size = dtype_size(type.dtype);

    if (diagonal == NULL)
        return ERR_NO_MEMORY;
    for (uint64_t i = 0; i < m.batch; i++)
        TRY(trace_one(e, node, i * m.rows * m.columns, diagonal, (uint8_t *)out + i * size, err));
    return OK;
}

static uint64_t
trace_scratch(const struct expr *node)
{
    struct tensor_type type = diagonal_type(node);

    return tensor_type_bytes(&type) + kernel_reduction_bytes(&type, 1, KERNEL_REDUCE_PLAIN);
}

const struct op op_trace = {
    .name = "trace",
    .summary = "The sum of a matrix's diagonal.",
    .attrs = attrs,
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_NUMBER,
    .access = OP_ACCESS_RUNS,
    .graph_nodes = graph_nodes,
    .infer = trace_infer,
    .compute = trace_compute,
    .scratch_bytes = trace_scratch,
};
