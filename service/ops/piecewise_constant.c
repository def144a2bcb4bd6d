/* piecewise_constant(x, boundaries, values): values[0] when x <= boundaries[0], values[1] when
 * boundaries[0] < x <= boundaries[1] …, the last value when x > the last boundary.
 *
 * x is a scalar, the others are vectors. Boundaries are compared as they are, never converted to
 * x's dtype where that might change them: fractions beside an integer x are refused. Whole numbers
 * written without a dtype are of x's dtype, and int32 boundaries beside an int64 x are fine, as in
 * TensorFlow from 1.2 on. A list of numbers has one dtype here, so that [1, 0.1] is float32. */
#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"

enum { PIECEWISE_X, PIECEWISE_BOUNDARIES, PIECEWISE_VALUES, PIECEWISE_ARGS };

static const struct attr_spec attrs[] = {ATTR_END};
static const char *const arg_names[] = {"x", "boundaries", "values"};

/* --- inference ----------------------------------------------------------------------------- */

static enum err_code
settle(struct expr_tree *tree, const struct expr *node, uint32_t index, enum dtype dtype,
       struct err *err)
{
    struct err inner = ERR_INIT;

    if (op_settle(tree, node->args[index], dtype, &inner) != OK)
        return op_fail(node, inner.code, err, "%s: %s", arg_names[index], inner.text);
    return op_check_arg_dtype(node, index, err);
}

/* The dtype a literal takes by itself; another node has one already. */
static enum dtype
natural_dtype(const struct expr *arg)
{
    return arg->kind == EXPR_LITERAL ? op_natural_dtype(&arg->literal, arg->weak) : arg->type.dtype;
}

static enum err_code
settle_boundaries(struct expr_tree *tree, const struct expr *node, struct err *err)
{
    const struct expr *boundaries = node->args[PIECEWISE_BOUNDARIES];
    enum dtype x = node->args[PIECEWISE_X]->type.dtype, dtype = natural_dtype(boundaries);
    bool weak = boundaries->kind == EXPR_LITERAL && boundaries->weak;

    if (weak && (dtype_is_integer(dtype) || !dtype_is_integer(x)))
        return settle(tree, node, PIECEWISE_BOUNDARIES, x, err);
    if (dtype != x && !(dtype == DTYPE_INT32 && x == DTYPE_INT64))
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Boundaries (%s) must have the same dtype as x (%s)", dtype_name(dtype),
                       dtype_name(x));
    return OK;
}

static enum err_code
check_shapes(const struct expr *node, struct err *err)
{
    const struct tensor_type *x = &node->args[PIECEWISE_X]->type;
    const struct tensor_type *boundaries = &node->args[PIECEWISE_BOUNDARIES]->type;
    const struct tensor_type *values = &node->args[PIECEWISE_VALUES]->type;
    char left[TENSOR_TYPE_TEXT_BYTES_MAX], right[TENSOR_TYPE_TEXT_BYTES_MAX];

    if (x->shape.rank != 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "x must be a scalar, it is %s",
                       tensor_type_text(x, left));
    if (boundaries->shape.rank != 1 || values->shape.rank != 1)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "boundaries and values must be vectors, they are %s and %s",
                       tensor_type_text(boundaries, left), tensor_type_text(values, right));
    if (boundaries->shape.dims[0] == 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "boundaries is empty");
    if (values->shape.dims[0] != boundaries->shape.dims[0] + 1)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "The length of boundaries should be 1 less than the length of values: "
                       "boundaries is %s, values is %s",
                       tensor_type_text(boundaries, left), tensor_type_text(values, right));
    return OK;
}

/* TensorFlow documents that they are, and finds out where two conditions hold at once. */
static enum err_code
check_increasing(const struct expr *node, const struct tensor_type *type, const uint8_t *boundaries,
                 struct err *err)
{
    const uint32_t size = dtype_size(type->dtype);
    uint8_t less = 1;

    for (uint64_t i = 1; i < type->shape.dims[0]; i++) {
        const uint8_t *low = boundaries + (i - 1) * size, *high = low + size;

        kernel_compare(KERNEL_LESS, type->dtype, (struct kernel_operand){low, 0},
                       (struct kernel_operand){high, 0}, &less, 1);
        if (!less)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "boundaries must increase: %.17g is followed by %.17g",
                           tensor_element_as_double(type->dtype, low),
                           tensor_element_as_double(type->dtype, high));
    }
    return OK;
}

static enum err_code
piecewise_constant_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct expr *boundaries = node->args[PIECEWISE_BOUNDARIES];

    TRY(settle(tree, node, PIECEWISE_X, natural_dtype(node->args[PIECEWISE_X]), err));
    TRY(settle_boundaries(tree, node, err));
    TRY(settle(tree, node, PIECEWISE_VALUES, natural_dtype(node->args[PIECEWISE_VALUES]), err));
    TRY(check_shapes(node, err));
    if (boundaries->kind == EXPR_LITERAL)
        TRY(check_increasing(node, &boundaries->type, boundaries->settled.data, err));
    node->type = (struct tensor_type){.dtype = node->args[PIECEWISE_VALUES]->type.dtype};
    return OK;
}

/* --- evaluation ---------------------------------------------------------------------------- */

/* Boundary number `index` in x's dtype. */
static bool
at_most(const struct expr *node, const void *x, const uint8_t *boundaries, uint64_t index)
{
    enum dtype from = node->args[PIECEWISE_BOUNDARIES]->type.dtype;
    enum dtype dtype = node->args[PIECEWISE_X]->type.dtype;
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t boundary[OP_ELEMENT_BYTES_MAX];
    uint8_t holds = 0;

    tensor_cast(from, boundaries + index * dtype_size(from), dtype, boundary, 1);
    kernel_compare(KERNEL_LESS_EQUAL, dtype, (struct kernel_operand){x, 0},
                   (struct kernel_operand){boundary, 0}, &holds, 1);
    return holds;
}

/* A NaN is on no side of any boundary: TensorFlow's default is the first value. */
static bool
is_nan(const struct expr *node, const void *x)
{
    enum dtype dtype = node->args[PIECEWISE_X]->type.dtype;
    uint8_t same = 1;

    kernel_compare(KERNEL_EQUAL, dtype, (struct kernel_operand){x, 0},
                   (struct kernel_operand){x, 0}, &same, 1);
    return !same;
}

static enum err_code
piecewise_constant_eval(struct evaluator *e, const struct expr *node, uint64_t first,
                        uint64_t count, void *out, struct err *err)
{
    const struct tensor_type *type = &node->args[PIECEWISE_BOUNDARIES]->type;
    const void *x = op_arg_whole(e, node, PIECEWISE_X);
    const uint8_t *boundaries = op_arg_whole(e, node, PIECEWISE_BOUNDARIES);
    const uint8_t *values = op_arg_whole(e, node, PIECEWISE_VALUES);
    const uint32_t size = dtype_size(node->type.dtype);
    uint64_t at = 0;

    (void)first;
    (void)count; /* a scalar has one element */
    TRY(check_increasing(node, type, boundaries, err));
    while (at < type->shape.dims[0] && !at_most(node, x, boundaries, at))
        at++;
    if (is_nan(node, x))
        at = 0;
    memcpy(out, values + at * size, size);
    return OK;
}

/* In the graph one node stands for what tf.case makes: a nest of conds, in the order of a Python
 * dict whose keys are objects, which is another with every run. */
const struct op op_piecewise_constant = {
    .name = "piecewise_constant",
    .summary = "The value of the interval between boundaries that the first argument lies in.",
    .attrs = attrs,
    .args_min = PIECEWISE_ARGS,
    .args_max = PIECEWISE_ARGS,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_REAL,
    .access = OP_ACCESS_WHOLE,
    .infer = piecewise_constant_infer,
    .eval = piecewise_constant_eval,
    .graph_type = "PiecewiseConstant",
};
