/* Expressions as JSON. Reading goes down the document, to a named depth; arguments become nodes
 * before the op that takes them. Printing is a loop over the nodes, leaves first. */
#include "api/expr_json.h"

#include <inttypes.h>

#include "api/attr_json.h"
#include "api/describe.h"
#include "service/name.h"
#include "service/op.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* --- in ------------------------------------------------------------------------------------ */

struct decoder {
    const struct expr_limits *limits;
    struct expr_tree *tree;
    uint32_t depth_max;
};

static enum err_code decode_value(struct decoder *d, const struct api_value *value, enum dtype hint,
                                  uint32_t depth, struct expr **out, struct err *err);

static enum err_code
new_node(struct decoder *d, enum expr_kind kind, const struct op *op, uint32_t arg_count,
         struct expr **out, struct err *err)
{
    return expr_tree_node(d->tree, d->limits, kind, op, arg_count, out, err);
}

static enum err_code
decode_literal(struct decoder *d, const struct api_value *value, enum dtype hint, struct expr **out,
               struct err *err)
{
    TRY(new_node(d, EXPR_LITERAL, NULL, 0, out, err));
    return api_literal_decode(value, hint, d->limits, d->tree, &(*out)->literal, &(*out)->weak,
                              err);
}

static enum err_code
decode_name(struct decoder *d, struct api_object *o, const char *field, enum expr_kind kind,
            struct expr **out, struct err *err)
{
    const char *name = NULL;

    TRY(api_object_text(o, field, &d->tree->arena, &name, NULL, err));
    TRY(api_object_end(o, err));
    TRY(new_node(d, kind, NULL, 0, out, err));
    (*out)->variable = arena_text(&d->tree->arena, bytes_of(name, name_without_output(name)), err);
    if ((*out)->variable == NULL)
        return ERR_NO_MEMORY;
    return name_check("variable", (*out)->variable, err);
}

static enum err_code
find_op(struct decoder *d, struct api_object *o, const struct op **out, struct err *err)
{
    struct api_value value;
    const char *name = NULL, *near = NULL;
    char where[API_WHERE_BYTES_MAX];

    TRY(api_object_text(o, "op", &d->tree->arena, &name, NULL, err));
    *out = op_find(bytes_of_text(name));
    if (*out != NULL)
        return OK;
    (void)api_object_has(o, "op", &value);
    api_value_where(&value, where);
    near = op_nearest(bytes_of_text(name));
    if (near == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: there is no op '%s'", where, name);
    return err_set(err, ERR_INVALID_ARGUMENT, "%s: there is no op '%s': did you mean '%s'?", where,
                   name, near);
}

/* The arguments' nodes, in an array of the tree's arena. */
static enum err_code
decode_args(struct decoder *d, struct api_object *o, uint32_t depth, struct expr ***out,
            uint32_t *count, struct err *err)
{
    struct api_value list, *elements = NULL;
    size_t found = 0;

    *count = 0;
    if (!api_object_has(o, "args", &list))
        return OK;
    TRY(api_value_elements(&list, &d->tree->arena, &elements, &found, err));
    if (found >= d->limits->nodes_max)
        return err_set(err, ERR_INVALID_ARGUMENT, "the expression has more than %" PRIu32 " nodes",
                       d->limits->nodes_max);
    *out = arena_array(&d->tree->arena, found, sizeof **out, err);
    if (*out == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < found; i++)
        TRY(decode_value(d, &elements[i], DTYPE_UNSET, depth + 1, &(*out)[i], err));
    *count = (uint32_t)found;
    return OK;
}

static enum err_code
decode_op(struct decoder *d, struct api_object *o, uint32_t depth, struct expr **out,
          struct err *err)
{
    const struct op *op = NULL;
    struct expr **args = NULL, *node = NULL;
    uint32_t arg_count = 0;

    TRY(find_op(d, o, &op, err));
    TRY(decode_args(d, o, depth, &args, &arg_count, err));
    TRY(new_node(d, EXPR_OP, op, arg_count, &node, err));
    for (uint32_t i = 0; i < arg_count; i++)
        node->args[i] = args[i];
    TRY(api_attrs_decode(o, op->attrs, d->limits, d->tree, node->params, node->given, err));
    TRY(api_object_end(o, err));
    *out = node;
    return OK;
}

/* An object that is nothing known: its first strange field, or that it has none. */
static enum err_code
refuse_object(const struct api_value *value, struct api_object *o, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];
    struct api_value ignored;

    (void)api_object_has(o, "data", &ignored);
    (void)api_object_has(o, "base64", &ignored);
    TRY(api_object_end(o, err));
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%s must be a value: a number, a list, or an object with \"data\", \"op\", "
                   "\"variable\" or \"initialized_value\"",
                   api_value_where(value, where));
}

static enum err_code
decode_object(struct decoder *d, const struct api_value *value, uint32_t depth, struct expr **out,
              struct err *err)
{
    struct api_object object;
    struct api_value field;

    TRY(api_object_of(value, &object, err));
    if (api_object_has(&object, "op", &field))
        return decode_op(d, &object, depth, out, err);
    if (api_object_has(&object, "variable", &field))
        return decode_name(d, &object, "variable", EXPR_VARIABLE, out, err);
    if (api_object_has(&object, "initialized_value", &field))
        return decode_name(d, &object, "initialized_value", EXPR_INITIALIZED_VALUE, out, err);
    return refuse_object(value, &object, err);
}

static enum err_code
decode_value(struct decoder *d, const struct api_value *value, enum dtype hint, uint32_t depth,
             struct expr **out, struct err *err)
{
    if (depth > d->depth_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the expression is more than %" PRIu32 " levels deep", d->depth_max);
    if (api_value_kind(value) == API_OBJECT && !api_value_is_tensor_object(value))
        return decode_object(d, value, depth, out, err);
    return decode_literal(d, value, hint, out, err);
}

enum err_code
api_expr_decode(const struct api_value *value, enum dtype literal_hint,
                const struct expr_limits *limits, struct expr_tree *out, struct err *err)
{
    AUTO(expr_tree) tree = {0};
    struct decoder d = {.limits = limits, .tree = &tree};

    d.depth_max = limits->depth_max < EXPR_DEPTH_MAX ? limits->depth_max : EXPR_DEPTH_MAX;
    TRY(expr_tree_init(&tree, err));
    TRY(decode_value(&d, value, literal_hint, 1, &tree.root, err));
    *out = TAKE(tree);
    return OK;
}

/* --- out ----------------------------------------------------------------------------------- */

/* Nodes printed so far, by index; an op takes its arguments' out. */
struct printed {
    json_t **nodes;
    uint32_t count;
};

static void
printed_drop(struct printed *p)
{
    for (uint32_t i = 0; p->nodes != NULL && i < p->count; i++)
        api_json_release(&p->nodes[i]);
    mem_free(p->nodes);
    *p = (struct printed){0};
}

static enum err_code
print_op(const struct expr *node, struct printed *p, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *object = NULL;
    json_t *args = NULL;

    TRY(api_json_made(json_object(), &object, err));
    TRY(api_json_set(object, "op", json_string(node->op->name), err));
    if (node->arg_count > 0) {
        TRY(api_json_made(json_array(), &args, err));
        TRY(api_json_set(object, "args", args, err));
    }
    for (uint32_t i = 0; i < node->arg_count; i++)
        TRY(api_json_push(args, TAKE(p->nodes[node->args[i]->index]), err));
    TRY(api_attrs_json(node->op->attrs, node->params, node->given, object, err));
    p->nodes[node->index] = TAKE(object);
    return OK;
}

static enum err_code
print_name(const char *field, const char *name, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *object = NULL;

    TRY(api_json_made(json_object(), &object, err));
    TRY(api_json_set(object, field, json_string(name), err));
    *out = TAKE(object);
    return OK;
}

static enum err_code
print_node(const struct expr *node, struct printed *p, struct err *err)
{
    switch (node->kind) {
    case EXPR_OP:
        return print_op(node, p, err);
    case EXPR_LITERAL:
        return api_literal_json(&node->literal, node->weak, &p->nodes[node->index], err);
    case EXPR_VARIABLE:
        return print_name("variable", node->variable, &p->nodes[node->index], err);
    case EXPR_INITIALIZED_VALUE:
        return print_name("initialized_value", node->variable, &p->nodes[node->index], err);
    }
    return err_set(err, ERR_INTERNAL, "an expression node of kind %d", (int)node->kind);
}

enum err_code
api_expr_encode(const struct expr_tree *tree, json_t **out, struct err *err)
{
    AUTO(printed) printed = {0};

    CHECK(tree->root != NULL);
    printed.nodes = mem_zeroed(tree->node_count, sizeof(json_t *), err);
    if (printed.nodes == NULL)
        return ERR_NO_MEMORY;
    printed.count = tree->node_count;
    for (uint32_t i = 0; i <= tree->root->index; i++)
        TRY(print_node(tree->nodes[i], &printed, err));
    *out = TAKE(printed.nodes[tree->root->index]);
    return OK;
}
