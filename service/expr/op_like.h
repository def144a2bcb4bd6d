/* What zeros_like and ones_like share: one argument, of which only the type is asked. */
#ifndef SERVICE_EXPR_OP_LIKE_H
#define SERVICE_EXPR_OP_LIKE_H

#include "service/expr/op_helpers.h"

struct op_like_params {
    enum dtype dtype;
};

extern const struct attr_spec op_like_attrs[];
extern const char *const op_like_arg_names[];

/* The argument's shape, and its dtype unless another is given. */
ERR_MUST_CHECK enum err_code op_infer_like(struct expr_tree *tree, struct expr *node,
                                           struct err *err);

#endif
