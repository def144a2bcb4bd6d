/* Arguments side by side: what concat and stack share. */
#ifndef SERVICE_EXPR_OP_JOIN_H
#define SERVICE_EXPR_OP_JOIN_H

#include "service/expr/op.h"

/* All arguments of one dtype (weak literals settled) and one shape; dimension `but` may differ
 * (SHAPE_RANK_MAX: none may). ERR_INVALID_ARGUMENT names both shapes. */
ERR_MUST_CHECK enum err_code op_join_check(struct expr_tree *tree, struct expr *node, uint32_t but,
                                           struct err *err);
/* eval: the result is `rows` times a part of the first argument, one of the second and so on.
 * Arguments are OP_ACCESS_RUNS. */
ERR_MUST_CHECK enum err_code op_join_eval(struct evaluator *e, const struct expr *node,
                                          uint64_t rows, uint64_t first, uint64_t count, void *out,
                                          struct err *err);
/* `constant`: the same element is all of every argument. */
bool op_join_constant(const struct expr *node, void *element);

#endif
