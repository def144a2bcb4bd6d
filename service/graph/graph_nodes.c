/* One variable's nodes: those of its initial value, then itself, Assign and read. Types and seeds
 * are told where the expression can still be inferred: a variable it reads may be gone. */
#include "service/graph/graph_nodes.h"

#include "service/expr/compute.h"
#include "service/graph/graph_assembly.h"
#include "service/variable/variable_info.h"
#include "store/base/scope.h"

/* Types and seeds of the tree's nodes; without them when it cannot be inferred any more. */
static enum err_code
infer(struct graph_assembly *a, const char *name, const struct variable_record *variable,
      struct expr_tree *tree, struct err *err)
{
    AUTO(compute_source) reads = {0};
    struct expr_source source;
    enum err_code code;

    compute_source_init(&reads, a->view, a->model->id);
    source = compute_expr_source(&reads);
    code = expr_infer(tree, &source, variable->type.dtype, err);
    if (code == ERR_NOT_FOUND || code == ERR_FAILED_PRECONDITION || code == ERR_INVALID_ARGUMENT) {
        err_clear(err);
        return OK;
    }
    TRY(code);
    a->inferred = true;
    return graph_draw(a->model, variable->graph_position, name, tree, err);
}

struct edges {
    struct graph_assembly *assembly;
    struct graph_edge *list;
    size_t count;
};

/* The name is the tree's, which goes: it is copied. */
static enum err_code
add_edge(void *context, const char *name, bool initialized, struct err *err)
{
    struct edges *edges = context;
    const char *from = arena_text(edges->assembly->arena, bytes_of_text(name), err);

    if (from == NULL)
        return ERR_NO_MEMORY;
    edges->list[edges->count++] = (struct graph_edge){.from = from, .initialized = initialized};
    return OK;
}

static enum err_code
set_edges(struct graph_assembly *a, struct graph_variable *out, struct err *err)
{
    struct edges edges = {.assembly = a};

    edges.list = arena_array(a->arena, a->tree->node_count, sizeof *edges.list, err);
    if (edges.list == NULL)
        return ERR_NO_MEMORY;
    TRY(expr_each_variable(a->tree, add_edge, &edges, err));
    out->edges = edges.list;
    out->edge_count = edges.count;
    return OK;
}

/* w, w/Assign, w/read, w/initial_value: a node of the variable's own, beside the variable. */
static enum err_code
add_own(struct graph_assembly *a, const struct variable_record *variable, const char *suffix,
        const char *op, const char *first, const char *second, struct err *err)
{
    struct graph_node *node = &a->nodes[a->count++];
    const char **inputs = arena_array(a->arena, 2, sizeof *inputs, err);

    if (inputs == NULL)
        return ERR_NO_MEMORY;
    inputs[0] = first;
    inputs[1] = second;
    *node = (struct graph_node){
        .op = op,
        .inputs = inputs,
        .input_count = first == NULL    ? 0
                       : second == NULL ? 1
                                        : 2,
        .has_dtype = true,
        .has_shape = variable->shape_known,
        .type = variable->type,
    };
    node->name = graph_assembly_text(a, a->graph_name, suffix, "", err);
    return node->name == NULL ? ERR_NO_MEMORY : OK;
}

/* The node just added is on the variable's device. */
static enum err_code
keep_with_variable(struct graph_assembly *a, const struct variable_record *variable,
                   struct err *err)
{
    a->nodes[a->count - 1].colocated_with = a->graph_name;
    return graph_assembly_device(a, variable->device, &a->nodes[a->count - 1], err);
}

/* A read that is kept elsewhere is on that device, and on no other's account. */
static enum err_code
add_read(struct graph_assembly *a, const struct variable_record *variable, struct err *err)
{
    TRY(add_own(a, variable, "/read", "Identity", a->graph_name, NULL, err));
    if (variable->caching_device[0] == '\0')
        return keep_with_variable(a, variable, err);
    return graph_assembly_device(a, variable->caching_device, &a->nodes[a->count - 1], err);
}

/* The request's own device, for the ops that stood beside the variable in it. */
static enum err_code
open_setter(struct graph_assembly *a, const struct service *service,
            const struct variable_record *variable, struct err *err)
{
    a->placeable = model_setter_own(variable->device, variable->placed, &a->own, NULL) == OK;
    a->hides = variable->placed & RECORD_PLACED_NEVER;
    return model_setter_open(&a->setter, service, a->view, a->model, err);
}

/* *initial_value: the node it comes from. */
static enum err_code
add_initial_value(struct graph_assembly *a, const struct variable_record *variable,
                  const char **initial_value, struct err *err)
{
    a->outputs = arena_array(a->arena, a->tree->node_count, sizeof *a->outputs, err);
    if (a->outputs == NULL)
        return ERR_NO_MEMORY;
    TRY(graph_walk(a->tree, graph_assembly_item, a, err));
    if (a->tree->root->kind != EXPR_LITERAL)
        return graph_assembly_output(a, a->tree->root, initial_value, err);
    TRY(add_own(a, variable, "/initial_value", "Const", NULL, NULL, err));
    TRY(graph_assembly_place(a, &a->nodes[a->count - 1], err));
    *initial_value = a->nodes[a->count - 1].name;
    return OK;
}

static void
drop_tree(struct expr_tree *tree)
{
    expr_tree_drop(tree);
}

enum err_code
graph_nodes_of(const struct service *service, const struct store_view *view,
               const struct model_record *model, const char *name,
               const struct variable_record *variable, struct bytes numbers, struct arena *arena,
               struct graph_variable *out, struct err *err)
{
    AUTO_CALL(drop_tree) struct expr_tree tree = {0};
    struct graph_assembly a = {.view = view, .model = model, .arena = arena};
    bool has_initial_value = variable->initial_value.kind != VALUE_NONE;
    const char *initial_value = NULL;
    uint64_t room = 0;

    *out = (struct graph_variable){.position = variable->graph_position};
    a.numbers.recorded = reader_of(numbers);
    TRY(graph_assembly_variable(&a, name, &a.graph_name, err));
    TRY(open_setter(&a, service, variable, err));
    if (has_initial_value) {
        TRY(variable_initial_value(view, variable, &tree, err));
        a.tree = &tree;
        TRY(infer(&a, name, variable, &tree, err));
    }
    TRY(graph_count_variable(a.tree, &room, err));
    a.nodes = arena_array(arena, room, sizeof *a.nodes, err);
    out->name = arena_text(arena, bytes_of_text(name), err);
    if (a.nodes == NULL || out->name == NULL)
        return ERR_NO_MEMORY;
    if (has_initial_value) {
        TRY(set_edges(&a, out, err));
        TRY(add_initial_value(&a, variable, &initial_value, err));
    }
    TRY(add_own(&a, variable, "", "VariableV2", NULL, NULL, err));
    TRY(graph_assembly_device(&a, variable->device, &a.nodes[a.count - 1], err));
    if (has_initial_value) {
        TRY(add_own(&a, variable, "/Assign", "Assign", a.graph_name, initial_value, err));
        TRY(keep_with_variable(&a, variable, err));
    }
    TRY(add_read(&a, variable, err));
    out->nodes = a.nodes;
    out->node_count = a.count;
    return OK;
}
