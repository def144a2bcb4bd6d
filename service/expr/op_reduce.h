/* What reductions share: axes, the walk through an argument of any size in bounded memory. */
#ifndef SERVICE_EXPR_OP_REDUCE_H
#define SERVICE_EXPR_OP_REDUCE_H

#include "service/expr/op_axes.h"
#include "service/expr/op_helpers.h"
#include "service/tensor/reduce.h"

/* reduce_sum and its like; op->kernel is an enum kernel_reduce. */
struct op_reduce_params {
    struct attr_ints axis;
    bool keep_dims;
};

extern const struct attr_spec op_reduce_attrs[];
extern const char *const op_reduce_arg_names[];

/* All dimensions when the list is not given. Refuses what is out of range or named twice. */
ERR_MUST_CHECK enum err_code op_reduce_axes(const struct expr *node, const struct attr_ints *list,
                                            struct op_axes *out, struct err *err);
/* The axes of a node that was inferred. */
struct op_axes op_reduce_axes_of(const struct expr *node, const struct attr_ints *list);

/* The first argument, front to back, in pieces: each(context, elements, count) for every piece. */
typedef void op_reduce_each(void *context, const void *elements, uint64_t count);
ERR_MUST_CHECK enum err_code op_reduce_walk(struct evaluator *e, const struct expr *node,
                                            op_reduce_each *each, void *context, struct err *err);
/* Memory of the walk's pieces. */
uint64_t op_reduce_piece_bytes(const struct expr *node);

/* A reduction of the first argument over `axes`. *out: to be dropped, also on failure. */
ERR_MUST_CHECK enum err_code op_reduce_run(struct evaluator *e, const struct expr *node,
                                           enum kernel_reduce kind, enum kernel_reduce_map map,
                                           uint32_t axes, struct kernel_reduction *out,
                                           struct err *err);

/* infer, compute, scratch_bytes and operations of ops with op_reduce_params. */
ERR_MUST_CHECK enum err_code op_infer_reduce(struct expr_tree *tree, struct expr *node,
                                             struct err *err);
ERR_MUST_CHECK enum err_code op_compute_reduce(struct evaluator *e, const struct expr *node,
                                               void *out, struct err *err);
uint64_t op_reduce_scratch(const struct expr *node);
/* One for each element of the argument; of any op that walks through its argument. */
uint64_t op_reduce_operations(const struct expr *node);

#endif
