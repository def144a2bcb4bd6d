/* What the random ops share: the standard draw, then scaling in TensorFlow's order. */
#ifndef SERVICE_OP_RANDOM_H
#define SERVICE_OP_RANDOM_H

#include "service/op_helpers.h"
#include "service/random/random.h"

/* random_normal and truncated_normal. */
struct op_normal_params {
    struct attr_shape shape;
    double mean, stddev;
    enum dtype dtype;
    struct attr_seed seed;
};

extern const struct attr_spec op_normal_attrs[];

/* The node's stream from its first block; integer bounds are left 0. */
struct random_stream op_random_stream(enum random_kind kind, const struct expr *node);

ERR_MUST_CHECK enum err_code op_infer_normal(enum random_kind kind, struct expr *node,
                                             struct err *err);
/* (z * T(stddev)) + T(mean): T rounds to the dtype, and so does each operation. */
ERR_MUST_CHECK enum err_code op_eval_normal(enum random_kind kind, const struct expr *node,
                                            uint64_t first, uint64_t count, void *out,
                                            struct err *err);

#endif
