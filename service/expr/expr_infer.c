/* Inference: place, type and adopted dtypes of every node, before anything is computed. Whatever
 * cannot work is refused here, so that evaluation fails only where values matter (integer division
 * by zero) or the source of named values does. */
#include "service/expr/expr.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/expr/op_helpers.h"
#include "store/base/check.h"

/* EXPR_DEPTH_MAX argument numbers of up to 10 digits, each with a dot. */
enum { PATH_BYTES_MAX = EXPR_DEPTH_MAX * 11 + 1, LABEL_BYTES_MAX = PATH_BYTES_MAX + 128 };

static enum err_code
set_path(struct expr_tree *tree, const struct expr *parent, uint32_t index, struct err *err)
{
    struct expr *child = parent->args[index];
    char path[PATH_BYTES_MAX];

    snprintf(path, sizeof path, "%s%s%" PRIu32, parent->path, parent->path[0] == '\0' ? "" : ".",
             index);
    child->path = arena_text(&tree->arena, bytes_of_text(path), err);
    return child->path == NULL ? ERR_NO_MEMORY : OK;
}

/* Paths in written order: a node that is used again keeps the place where it stands first. */
static enum err_code
set_paths(struct expr_tree *tree, struct err *err)
{
    struct {
        const struct expr *node;
        uint32_t next;
    } stack[EXPR_DEPTH_MAX];
    uint32_t depth = 1;

    if (tree->root->path != NULL) /* the tree has not changed since */
        return OK;
    tree->root->path = "";
    stack[0].node = tree->root;
    stack[0].next = 0;
    while (depth > 0) {
        const struct expr *node = stack[depth - 1].node;
        uint32_t index = stack[depth - 1].next++;

        if (index == node->arg_count) {
            depth--;
            continue;
        }
        if (node->args[index]->path != NULL)
            continue;
        TRY(set_path(tree, node, index, err));
        CHECK(depth < EXPR_DEPTH_MAX || node->args[index]->arg_count == 0);
        if (node->args[index]->arg_count == 0)
            continue;
        stack[depth].node = node->args[index];
        stack[depth++].next = 0;
    }
    return OK;
}

/* From the root down: depth and path. */
static enum err_code
set_places(struct expr_tree *tree, struct err *err)
{
    if (tree->root->height > EXPR_DEPTH_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "the expression is more than %d levels deep",
                       EXPR_DEPTH_MAX);
    for (uint32_t i = 0; i < tree->node_count; i++)
        tree->nodes[i]->depth = 0;
    tree->root->depth = 1;
    for (uint32_t i = tree->root->index + 1; i-- > 0;) {
        const struct expr *node = tree->nodes[i];

        for (uint32_t k = 0; node->depth != 0 && k < node->arg_count; k++) {
            CHECK(node->args[k] != NULL && node->args[k]->index < i);
            if (node->args[k]->depth <= node->depth)
                node->args[k]->depth = node->depth + 1;
        }
    }
    return set_paths(tree, err);
}

static enum err_code
infer_name(struct expr *node, const struct expr_source *source, struct err *err)
{
    if (source == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "variable '%s' cannot be read here",
                       node->variable);
    return source->type(source->context, node->variable, node->kind == EXPR_INITIALIZED_VALUE,
                        &node->type, err);
}

static void
infer_literal(struct expr *node)
{
    if (!node->weak)
        node->settled = node->literal;
    node->type = node->literal.type;
    node->type.dtype = op_natural_dtype(&node->literal, node->weak);
}

static enum err_code
check_arg_count(const struct expr *node, struct err *err)
{
    const struct op *op = node->op;

    if (node->arg_count >= op->args_min && node->arg_count <= op->args_max)
        return OK;
    if (op->args_min == op->args_max)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "takes %" PRIu32 " args, %" PRIu32 " are given", op->args_min,
                       node->arg_count);
    return op_fail(node, ERR_INVALID_ARGUMENT, err,
                   "takes %" PRIu32 " to %" PRIu32 " args, %" PRIu32 " are given", op->args_min,
                   op->args_max, node->arg_count);
}

static enum err_code
check_attrs(const struct expr *node, struct err *err)
{
    char label[LABEL_BYTES_MAX];
    bool nested = node->path[0] != '\0';

    snprintf(label, sizeof label, "%s%s%s%s", node->op->name, nested ? " (argument " : "",
             node->path, nested ? ")" : "");
    return attr_check(label, node->op->attrs, node->given, node->params, err);
}

/* What every op owes, whatever its infer did. */
static enum err_code
check_result(const struct expr *node, struct err *err)
{
    struct err inner = ERR_INIT;

    TRY(op_check_dtype(node, node->type.dtype, err));
    if (shape_check(&node->type.shape, &inner) != OK)
        return op_wrap(node, &inner, err);
    return OK;
}

static enum err_code
infer_op(struct expr_tree *tree, struct expr *node, struct err *err)
{
    TRY(check_arg_count(node, err));
    TRY(check_attrs(node, err));
    TRY(node->op->infer(tree, node, err));
    for (uint32_t i = 0; i < node->arg_count; i++) {
        struct err inner = ERR_INIT;

        /* A literal the op did not settle keeps its natural dtype, but must be converted to it. */
        if (op_settle(tree, node->args[i], node->args[i]->type.dtype, &inner) != OK)
            return op_wrap(node, &inner, err);
    }
    return check_result(node, err);
}

static enum err_code
infer_node(struct expr_tree *tree, struct expr *node, const struct expr_source *source,
           struct err *err)
{
    switch (node->kind) {
    case EXPR_OP:
        return infer_op(tree, node, err);
    case EXPR_LITERAL:
        infer_literal(node);
        return OK;
    case EXPR_VARIABLE:
    case EXPR_INITIALIZED_VALUE:
        return infer_name(node, source, err);
    }
    return err_set(err, ERR_INTERNAL, "an expression node of kind %d", (int)node->kind);
}

/* Once per node, from the leaves up, so that an op may look at its arguments' at no cost. */
static void
find_constants(struct expr_tree *tree)
{
    for (uint32_t i = 0; i <= tree->root->index; i++) {
        struct expr *node = tree->nodes[i];

        node->constant = node->depth != 0 && node->kind == EXPR_OP && node->op->constant != NULL &&
                         node->type.dtype != DTYPE_STRING &&
                         node->op->constant(node, node->element);
    }
}

enum err_code
expr_infer(struct expr_tree *tree, const struct expr_source *source, enum dtype wanted,
           struct err *err)
{
    struct expr *root = tree->root;

    CHECK(root != NULL && tree->nodes[root->index] == root);
    TRY(set_places(tree, err));
    for (uint32_t i = 0; i <= root->index; i++)
        if (tree->nodes[i]->depth != 0)
            TRY(infer_node(tree, tree->nodes[i], source, err));
    TRY(op_settle(tree, root, wanted == DTYPE_UNSET ? root->type.dtype : wanted, err));
    find_constants(tree);
    return OK;
}
