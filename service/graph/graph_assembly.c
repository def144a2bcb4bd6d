/* The nodes of an initial value, one by one as graph_walk comes to them. */
#include "service/graph/graph_assembly.h"

#include <stdio.h>

enum { NODE_NAME_BYTES_MAX = 2 * GRAPH_SCOPE_BYTES_MAX };

const char *
graph_assembly_text(struct graph_assembly *a, const char *first, const char *second,
                    const char *third, struct err *err)
{
    char out[NODE_NAME_BYTES_MAX];

    snprintf(out, sizeof out, "%s%s%s", first, second, third);
    return arena_text(a->arena, bytes_of_text(out), err);
}

enum err_code
graph_assembly_variable(struct graph_assembly *a, const char *name, const char **out,
                        struct err *err)
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
set_output(struct graph_assembly *a, const struct expr *expr, const char *name)
{
    a->outputs[expr->index] = name;
    return name == NULL ? ERR_NO_MEMORY : OK;
}

/* Ops that make no node are their first argument. */
enum err_code
graph_assembly_output(struct graph_assembly *a, const struct expr *expr, const char **out,
                      struct err *err)
{
    while (expr->kind == EXPR_OP && a->outputs[expr->index] == NULL && expr->arg_count > 0)
        expr = expr->args[0];
    if (expr->kind == EXPR_VARIABLE) {
        TRY(graph_assembly_variable(a, expr->variable, out, err));
        *out = graph_assembly_text(a, *out, "/read", "", err);
        return *out == NULL ? ERR_NO_MEMORY : OK;
    }
    *out = a->outputs[expr->index];
    return OK;
}

static enum err_code
open_scope(struct graph_assembly *a, const struct expr *expr, struct err *err)
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
            TRY(graph_assembly_output(a, expr->args[i], &a->inputs[i], err));
    if (expr == a->tree->root && graph_is_initializer(a->tree)) {
        a->scope = graph_assembly_text(
            a, a->graph_name, name[0] == '\0' ? "/Initializer" : "/Initializer/", name, err);
        return a->scope == NULL ? ERR_NO_MEMORY : OK;
    }
    graph_numbered_name(name, graph_numbers_read(&a->numbers, name), scope);
    a->scope = arena_text(a->arena, bytes_of_text(scope), err);
    return a->scope == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
name_item(struct graph_assembly *a, const struct graph_item *item, const char **out,
          struct err *err)
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
add_word(struct graph_assembly *a, struct bytes word, const char **inputs, uint32_t *count,
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
    node = graph_assembly_text(a, a->scope, "/", name[0] == '^' ? name + 1 : name, err);
    if (node == NULL)
        return ERR_NO_MEMORY;
    inputs[*count] = name[0] == '^' ? graph_assembly_text(a, "^", node, "", err) : node;
    return inputs[(*count)++] == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
row_inputs(struct graph_assembly *a, const char *words, struct graph_node *node, struct err *err)
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
initialized_inputs(struct graph_assembly *a, struct graph_node *node, struct err *err)
{
    const char **inputs = arena_array(a->arena, 2, sizeof *inputs, err);

    if (inputs == NULL)
        return ERR_NO_MEMORY;
    TRY(graph_assembly_variable(a, a->expr->variable, &inputs[0], err));
    inputs[1] = graph_assembly_text(a, "^", inputs[0], "/Assign", err);
    node->inputs = inputs;
    node->input_count = 2;
    return inputs[1] == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
set_inputs(struct graph_assembly *a, const struct graph_item *item, struct graph_node *node,
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
set_type(const struct graph_assembly *a, const struct graph_item *item, struct graph_node *node)
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

enum err_code
graph_assembly_device(struct graph_assembly *a, const char *device, struct graph_node *node,
                      struct err *err)
{
    if (device[0] == '\0')
        return OK;
    node->device = arena_text(a->arena, bytes_of_text(device), err);
    return node->device == NULL ? ERR_NO_MEMORY : OK;
}

/* As TensorFlow: what an initializer makes is kept with the variable; any other op was made around
 * it, in the same scopes. */
enum err_code
graph_assembly_place(struct graph_assembly *a, struct graph_node *node, struct err *err)
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
    return graph_assembly_device(a, device_spec_print(&device, text), node, err);
}

/* A node that names no op seed in a model without one draws anew each time. */
static void
set_seeds(const struct graph_assembly *a, const struct graph_item *item, struct graph_node *node)
{
    if (!a->inferred || item->row == NULL || !item->row->seeded || !item->expr->op->random)
        return;
    if (!a->model->has_seed && !expr_op_seed(item->expr)->given)
        return;
    node->has_seeds = true;
    node->seeds = item->expr->seeds;
}

enum err_code
graph_assembly_item(void *context, const struct graph_item *item, struct err *err)
{
    struct graph_assembly *a = context;
    struct graph_node *node = &a->nodes[a->count++];

    if (item->expr != a->expr)
        TRY(open_scope(a, item->expr, err));
    *node = (struct graph_node){.op = item->type};
    TRY(name_item(a, item, &node->name, err));
    TRY(set_inputs(a, item, node, err));
    set_type(a, item, node);
    set_seeds(a, item, node);
    TRY(graph_assembly_place(a, node, err));
    return item->last ? set_output(a, item->expr, node->name) : OK;
}
