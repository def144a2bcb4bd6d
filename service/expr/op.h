/* An op: one const struct in one file of service/ops/, one line in service/ops/list.def. */
#ifndef SERVICE_EXPR_OP_H
#define SERVICE_EXPR_OP_H

#include "service/expr/attr.h"
#include "service/expr/expr.h"

/* Sets of dtypes. */
#define OP_DTYPE(id) (1u << DTYPE_##id)
#define OP_DTYPES_FLOAT                                                                            \
    (OP_DTYPE(FLOAT16) | OP_DTYPE(BFLOAT16) | OP_DTYPE(FLOAT32) | OP_DTYPE(FLOAT64))
#define OP_DTYPES_INTEGER                                                                          \
    (OP_DTYPE(INT8) | OP_DTYPE(INT16) | OP_DTYPE(INT32) | OP_DTYPE(INT64) | OP_DTYPE(UINT8) |      \
     OP_DTYPE(UINT16) | OP_DTYPE(UINT32) | OP_DTYPE(UINT64))
#define OP_DTYPES_NUMBER                                                                           \
    (OP_DTYPES_FLOAT | OP_DTYPES_INTEGER | OP_DTYPE(COMPLEX64) | OP_DTYPE(COMPLEX128))
#define OP_DTYPES_REAL  (OP_DTYPES_FLOAT | OP_DTYPES_INTEGER)
#define OP_DTYPES_ALL   ((1u << DTYPE_COUNT) - 1)
#define OP_DTYPES_FIXED (OP_DTYPES_ALL & ~OP_DTYPE(STRING)) /* elements of one size */

/* How an op reads an argument; what the evaluator keeps in memory follows from it. */
enum op_access {
    OP_ACCESS_ELEMENTWISE, /* element by element beside the result, or broadcast to it: op_arg,
                              op_arg_broadcast */
    OP_ACCESS_RUNS,        /* runs of elements anywhere, each about once: op_arg_read */
    OP_ACCESS_WHOLE,       /* at will, in memory: op_arg_whole */
};

/* How the type of a graph node follows from the op's result. */
enum op_graph_type {
    OP_GRAPH_TYPE_UNKNOWN,
    OP_GRAPH_TYPE_RESULT, /* the same */
    OP_GRAPH_TYPE_SCALAR, /* a scalar of its dtype */
    OP_GRAPH_TYPE_DIMS,   /* its dimensions: a vector of int32 */
};

/* A node that TensorFlow r1.0's Python function for an op puts into the graph, in the order made.
 */
struct op_graph_node {
    const char *name;   /* below the op's own scope: "shape", "mul"; "": the scope's name itself */
    const char *type;   /* TensorFlow's: "Const", "RandomStandardNormal" … */
    const char *inputs; /* separated by blanks: nodes before it by `name`, "$0" the first argument,
                           "$*" all of them; "^" before a control input; NULL: none */
    enum op_graph_type result;
    bool cast;          /* tf.cast of its only input: no node where that has the result's dtype (for
                           a node of the op's own: where the result is float32); its name then means
                           the input */
    bool seeded;        /* the random node: the op seed is the number of nodes before it … */
    uint8_t seed_ahead; /* … less these, made between asking for the seed and it */
};

/* seed_ahead: the seed is asked for before any node of the op's own. */
enum { OP_GRAPH_SEED_FIRST = UINT8_MAX };

struct op {
    const char *name;
    const char *summary;           /* one sentence for the catalogue */
    const struct attr_spec *attrs; /* ends with ATTR_END */
    size_t params_size;
    uint32_t args_min, args_max;
    const char *const *arg_names; /* args_max of them, TensorFlow's names; of more than
                                     OP_ARG_NAMES_MAX only the first, which stands for all */
    uint32_t dtypes;              /* possible result dtypes */
    uint32_t arg_dtypes;          /* of the arguments, for the catalogue; 0: the result's */
    enum op_access access;        /* of every argument */
    uint32_t whole_args;          /* bit i: argument i is OP_ACCESS_WHOLE all the same */
    bool random;                  /* draws from node->seeds */
    bool initializer;             /* takes shape and dtype from its variable where it states none */
    bool passthrough;             /* the elements are the first argument's, in the same order */
    uint32_t kernel;              /* which kernel a shared eval runs: enum kernel_binary … */
    /* In TensorFlow's graph: one node of a type, whose attributes that are tensors there become
     * Const nodes; or rows, which end with a NULL name; or rows that depend on the node (its
     * params, argument count and types), of which graph_nodes are the usual ones. Literal arguments
     * become Const nodes before any of them. Rows may be none: the op is its first argument. */
    const char *graph_type; /* "Mul" */
    const struct op_graph_node *graph_nodes;
    const struct op_graph_node *(*graph_rows)(const struct expr *node);
    /* The scope it opens. NULL: what the NULL row has as its type (""; none: names are those of the
     * variable's initializer); else graph_type, the type of the only row that is no Const, or the
     * op's own name. */
    const char *graph_name;
    /* Of the Const nodes that literal arguments become, below the scope. NULL: arg_names. */
    const char *const *graph_arg_names;
    /* Sets node->type from params and the arguments' types; settles weak literals (op_settle_*). */
    ERR_MUST_CHECK enum err_code (*infer)(struct expr_tree *tree, struct expr *node,
                                          struct err *err);
    /* Elements [first, first + count) of the result; count is 1 to OP_TILE_ELEMENTS. Ranges may be
     * asked for in any order, by several threads at a time. Arguments are read as `access` says
     * (op_helpers.h). Exactly one of eval and compute, neither for a passthrough op. */
    ERR_MUST_CHECK enum err_code (*eval)(struct evaluator *e, const struct expr *node,
                                         uint64_t first, uint64_t count, void *out,
                                         struct err *err);
    /* The whole result at once, into memory (64-byte aligned): for what cannot be made by ranges,
     * as a product of matrices or a sum. Once per evaluation, before anything that reads it. */
    ERR_MUST_CHECK enum err_code (*compute)(struct evaluator *e, const struct expr *node, void *out,
                                            struct err *err);
    /* Memory that compute allocates besides arguments and result (mem_*), in bytes; checked before
     * evaluation starts. NULL: a few KiB at most. */
    uint64_t (*scratch_bytes)(const struct expr *node);
    /* About how many multiplications compute takes; checked likewise (UINT64_MAX: too many to
     * count). NULL: a few for each element of the arguments and the result. */
    uint64_t (*operations)(const struct expr *node);
    /* Whole result one repeated element? NULL: never. */
    bool (*constant)(const struct expr *node, void *element);
    /* The whole result when its dtype is string, in tensor.h's form. NULL: the op makes no strings.
     */
    ERR_MUST_CHECK enum err_code (*strings)(const struct expr *node, struct buf *out,
                                            struct err *err);
};

enum { OP_TILE_ELEMENTS = 4096, OP_ELEMENT_BYTES_MAX = 16, OP_ARG_NAMES_MAX = 8 };
/* args_max of an op that takes any number: expression_nodes_max is the limit. */
#define OP_ARGS_ANY UINT32_MAX

#define OP(name) extern const struct op op_##name;
#include "service/ops/list.def"
#undef OP

/* NULL when there is none. */
const struct op *op_find(struct bytes name);
/* The i-th of the table, NULL past the end; for the catalogue. */
const struct op *op_at(size_t index);
/* How many names `arg_names` has. */
uint32_t op_arg_name_count(const struct op *op);
/* The known name nearest to `name`, for messages; NULL when none is near. Static. */
const char *op_nearest(struct bytes name);

#endif
