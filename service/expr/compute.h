/* Expressions over the values of a model as they are in one view. (Those of a run read its draft:
 * draft_source.) */
#ifndef SERVICE_EXPR_COMPUTE_H
#define SERVICE_EXPR_COMPUTE_H

#include "service/expr/expr.h"
#include "service/state.h"

/* One variable an expression read. */
struct compute_read {
    char name[NAME_BYTES_MAX + 1];
    bool initialized;
    struct tensor_type type;
    struct value_reader reader;
};

/* Reads the variables of one model in one view. `reads` grows by one for each variable met, sorted
 * by name; the readers in it borrow the view, which only dropping them may outlive. */
struct compute_source {
    const struct store_view *view; /* borrowed */
    uint64_t model_id;
    struct compute_read **reads; /* owned */
    size_t read_count, read_capacity;
};

void compute_source_init(struct compute_source *source, const struct store_view *view,
                         uint64_t model_id);
void compute_source_drop(struct compute_source *source);
/* The functions an expression calls; borrows source. Reading an uninitialized variable is
 * ERR_FAILED_PRECONDITION; an unknown one ERR_NOT_FOUND. */
struct expr_source compute_expr_source(struct compute_source *source);
/* Infers a tree over a model's variables, with or without values. Errors begin with `what` it is.
 */
ERR_MUST_CHECK enum err_code compute_infer(const struct store_view *view, uint64_t model_id,
                                           struct expr_tree *tree, const char *what,
                                           struct err *err);

/* "variable 'w' is not initialized: …", naming the variable. */
enum err_code compute_uninitialized(const char *name, struct err *err);

/* Evaluates the whole of an inferred and drawn tree into memory: tensor_type_bytes of the root's
 * type, not for strings. */
ERR_MUST_CHECK enum err_code compute_read_all(const struct expr_tree *tree,
                                              const struct expr_source *source,
                                              const struct evaluator_options *options, void *out,
                                              struct err *err);
/* The same as a tensor, not for strings. ERR_PAYLOAD_TOO_LARGE when it takes more memory than one
 * expression may, naming `what` it is. */
ERR_MUST_CHECK enum err_code compute_tensor(const struct expr_tree *tree, const char *what,
                                            const struct expr_source *source,
                                            const struct evaluator_options *options,
                                            struct tensor *out, struct err *err);
void compute_evaluator_drop(struct evaluator **evaluator); /* for scopes */
/* How much an inferred tree makes on its way: the bytes of all its nodes together, and the
 * multiplications of its matrix ops, of which about one takes the time of a byte. */
uint64_t compute_work_bytes(const struct expr_tree *tree);
/* What the result of an inferred tree takes in the store: nothing when it is a constant fill. 0 for
 * strings, whose size only evaluation tells. */
uint64_t compute_stored_bytes(const struct expr_tree *tree);
/* The size in bytes of an inferred tree's result; for strings too, which are evaluated into
 * *strings. */
ERR_MUST_CHECK enum err_code compute_size(const struct expr_tree *tree,
                                          const struct expr_source *source,
                                          const struct evaluator_options *options,
                                          struct buf *strings, uint64_t *size, struct err *err);

#endif
