/* TensorFlow's initializers whose numbers depend on the shape: fans, limits, and the ops that
 * differ in nothing else. Formulas: tensorflow/python/ops/init_ops.py (VarianceScaling,
 * UniformUnitScaling, _compute_fans), stated at each function. */
#ifndef SERVICE_EXPR_OP_INITIALIZER_H
#define SERVICE_EXPR_OP_INITIALIZER_H

#include "service/expr/op_random.h"

enum initializer_mode { INITIALIZER_FAN_IN, INITIALIZER_FAN_OUT, INITIALIZER_FAN_AVG };
/* NORMAL is truncated and its deviation passed on as it is, as r1.0 has it: the variance of the
 * numbers is 0.774 of the one asked for. TRUNCATED_NORMAL is later TensorFlow's (1.10), which makes
 * up for that; UNTRUNCATED_NORMAL likewise later. */
enum initializer_distribution {
    INITIALIZER_NORMAL,
    INITIALIZER_UNIFORM,
    INITIALIZER_TRUNCATED_NORMAL,
    INITIALIZER_UNTRUNCATED_NORMAL
};

struct initializer_scaling {
    double scale;
    enum initializer_mode mode;
    enum initializer_distribution distribution;
};

/* Inputs and outputs of the units a weight of this shape connects: 1 and 1 for a scalar, its length
 * twice for a vector, and for more the last two dimensions, each times all before them. */
void initializer_fans(const struct shape *shape, double *fan_in, double *fan_out);
/* In double, s = scale / max(1, n): sqrt(s), what the normal distributions take for a standard
 * deviation (divided by 0.87962566103423978 where that is made up for), or sqrt(3 s), half the
 * width of the uniform one. */
double initializer_limit(const struct initializer_scaling *scaling, const struct shape *shape);
/* uniform_unit_scaling: sqrt(3 / max(1, product of all dimensions but the last)) * factor. */
double initializer_unit_limit(double factor, const struct shape *shape);

/* glorot_uniform_initializer and its like: op->kernel says which. */
enum initializer_named {
    INITIALIZER_GLOROT_NORMAL,
    INITIALIZER_GLOROT_UNIFORM,
    INITIALIZER_HE_NORMAL,
    INITIALIZER_HE_UNIFORM,
    INITIALIZER_LECUN_NORMAL,
    INITIALIZER_LECUN_UNIFORM,
    INITIALIZER_NAMED_COUNT
};
const struct initializer_scaling *initializer_of(enum initializer_named which);

struct op_named_params {
    struct attr_shape shape;
    struct attr_seed seed;
    enum dtype dtype;
    int64_t run;
};
extern const struct attr_spec op_named_attrs[];
ERR_MUST_CHECK enum err_code op_infer_named(struct expr_tree *tree, struct expr *node,
                                            struct err *err);
ERR_MUST_CHECK enum err_code op_eval_named(struct evaluator *e, const struct expr *node,
                                           uint64_t first, uint64_t count, void *out,
                                           struct err *err);

/* Of any op of this family: checks dtype, run and that the limit fits, then sets the type. */
ERR_MUST_CHECK enum err_code op_infer_scaled(struct expr *node, const struct shape *shape,
                                             enum dtype dtype, int64_t run, double limit,
                                             struct err *err);
/* Draws with a limit of initializer_limit. */
ERR_MUST_CHECK enum err_code op_eval_scaled(const struct expr *node, int64_t run,
                                            const struct initializer_scaling *scaling,
                                            uint64_t first, uint64_t count, void *out,
                                            struct err *err);

/* zeros_initializer and ones_initializer. */
struct op_constant_initializer_params {
    struct attr_shape shape;
    enum dtype dtype;
};
extern const struct attr_spec op_constant_initializer_attrs[];
ERR_MUST_CHECK enum err_code op_infer_constant_initializer(struct expr_tree *tree,
                                                           struct expr *node, struct err *err);

#endif
