/* Expression trees: nodes, literals, names. Nodes are numbered as they are made, arguments before
 * the ops that take them, so that every pass over a tree is a loop over tree->nodes, forwards from
 * the leaves or backwards from the root, and no input decides how deep our stack goes. */
#include "service/expr/expr.h"

#include <inttypes.h>
#include <stdlib.h>

#include "service/expr/op.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* Nodes, params and texts; literals come on top. */
#define TREE_BYTES_MAX ((size_t)256 << 20)

enum err_code
expr_tree_init(struct expr_tree *tree, struct err *err)
{
    (void)err;
    *tree = (struct expr_tree){0};
    arena_init(&tree->arena, TREE_BYTES_MAX);
    return OK;
}

void
expr_tree_drop(struct expr_tree *tree)
{
    for (size_t i = 0; i < tree->literal_count; i++)
        tensor_drop(&tree->literals[i]);
    mem_free(tree->literals);
    mem_free(tree->nodes);
    arena_drop(&tree->arena);
    *tree = (struct expr_tree){0};
}

enum err_code
expr_tree_literal(struct expr_tree *tree, struct tensor *literal, struct tensor_view *out,
                  struct err *err)
{
    AUTO(tensor) taken = TAKE(*literal);
    struct tensor *grown =
        mem_grown(tree->literals, tree->literal_count, &tree->literal_capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    tree->literals = grown;
    *out = tensor_view_of(&taken);
    tree->literals[tree->literal_count++] = TAKE(taken);
    return OK;
}

enum err_code
expr_tree_reserve_literal(struct expr_tree *tree, const struct expr_limits *limits,
                          uint64_t size_bytes, struct err *err)
{
    if (size_bytes > limits->literal_bytes_max ||
        tree->literal_bytes > limits->literal_bytes_max - size_bytes)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the literals of the expression have more than %" PRIu64
                       " bytes (literal_max_bytes)",
                       limits->literal_bytes_max);
    tree->literal_bytes += size_bytes;
    return OK;
}

static enum err_code
add_to_index(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct expr **grown =
        mem_grown(tree->nodes, tree->node_count, &tree->node_capacity, sizeof(struct expr *), err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    tree->nodes = grown;
    node->index = tree->node_count;
    tree->nodes[tree->node_count++] = node;
    return OK;
}

static enum err_code
add_params(struct expr_tree *tree, struct expr *node, struct err *err)
{
    node->params = arena_alloc(&tree->arena, node->op->params_size, err);
    if (node->params == NULL)
        return ERR_NO_MEMORY;
    node->given = arena_array(&tree->arena, attr_count(node->op->attrs), sizeof *node->given, err);
    if (node->given == NULL)
        return ERR_NO_MEMORY;
    attr_defaults(node->op->attrs, node->params);
    return OK;
}

enum err_code
expr_tree_node(struct expr_tree *tree, const struct expr_limits *limits, enum expr_kind kind,
               const struct op *op, uint32_t arg_count, struct expr **out, struct err *err)
{
    struct expr *node = NULL;

    CHECK((kind == EXPR_OP) == (op != NULL));
    if (tree->node_count >= limits->nodes_max || arg_count >= limits->nodes_max)
        return err_set(err, ERR_INVALID_ARGUMENT, "the expression has more than %" PRIu32 " nodes",
                       limits->nodes_max);
    node = arena_alloc(&tree->arena, sizeof *node, err);
    if (node == NULL)
        return ERR_NO_MEMORY;
    *node = (struct expr){.kind = kind, .op = op, .arg_count = arg_count, .height = 1};
    if (arg_count > 0) {
        node->args = arena_array(&tree->arena, arg_count, sizeof *node->args, err);
        if (node->args == NULL)
            return ERR_NO_MEMORY;
    }
    if (kind == EXPR_OP)
        TRY(add_params(tree, node, err));
    TRY(add_to_index(tree, node, err));
    *out = node;
    return OK;
}

enum err_code
expr_tree_args(const struct expr_limits *limits, struct expr *node, struct expr *const *args,
               struct err *err)
{
    uint32_t depth_max = limits->depth_max < EXPR_DEPTH_MAX ? limits->depth_max : EXPR_DEPTH_MAX;

    for (uint32_t i = 0; i < node->arg_count; i++) {
        CHECK(args[i]->index < node->index);
        if (args[i]->height >= depth_max)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "the expression is more than %" PRIu32 " levels deep", depth_max);
        if (args[i]->height >= node->height)
            node->height = args[i]->height + 1;
        node->args[i] = args[i];
        args[i]->uses++;
    }
    return OK;
}

/* --- seeds --------------------------------------------------------------------------------- */

/* Seeds are numbers of TensorFlow's seed range: tf.get_seed reduces to it. */
enum { SEED_RANGE = 2147483647 };

const struct attr_seed *
expr_op_seed(const struct expr *node)
{
    static const struct attr_seed none = {0};

    for (const struct attr_spec *spec = node->op->attrs; spec->name != NULL; spec++)
        if (spec->kind == ATTR_KIND_SEED)
            return attr_in(spec, node->params);
    return &none;
}

static enum err_code
draw_seed(int64_t *out, struct err *err)
{
    uint64_t bits = 0;

    TRY(random_entropy(&bits, err));
    *out = (int64_t)(bits % SEED_RANGE);
    return OK;
}

enum err_code
expr_draw(struct expr_tree *tree, const struct expr_draw *draw, struct err *err)
{
    struct bytes name = bytes_of_text(draw->variable_name == NULL ? "" : draw->variable_name);
    int64_t fresh_model_seed = 0, fresh_op_seed = 0;
    bool is_fresh = false; /* the model's: one for the whole tree, where it needs one */

    for (uint32_t i = 0; i < tree->node_count; i++) {
        struct expr *node = tree->nodes[i];
        const struct attr_seed *seed = NULL;
        int64_t derived;

        if (node->kind != EXPR_OP || !node->op->random)
            continue;
        node->profile = draw->profile;
        seed = expr_op_seed(node);
        if (!draw->has_model_seed && !seed->given) {
            if (!is_fresh)
                TRY(draw_seed(&fresh_model_seed, err));
            is_fresh = true;
            TRY(draw_seed(&fresh_op_seed, err));
            node->seeds = random_seeds_of(true, fresh_model_seed, true, fresh_op_seed, 0);
            continue;
        }
        derived = draw->op_seeds != NULL ? draw->op_seeds[i]
                                         : random_derived_op_seed(name, bytes_of_text(node->path));
        node->seeds = random_seeds_of(draw->has_model_seed, draw->model_seed, seed->given,
                                      seed->value, derived);
    }
    return OK;
}

/* --- names --------------------------------------------------------------------------------- */

static bool
reads_a_name(const struct expr *node)
{
    return node->kind == EXPR_VARIABLE || node->kind == EXPR_INITIALIZED_VALUE;
}

static int
compare_names(const void *a, const void *b)
{
    const struct expr *x = *(struct expr *const *)a, *y = *(struct expr *const *)b;
    int order = strcmp(x->variable, y->variable);

    if (order != 0)
        return order;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

enum err_code
expr_each_variable(const struct expr_tree *tree, expr_visit *visit, void *context, struct err *err)
{
    AUTO_CALL(mem_free_scope)
    const struct expr **nodes = mem_zeroed(tree->node_count, sizeof(struct expr *), err);
    size_t count = 0;

    if (nodes == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < tree->node_count; i++)
        if (reads_a_name(tree->nodes[i]))
            nodes[count++] = tree->nodes[i];
    qsort(nodes, count, sizeof(struct expr *), compare_names);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && compare_names(&nodes[i - 1], &nodes[i]) == 0)
            continue;
        TRY(visit(context, nodes[i]->variable, nodes[i]->kind == EXPR_INITIALIZED_VALUE, err));
    }
    return OK;
}
