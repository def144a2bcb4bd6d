/* where(condition, x, y): x's elements where the condition is true, y's elsewhere. The condition
 * has x's shape, or stands for whole rows, one bool for each of x's first dimension; or is a
 * scalar. Nothing else broadcasts. */
#include "service/expr/op_helpers.h"

enum { WHERE_CONDITION, WHERE_X, WHERE_Y };

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"condition", "x", "y"};

/* One bool for each row of several elements, or of none. */
static bool
by_rows(const struct expr *node)
{
    return node->args[WHERE_CONDITION]->type.shape.rank == 1 && node->type.shape.rank > 1;
}

static enum err_code
check_condition(const struct expr *node, struct err *err)
{
    const struct tensor_type *condition = &node->args[WHERE_CONDITION]->type;
    const struct shape *x = &node->args[WHERE_X]->type.shape;
    char have[TENSOR_TYPE_TEXT_BYTES_MAX], want[SHAPE_TEXT_BYTES_MAX];

    if (condition->dtype != DTYPE_BOOL)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "condition is %s, it must be bool",
                       tensor_type_text(condition, have));
    if (condition->shape.rank == 0 || shape_equal(&condition->shape, x) ||
        (condition->shape.rank == 1 && x->rank > 0 && condition->shape.dims[0] == x->dims[0]))
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "condition is %s, x has shape %s: the condition must have the same shape, or be "
                   "a vector of its first dimension",
                   tensor_type_text(condition, have), shape_text(x, want));
}

static enum err_code
where_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct tensor_type *x = &node->args[WHERE_X]->type, *y = &node->args[WHERE_Y]->type;
    char text_x[TENSOR_TYPE_TEXT_BYTES_MAX], text_y[TENSOR_TYPE_TEXT_BYTES_MAX];

    TRY(op_settle_from(tree, node, WHERE_X, err));
    TRY(op_check_dtype(node, x->dtype, err));
    if (!shape_equal(&x->shape, &y->shape))
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "x is %s, y is %s: shapes must match",
                       tensor_type_text(x, text_x), tensor_type_text(y, text_y));
    TRY(check_condition(node, err));
    node->type = *x;
    return OK;
}

/* The bools of rows, one for each element of [first, first + count), into `bools`. */
static enum err_code
spread_rows(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
            uint8_t *bools, struct err *err)
{
    uint64_t row_size = shape_count(&node->type.shape) / node->type.shape.dims[0];
    uint64_t row = first / row_size, rows = (first + count - 1) / row_size - row + 1;
    struct kernel_operand condition;
    const uint8_t *from = NULL;

    TRY(op_arg(e, node, WHERE_CONDITION, row, rows, NULL, &condition, err));
    from = condition.data;
    for (uint64_t done = 0; done < count;) {
        uint64_t left = row_size - (first + done) % row_size;

        left = left < count - done ? left : count - done;
        memset(bools + done, *from, (size_t)left);
        from += condition.step;
        done += left;
    }
    return OK;
}

static enum err_code
where_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
           struct err *err)
{
    uint8_t bools[OP_TILE_ELEMENTS];
    struct kernel_operand condition = {bools, 1}, x, y;

    if (by_rows(node))
        TRY(spread_rows(e, node, first, count, bools, err));
    else
        TRY(op_arg_broadcast(e, node, WHERE_CONDITION, first, count, NULL, &condition, err));
    TRY(op_arg(e, node, WHERE_X, first, count, out, &x, err));
    TRY(op_arg(e, node, WHERE_Y, first, count, x.data == out ? NULL : out, &y, err));
    kernel_select(dtype_size(node->type.dtype), condition, x, y, out, count);
    return OK;
}

/* One bool for all: the result is that argument. */
static bool
where_constant(const struct expr *node, void *element)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t condition[OP_ELEMENT_BYTES_MAX];

    return op_node_constant(node->args[WHERE_CONDITION], condition) &&
           op_node_constant(node->args[condition[0] != 0 ? WHERE_X : WHERE_Y], element);
}

const struct op op_where = {
    .name = "where",
    .summary = "x's elements where the condition is true, y's elsewhere.",
    .attrs = attrs,
    .args_min = 3,
    .args_max = 3,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .arg_dtypes = OP_DTYPES_FIXED,
    .infer = where_infer,
    .eval = where_eval,
    .constant = where_constant,
    .graph_type = "Select",
};
