/* What elementwise ops share: inference, evaluation and constants of ops whose result has, element
 * by element, what a kernel (op->kernel) makes of the arguments' elements. */
#ifndef SERVICE_EXPR_OP_ELEMENTWISE_H
#define SERVICE_EXPR_OP_ELEMENTWISE_H

#include "service/expr/op_helpers.h"

/* One argument; op->kernel is an enum kernel_unary. */
ERR_MUST_CHECK enum err_code op_infer_unary(struct expr_tree *tree, struct expr *node,
                                            struct err *err);
ERR_MUST_CHECK enum err_code op_eval_unary(struct evaluator *e, const struct expr *node,
                                           uint64_t first, uint64_t count, void *out,
                                           struct err *err);
bool op_constant_unary(const struct expr *node, void *element);

/* Two arguments of one dtype, broadcast; op->kernel is an enum kernel_binary. */
ERR_MUST_CHECK enum err_code op_infer_binary(struct expr_tree *tree, struct expr *node,
                                             struct err *err);
ERR_MUST_CHECK enum err_code op_eval_binary(struct evaluator *e, const struct expr *node,
                                            uint64_t first, uint64_t count, void *out,
                                            struct err *err);
/* False also where the kernel refuses the elements: evaluation then tells why. */
bool op_constant_binary(const struct expr *node, void *element);

/* The same with bools as result; op->kernel is an enum kernel_compare. */
ERR_MUST_CHECK enum err_code op_infer_compare(struct expr_tree *tree, struct expr *node,
                                              struct err *err);
ERR_MUST_CHECK enum err_code op_eval_compare(struct evaluator *e, const struct expr *node,
                                             uint64_t first, uint64_t count, void *out,
                                             struct err *err);
bool op_constant_compare(const struct expr *node, void *element);

#endif
