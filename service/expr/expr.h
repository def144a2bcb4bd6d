/* Expressions: what a client writes where a value is expected. Ops over literals and variables: a
 * tree, but for nodes that were given an id and are argument of more than one op.
 *
 * Life: built by expr_tree_* calls (api decodes JSON, records are decoded here) -> expr_infer:
 * dtypes and shapes, refusing what cannot work -> expr_draw: seeds of random ops -> evaluator_read:
 * any range of elements of the result, as often as wanted, in bounded memory. Weak literals,
 * numbers written without a dtype, are int64 or float64 here and adopt the dtype of what they meet,
 * as TensorFlow converts Python numbers: integers to any number type they fit, fractions to float
 * and complex types only; meeting nothing they become int32 (int64 when too big) or float32. */
#ifndef SERVICE_EXPR_EXPR_H
#define SERVICE_EXPR_EXPR_H

#include "service/random/random.h"
#include "service/tensor/tensor.h"
#include "store/base/arena.h"
#include "store/base/buf.h"

struct op;
struct attr_seed;

enum expr_kind { EXPR_OP, EXPR_LITERAL, EXPR_VARIABLE, EXPR_INITIALIZED_VALUE };
enum { EXPR_ELEMENT_BYTES_MAX = 16 };

struct expr {
    enum expr_kind kind;
    const struct op *op; /* EXPR_OP */
    void *params;        /* its params struct */
    bool *given;         /* by attribute row: stated by the client */
    struct expr **args;
    uint32_t arg_count;
    struct tensor_view literal; /* EXPR_LITERAL, as written */
    struct tensor_view settled; /* the same in the dtype it adopted; set by expr_infer */
    bool weak;
    const char *variable;    /* EXPR_VARIABLE, EXPR_INITIALIZED_VALUE */
    struct tensor_type type; /* of the result; set by expr_infer */
    bool constant;           /* an op whose whole result is `element`; likewise */
    _Alignas(EXPR_ELEMENT_BYTES_MAX) uint8_t element[EXPR_ELEMENT_BYTES_MAX];
    struct random_seeds seeds;   /* of a random op; set by expr_draw */
    enum random_profile profile; /* likewise */
    const char *id;              /* by which others refer to it; NULL: nobody does */
    uint32_t index;              /* creation order: children before parents; in tree->nodes */
    uint32_t height;             /* levels below and with it: 1 for a leaf; set by expr_tree_args */
    uint32_t uses;               /* by how many arguments it is meant; likewise */
    uint32_t
        depth; /* 1 = root, the longest way down; 0: the root does not reach it; by expr_infer */
    const char
        *path; /* "" root, "0" first argument, "1.0" …: the first in written order; likewise */
};

/* Owns every node, params struct, text and literal of one expression, but for tensors that came
 * beside the JSON it was read from: those it borrows (api/tensors/tensor_table.h). */
struct expr_tree {
    struct arena arena;
    struct tensor *literals; /* owned */
    size_t literal_count, literal_capacity;
    uint64_t literal_bytes; /* as written, without the converted ones */
    struct expr *root;
    struct expr **nodes; /* owned array, by index */
    uint32_t node_count;
    size_t node_capacity;
};

/* The deepest expression, whatever the settings say: evaluation recurses once per level. */
enum { EXPR_DEPTH_MAX = 48, EXPR_ID_BYTES_MAX = 64 };

struct expr_limits {
    uint32_t nodes_max, depth_max;
    uint64_t literal_bytes_max;
};

ERR_MUST_CHECK enum err_code expr_tree_init(struct expr_tree *tree, struct err *err);
void expr_tree_drop(struct expr_tree *tree);
/* Takes `literal` (also on failure); the view borrows from the tree. */
ERR_MUST_CHECK enum err_code expr_tree_literal(struct expr_tree *tree, struct tensor *literal,
                                               struct tensor_view *out, struct err *err);
/* A new node with room for arg_count arguments (to be set with expr_tree_args) and, for an op, its
 * params struct holding the defaults. Borrows from the tree. ERR_INVALID_ARGUMENT past nodes_max.
 */
ERR_MUST_CHECK enum err_code expr_tree_node(struct expr_tree *tree,
                                            const struct expr_limits *limits, enum expr_kind kind,
                                            const struct op *op, uint32_t arg_count,
                                            struct expr **out, struct err *err);

/* Sets the arguments of `node`, nodes made before it. ERR_INVALID_ARGUMENT past depth_max. */
ERR_MUST_CHECK enum err_code expr_tree_args(const struct expr_limits *limits, struct expr *node,
                                            struct expr *const *args, struct err *err);

/* Adds to what is counted against limits->literal_bytes_max, before the tensor is made. */
ERR_MUST_CHECK enum err_code expr_tree_reserve_literal(struct expr_tree *tree,
                                                       const struct expr_limits *limits,
                                                       uint64_t size_bytes, struct err *err);

/* For a record. Decoding checks everything again; damage is ERR_DATA_LOSS. */
ERR_MUST_CHECK enum err_code expr_encode(const struct expr_tree *tree, struct buf *out,
                                         struct err *err);
ERR_MUST_CHECK enum err_code expr_decode(struct bytes record, const struct expr_limits *limits,
                                         struct expr_tree *out, struct err *err);

/* Where named values come from. `initialized` = {"initialized_value": name}. */
struct expr_source {
    void *context;
    ERR_MUST_CHECK enum err_code (*type)(void *context, const char *name, bool initialized,
                                         struct tensor_type *out, struct err *err);
    /* Bytes [offset, offset + size) of the value. */
    ERR_MUST_CHECK enum err_code (*read)(void *context, const char *name, bool initialized,
                                         uint64_t offset, uint64_t size, void *out,
                                         struct err *err);
    /* The same without a copy, where they lie together in memory, at any address: borrowed for as
     * long as the source is. data NULL: they do not, read them. NULL: they never do. */
    ERR_MUST_CHECK enum err_code (*lend)(void *context, const char *name, bool initialized,
                                         uint64_t offset, uint64_t size, struct bytes *out,
                                         struct err *err);
    /* Bytes of a string value; NULL: string values of variables cannot be read here. */
    ERR_MUST_CHECK enum err_code (*size)(void *context, const char *name, bool initialized,
                                         uint64_t *out, struct err *err);
};

/* Sets type, path and depth of every node, converts weak literals. `wanted`: the dtype a weak root
 * adopts, DTYPE_UNSET when none. `source` may be NULL where no variable can be read. Errors name op
 * and position. May be run again: what was written stays beside what was converted. */
ERR_MUST_CHECK enum err_code expr_infer(struct expr_tree *tree, const struct expr_source *source,
                                        enum dtype wanted, struct err *err);

/* Seeds for every random op: of model seed and op seed as TensorFlow pairs them; with a model seed
 * only, the op seed derives from variable_name and the node's path; with neither, both are drawn by
 * the operating system from what a client may give, [0, 2^31-1): the run can be repeated with model
 * seed = seeds.key and op seed = seeds.counter_high. */
struct expr_draw {
    bool has_model_seed;
    int64_t model_seed;
    const char *variable_name;
    enum random_profile profile;
    const int64_t *op_seeds; /* by node index, instead of the derived ones; NULL: derive */
};
ERR_MUST_CHECK enum err_code expr_draw(struct expr_tree *tree, const struct expr_draw *draw,
                                       struct err *err);
/* The op seed that a random op was given. Borrows from the node. */
const struct attr_seed *expr_op_seed(const struct expr *node);

/* Names the expression reads, each once. visit returns an error to stop. */
typedef enum err_code expr_visit(void *context, const char *name, bool initialized,
                                 struct err *err);
ERR_MUST_CHECK enum err_code expr_each_variable(const struct expr_tree *tree, expr_visit *visit,
                                                void *context, struct err *err);

/* Evaluation. Ops that go element by element work in tiles, whatever the size; what must be in
 * memory as a whole (arguments of a matrix product, a node that two ops read in different order) is
 * counted before anything is computed. */
struct device;
struct parallel;
struct evaluator_options {
    uint64_t bytes_max; /* kept whole at once, with scratch memory: expression_max_bytes */
    uint64_t
        operations_max; /* of ops that are no loop over their elements: expression_operations_max */
    struct parallel *parallel;   /* borrowed; NULL: this thread alone */
    const struct device *device; /* that computes; borrowed; NULL: the host */
    /* Set from any thread: evaluation gives up (ERR_UNAVAILABLE) within the tile or the matrix it
     * is at. Borrowed; NULL: never. */
    const _Atomic bool *interrupted;
};

/* Whether an inferred tree can be evaluated within these limits: ERR_PAYLOAD_TOO_LARGE names the
 * setting. */
ERR_MUST_CHECK enum err_code evaluator_check(const struct expr_tree *tree,
                                             const struct evaluator_options *options,
                                             struct err *err);

/* Elements [first, first + count) of the result into out (count * element size bytes; aligned for
 * the element). After expr_infer and expr_draw. Opening computes what is kept whole; errors of ops
 * and of the source may come from either call. Opening checks as evaluator_check does. `tree` is
 * not changed. The source is called by one thread at a time. */
struct evaluator;
ERR_MUST_CHECK enum err_code evaluator_open(const struct expr_tree *tree,
                                            const struct expr_source *source,
                                            const struct evaluator_options *options,
                                            struct evaluator **out, struct err *err);
ERR_MUST_CHECK enum err_code evaluator_read(struct evaluator *e, uint64_t first, uint64_t count,
                                            void *out, struct err *err);
/* The whole result of dtype string, in tensor.h's form, appended to out; its maximum is the limit.
 */
ERR_MUST_CHECK enum err_code evaluator_strings(struct evaluator *e, struct buf *out,
                                               struct err *err);
void evaluator_drop(struct evaluator *e); /* NULL is fine */

/* True when the whole result is one element repeated: *element (16 bytes of room, 16-byte aligned)
 * is it. Never for string. */
bool expr_constant_fill(const struct expr_tree *tree, void *element);

#endif
