/* Attributes and literals in an expression's record (expr_record.c has the frame around them). */
#ifndef SERVICE_EXPR_EXPR_ATTR_H
#define SERVICE_EXPR_EXPR_ATTR_H

#include "service/expr/op.h"

/* u8 weak, u8 dtype, shape, u64 size, bytes. */
ERR_MUST_CHECK enum err_code expr_literal_encode(const struct tensor_view *literal, bool weak,
                                                 struct buf *out, struct err *err);
/* ERR_DATA_LOSS for damage, ERR_PAYLOAD_TOO_LARGE past the limit. *out borrows from the tree. */
ERR_MUST_CHECK enum err_code expr_literal_decode(struct reader *in,
                                                 const struct expr_limits *limits,
                                                 struct expr_tree *tree, struct tensor_view *out,
                                                 bool *weak, struct err *err);

/* Attributes as they lie in memory; everything borrowed. */
struct expr_attrs {
    const char *owner; /* "op 'fill'": for messages */
    const struct attr_spec *specs;
    void *params; /* the params struct of specs */
    bool *given;  /* by row */
};

/* All rows: u32 count, then each by name with kind, given and value. The value is there also when
 * it is the default, so that a default may change without changing what is stored. */
ERR_MUST_CHECK enum err_code expr_attrs_encode(const struct expr_attrs *attrs, struct buf *out,
                                               struct err *err);
/* Into params, which hold the defaults: rows the record lacks stay as they are. What lives longer
 * than the record goes to the tree. */
ERR_MUST_CHECK enum err_code expr_attrs_decode(struct reader *in, const struct expr_limits *limits,
                                               struct expr_tree *tree,
                                               const struct expr_attrs *attrs, struct err *err);

#endif
