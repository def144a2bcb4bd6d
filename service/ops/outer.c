/* outer(a, b): every element of one vector by every element of the other, of any length, tile by
 * tile. */
#include "service/expr/op_linear.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"a", "b"};

static enum err_code
outer_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct shape *a = &node->args[0]->type.shape, *b = &node->args[1]->type.shape;

    TRY(op_linear_check_vectors(tree, node, err));
    node->type = (struct tensor_type){.dtype = node->args[0]->type.dtype,
                                      .shape = {.rank = 2, .dims = {a->dims[0], b->dims[0]}}};
    return OK;
}

static enum err_code
outer_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
           struct err *err)
{
    const uint8_t *a = op_arg_whole(e, node, 0), *b = op_arg_whole(e, node, 1);
    uint64_t columns = node->type.shape.dims[1];
    uint32_t size = dtype_size(node->type.dtype);
    uint8_t *to = out;

    while (count > 0) {
        uint64_t row = first / columns, column = first % columns, left = columns - column;
        uint64_t step = left < count ? left : count;

        TRY(kernel_binary(KERNEL_MULTIPLY, node->type.dtype,
                          (struct kernel_operand){a + row * size, 0},
                          (struct kernel_operand){b + column * size, 1}, to, step, err));
        to += step * size;
        first += step;
        count -= step;
    }
    return OK;
}

const struct op op_outer = {
    .name = "outer",
    .summary = "The outer product of two vectors.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_NUMBER,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "Mul",
    .infer = outer_infer,
    .eval = outer_eval,
};
