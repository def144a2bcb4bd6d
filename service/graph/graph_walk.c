/* From an expression to the nodes TensorFlow r1.0's Python would have made for it. What each op
 * makes is said in its row; here is the order, which is what seeds count by. */
#include "service/graph/graph_walk.h"

#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { INNER_NAME_BYTES_MAX = 32 }; /* "random_uniform/RandomUniform" has 28 */

static const struct op_graph_node identity_rows[] = {
    {.name = "", .type = "Identity"},
    {.name = NULL},
};

/* Its rows; NULL when the op is one node of its graph_type. */
static const struct op_graph_node *
rows_of(const struct expr *node)
{
    if (node->kind == EXPR_INITIALIZED_VALUE)
        return identity_rows;
    if (node->op->graph_rows != NULL)
        return node->op->graph_rows(node);
    return node->op->graph_nodes;
}

static const char *
type_of(const struct op *op)
{
    return op->graph_type != NULL ? op->graph_type : op->name;
}

/* The name in the row that ends them; else the type of the only one that is no Const. */
static const char *
name_of_rows(const struct op_graph_node *rows)
{
    const char *only = NULL;
    size_t count = 0, i;

    for (i = 0; rows[i].name != NULL; i++) {
        if (strcmp(rows[i].type, "Const") == 0)
            continue;
        only = rows[i].name[0] == '\0' ? rows[i].type : NULL;
        count++;
    }
    if (rows[i].type != NULL)
        return rows[i].type;
    return count == 1 ? only : NULL;
}

const char *
graph_scope_name(const struct expr_tree *tree, const struct expr *node)
{
    const struct op_graph_node *rows;
    const char *name;

    if (node->kind == EXPR_INITIALIZED_VALUE)
        return "Identity";
    if (node->kind != EXPR_OP)
        return NULL;
    if (node->op->graph_name != NULL)
        return node->op->graph_name;
    rows = rows_of(node);
    if (rows == NULL)
        return type_of(node->op);
    name = name_of_rows(rows);
    if (name != NULL && name[0] == '\0' && node == tree->root && node->op->initializer)
        return name;
    return name != NULL && name[0] != '\0' ? name : node->op->name;
}

bool
graph_is_initializer(const struct expr_tree *tree)
{
    return tree->root->kind == EXPR_OP && tree->root->op->initializer;
}

/* --- casts --------------------------------------------------------------------------------- */

/* Python floats become float32. */
static bool
is_passed(const struct expr *node, const struct op_graph_node *row)
{
    const char *input = row->inputs;
    uint32_t index;

    if (!row->cast)
        return false;
    if (input[0] != '$')
        return node->type.dtype == DTYPE_FLOAT32;
    index = (uint32_t)(input[1] - '0');
    return node->args[index]->type.dtype == node->type.dtype;
}

const struct op_graph_node *
graph_cast_passed(const struct expr *node, struct bytes name)
{
    const struct op_graph_node *rows = rows_of(node);

    for (; rows != NULL && rows->name != NULL; rows++)
        if (bytes_equal(bytes_of_text(rows->name), name))
            return is_passed(node, rows) ? rows : NULL;
    return NULL;
}

/* --- one op -------------------------------------------------------------------------------- */

struct walk {
    const struct expr_tree *tree;
    graph_item_visit *visit;
    void *context;
};

static const char *
argument_name(const struct op *op, uint32_t index, uint32_t *element)
{
    *element = op->args_max > OP_ARG_NAMES_MAX ? index : GRAPH_NO_ELEMENT;
    if (op->graph_arg_names != NULL)
        return op->graph_arg_names[index];
    return op->arg_names[*element == GRAPH_NO_ELEMENT ? index : 0];
}

static enum err_code
walk_literals(const struct walk *w, const struct expr *node, struct err *err)
{
    for (uint32_t i = 0; i < node->arg_count; i++) {
        struct graph_item item = {.expr = node, .type = "Const", .argument = i};

        if (node->args[i]->kind != EXPR_LITERAL)
            continue;
        item.name = argument_name(node->op, i, &item.element);
        TRY(w->visit(w->context, &item, err));
    }
    return OK;
}

/* Attributes here that are tensors in TensorFlow's graph: shapes, axes, values. */
static bool
is_input(const struct attr_spec *spec, const struct expr *node, size_t index)
{
    if (!node->given[index])
        return false;
    switch (spec->kind) {
    case ATTR_KIND_SHAPE:
    case ATTR_KIND_TENSOR:
    case ATTR_KIND_DIMS:
    case ATTR_KIND_INTS:
        return true;
    case ATTR_KIND_F64:
    case ATTR_KIND_I64:
    case ATTR_KIND_BOOL:
    case ATTR_KIND_DTYPE:
    case ATTR_KIND_SEED:
    case ATTR_KIND_CHOICE:
    case ATTR_KIND_COUNT:
        break;
    }
    return false;
}

static enum err_code
walk_single(const struct walk *w, const struct expr *node, struct err *err)
{
    const struct attr_spec *attrs = node->op->attrs;
    struct graph_item item = {
        .expr = node, .element = GRAPH_NO_ELEMENT, .type = "Const", .argument = GRAPH_NO_ELEMENT};

    /* A Const has everything inside. */
    for (size_t i = 0; strcmp(type_of(node->op), "Const") != 0 && attrs[i].name != NULL; i++) {
        if (!is_input(&attrs[i], node, i))
            continue;
        item.attr = &attrs[i];
        item.name = attrs[i].alias != NULL ? attrs[i].alias : attrs[i].name;
        TRY(w->visit(w->context, &item, err));
    }
    item.attr = NULL;
    item.name = "";
    item.type = type_of(node->op);
    item.last = true;
    return w->visit(w->context, &item, err);
}

static enum err_code
walk_node(const struct walk *w, const struct expr *node, struct err *err)
{
    const struct op_graph_node *rows;

    if (graph_scope_name(w->tree, node) == NULL)
        return OK;
    TRY(walk_literals(w, node, err));
    rows = rows_of(node);
    if (rows == NULL)
        return walk_single(w, node, err);
    for (size_t i = 0; rows[i].name != NULL; i++) {
        struct graph_item item = {.expr = node,
                                  .name = rows[i].name,
                                  .element = GRAPH_NO_ELEMENT,
                                  .type = rows[i].type,
                                  .row = &rows[i],
                                  .argument = GRAPH_NO_ELEMENT,
                                  .last = rows[i + 1].name == NULL};

        if (is_passed(node, &rows[i]))
            continue;
        TRY(w->visit(w->context, &item, err));
    }
    return OK;
}

/* --- all of them --------------------------------------------------------------------------- */

enum err_code
graph_walk(const struct expr_tree *tree, graph_item_visit *visit, void *context, struct err *err)
{
    AUTO_CALL(mem_free_scope) bool *reached = mem_zeroed(tree->node_count, sizeof *reached, err);
    const struct walk w = {.tree = tree, .visit = visit, .context = context};

    if (reached == NULL)
        return ERR_NO_MEMORY;
    reached[tree->root->index] = true;
    for (uint32_t i = tree->node_count; i-- > 0;)
        for (uint32_t k = 0; reached[i] && k < tree->nodes[i]->arg_count; k++)
            reached[tree->nodes[i]->args[k]->index] = true;
    /* Nodes are numbered as they were written, arguments first. */
    for (uint32_t i = 0; i < tree->node_count; i++)
        if (reached[i])
            TRY(walk_node(&w, tree->nodes[i], err));
    return OK;
}

static bool
is_argument_name(const struct op *op, struct bytes name)
{
    uint32_t count = op->arg_names == NULL ? 0 : op_arg_name_count(op);

    for (uint32_t i = 0; i < count; i++)
        if (bytes_equal(bytes_of_text(op->arg_names[i]), name) ||
            (op->graph_arg_names != NULL &&
             bytes_equal(bytes_of_text(op->graph_arg_names[i]), name)))
            return true;
    return attr_find(op->attrs, name) != NULL;
}

/* Asked of every end of a variable's name that a slash is before, and there may be a hundred. */
bool
graph_is_inner_name(struct bytes name)
{
    const struct op *op;

    if (name.size > INNER_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; (op = op_at(i)) != NULL; i++) {
        const struct op_graph_node *rows = op->graph_nodes;

        if (is_argument_name(op, name))
            return true;
        for (size_t k = 0; rows != NULL && rows[k].name != NULL; k++)
            if (bytes_equal(bytes_of_text(rows[k].name), name))
                return true;
    }
    return false;
}

/* --- counting ------------------------------------------------------------------------------ */

struct counting {
    const struct expr *expr; /* whose nodes are being counted */
    uint64_t own;            /* nodes before its first */
    uint64_t count;
    int64_t *seeds; /* by node index; NULL: not wanted */
};

static enum err_code
count_item(void *context, const struct graph_item *item, struct err *err)
{
    struct counting *c = context;

    (void)err;
    if (c->expr != item->expr) {
        c->expr = item->expr;
        c->own = c->count;
    }
    if (c->seeds != NULL && item->row != NULL && item->row->seeded) {
        uint64_t asked = item->row->seed_ahead == OP_GRAPH_SEED_FIRST
                             ? c->own
                             : c->count - item->row->seed_ahead;

        c->seeds[item->expr->index] = (int64_t)asked;
    }
    c->count++;
    return OK;
}

enum err_code
graph_count(const struct expr_tree *tree, uint64_t *out, struct err *err)
{
    struct counting c = {.count = 0};

    TRY(graph_walk(tree, count_item, &c, err));
    *out = c.count;
    return OK;
}

enum err_code
graph_count_variable(const struct expr_tree *initial_value, uint64_t *out, struct err *err)
{
    /* The variable and read; with an initial value Assign, and the Const of a literal. */
    *out = 2;
    if (initial_value == NULL)
        return OK;
    TRY(graph_count(initial_value, out, err));
    *out += initial_value->root->kind == EXPR_LITERAL ? 4 : 3;
    return OK;
}

/* --- seeds --------------------------------------------------------------------------------- */

bool
graph_wants_seed(const struct expr_tree *tree)
{
    for (uint32_t i = 0; i < tree->node_count; i++) {
        const struct expr *node = tree->nodes[i];

        if (node->kind == EXPR_OP && node->op->random && !expr_op_seed(node)->given)
            return true;
    }
    return false;
}

enum err_code
graph_draw(const struct model_record *model, uint64_t position, const char *variable_name,
           struct expr_tree *tree, struct err *err)
{
    AUTO_CALL(mem_free_scope) int64_t *seeds = NULL;
    struct expr_draw draw = {.has_model_seed = model->has_seed,
                             .model_seed = model->seed,
                             .variable_name = variable_name,
                             .profile = model->profile};

    if (model->seed_mode == MODEL_SEED_MODE_TF && model->has_seed && graph_wants_seed(tree)) {
        struct counting c = {.count = position};

        seeds = mem_zeroed(tree->node_count, sizeof *seeds, err);
        if (seeds == NULL)
            return ERR_NO_MEMORY;
        c.seeds = seeds;
        TRY(graph_walk(tree, count_item, &c, err));
        draw.op_seeds = seeds;
    }
    return expr_draw(tree, &draw, err);
}
