/* What argmin and argmax share. */
#ifndef SERVICE_OP_ARG_H
#define SERVICE_OP_ARG_H

#include "service/op_reduce.h"

struct op_arg_params {
    int64_t axis;
};

extern const struct attr_spec op_arg_attrs[];
extern const char *const op_arg_names[];

ERR_MUST_CHECK enum err_code op_infer_arg(struct expr_tree *tree, struct expr *node,
                                          struct err *err);
ERR_MUST_CHECK enum err_code op_compute_arg(struct evaluator *e, const struct expr *node,
                                            bool least, void *out, struct err *err);
uint64_t op_arg_scratch(const struct expr *node);

#endif
