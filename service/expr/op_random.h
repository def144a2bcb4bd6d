/* What the random ops share: which run of an op, the standard draw, scaling in TensorFlow's order.
 */
#ifndef SERVICE_EXPR_OP_RANDOM_H
#define SERVICE_EXPR_OP_RANDOM_H

#include "service/expr/op_helpers.h"
#include "service/random/random.h"

/* TensorFlow's kernels keep a counter: the second execution of an op in a session gives the numbers
 * after those of the first. Here the expression says which execution it is. The last row. */
#define OP_RANDOM_RUN(type)                                                                        \
    ATTR_I64(type, run, .i64_min = 0, .i64_max = INT64_MAX,                                        \
             .help = "which execution of the op in one session, counted from 0, whose numbers "    \
                     "these are")

/* random_normal and truncated_normal, and the initializers of those names, whose rows have
 * another order. */
struct op_normal_params {
    struct attr_shape shape;
    double mean, stddev;
    enum dtype dtype;
    struct attr_seed seed;
    int64_t run;
};
extern const struct attr_spec op_normal_attrs[], op_normal_initializer_attrs[];

/* random_uniform and its initializer. */
struct op_uniform_params {
    struct attr_shape shape;
    struct attr_tensor minval, maxval;
    enum dtype dtype;
    struct attr_seed seed;
    int64_t run;
};
extern const struct attr_spec op_uniform_attrs[], op_uniform_initializer_attrs[];
#define OP_UNIFORM_DTYPES (OP_DTYPES_FLOAT | OP_DTYPE(INT32) | OP_DTYPE(INT64))

/* What TensorFlow's functions of these names make. */
extern const struct op_graph_node op_uniform_nodes[], op_normal_nodes[], op_truncated_nodes[];
/* Of random_uniform, whose integers take fewer nodes. */
const struct op_graph_node *op_uniform_rows(const struct expr *node);

/* A run of `outputs` elements sets 256 blocks aside for each. Refuses a run whose blocks cannot be
 * counted in 64 bits; after it, op_random_base gives the run's first block. */
ERR_MUST_CHECK enum err_code op_random_check_run(const struct expr *node, int64_t run,
                                                 uint64_t outputs, struct err *err);
uint64_t op_random_base(int64_t run, uint64_t outputs);
/* The same of a run that takes `blocks` blocks. */
ERR_MUST_CHECK enum err_code op_random_check_blocks(const struct expr *node, int64_t run,
                                                    uint64_t blocks, struct err *err);
/* The node's stream, in its own dtype, from the first block of a run; integer bounds are left 0. */
struct random_stream op_random_stream(enum random_kind kind, const struct expr *node, int64_t run);

/* "Expected floating point type, got int32." */
ERR_MUST_CHECK enum err_code op_random_check_float(const struct expr *node, enum dtype dtype,
                                                   struct err *err);
/* A number that becomes infinite in the dtype. */
ERR_MUST_CHECK enum err_code op_random_check_fits(const struct expr *node, const char *name,
                                                  double value, enum dtype dtype, struct err *err);

/* Elements of the node, of its dtype, from numbers rounded to it once (T):
 * (z * T(stddev)) + T(mean), each operation rounded; kind is normal or truncated normal. */
ERR_MUST_CHECK enum err_code op_random_normals(enum random_kind kind, const struct expr *node,
                                               int64_t run, double mean, double stddev,
                                               uint64_t first, uint64_t count, void *out,
                                               struct err *err);
/* (u * (T(high) - T(low))) + T(low); floats. */
ERR_MUST_CHECK enum err_code op_random_uniforms(const struct expr *node, int64_t run, double low,
                                                double high, uint64_t first, uint64_t count,
                                                void *out, struct err *err);

/* infer and eval over the params above. */
ERR_MUST_CHECK enum err_code op_infer_normal(struct expr *node, struct err *err);
ERR_MUST_CHECK enum err_code op_eval_normal(enum random_kind kind, const struct expr *node,
                                            uint64_t first, uint64_t count, void *out,
                                            struct err *err);
ERR_MUST_CHECK enum err_code op_infer_uniform(struct expr_tree *tree, struct expr *node,
                                              struct err *err);
ERR_MUST_CHECK enum err_code op_eval_uniform(struct evaluator *e, const struct expr *node,
                                             uint64_t first, uint64_t count, void *out,
                                             struct err *err);
/* random_normal's and truncated_normal's, as struct op wants them. */
ERR_MUST_CHECK enum err_code op_eval_random_normal(struct evaluator *e, const struct expr *node,
                                                   uint64_t first, uint64_t count, void *out,
                                                   struct err *err);
ERR_MUST_CHECK enum err_code op_eval_truncated_normal(struct evaluator *e, const struct expr *node,
                                                      uint64_t first, uint64_t count, void *out,
                                                      struct err *err);

#endif
