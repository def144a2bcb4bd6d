/* What argmin and argmax share. */
#ifndef SERVICE_EXPR_OP_ARGMINMAX_H
#define SERVICE_EXPR_OP_ARGMINMAX_H

#include "service/expr/op_reduce.h"

struct op_argminmax_params {
    int64_t axis;
};

extern const struct attr_spec op_argminmax_attrs[];
extern const char *const op_argminmax_arg_names[];

ERR_MUST_CHECK enum err_code op_infer_argminmax(struct expr_tree *tree, struct expr *node,
                                                struct err *err);
ERR_MUST_CHECK enum err_code op_compute_argminmax(struct evaluator *e, const struct expr *node,
                                                  bool least, void *out, struct err *err);
uint64_t op_argminmax_scratch(const struct expr *node);

#endif
