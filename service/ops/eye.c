/* eye(num_rows, num_columns, batch_shape, dtype): identity matrices, one for each element of the
 * batch shape. */
#include <inttypes.h>

#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"

struct eye_params {
    int64_t num_rows, num_columns;
    struct attr_shape batch_shape;
    enum dtype dtype;
};

enum { ROW_NUM_ROWS, ROW_NUM_COLUMNS };

static const struct attr_spec attrs[] = {
    [ROW_NUM_ROWS] = ATTR_I64(struct eye_params, num_rows, .required = true, .i64_min = 0,
                              .i64_max = INT64_MAX, .own_words = true, .help = "rows of a matrix"),
    [ROW_NUM_COLUMNS] = ATTR_I64(struct eye_params, num_columns, .none_default = true, .i64_min = 0,
                                 .i64_max = INT64_MAX, .own_words = true,
                                 .help = "columns; as many as rows when not given"),
    ATTR_SHAPE(struct eye_params, batch_shape, .help = "how many matrices, as a shape; one"),
    ATTR_DTYPE(struct eye_params, dtype, .dtype_default = DTYPE_FLOAT32,
               .help = "element type of the result"),
    ATTR_END,
};

static enum err_code
check_size(const struct expr *node, size_t row, int64_t size, struct err *err)
{
    if (size >= 0)
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s must be at least 0, got %" PRId64,
                   attrs[row].name, size);
}

static enum err_code
eye_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct eye_params *params = node->params;
    int64_t columns = node->given[ROW_NUM_COLUMNS] ? params->num_columns : params->num_rows;
    struct shape shape = params->batch_shape.shape;

    (void)tree;
    TRY(op_check_dtype(node, params->dtype, err));
    TRY(check_size(node, ROW_NUM_ROWS, params->num_rows, err));
    TRY(check_size(node, ROW_NUM_COLUMNS, columns, err));
    if (shape.rank + 2 > SHAPE_RANK_MAX)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "the result has rank %" PRIu32 ", the limit is %d", shape.rank + 2,
                       SHAPE_RANK_MAX);
    shape.dims[shape.rank++] = (uint64_t)params->num_rows;
    shape.dims[shape.rank++] = (uint64_t)columns;
    node->type = (struct tensor_type){.dtype = params->dtype, .shape = shape};
    return OK;
}

/* Ones stand every columns + 1 elements of a matrix, as far as it is square. */
static enum err_code
eye_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
         struct err *err)
{
    const struct shape *shape = &node->type.shape;
    uint64_t rows = shape->dims[shape->rank - 2], columns = shape->dims[shape->rank - 1];
    uint64_t matrix = rows * columns, diagonal = rows < columns ? rows : columns;
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t one[OP_ELEMENT_BYTES_MAX];
    uint32_t size = dtype_size(node->type.dtype);
    uint64_t end = first + count, start = first / matrix * matrix;
    uint64_t i = (first - start + columns) / (columns + 1);

    (void)e;
    (void)err;
    tensor_element_of_double(node->type.dtype, 1.0, one);
    memset(out, 0, (size_t)(count * size));
    for (;; i++) {
        uint64_t at;

        if (i >= diagonal) {
            start += matrix;
            i = 0;
        }
        at = start + i * (columns + 1);
        if (at >= end)
            return OK;
        memcpy((uint8_t *)out + (at - first) * size, one, size);
    }
}

static const struct op_graph_node square_nodes[] = {
    {.name = "shape", .type = "Const"},
    {.name = "concat/values_1", .type = "Const"},
    {.name = "concat/axis", .type = "Const"},
    {.name = "concat", .type = "ConcatV2", .inputs = "shape concat/values_1 concat/axis"},
    {.name = "ones/Const", .type = "Const"},
    {.name = "ones", .type = "Fill", .inputs = "concat ones/Const"},
    {.name = "MatrixDiag", .type = "MatrixDiag", .inputs = "ones", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node oblong_nodes[] = {
    {.name = "shape", .type = "Const"},
    {.name = "Minimum/x", .type = "Const"},
    {.name = "Minimum/y", .type = "Const"},
    {.name = "Minimum", .type = "Minimum", .inputs = "Minimum/x Minimum/y"},
    {.name = "concat/values_1", .type = "Pack", .inputs = "Minimum"},
    {.name = "concat/axis", .type = "Const"},
    {.name = "concat", .type = "ConcatV2", .inputs = "shape concat/values_1 concat/axis"},
    {.name = "ones/Const", .type = "Const"},
    {.name = "ones", .type = "Fill", .inputs = "concat ones/Const"},
    {.name = "concat_1/values_1", .type = "Const"},
    {.name = "concat_1/axis", .type = "Const"},
    {.name = "concat_1", .type = "ConcatV2", .inputs = "shape concat_1/values_1 concat_1/axis"},
    {.name = "zeros/Const", .type = "Const"},
    {.name = "zeros",
     .type = "Fill",
     .inputs = "concat_1 zeros/Const",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = "MatrixSetDiag",
     .type = "MatrixSetDiag",
     .inputs = "zeros ones",
     .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node *
eye_graph(const struct expr *node)
{
    return node->given[ROW_NUM_COLUMNS] ? oblong_nodes : square_nodes;
}

const struct op op_eye = {
    .name = "eye",
    .summary = "Identity matrices: ones on the diagonal, zeros elsewhere.",
    .attrs = attrs,
    .params_size = sizeof(struct eye_params),
    .dtypes = OP_DTYPES_NUMBER | OP_DTYPE(BOOL),
    .graph_nodes = square_nodes,
    .graph_rows = eye_graph,
    .graph_name = "eye",
    .infer = eye_infer,
    .eval = eye_eval,
};
