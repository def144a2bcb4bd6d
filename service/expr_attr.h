/* Attributes and literals in an expression's record (expr_record.c has the frame around them). */
#ifndef SERVICE_EXPR_ATTR_H
#define SERVICE_EXPR_ATTR_H

#include "service/op.h"

/* u8 weak, u8 dtype, shape, u64 size, bytes. */
ERR_MUST_CHECK enum err_code expr_literal_encode(const struct tensor_view *literal, bool weak,
                                                 struct buf *out, struct err *err);
/* ERR_DATA_LOSS for damage, ERR_PAYLOAD_TOO_LARGE past the limit. *out borrows from the tree. */
ERR_MUST_CHECK enum err_code expr_literal_decode(struct reader *in,
                                                 const struct expr_limits *limits,
                                                 struct expr_tree *tree, struct tensor_view *out,
                                                 bool *weak, struct err *err);

/* All rows of the node's op: u32 count, then each by name with kind, given and value. The value is
 * there also when it is the default, so that a default may change without changing what is stored.
 */
ERR_MUST_CHECK enum err_code expr_attrs_encode(const struct expr *node, struct buf *out,
                                               struct err *err);
/* Into the node's params, which hold the defaults: rows the record lacks stay as they are. */
ERR_MUST_CHECK enum err_code expr_attrs_decode(struct reader *in, const struct expr_limits *limits,
                                               struct expr_tree *tree, struct expr *node,
                                               struct err *err);

#endif
