/* Expressions that lie in a record beside other things, as they were written. */
#include "service/expr/expr.h"
#include "service/record/record_parts.h"
#include "store/base/scope.h"

enum err_code
record_expr_encode(const struct expr_tree *tree, const char *what, size_t size_max, struct buf *out,
                   struct err *err)
{
    AUTO(buf) text;
    enum err_code code;

    buf_init(&text, size_max);
    code = expr_encode(tree, &text, err);
    if (code == ERR_PAYLOAD_TOO_LARGE)
        err_prefix(err, "the expression of %s", what);
    TRY(code);
    return buf_append_bytes(out, buf_bytes(&text), err);
}

enum err_code
record_expr_decode(struct bytes text, struct expr_tree *out, struct err *err)
{
    /* The record's size bounds all of it, whatever today's settings allow new ones. */
    const struct expr_limits limits = {.nodes_max = UINT32_MAX,
                                       .depth_max = EXPR_DEPTH_MAX,
                                       .literal_bytes_max = STORE_RECORD_BYTES_MAX};

    return expr_decode(text, &limits, out, err);
}
