/* One variable's nodes: those of its initial value, then itself, Assign and read. Types and seeds
 * are told where the expression can still be inferred: a variable it reads may be gone. */
#include "service/graph/graph_nodes.h"

#include <stdio.h>

#include "service/expr/compute.h"
#include "service/graph/graph_place.h"
#include "service/graph/graph_walk.h"
#include "service/placement/model_setter.h"
#include "service/variable_info.h"
#include "store/base/scope.h"

enum { NODE_NAME_BYTES_MAX = 2 * GRAPH_SCOPE_BYTES_MAX };

struct assembly {
    const struct store_view *view;
    const struct model_record *model;
    struct arena *arena;
    const char *graph_name; /* the variable's node */
    const struct expr_tree *tree;
    bool inferred;
    const char **outputs; /* by node index: the graph node whose output is its value */
    struct graph_node *nodes;
    size_t count;
    struct graph_numbers numbers;
    /* where the ops of the initial value are */
    struct model_setter setter;
    struct device_spec own; /* what the variable's request said */
    bool hides, placeable;
    /* of the op whose nodes are coming */
    const struct expr *expr;
    const char *scope;
    const char **inputs; /* arguments, then attributes */
    uint32_t input_count;
};

static const char *
text(struct assembly *a, const char *first, const char *second, const char *third, struct err *err)
{
    char out[NODE_NAME_BYTES_MAX];

    snprintf(out, sizeof out, "%s%s%s", first, second, third);
    return arena_text(a->arena, bytes_of_text(out), err);
}

/* A variable's op in the graph; the name itself where the variable is gone. */
static enum err_code
variable_op(struct assembly *a, const char *name, const char **out, struct err *err)
{
    char numbered[GRAPH_SCOPE_BYTES_MAX];
    struct variable_record variable;
    bool found = false;

    TRY(record_get_variable(a->view, a->model->id, name, &found, &variable, err));
    graph_numbered_name(name, found ? variable.graph_number : 0, numbered);
    *out = arena_text(a->arena, bytes_of_text(numbered), err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

/* --- one op -------------------------------------------------------------------------------- */

static enum err_code
set_output(struct assembly *a, const struct expr *expr, const char *name)
{
    a->outputs[expr->index] = name;
    return name == NULL ? ERR_NO_MEMORY : OK;
}

/* The value of an argument. Ops that make no node are their first argument. */
static enum err_code
output_of(struct assembly *a, const struct expr *expr, const char **out, struct err *err)
{
    while (expr->kind == EXPR_OP && a->outputs[expr->index] == NULL && expr->arg_count > 0)
        expr = expr->args[0];
    if (expr->kind == EXPR_VARIABLE) {
        TRY(variable_op(a, expr->variable, out, err));
        *out = text(a, *out, "/read", "", err);
        return *out == NULL ? ERR_NO_MEMORY : OK;
    }
    *out = a->outputs[expr->index];
    return OK;
}

static enum err_code
open_scope(struct assembly *a, const struct expr *expr, struct err *err)
{
    char scope[GRAPH_SCOPE_BYTES_MAX];
    const char *name = graph_scope_name(a->tree, expr);
    size_t attrs = expr->kind == EXPR_OP ? attr_count(expr->op->attrs) : 1;

    a->expr = expr;
    a->input_count = expr->arg_count;
    a->inputs = arena_array(a->arena, expr->arg_count + attrs, sizeof *a->inputs, err);
    if (a->inputs == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (expr->args[i]->kind != EXPR_LITERAL)
            TRY(output_of(a, expr->args[i], &a->inputs[i], err));
    if (expr == a->tree->root && graph_is_initializer(a->tree)) {
        a->scope =
            text(a, a->graph_name, name[0] == '\0' ? "/Initializer" : "/Initializer/", name, err);
        return a->scope == NULL ? ERR_NO_MEMORY : OK;
    }
    graph_numbered_name(name, graph_numbers_read(&a->numbers, name), scope);
    a->scope = arena_text(a->arena, bytes_of_text(scope), err);
    return a->scope == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
name_item(struct assembly *a, const struct graph_item *item, const char **out, struct err *err)
{
    char element[16] = "", name[NODE_NAME_BYTES_MAX];

    if (item->element != GRAPH_NO_ELEMENT)
        snprintf(element, sizeof element, "_%u", (unsigned)item->element);
    if (item->name[0] == '\0')
        *out = a->scope;
    else if (snprintf(name, sizeof name, "%s/%s%s", a->scope, item->name, element) > 0)
        *out = arena_text(a->arena, bytes_of_text(name), err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

/* --- inputs -------------------------------------------------------------------------------- */

static size_t
word_size(const char *words)
{
    return strcspn(words, " ");
}

/* One word of a row's inputs. */
static enum err_code
add_word(struct assembly *a, struct bytes word, const char **inputs, uint32_t *count,
         struct err *err)
{
    const struct op_graph_node *passed = graph_cast_passed(a->expr, word);
    const char *at = (const char *)word.data;
    const char *node;
    char name[64];

    if (passed != NULL)
        return add_word(a, bytes_of_text(passed->inputs), inputs, count, err);

    if (word.size == 2 && memcmp(at, "$*", 2) == 0) {
        for (uint32_t i = 0; i < a->expr->arg_count; i++)
            inputs[(*count)++] = a->inputs[i];
        return OK;
    }
    if (word.size == 2 && at[0] == '$') {
        uint32_t index = (uint32_t)(at[1] - '0');

        if (index < a->expr->arg_count)
            inputs[(*count)++] = a->inputs[index];
        return OK;
    }
    snprintf(name, sizeof name, "%.*s", (int)word.size, at);
    node = text(a, a->scope, "/", name[0] == '^' ? name + 1 : name, err);
    if (node == NULL)
        return ERR_NO_MEMORY;
    inputs[*count] = name[0] == '^' ? text(a, "^", node, "", err) : node;
    return inputs[(*count)++] == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
row_inputs(struct assembly *a, const char *words, struct graph_node *node, struct err *err)
{
    const char **inputs;
    size_t room = 1;

    for (const char *at = words; *at != '\0'; at++)
        room += *at == ' ' ? 1 : *at == '*' ? a->expr->arg_count : 0;
    inputs = arena_array(a->arena, room, sizeof *inputs, err);
    if (inputs == NULL)
        return ERR_NO_MEMORY;
    while (*words != '\0') {
        size_t size = word_size(words);

        TRY(add_word(a, bytes_of(words, size), inputs, &node->input_count, err));
        words += size + (words[size] == ' ');
    }
    node->inputs = inputs;
    return OK;
}

/* Identity of the variable, after its Assign. */
static enum err_code
initialized_inputs(struct assembly *a, struct graph_node *node, struct err *err)
{
    const char **inputs = arena_array(a->arena, 2, sizeof *inputs, err);

    if (inputs == NULL)
        return ERR_NO_MEMORY;
    TRY(variable_op(a, a->expr->variable, &inputs[0], err));
    inputs[1] = text(a, "^", inputs[0], "/Assign", err);
    node->inputs = inputs;
    node->input_count = 2;
    return inputs[1] == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
set_inputs(struct assembly *a, const struct graph_item *item, struct graph_node *node,
           struct err *err)
{
    if (item->argument != GRAPH_NO_ELEMENT) {
        a->inputs[item->argument] = node->name;
        return OK;
    }
    if (item->attr != NULL) {
        a->inputs[a->input_count++] = node->name;
        return OK;
    }
    if (item->expr->kind == EXPR_INITIALIZED_VALUE)
        return initialized_inputs(a, node, err);
    if (item->row != NULL)
        return item->row->inputs == NULL ? OK : row_inputs(a, item->row->inputs, node, err);
    node->inputs = a->inputs;
    node->input_count = a->input_count;
    return OK;
}

/* --- types and seeds ----------------------------------------------------------------------- */

static struct tensor_type
vector_of_int32(uint32_t count)
{
    return (struct tensor_type){.dtype = DTYPE_INT32, .shape = {.rank = 1, .dims = {[0] = count}}};
}

static struct tensor_type
attr_type(const struct graph_item *item)
{
    const void *at = attr_in(item->attr, item->expr->params);
    const struct attr_ints *ints = at;

    switch (item->attr->kind) {
    case ATTR_KIND_TENSOR:
        return ((const struct attr_tensor *)at)->settled.type;
    case ATTR_KIND_SHAPE:
        return vector_of_int32(((const struct attr_shape *)at)->shape.rank);
    case ATTR_KIND_DIMS:
        return vector_of_int32(((const struct attr_dims *)at)->rank);
    case ATTR_KIND_INTS:
        return ints->single ? (struct tensor_type){.dtype = DTYPE_INT32}
                            : vector_of_int32(ints->count);
    case ATTR_KIND_F64:
    case ATTR_KIND_I64:
    case ATTR_KIND_BOOL:
    case ATTR_KIND_DTYPE:
    case ATTR_KIND_SEED:
    case ATTR_KIND_CHOICE:
    case ATTR_KIND_COUNT:
        break;
    }
    return (struct tensor_type){.dtype = DTYPE_INT32};
}

static void
set_type(const struct assembly *a, const struct graph_item *item, struct graph_node *node)
{
    enum op_graph_type kind = item->row == NULL ? OP_GRAPH_TYPE_UNKNOWN : item->row->result;
    const struct tensor_type *result = &item->expr->type;

    if (!a->inferred)
        return;
    node->has_dtype = node->has_shape = true;
    if (item->argument != GRAPH_NO_ELEMENT)
        node->type = item->expr->args[item->argument]->settled.type;
    else if (item->attr != NULL)
        node->type = attr_type(item);
    else if (item->last || kind == OP_GRAPH_TYPE_RESULT)
        node->type = *result;
    else if (kind == OP_GRAPH_TYPE_SCALAR)
        node->type = (struct tensor_type){.dtype = result->dtype};
    else if (kind == OP_GRAPH_TYPE_DIMS)
        node->type = vector_of_int32(result->shape.rank);
    else
        node->has_dtype = node->has_shape = false;
}

static enum err_code
set_device(struct assembly *a, const char *device, struct graph_node *node, struct err *err)
{
    if (device[0] == '\0')
        return OK;
    node->device = arena_text(a->arena, bytes_of_text(device), err);
    return node->device == NULL ? ERR_NO_MEMORY : OK;
}

/* As TensorFlow: what an initializer makes is kept with the variable; any other op was made around
 * it, in the same scopes. */
static enum err_code
place_item(struct assembly *a, struct graph_node *node, struct err *err)
{
    struct model_setter_op op = {node->op, &a->own, a->hides, &node->type, node->has_shape};
    char text[DEVICE_TEXT_BYTES_MAX + 1];
    struct device_spec device;
    uint8_t placed;

    if (graph_is_initializer(a->tree)) {
        node->colocated_with = a->graph_name;
        return OK;
    }
    if (!a->placeable || model_setter_choose(&a->setter, &op, &device, &placed, NULL) != OK)
        return OK;
    return set_device(a, device_spec_print(&device, text), node, err);
}

/* A node that names no op seed in a model without one draws anew each time. */
static void
set_seeds(const struct assembly *a, const struct graph_item *item, struct graph_node *node)
{
    if (!a->inferred || item->row == NULL || !item->row->seeded || !item->expr->op->random)
        return;
    if (!a->model->has_seed && !expr_op_seed(item->expr)->given)
        return;
    node->has_seeds = true;
    node->seeds = item->expr->seeds;
}

static enum err_code
add_item(void *context, const struct graph_item *item, struct err *err)
{
    struct assembly *a = context;
    struct graph_node *node = &a->nodes[a->count++];

    if (item->expr != a->expr)
        TRY(open_scope(a, item->expr, err));
    *node = (struct graph_node){.op = item->type};
    TRY(name_item(a, item, &node->name, err));
    TRY(set_inputs(a, item, node, err));
    set_type(a, item, node);
    set_seeds(a, item, node);
    TRY(place_item(a, node, err));
    return item->last ? set_output(a, item->expr, node->name) : OK;
}

/* --- the variable -------------------------------------------------------------------------- */

/* Types and seeds of the tree's nodes; without them when it cannot be inferred any more. */
static enum err_code
infer(struct assembly *a, const char *name, const struct variable_record *variable,
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
    struct assembly *assembly;
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
set_edges(struct assembly *a, struct graph_variable *out, struct err *err)
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
add_own(struct assembly *a, const struct variable_record *variable, const char *suffix,
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
    node->name = text(a, a->graph_name, suffix, "", err);
    return node->name == NULL ? ERR_NO_MEMORY : OK;
}

/* The node just added is on the variable's device. */
static enum err_code
keep_with_variable(struct assembly *a, const struct variable_record *variable, struct err *err)
{
    a->nodes[a->count - 1].colocated_with = a->graph_name;
    return set_device(a, variable->device, &a->nodes[a->count - 1], err);
}

/* A read that is kept elsewhere is on that device, and on no other's account. */
static enum err_code
add_read(struct assembly *a, const struct variable_record *variable, struct err *err)
{
    TRY(add_own(a, variable, "/read", "Identity", a->graph_name, NULL, err));
    if (variable->caching_device[0] == '\0')
        return keep_with_variable(a, variable, err);
    return set_device(a, variable->caching_device, &a->nodes[a->count - 1], err);
}

/* The request's own device, for the ops that stood beside the variable in it. */
static enum err_code
open_setter(struct assembly *a, const struct service *service,
            const struct variable_record *variable, struct err *err)
{
    a->placeable = model_setter_own(variable->device, variable->placed, &a->own, NULL) == OK;
    a->hides = variable->placed & RECORD_PLACED_NEVER;
    return model_setter_open(&a->setter, service, a->view, a->model, err);
}

/* *initial_value: the node it comes from. */
static enum err_code
add_initial_value(struct assembly *a, const struct variable_record *variable,
                  const char **initial_value, struct err *err)
{
    a->outputs = arena_array(a->arena, a->tree->node_count, sizeof *a->outputs, err);
    if (a->outputs == NULL)
        return ERR_NO_MEMORY;
    TRY(graph_walk(a->tree, add_item, a, err));
    if (a->tree->root->kind != EXPR_LITERAL)
        return output_of(a, a->tree->root, initial_value, err);
    TRY(add_own(a, variable, "/initial_value", "Const", NULL, NULL, err));
    TRY(place_item(a, &a->nodes[a->count - 1], err));
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
    struct assembly a = {.view = view, .model = model, .arena = arena};
    bool has_initial_value = variable->initial_value.kind != VALUE_NONE;
    const char *initial_value = NULL;
    uint64_t room = 0;

    *out = (struct graph_variable){.position = variable->graph_position};
    a.numbers.recorded = reader_of(numbers);
    TRY(variable_op(&a, name, &a.graph_name, err));
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
    TRY(set_device(&a, variable->device, &a.nodes[a.count - 1], err));
    if (has_initial_value) {
        TRY(add_own(&a, variable, "/Assign", "Assign", a.graph_name, initial_value, err));
        TRY(keep_with_variable(&a, variable, err));
    }
    TRY(add_read(&a, variable, err));
    out->nodes = a.nodes;
    out->node_count = a.count;
    return OK;
}
