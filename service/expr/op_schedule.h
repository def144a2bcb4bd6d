/* What schedules of a learning rate share: scalars in the learning rate's dtype, and how far the
 * decay has come. They compute as the graph does that TensorFlow r1.0's Python builds
 * (python/training/learning_rate_decay.py): every operation rounded to that dtype. */
#ifndef SERVICE_EXPR_OP_SCHEDULE_H
#define SERVICE_EXPR_OP_SCHEDULE_H

#include "service/expr/op_helpers.h"

/* The arguments that all of them begin with. */
enum { OP_SCHEDULE_LEARNING_RATE, OP_SCHEDULE_GLOBAL_STEP, OP_SCHEDULE_DECAY_STEPS };

struct op_schedule_number {
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t bytes[OP_ELEMENT_BYTES_MAX];
};

/* Scalars all of them; the result has the learning rate's dtype, float32 of a number. */
ERR_MUST_CHECK enum err_code op_infer_schedule(struct expr_tree *tree, struct expr *node,
                                               struct err *err);

/* An argument, cast to the node's dtype. */
ERR_MUST_CHECK enum err_code op_schedule_arg(struct evaluator *e, const struct expr *node,
                                             uint32_t index, struct op_schedule_number *out,
                                             struct err *err);
/* A Python float in such a graph: it becomes float32 first, whatever the dtype. */
void op_schedule_constant(const struct expr *node, double value, struct op_schedule_number *out);
/* *out may be either operand. */
ERR_MUST_CHECK enum err_code op_schedule_binary(const struct expr *node, enum kernel_binary op,
                                                const struct op_schedule_number *a,
                                                const struct op_schedule_number *b,
                                                struct op_schedule_number *out, struct err *err);
void op_schedule_ceil(const struct expr *node, struct op_schedule_number *number);

/* global_step and decay_steps. ERR_INVALID_ARGUMENT names a negative step, and decay steps that are
 * not positive: TensorFlow documents both as wrong, and divides by zero. */
ERR_MUST_CHECK enum err_code op_schedule_steps(struct evaluator *e, const struct expr *node,
                                               struct op_schedule_number *global_step,
                                               struct op_schedule_number *decay_steps,
                                               struct err *err);
/* global_step / decay_steps, whole decays only when `staircase`. */
ERR_MUST_CHECK enum err_code op_schedule_progress(struct evaluator *e, const struct expr *node,
                                                  bool staircase, struct op_schedule_number *out,
                                                  struct err *err);

/* --- exponential_decay, natural_exp_decay, inverse_time_decay: one list of parameters --------- */

enum { OP_SCHEDULE_DECAY_RATE = OP_SCHEDULE_DECAY_STEPS + 1, OP_SCHEDULE_DECAY_ARGS };

struct op_schedule_decay_params {
    bool staircase;
};

extern const struct attr_spec op_schedule_decay_attrs[];
extern const char *const op_schedule_decay_arg_names[];
extern const char *const op_schedule_decay_graph_args[];

/* --- rows of their graphs -------------------------------------------------------------------- */

#define OP_SCHEDULE_NODE(name_, type_, inputs_)                                                    \
    {                                                                                              \
        .name = name_, .type = type_, .inputs = inputs_, .result = OP_GRAPH_TYPE_RESULT            \
    }
#define OP_SCHEDULE_CAST(name_, input_)                                                            \
    {                                                                                              \
        .name = name_, .type = "Cast", .inputs = input_, .result = OP_GRAPH_TYPE_RESULT,           \
        .cast = true                                                                               \
    }
/* What the three of one list of parameters begin with. */
#define OP_SCHEDULE_GRAPH_DECAY                                                                    \
    OP_SCHEDULE_CAST("Cast", "$1"), OP_SCHEDULE_CAST("Cast_1", "$2"),                              \
        OP_SCHEDULE_CAST("Cast_2", "$3"), OP_SCHEDULE_NODE("truediv", "RealDiv", "Cast Cast_1")
#define OP_SCHEDULE_GRAPH_FLOOR OP_SCHEDULE_NODE("Floor", "Floor", "truediv")

#endif
