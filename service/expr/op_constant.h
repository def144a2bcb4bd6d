/* Parameters that constant and its initializer share. */
#ifndef SERVICE_EXPR_OP_CONSTANT_H
#define SERVICE_EXPR_OP_CONSTANT_H

#include "service/expr/op_helpers.h"

struct op_constant_params {
    struct attr_tensor value;
    enum dtype dtype;
    struct attr_shape shape;
    bool verify_shape;
};

#endif
