/* An op: one const struct in one file of service/ops/, one line in service/ops/list.def. */
#ifndef SERVICE_OP_H
#define SERVICE_OP_H

#include "service/attr.h"
#include "service/expr.h"

/* Sets of dtypes. */
#define OP_DTYPE(id) (1u << DTYPE_##id)
#define OP_DTYPES_FLOAT                                                                            \
    (OP_DTYPE(FLOAT16) | OP_DTYPE(BFLOAT16) | OP_DTYPE(FLOAT32) | OP_DTYPE(FLOAT64))
#define OP_DTYPES_INTEGER                                                                          \
    (OP_DTYPE(INT8) | OP_DTYPE(INT16) | OP_DTYPE(INT32) | OP_DTYPE(INT64) | OP_DTYPE(UINT8) |      \
     OP_DTYPE(UINT16) | OP_DTYPE(UINT32) | OP_DTYPE(UINT64))
#define OP_DTYPES_NUMBER                                                                           \
    (OP_DTYPES_FLOAT | OP_DTYPES_INTEGER | OP_DTYPE(COMPLEX64) | OP_DTYPE(COMPLEX128))
#define OP_DTYPES_ALL ((1u << DTYPE_COUNT) - 1)

struct op {
    const char *name;
    const char *summary;           /* one sentence for the catalogue */
    const struct attr_spec *attrs; /* ends with ATTR_END */
    size_t params_size;
    uint32_t args_min, args_max;
    const char *const *arg_names; /* args_max of them, TensorFlow's names */
    uint32_t dtypes;              /* possible result dtypes */
    bool random;                  /* draws from node->seeds */
    bool passthrough;             /* the elements are the first argument's, in the same order */
    /* Sets node->type from params and the arguments' types; settles weak literals (op_settle_*). */
    ERR_MUST_CHECK enum err_code (*infer)(struct expr_tree *tree, struct expr *node,
                                          struct err *err);
    /* Elements [first, first + count) of the result; count is 1 to OP_TILE_ELEMENTS. Arguments are
     * read with op_arg and op_arg_broadcast (op_helpers.h), a tile at a time; an op that needs an
     * argument whole before its first element (matmul, reductions) wants a step of its own ahead of
     * this one. NULL for a passthrough op. */
    ERR_MUST_CHECK enum err_code (*eval)(struct evaluator *e, const struct expr *node,
                                         uint64_t first, uint64_t count, void *out,
                                         struct err *err);
    /* Whole result one repeated element? NULL: never. */
    bool (*constant)(const struct expr *node, void *element);
    /* The whole result when its dtype is string, in tensor.h's form. NULL: the op makes no strings.
     */
    ERR_MUST_CHECK enum err_code (*strings)(const struct expr *node, struct buf *out,
                                            struct err *err);
};

enum { OP_TILE_ELEMENTS = 4096, OP_ELEMENT_BYTES_MAX = 16 };

#define OP(name) extern const struct op op_##name;
#include "service/ops/list.def"
#undef OP

/* NULL when there is none. */
const struct op *op_find(struct bytes name);
/* The i-th of the table, NULL past the end; for the catalogue. */
const struct op *op_at(size_t index);
/* The known name nearest to `name`, for messages; NULL when none is near. Static. */
const char *op_nearest(struct bytes name);

#endif
