/* range(start, limit, delta, dtype): from start by delta, up to limit, which is not reached.
 *
 * TensorFlow r1.0 adds delta again and again, each sum rounded; op_progression.h finds any element
 * of that without going through those before it. */
#include <inttypes.h>
#include <math.h>

#include "service/expr/op_helpers.h"
#include "service/expr/op_progression.h"
#include "service/tensor/convert.h"

struct range_params {
    struct attr_tensor start, limit, delta;
    enum dtype dtype;
};

static const struct attr_spec attrs[] = {
    ATTR_TENSOR(struct range_params, start, .required = true,
                .help = "first number, a scalar; the limit, from 0, when no limit is given"),
    ATTR_TENSOR(struct range_params, limit, .help = "upper bound, not reached, a scalar"),
    ATTR_TENSOR(struct range_params, delta, .number_default = true, .i64_default = 1,
                .help = "distance, a scalar; 1 when not given"),
    ATTR_DTYPE(struct range_params, dtype, .dtype_default = DTYPE_UNSET,
               .help = "element type; when not given the highest of the numbers' own: int32, "
                       "int64, float32, float64"),
    ATTR_END,
};

/* The lowest first. */
static const enum dtype hierarchy[] = {DTYPE_INT32, DTYPE_INT64, DTYPE_FLOAT32, DTYPE_FLOAT64};
enum { LEVELS = sizeof hierarchy / sizeof hierarchy[0] };

static enum err_code
settle_one(struct expr_tree *tree, const struct expr *node, const char *name,
           struct attr_tensor *number, uint32_t *level, struct err *err)
{
    const struct range_params *params = node->params;
    char text[SHAPE_TEXT_BYTES_MAX];

    if (!number->given)
        return OK;
    if (number->value.type.shape.rank != 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s must be a scalar, not shape %s", name,
                       shape_text(&number->value.type.shape, text));
    TRY(op_settle_attr(tree, node, name, number, params->dtype, err));
    for (uint32_t i = 0; i < LEVELS; i++) {
        if (hierarchy[i] != number->settled.type.dtype)
            continue;
        *level = i > *level ? i : *level;
        if (isfinite(tensor_element_as_double(hierarchy[i], number->settled.data)))
            return OK;
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s must be a finite number", name);
    }
    return op_fail(node, ERR_INVALID_ARGUMENT, err, "%s is %s, only %s are possible", name,
                   dtype_name(number->settled.type.dtype), "int32 int64 float32 float64");
}

/* The three numbers in the node's dtype: in one pair of fields or the other. */
struct numbers {
    struct op_progression progression;
    int64_t limit_i64;
    double limit_f64;
};

static void
take(const struct attr_tensor *number, int64_t fallback, enum dtype dtype, int64_t *i64,
     double *f64)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX] = {0};

    *i64 = fallback;
    *f64 = (double)fallback;
    if (!number->given)
        return;
    tensor_cast(number->settled.type.dtype, number->settled.data, dtype, element, 1);
    if (dtype_is_integer(dtype))
        tensor_cast(dtype, element, DTYPE_INT64, i64, 1);
    else
        *f64 = tensor_element_as_double(dtype, element);
}

static struct numbers
numbers_of(const struct range_params *params, enum dtype dtype)
{
    static const struct attr_tensor none;
    const struct attr_tensor *start = params->limit.given ? &params->start : &none;
    const struct attr_tensor *limit = params->limit.given ? &params->limit : &params->start;
    struct numbers n = {.progression = {.dtype = dtype}};

    take(start, 0, dtype, &n.progression.start_i64, &n.progression.start_f64);
    take(limit, 0, dtype, &n.limit_i64, &n.limit_f64);
    take(&params->delta, 1, dtype, &n.progression.delta_i64, &n.progression.delta_f64);
    return n;
}

static enum err_code
count_integers(const struct expr *node, const struct numbers *n, uint64_t *out, struct err *err)
{
    int64_t start = n->progression.start_i64, delta = n->progression.delta_i64;
    uint64_t span = delta > 0 ? (uint64_t)n->limit_i64 - (uint64_t)start
                              : (uint64_t)start - (uint64_t)n->limit_i64;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;

    if (delta == 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "Requires delta != 0: 0");
    if (delta > 0 ? start > n->limit_i64 : start < n->limit_i64)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Requires start %s limit when delta %s 0: %" PRId64 "/%" PRId64,
                       delta > 0 ? "<=" : ">=", delta > 0 ? ">" : "<", start, n->limit_i64);
    *out = span / step + (span % step != 0);
    return OK;
}

/* In the dtype's own arithmetic. */
static double
float_count(const struct numbers *n)
{
    double start = n->progression.start_f64, delta = n->progression.delta_f64;

    if (n->progression.dtype == DTYPE_FLOAT32)
        return ceilf(fabsf(((float)n->limit_f64 - (float)start) / (float)delta));
    return ceil(fabs((n->limit_f64 - start) / delta));
}

static enum err_code
count_floats(const struct expr *node, const struct numbers *n, uint64_t *out, struct err *err)
{
    double start = n->progression.start_f64, delta = n->progression.delta_f64, count;

    if (delta == 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "Requires delta != 0: 0");
    if (delta > 0 ? start > n->limit_f64 : start < n->limit_f64)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Requires start %s limit when delta %s 0: %g/%g",
                       delta > 0 ? "<=" : ">=", delta > 0 ? ">" : "<", start, n->limit_f64);
    count = float_count(n);
    *out = count <= (double)SHAPE_COUNT_MAX ? (uint64_t)count : UINT64_MAX;
    return OK;
}

static enum err_code
range_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct range_params *params = node->params;
    struct shape *shape = &node->type.shape;
    uint32_t level = 0;
    struct numbers n;

    if (params->dtype != DTYPE_UNSET)
        TRY(op_check_dtype(node, params->dtype, err));
    TRY(settle_one(tree, node, "start", &params->start, &level, err));
    TRY(settle_one(tree, node, "limit", &params->limit, &level, err));
    TRY(settle_one(tree, node, "delta", &params->delta, &level, err));
    node->type = (struct tensor_type){.dtype = hierarchy[level], .shape = {.rank = 1}};
    n = numbers_of(params, node->type.dtype);
    if (dtype_is_integer(node->type.dtype))
        return count_integers(node, &n, &shape->dims[0], err);
    return count_floats(node, &n, &shape->dims[0], err);
}

static enum err_code
range_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
           struct err *err)
{
    struct numbers n = numbers_of(node->params, node->type.dtype);

    (void)e;
    (void)err;
    op_progression_fill(&n.progression, first, count, out);
    return OK;
}

static const struct op_graph_node graph_nodes[] = {
    {.name = "start", .type = "Const"},
    {.name = "limit", .type = "Const"},
    {.name = "delta", .type = "Const"},
    {.name = "", .type = "Range", .inputs = "start limit delta", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

const struct op op_range = {
    .name = "range",
    .summary = "Numbers from start by delta, up to limit.",
    .attrs = attrs,
    .params_size = sizeof(struct range_params),
    .dtypes = OP_DTYPE(INT32) | OP_DTYPE(INT64) | OP_DTYPE(FLOAT32) | OP_DTYPE(FLOAT64),
    .graph_nodes = graph_nodes,
    .graph_name = "range",
    .infer = range_infer,
    .eval = range_eval,
};
