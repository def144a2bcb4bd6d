/* truncated_normal(shape, mean, stddev, dtype, seed): normal numbers, redrawn beyond two
 * deviations. */
#include "service/op_random.h"

static enum err_code
truncated_normal_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    (void)tree;
    return op_infer_normal(RANDOM_TRUNCATED_NORMAL, node, err);
}

static enum err_code
truncated_normal_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                      void *out, struct err *err)
{
    (void)e;
    return op_eval_normal(RANDOM_TRUNCATED_NORMAL, node, first, count, out, err);
}

const struct op op_truncated_normal = {
    .name = "truncated_normal",
    .summary = "Normally distributed numbers, redrawn when beyond two standard deviations.",
    .attrs = op_normal_attrs,
    .params_size = sizeof(struct op_normal_params),
    .dtypes = OP_DTYPES_FLOAT,
    .random = true,
    .infer = truncated_normal_infer,
    .eval = truncated_normal_eval,
};
