/* reshape(tensor, shape): the same elements in another shape; one dimension may be -1, "what is
 * left". */
#include <inttypes.h>

#include "service/expr/op_helpers.h"

struct reshape_params {
    struct attr_dims shape;
};

static const struct attr_spec attrs[] = {
    ATTR_DIMS(struct reshape_params, shape, .required = true,
              .help = "shape of the result; one dimension may be -1"),
    ATTR_END,
};

static const char *const arg_names[] = {"tensor"};

/* The shape with 1 for -1; *unknown is that dimension, or the rank. */
static void
known_part(const struct attr_dims *dims, struct shape *shape, uint32_t *unknown)
{
    *shape = (struct shape){.rank = dims->rank};
    *unknown = dims->rank;
    for (uint32_t i = 0; i < dims->rank; i++) {
        if (dims->dims[i] == -1)
            *unknown = i;
        shape->dims[i] = dims->dims[i] == -1 ? 1 : (uint64_t)dims->dims[i];
    }
}

static enum err_code
reshape_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct reshape_params *params = node->params;
    uint64_t have = shape_count(&node->args[0]->type.shape), want;
    uint32_t unknown = 0;
    struct shape shape;
    struct err inner = ERR_INIT;

    (void)tree;
    known_part(&params->shape, &shape, &unknown);
    if (shape_check(&shape, &inner) != OK)
        return op_wrap(node, &inner, err);
    want = shape_count(&shape);
    if (unknown < shape.rank) {
        if (want == 0)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "reshape cannot infer the missing input size for an empty tensor "
                           "unless all specified input sizes are non-zero");
        if (have % want != 0)
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "Input to reshape is a tensor with %" PRIu64
                           " values, but the requested shape requires a multiple of %" PRIu64,
                           have, want);
        shape.dims[unknown] = have / want;
        want = have;
    }
    if (have != want)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Input to reshape is a tensor with %" PRIu64
                       " values, but the requested shape has %" PRIu64,
                       have, want);
    node->type = (struct tensor_type){.dtype = node->args[0]->type.dtype, .shape = shape};
    return OK;
}

const struct op op_reshape = {
    .name = "reshape",
    .summary = "The argument's elements, in their order, in another shape.",
    .attrs = attrs,
    .params_size = sizeof(struct reshape_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_ALL,
    .passthrough = true,
    .graph_type = "Reshape",
    .infer = reshape_infer,
};
