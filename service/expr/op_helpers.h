/* What ops share: errors that name the op and its place, weak literals, arguments tile by tile. */
#ifndef SERVICE_EXPR_OP_HELPERS_H
#define SERVICE_EXPR_OP_HELPERS_H

#include "service/expr/op.h"
#include "service/tensor/kernels.h"

/* --- errors -------------------------------------------------------------------------------- */

/* "multiply: …", "multiply (argument 1.0): …". Returns the code. */
enum err_code op_fail(const struct expr *node, enum err_code code, struct err *err,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same around an error of a callee: `inner` must be set. Returns its code. */
enum err_code op_wrap(const struct expr *node, const struct err *inner, struct err *err);

/* --- inference ----------------------------------------------------------------------------- */

/* A weak literal adopts `dtype`; another node, or a literal with a dtype of its own, stays as it
 * is. Refuses fractions for integers, and values that do not fit. */
ERR_MUST_CHECK enum err_code op_settle(struct expr_tree *tree, struct expr *node, enum dtype dtype,
                                       struct err *err);
/* Elementwise ops: weak arguments adopt the dtype of the first argument that has one; among
 * themselves float32 where one has a fraction. Then all dtypes must be equal. */
ERR_MUST_CHECK enum err_code op_settle_together(struct expr_tree *tree, struct expr *node,
                                                struct err *err);
/* The same for the arguments from number `first` on. */
ERR_MUST_CHECK enum err_code op_settle_from(struct expr_tree *tree, struct expr *node,
                                            uint32_t first, struct err *err);
/* An attribute `name` of `node`: DTYPE_UNSET asks for its natural dtype. A value with a dtype of
 * its own must have this one. */
ERR_MUST_CHECK enum err_code op_settle_attr(struct expr_tree *tree, const struct expr *node,
                                            const char *name, struct attr_tensor *attr,
                                            enum dtype dtype, struct err *err);
/* The dtype a literal as written would take by itself. */
enum dtype op_natural_dtype(const struct tensor_view *literal, bool weak);
bool op_has_dtype(const struct op *op, enum dtype dtype);
/* "float16 bfloat16 float32", for messages; returns out. */
enum { OP_DTYPES_TEXT_BYTES_MAX = 400 };
const char *op_dtypes_text(uint32_t dtypes, char out[static OP_DTYPES_TEXT_BYTES_MAX]);

/* Refuses a dtype that is not among the op's. */
ERR_MUST_CHECK enum err_code op_check_dtype(const struct expr *node, enum dtype dtype,
                                            struct err *err);
/* Refuses an argument whose dtype is not among op->arg_dtypes (op->dtypes where those are 0). */
ERR_MUST_CHECK enum err_code op_check_arg_dtype(const struct expr *node, uint32_t index,
                                                struct err *err);

/* --- evaluation ---------------------------------------------------------------------------- */

/* Elements [first, first + count) of argument `index`, counted as in the argument; count up to
 * OP_TILE_ELEMENTS. *out borrows, until the op's eval returns, from the literal itself, from
 * `scratch` (count elements; NULL: a tile of the evaluator) or, for an argument that is one element
 * repeated, from that element with step 0. */
ERR_MUST_CHECK enum err_code op_arg(struct evaluator *e, const struct expr *node, uint32_t index,
                                    uint64_t first, uint64_t count, void *scratch,
                                    struct kernel_operand *out, struct err *err);
/* The same counted as in the node: the argument broadcast to the node's shape. */
ERR_MUST_CHECK enum err_code op_arg_broadcast(struct evaluator *e, const struct expr *node,
                                              uint32_t index, uint64_t first, uint64_t count,
                                              void *scratch, struct kernel_operand *out,
                                              struct err *err);
/* Like op_arg, always into out; any count. Of an OP_ACCESS_RUNS argument. */
ERR_MUST_CHECK enum err_code op_arg_read(struct evaluator *e, const struct expr *node,
                                         uint32_t index, uint64_t first, uint64_t count, void *out,
                                         struct err *err);
/* All elements of an OP_ACCESS_WHOLE argument, row-major, aligned for the element. Borrows from the
 * evaluation. Never NULL, unless the argument has no elements. */
const void *op_arg_whole(struct evaluator *e, const struct expr *node, uint32_t index);
/* Like op_arg, always into out. Of an OP_ACCESS_ELEMENTWISE argument: a tile, as op_arg's. */
ERR_MUST_CHECK enum err_code op_arg_into(struct evaluator *e, const struct expr *node,
                                         uint32_t index, uint64_t first, uint64_t count, void *out,
                                         struct err *err);

/* ERR_UNAVAILABLE when the evaluation is to give up. Reading arguments asks this; so does what
 * works long between two readings, once for each matrix. */
ERR_MUST_CHECK enum err_code op_check_interrupt(const struct evaluator *e, struct err *err);

/* eval of an op whose `constant` always answers. */
ERR_MUST_CHECK enum err_code op_eval_constant(struct evaluator *e, const struct expr *node,
                                              uint64_t first, uint64_t count, void *out,
                                              struct err *err);
/* The node's result is one element repeated: *element (16 bytes, 16-byte aligned) is it. After
 * expr_infer; of an argument also in an op's `constant`. */
bool op_node_constant(const struct expr *node, void *element);
/* `strings` of an op that gives empty strings only. */
ERR_MUST_CHECK enum err_code op_strings_empty(const struct expr *node, struct buf *out,
                                              struct err *err);

#endif
