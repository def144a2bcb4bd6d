/* random_normal(shape, mean, stddev, dtype, seed): normal numbers. */
#include "service/op_random.h"

static enum err_code
random_normal_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    return op_infer_normal(RANDOM_NORMAL, node, err);
}

static enum err_code
random_normal_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                   void *out, struct err *err)
{
    (void)e;
    return op_eval_normal(RANDOM_NORMAL, node, first, count, out, err);
}

const struct op op_random_normal = {
    .name = "random_normal",
    .summary = "Normally distributed numbers.",
    .attrs = op_normal_attrs,
    .params_size = sizeof(struct op_normal_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .infer = random_normal_infer,
    .eval = random_normal_eval,
};
