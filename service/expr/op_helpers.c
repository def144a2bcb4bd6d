/* What ops share while a tree is inferred: errors with a place, and the rules of weak literals.
 *
 * A weak literal is int64 or float64 as written. It is converted once it is known what it meets;
 * what was written stays beside it (struct expr: literal and settled), so that inference can be
 * repeated and a record or a reply shows what the client wrote. The evaluation half is evaluator.c.
 */
#include "service/expr/op_helpers.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "service/tensor/convert.h"
#include "store/base/scope.h"

enum { FAIL_TEXT_BYTES_MAX = ERR_TEXT_BYTES_MAX };

enum err_code
op_fail(const struct expr *node, enum err_code code, struct err *err, const char *format, ...)
{
    char text[FAIL_TEXT_BYTES_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (node->path == NULL || node->path[0] == '\0')
        return err_set(err, code, "%s: %s", node->op->name, text);
    return err_set(err, code, "%s (argument %s): %s", node->op->name, node->path, text);
}

enum err_code
op_wrap(const struct expr *node, const struct err *inner, struct err *err)
{
    return op_fail(node, inner->code, err, "%s", inner->text);
}

/* --- dtypes -------------------------------------------------------------------------------- */

enum err_code
op_check_dtype(const struct expr *node, enum dtype dtype, struct err *err)
{
    char text[OP_DTYPES_TEXT_BYTES_MAX];

    if (op_has_dtype(node->op, dtype))
        return OK;
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "dtype %s is not possible, only %s",
                   dtype_name(dtype), op_dtypes_text(node->op->dtypes, text));
}

enum err_code
op_check_arg_dtype(const struct expr *node, uint32_t index, struct err *err)
{
    const struct op *op = node->op;
    uint32_t dtypes = op->arg_dtypes != 0 ? op->arg_dtypes : op->dtypes;
    const struct tensor_type *type = &node->args[index]->type;
    char have[TENSOR_TYPE_TEXT_BYTES_MAX], possible[OP_DTYPES_TEXT_BYTES_MAX];

    if (type->dtype < DTYPE_COUNT && (dtypes >> type->dtype & 1) != 0)
        return OK;
    if (dtypes == OP_DTYPES_NUMBER)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s has no arithmetic",
                       dtype_name(type->dtype));
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s is %s, the dtype may only be %s",
                   op->arg_names[index], tensor_type_text(type, have),
                   op_dtypes_text(dtypes, possible));
}

bool
op_has_dtype(const struct op *op, enum dtype dtype)
{
    return dtype < DTYPE_COUNT && (op->dtypes >> dtype & 1) != 0;
}

const char *
op_dtypes_text(uint32_t dtypes, char out[static OP_DTYPES_TEXT_BYTES_MAX])
{
    size_t used = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < DTYPE_COUNT; i++) {
        int added = 0;

        if ((dtypes >> i & 1) == 0)
            continue;
        added = snprintf(out + used, OP_DTYPES_TEXT_BYTES_MAX - used, "%s%s", used == 0 ? "" : " ",
                         dtype_name((enum dtype)i));
        if (added < 0 || (size_t)added >= OP_DTYPES_TEXT_BYTES_MAX - used)
            break;
        used += (size_t)added;
    }
    return out;
}

static int64_t
i64_at(const struct tensor_view *view, uint64_t index)
{
    int64_t value;

    memcpy(&value, view->data + index * sizeof value, sizeof value);
    return value;
}

static double
f64_at(const struct tensor_view *view, uint64_t index)
{
    double value;

    memcpy(&value, view->data + index * sizeof value, sizeof value);
    return value;
}

enum dtype
op_natural_dtype(const struct tensor_view *literal, bool weak)
{
    uint64_t count;

    if (!weak)
        return literal->type.dtype;
    if (literal->type.dtype != DTYPE_INT64)
        return DTYPE_FLOAT32;
    count = shape_count(&literal->type.shape);
    for (uint64_t i = 0; i < count; i++)
        if (i64_at(literal, i) < INT32_MIN || i64_at(literal, i) > INT32_MAX)
            return DTYPE_INT64;
    return DTYPE_INT32;
}

/* --- conversion ---------------------------------------------------------------------------- */

/* Least and greatest value of an integer dtype, the latter unsigned. */
static void
integer_bounds(enum dtype dtype, int64_t *min, uint64_t *max)
{
    uint32_t bits = dtype_size(dtype) * 8;

    if (dtype_info(dtype)->kind == DTYPE_KIND_UNSIGNED) {
        *min = 0;
        *max = UINT64_MAX >> (64 - bits);
        return;
    }
    *max = UINT64_MAX >> (65 - bits);
    *min = -(int64_t)*max - 1;
}

static enum err_code
check_integers(const struct tensor_view *from, enum dtype to, struct err *err)
{
    uint64_t count = shape_count(&from->type.shape), max = 0;
    int64_t min = 0;

    integer_bounds(to, &min, &max);
    for (uint64_t i = 0; i < count; i++) {
        int64_t value = i64_at(from, i);

        if (value < min || (value > 0 && (uint64_t)value > max))
            return err_set(err, ERR_INVALID_ARGUMENT, "%" PRId64 " does not fit %s", value,
                           dtype_name(to));
    }
    return OK;
}

/* A finite number must stay finite. */
static enum err_code
check_floats(const struct tensor_view *from, const struct tensor *to, struct err *err)
{
    uint64_t count = shape_count(&from->type.shape);
    uint32_t size = dtype_size(to->type.dtype);
    bool integers = from->type.dtype == DTYPE_INT64;

    for (uint64_t i = 0; i < count; i++) {
        double value = integers ? (double)i64_at(from, i) : f64_at(from, i);

        if (isfinite(value) &&
            !isfinite(tensor_element_as_double(to->type.dtype, to->data + i * size)))
            return err_set(err, ERR_INVALID_ARGUMENT, "%.17g does not fit %s", value,
                           dtype_name(to->type.dtype));
    }
    return OK;
}

static enum err_code
check_kind(const struct tensor_view *from, enum dtype to, struct err *err)
{
    if (!dtype_is_number(to))
        return err_set(err, ERR_INVALID_ARGUMENT, "expected %s, got a number", dtype_name(to));
    if (!dtype_is_integer(to) || shape_count(&from->type.shape) == 0)
        return OK;
    if (from->type.dtype == DTYPE_FLOAT64)
        return err_set(err, ERR_INVALID_ARGUMENT, "Expected %s, got %.17g of type 'float' instead",
                       dtype_name(to), f64_at(from, 0));
    return check_integers(from, to, err);
}

/* *settled becomes `literal` in dtype; what is already there in that dtype is kept. */
static enum err_code
convert(struct expr_tree *tree, const struct tensor_view *literal, enum dtype dtype,
        struct tensor_view *settled, struct err *err)
{
    struct tensor_type type = {.dtype = dtype, .shape = literal->type.shape};
    AUTO(tensor) converted = {0};

    if (settled->data != NULL && settled->type.dtype == dtype)
        return OK;
    TRY(check_kind(literal, dtype, err));
    TRY(tensor_init(&converted, &type, tensor_type_bytes(&type), err));
    tensor_cast(literal->type.dtype, literal->data, dtype, converted.data,
                shape_count(&type.shape));
    if (!dtype_is_integer(dtype))
        TRY(check_floats(literal, &converted, err));
    return expr_tree_literal(tree, &converted, settled, err);
}

enum err_code
op_settle(struct expr_tree *tree, struct expr *node, enum dtype dtype, struct err *err)
{
    if (node->kind != EXPR_LITERAL || !node->weak)
        return OK;
    TRY(convert(tree, &node->literal, dtype, &node->settled, err));
    node->type = node->settled.type;
    return OK;
}

enum err_code
op_settle_attr(struct expr_tree *tree, const struct expr *node, const char *name,
               struct attr_tensor *attr, enum dtype dtype, struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    struct err inner = ERR_INIT;

    if (dtype == DTYPE_UNSET)
        dtype = op_natural_dtype(&attr->value, attr->weak);
    if (!attr->weak) {
        attr->settled = attr->value;
        if (attr->value.type.dtype == dtype)
            return OK;
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s is %s, dtype is %s", name,
                       tensor_type_text(&attr->value.type, text), dtype_name(dtype));
    }
    if (convert(tree, &attr->value, dtype, &attr->settled, &inner) != OK)
        return op_fail(node, inner.code, err, "%s: %s", name, inner.text);
    return OK;
}

/* --- arguments of one dtype ---------------------------------------------------------------- */

static bool
is_weak(const struct expr *node)
{
    return node->kind == EXPR_LITERAL && node->weak;
}

/* The dtype all arguments from `first` on are to have. */
static enum dtype
common_dtype(const struct expr *node, uint32_t first)
{
    enum dtype common = DTYPE_UNSET;

    for (uint32_t i = first; i < node->arg_count; i++)
        if (!is_weak(node->args[i]))
            return node->args[i]->type.dtype;
    for (uint32_t i = first; i < node->arg_count; i++) {
        enum dtype natural = op_natural_dtype(&node->args[i]->literal, true);

        if (common == DTYPE_UNSET || natural == DTYPE_FLOAT32 || common == DTYPE_INT32)
            common = natural;
        if (common == DTYPE_FLOAT32)
            break;
    }
    return common;
}

static const char *
arg_name(const struct expr *node, uint32_t index)
{
    uint32_t last = op_arg_name_count(node->op) - 1;

    return node->op->arg_names[index < last ? index : last];
}

enum err_code
op_settle_from(struct expr_tree *tree, struct expr *node, uint32_t first, struct err *err)
{
    enum dtype common = common_dtype(node, first);
    char left[TENSOR_TYPE_TEXT_BYTES_MAX], right[TENSOR_TYPE_TEXT_BYTES_MAX];
    struct err inner = ERR_INIT;

    for (uint32_t i = first; i < node->arg_count; i++)
        if (op_settle(tree, node->args[i], common, &inner) != OK)
            return op_fail(node, inner.code, err, "%s: %s", arg_name(node, i), inner.text);
    for (uint32_t i = first + 1; i < node->arg_count; i++)
        if (node->args[i]->type.dtype != node->args[first]->type.dtype)
            return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s is %s, %s is %s: dtypes must match",
                           arg_name(node, first), tensor_type_text(&node->args[first]->type, left),
                           arg_name(node, i), tensor_type_text(&node->args[i]->type, right));
    return OK;
}

enum err_code
op_settle_together(struct expr_tree *tree, struct expr *node, struct err *err)
{
    return op_settle_from(tree, node, 0, err);
}

/* --- one element --------------------------------------------------------------------------- */

enum err_code
op_eval_constant(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                 void *out, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX] = {0};

    (void)e;
    (void)first;
    if (!node->op->constant(node, element))
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "dtype %s has no elements of one size",
                       dtype_name(node->type.dtype));
    kernel_fill(dtype_size(node->type.dtype), element, out, count);
    return OK;
}

enum err_code
op_strings_empty(const struct expr *node, struct buf *out, struct err *err)
{
    uint64_t count = shape_count(&node->type.shape);

    for (uint64_t i = 0; i < count; i++)
        TRY(buf_append_u32(out, 0, err));
    return OK;
}
