/* Expressions for tests, built without JSON. Everything here ends the test that asks for what
 * cannot be. */
#ifndef TESTS_SUPPORT_EXPRS_H
#define TESTS_SUPPORT_EXPRS_H

#include "service/expr/expr.h"
#include "service/expr/op.h"

enum { EXPRS_NODES_MAX = 4096 };

struct expr_limits exprs_limits(void);
/* One thread; 64 MiB, 10^9 multiplications. */
extern const struct evaluator_options exprs_options;
struct shape exprs_shape(uint32_t rank, ...); /* rank ints */

/* A literal node with `shape`'s elements of `dtype` copied from data. */
struct expr *exprs_literal(struct expr_tree *tree, enum dtype dtype, struct shape shape,
                           const void *data);
struct expr *exprs_float32(struct expr_tree *tree, struct shape shape, const float *data);
struct expr *exprs_weak_int(struct expr_tree *tree, int64_t value);
struct expr *exprs_weak_float(struct expr_tree *tree, double value);
struct expr *exprs_variable(struct expr_tree *tree, const char *name, bool initialized);
struct expr *exprs_op(struct expr_tree *tree, const char *name, uint32_t arg_count, ...);

/* Attributes; each returns the node. */
struct expr *exprs_set_shape(struct expr *node, const char *name, struct shape shape);
struct expr *exprs_set_dtype(struct expr *node, const char *name, enum dtype dtype);
struct expr *exprs_set_f64(struct expr *node, const char *name, double value);
struct expr *exprs_set_bool(struct expr *node, const char *name, bool value);
struct expr *exprs_set_seed(struct expr *node, const char *name, int64_t value);
struct expr *exprs_set_dims(struct expr *node, const char *name, uint32_t rank, ...); /* ints */
/* Takes the literal of a node made by exprs_literal or exprs_weak_*. */
struct expr *exprs_set_tensor(struct expr *node, const char *name, const struct expr *literal);

/* Infers, draws with no model seed, reads the whole result into *out (owned). */
ERR_MUST_CHECK enum err_code exprs_evaluate(struct expr_tree *tree,
                                            const struct expr_source *source, struct tensor *out,
                                            struct err *err);

/* Named values for a source: `a` … */
struct exprs_value {
    const char *name;
    struct tensor_view value;
};
struct exprs_values {
    const struct exprs_value *values;
    size_t count;
    bool lends;                 /* bytes where they lie, not copies of them */
    uint64_t reads, bytes_read; /* what the expression asked for */
    uint64_t bytes_lent;
};
struct expr_source exprs_source(struct exprs_values *values);

#endif
