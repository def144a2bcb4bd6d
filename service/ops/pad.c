/* pad(tensor, paddings, mode): elements put before and after those of each dimension: zeros, or the
 * nearest ones mirrored (REFLECT: without the one at the edge, SYMMETRIC: with it). */
#include <inttypes.h>

#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_SYMMETRIC };
static const char *const modes[] = {"CONSTANT", "REFLECT", "SYMMETRIC", NULL};

struct pad_params {
    struct attr_tensor paddings;
    int64_t mode;
};

static const struct attr_spec attrs[] = {
    ATTR_TENSOR(struct pad_params, paddings, .required = true,
                .help = "for each dimension [before, after], how many"),
    ATTR_CHOICE(struct pad_params, mode, .choices = modes, .i64_default = PAD_CONSTANT,
                .help = "CONSTANT: zeros; REFLECT, SYMMETRIC: the nearest elements, mirrored"),
    ATTR_END,
};

static const char *const arg_names[] = {"tensor"};

/* Before (side 0) or after (side 1) dimension `dim`. */
static int64_t
padding_of(const struct pad_params *params, uint32_t dim, uint32_t side)
{
    const struct tensor_view *paddings = &params->paddings.settled;
    uint32_t size = dtype_size(paddings->type.dtype);
    int64_t value = 0;

    tensor_cast(paddings->type.dtype, paddings->data + ((uint64_t)dim * 2 + side) * size,
                DTYPE_INT64, &value, 1);
    return value;
}

/* --- inference ----------------------------------------------------------------------------- */

static enum err_code
check_form(struct expr_tree *tree, const struct expr *node, struct pad_params *params,
           struct err *err)
{
    const struct shape *form = &params->paddings.value.type.shape;
    const struct shape *from = &node->args[0]->type.shape;
    char form_text[SHAPE_TEXT_BYTES_MAX], from_text[SHAPE_TEXT_BYTES_MAX];
    enum dtype dtype;

    if (form->rank != 2 || form->dims[1] != 2)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "paddings must be a matrix with 2 columns: %s", shape_text(form, form_text));
    if (form->dims[0] != from->rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "The first dimension of paddings must be the rank of inputs%s %s",
                       shape_text(form, form_text), shape_text(from, from_text));
    TRY(op_settle_attr(tree, node, "paddings", &params->paddings, DTYPE_UNSET, err));
    dtype = params->paddings.settled.type.dtype;
    if (dtype != DTYPE_INT32 && dtype != DTYPE_INT64 && from->rank > 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "paddings must be int32 or int64, not %s",
                       dtype_name(dtype));
    return OK;
}

static enum err_code
check_padding(const struct expr *node, uint32_t dim, int64_t before, int64_t after, struct err *err)
{
    const struct pad_params *params = node->params;
    int64_t size = (int64_t)node->args[0]->type.shape.dims[dim];
    int64_t larger = before > after ? before : after;

    if (before < 0 || after < 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Paddings must be non-negative: %" PRId64 " %" PRId64, before, after);
    if (params->mode == PAD_SYMMETRIC && larger > size)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "paddings must be no greater than the dimension size: %" PRId64 ", %" PRId64
                       " greater than %" PRId64,
                       before, after, size);
    if (params->mode == PAD_REFLECT && larger >= size && larger > 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "paddings must be less than the dimension size: %" PRId64 ", %" PRId64
                       " not less than %" PRId64,
                       before, after, size);
    return OK;
}

static enum err_code
pad_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct pad_params *params = node->params;

    node->type = node->args[0]->type;
    TRY(op_check_dtype(node, node->type.dtype, err));
    TRY(check_form(tree, node, params, err));
    for (uint32_t i = 0; i < node->type.shape.rank; i++) {
        int64_t before = padding_of(params, i, 0), after = padding_of(params, i, 1);

        TRY(check_padding(node, i, before, after, err));
        /* Below 2^65 together; what passes 2^64 is no shape either. */
        if (__builtin_add_overflow(node->type.shape.dims[i], (uint64_t)before + (uint64_t)after,
                                   &node->type.shape.dims[i]))
            node->type.shape.dims[i] = UINT64_MAX;
    }
    return OK;
}

/* --- evaluation ---------------------------------------------------------------------------- */

/* A dimension of the result, or several that behave as one. */
struct pad_dim {
    uint64_t before, size, after; /* elements of the next inner one, or single ones */
    uint64_t stride;              /* source elements */
};

struct pad_plan {
    uint32_t rank; /* at least 1; the innermost first */
    struct pad_dim dims[SHAPE_RANK_MAX + 1];
};

/* What is not padded is one with its outer neighbour when that is padded with zeros, or not at all,
 * or has nothing inside it. */
static void
add_dimension(struct pad_plan *plan, enum pad_mode mode, struct pad_dim dim)
{
    struct pad_dim *inner = &plan->dims[plan->rank - 1];
    bool whole = inner->before == 0 && inner->after == 0;
    bool joins = mode == PAD_CONSTANT || (dim.before == 0 && dim.after == 0) || inner->size == 1;

    if (!whole || !joins) {
        plan->dims[plan->rank++] = dim;
        return;
    }
    inner->before = dim.before * inner->size;
    inner->after = dim.after * inner->size;
    inner->size *= dim.size;
}

static struct pad_plan
plan_of(const struct expr *node)
{
    const struct pad_params *params = node->params;
    const struct shape *from = &node->args[0]->type.shape;
    struct pad_plan plan = {.rank = 1, .dims = {{.size = 1, .stride = 1}}};
    uint64_t stride = 1;

    for (uint32_t i = from->rank; i-- > 0;) {
        struct pad_dim dim = {.before = (uint64_t)padding_of(params, i, 0),
                              .size = from->dims[i],
                              .after = (uint64_t)padding_of(params, i, 1),
                              .stride = stride};

        add_dimension(&plan, (enum pad_mode)params->mode, dim);
        stride *= from->dims[i];
    }
    return plan;
}

/* Where place `at` of a dimension comes from; false: from nowhere. */
static bool
source_of(const struct pad_dim *dim, enum pad_mode mode, uint64_t at, uint64_t *out)
{
    uint64_t edge = mode == PAD_REFLECT ? 1 : 0;
    bool inside = at >= dim->before && at - dim->before < dim->size;

    if (inside)
        *out = at - dim->before;
    else if (at < dim->before)
        *out = dim->before - 1 - at + edge;
    else
        *out = dim->size - 1 - edge - (at - dim->before - dim->size);
    return inside || mode != PAD_CONSTANT;
}

/* Of the dimensions above the innermost; false: the whole row is padding. */
static bool
row_source(const struct pad_plan *plan, enum pad_mode mode, uint64_t row, uint64_t *out)
{
    *out = 0;
    for (uint32_t i = 1; i < plan->rank; i++) {
        const struct pad_dim *dim = &plan->dims[i];
        uint64_t length = dim->before + dim->size + dim->after, at = 0;

        if (!source_of(dim, mode, row % length, &at))
            return false;
        *out += at * dim->stride;
        row /= length;
    }
    return true;
}

static void
reverse(uint8_t *elements, uint32_t size, uint64_t count)
{
    uint8_t other[OP_ELEMENT_BYTES_MAX];

    for (uint64_t i = 0, k = count; i + 1 < k; i++) {
        k--;
        memcpy(other, elements + i * size, size);
        memcpy(elements + i * size, elements + k * size, size);
        memcpy(elements + k * size, other, size);
    }
}

/* A run of one row on one side of its edges, or between them. */
static enum err_code
pad_run(struct evaluator *e, const struct expr *node, const struct pad_dim *dim, uint64_t row,
        uint64_t at, uint64_t run, uint8_t *out, struct err *err)
{
    const struct pad_params *params = node->params;
    uint32_t size = dtype_size(node->type.dtype);
    bool mirrored = at < dim->before || at >= dim->before + dim->size;
    uint64_t source = 0;

    if (!source_of(dim, (enum pad_mode)params->mode, at, &source)) {
        memset(out, 0, (size_t)(run * size));
        return OK;
    }
    TRY(op_arg_read(e, node, 0, row + (mirrored ? source + 1 - run : source), run, out, err));
    if (mirrored)
        reverse(out, size, run);
    return OK;
}

/* Up to where a run from `at` goes without crossing an edge of the row. */
static uint64_t
run_end(const struct pad_dim *dim, uint64_t at)
{
    if (at < dim->before)
        return dim->before;
    if (at < dim->before + dim->size)
        return dim->before + dim->size;
    return dim->before + dim->size + dim->after;
}

static enum err_code
pad_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count, void *out,
         struct err *err)
{
    const struct pad_params *params = node->params;
    struct pad_plan plan = plan_of(node);
    const struct pad_dim *dim = &plan.dims[0];
    uint32_t size = dtype_size(node->type.dtype);
    uint64_t length = dim->before + dim->size + dim->after;
    uint8_t *to = out;

    while (count > 0) {
        uint64_t at = first % length, source = 0, run;
        bool inside = row_source(&plan, (enum pad_mode)params->mode, first / length, &source);

        run = (inside ? run_end(dim, at) : length) - at;
        run = run < count ? run : count;
        if (inside)
            TRY(pad_run(e, node, dim, source, at, run, to, err));
        else
            memset(to, 0, (size_t)(run * size));
        to += run * size;
        first += run;
        count -= run;
    }
    return OK;
}

/* Zeros around zeros; and mirrored elements are the argument's. */
static bool
pad_constant(const struct expr *node, void *element)
{
    static const uint8_t zero[OP_ELEMENT_BYTES_MAX];
    const struct pad_params *params = node->params;

    if (!op_node_constant(node->args[0], element))
        return false;
    return params->mode != PAD_CONSTANT || memcmp(element, zero, dtype_size(node->type.dtype)) == 0;
}

static const struct op_graph_node zero_nodes[] = {
    {.name = "paddings", .type = "Const"},
    {.name = "", .type = "Pad", .inputs = "$0 paddings", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node mirror_nodes[] = {
    {.name = "paddings", .type = "Const"},
    {.name = "", .type = "MirrorPad", .inputs = "$0 paddings", .result = OP_GRAPH_TYPE_RESULT},
    {.name = NULL},
};

static const struct op_graph_node *
pad_graph(const struct expr *node)
{
    const struct pad_params *params = node->params;

    return params->mode == PAD_CONSTANT ? zero_nodes : mirror_nodes;
}

const struct op op_pad = {
    .name = "pad",
    .summary = "The argument with elements put before and after those of each dimension.",
    .attrs = attrs,
    .params_size = sizeof(struct pad_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .access = OP_ACCESS_RUNS,
    .graph_nodes = zero_nodes,
    .graph_rows = pad_graph,
    .infer = pad_infer,
    .eval = pad_eval,
    .constant = pad_constant,
};
