/* divide(x, y): x / y as in Python 3, with broadcasting. Integers of up to 16 bits divide in
 * float32, longer ones in float64, as TensorFlow's true division. */
#include "service/expr/op_elementwise.h"
#include "service/tensor/convert.h"

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x", "y"};

enum { BLOCK = 512 };

static enum dtype
quotient_dtype(enum dtype dtype)
{
    if (!dtype_is_integer(dtype))
        return dtype;
    return dtype_size(dtype) <= 2 ? DTYPE_FLOAT32 : DTYPE_FLOAT64;
}

static enum err_code
divide_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    TRY(op_infer_binary(tree, node, err));
    node->type.dtype = quotient_dtype(node->type.dtype);
    return OK;
}

/* Elements from `done` on as floats. */
static struct kernel_operand
converted(enum dtype from, struct kernel_operand x, uint64_t done, uint64_t count, enum dtype to,
          void *block)
{
    const uint8_t *data = x.data;

    if (x.step == 0)
        tensor_cast(from, data, to, block, 1);
    else
        tensor_cast(from, data + done * dtype_size(from), to, block, count);
    return (struct kernel_operand){block, x.step};
}

static enum err_code
divide_integers(enum dtype from, struct kernel_operand x, struct kernel_operand y, enum dtype to,
                uint8_t *out, uint64_t count, struct err *err)
{
    _Alignas(64) double block_x[BLOCK], block_y[BLOCK];

    for (uint64_t done = 0, n = 0; done < count; done += n) {
        struct kernel_operand a, b;

        n = count - done < BLOCK ? count - done : BLOCK;
        a = converted(from, x, done, n, to, block_x);
        b = converted(from, y, done, n, to, block_y);
        TRY(kernel_binary(KERNEL_DIVIDE, to, a, b, out + done * dtype_size(to), n, err));
    }
    return OK;
}

static enum err_code
divide_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
            struct err *err)
{
    enum dtype from = node->args[0]->type.dtype;
    struct kernel_operand x, y;

    if (from == node->type.dtype)
        return op_eval_binary(e, node, first, count, out, err);
    TRY(op_arg_broadcast(e, node, 0, first, count, NULL, &x, err));
    TRY(op_arg_broadcast(e, node, 1, first, count, NULL, &y, err));
    return divide_integers(from, x, y, node->type.dtype, out, count, err);
}

static bool
divide_constant(const struct expr *node, void *element)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t x[OP_ELEMENT_BYTES_MAX], y[OP_ELEMENT_BYTES_MAX];
    enum dtype from = node->args[0]->type.dtype;

    if (from == node->type.dtype)
        return op_constant_binary(node, element);
    return op_node_constant(node->args[0], x) && op_node_constant(node->args[1], y) &&
           divide_integers(from, (struct kernel_operand){x, 0}, (struct kernel_operand){y, 0},
                           node->type.dtype, element, 1, NULL) == OK;
}

static const struct op_graph_node graph_of_integers[] = {
    {.name = "Cast", .type = "Cast", .inputs = "$0"},
    {.name = "Cast_1", .type = "Cast", .inputs = "$1"},
    {.name = "", .type = "RealDiv", .inputs = "Cast Cast_1", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};
static const struct op_graph_node graph_of_floats[] = {
    {.name = "", .type = "RealDiv", .inputs = "$0 $1", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node *
divide_graph(const struct expr *node)
{
    return dtype_is_integer(node->args[0]->type.dtype) ? graph_of_integers : graph_of_floats;
}

const struct op op_divide = {
    .name = "divide",
    .summary = "The quotient, element by element, with broadcasting; of integers as floats.",
    .attrs = attrs,
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FLOAT | OP_DTYPE(COMPLEX64) | OP_DTYPE(COMPLEX128),
    .arg_dtypes = OP_DTYPES_NUMBER,
    .infer = divide_infer,
    .eval = divide_eval,
    .constant = divide_constant,
    .kernel = KERNEL_DIVIDE,
    .graph_rows = divide_graph,
    .graph_name = "truediv",
};
