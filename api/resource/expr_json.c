/* Expressions as JSON. Reading goes down the document, to a named depth; arguments become nodes
 * before the op that takes them. */
#include "api/resource/expr_json.h"

#include <inttypes.h>

#include "api/resource/attr_json.h"
#include "api/resource/describe.h"
#include "api/resource/variable_names.h"
#include "service/expr/op.h"
#include "service/name.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* --- in ------------------------------------------------------------------------------------ */

struct decoder {
    const struct expr_limits *limits;
    struct expr_tree *tree;
    struct api_tensor_table *tensors; /* NULL: none came */
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

/* Never weak: the file says the dtype. */
static enum err_code
decode_tensor(struct decoder *d, struct api_object *o, struct expr **out, struct err *err)
{
    TRY(new_node(d, EXPR_LITERAL, NULL, 0, out, err));
    return api_tensor_table_take(d->tensors, o, &d->tree->arena, &(*out)->literal, err);
}

static enum err_code
decode_name(struct decoder *d, struct api_object *o, const char *field, enum expr_kind kind,
            struct expr **out, struct err *err)
{
    const char *name = NULL;

    TRY(api_object_variable(o, field, &d->tree->arena, &name, NULL, err));
    TRY(new_node(d, kind, NULL, 0, out, err));
    (*out)->variable = name;
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

/* What an op's arguments are made of: nodes, and attributes written among them. */
struct arguments {
    struct api_value list; /* "args"; its elements say by it where they stand */
    struct expr **nodes;   /* in the tree's arena */
    uint32_t count;
    struct api_value *attrs; /* elements of "args" beyond the tensors */
    size_t attr_count;
};

/* "args", or the list that stands for all arguments of an op that takes any number. */
static bool
find_list(struct api_object *o, const struct op *op, struct api_value *out)
{
    if (api_object_has(o, "args", out))
        return true;
    return op->args_max == OP_ARGS_ANY && api_object_has(o, op->arg_names[0], out);
}

/* tf.concat([a, b], 1): of an op that takes any number of tensors, one list alone, or before a
 * number, is the list of them. As tensors the two would not fit each other. */
static bool
is_call_with_list(const struct op *op, const struct api_value *elements, size_t count)
{
    return op->args_max == OP_ARGS_ANY && count > 0 && api_value_kind(&elements[0]) == API_ARRAY &&
           (count == 1 || (count == 2 && api_value_kind(&elements[1]) == API_NUMBER));
}

/* Tensors first, then attributes in the order of their rows, as a Python call has them. */
static enum err_code
decode_list(struct decoder *d, struct api_object *o, const struct op *op, uint32_t depth,
            struct arguments *out, struct err *err)
{
    struct api_value *elements = NULL, *call = NULL;
    size_t found = 0, tensors, call_count = 0;

    if (!find_list(o, op, &out->list))
        return OK;
    TRY(api_value_elements(&out->list, &d->tree->arena, &elements, &found, err));
    if (is_call_with_list(op, elements, found) && api_object_has(o, "args", &out->list)) {
        call = elements;
        call_count = found;
        TRY(api_value_elements(&call[0], &d->tree->arena, &elements, &found, err));
    }
    if (found >= d->limits->nodes_max)
        return err_set(err, ERR_INVALID_ARGUMENT, "the expression has more than %" PRIu32 " nodes",
                       d->limits->nodes_max);
    tensors = found;
    if (found > op->args_max && found - op->args_max <= attr_count(op->attrs))
        tensors = op->args_max;
    out->nodes = arena_array(&d->tree->arena, found + OP_ARG_NAMES_MAX, sizeof *out->nodes, err);
    if (out->nodes == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < tensors; i++)
        TRY(decode_value(d, &elements[i], DTYPE_UNSET, depth + 1, &out->nodes[i], err));
    out->count = (uint32_t)tensors;
    out->attrs = call != NULL ? call + 1 : elements + tensors;
    out->attr_count = call != NULL ? call_count - 1 : found - tensors;
    return OK;
}

/* Arguments by TensorFlow's names for them: {"op": "matmul", "a": …, "b": …}. */
static enum err_code
decode_named(struct decoder *d, struct api_object *o, const struct op *op, uint32_t depth,
             struct arguments *out, struct err *err)
{
    struct api_value value;

    if (op->args_max > OP_ARG_NAMES_MAX)
        return OK;
    if (out->nodes == NULL)
        out->nodes = arena_array(&d->tree->arena, OP_ARG_NAMES_MAX, sizeof *out->nodes, err);
    if (out->nodes == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < op->args_max; i++) {
        if (!api_object_has(o, op->arg_names[i], &value) || api_value_kind(&value) == API_NULL)
            continue;
        if (i < out->count)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s: argument '%s' is given twice: as a field and in args", op->name,
                           op->arg_names[i]);
        if (i > out->count)
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: argument '%s' is missing before '%s'",
                           op->name, op->arg_names[out->count], op->arg_names[i]);
        TRY(decode_value(d, &value, DTYPE_UNSET, depth + 1, &out->nodes[i], err));
        out->count++;
    }
    return OK;
}

static enum err_code
decode_op(struct decoder *d, struct api_object *o, uint32_t depth, struct expr **out,
          struct err *err)
{
    struct arguments arguments = {0};
    struct api_attr_fields fields;
    const struct op *op = NULL;
    struct expr *node = NULL;

    TRY(find_op(d, o, &op, err));
    TRY(decode_list(d, o, op, depth, &arguments, err));
    TRY(decode_named(d, o, op, depth, &arguments, err));
    TRY(new_node(d, EXPR_OP, op, arguments.count, &node, err));
    TRY(expr_tree_args(d->limits, node, arguments.nodes, err));
    fields = (struct api_attr_fields){.op = op->name,
                                      .object = o,
                                      .list = arguments.attrs,
                                      .list_count = arguments.attr_count,
                                      .tensors = d->tensors};
    TRY(api_attrs_decode(&fields, op->attrs, d->limits, d->tree, node->params, node->given, err));
    *out = node;
    return OK;
}

/* --- nodes that are used again --- */

static struct expr *
find_id(const struct decoder *d, const char *id)
{
    for (uint32_t i = 0; i < d->tree->node_count; i++)
        if (d->tree->nodes[i]->id != NULL && strcmp(d->tree->nodes[i]->id, id) == 0)
            return d->tree->nodes[i];
    return NULL;
}

/* The node is whole now: what follows may refer to it. */
static enum err_code
set_id(struct decoder *d, struct api_object *o, struct expr *node, struct err *err)
{
    const char *id = NULL;
    bool present = false;

    TRY(api_object_text(o, "id", &d->tree->arena, &id, &present, err));
    if (!present)
        return OK;
    if (id[0] == '\0' || strlen(id) > EXPR_ID_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "an id has 1 to %d bytes, this has %zu",
                       EXPR_ID_BYTES_MAX, strlen(id));
    if (find_id(d, id) != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "two expressions have the id '%s'", id);
    node->id = id;
    return OK;
}

static enum err_code
decode_ref(struct decoder *d, struct api_object *o, struct expr **out, struct err *err)
{
    const char *id = NULL;

    TRY(api_object_text(o, "ref", &d->tree->arena, &id, NULL, err));
    *out = find_id(d, id);
    if (*out == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "no expression with the id '%s' stands before {\"ref\": \"%s\"}", id, id);
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
                   "\"variable\", \"initialized_value\", \"tensor\" or \"ref\"",
                   api_value_where(value, where));
}

static enum err_code
decode_object(struct decoder *d, const struct api_value *value, uint32_t depth, struct expr **out,
              struct err *err)
{
    struct api_object object;
    struct api_value field;
    bool is_ref = false;

    TRY(api_object_of(value, &object, err));
    if (api_object_has(&object, "op", &field))
        TRY(decode_op(d, &object, depth, out, err));
    else if (api_object_has(&object, "variable", &field))
        TRY(decode_name(d, &object, "variable", EXPR_VARIABLE, out, err));
    else if (api_object_has(&object, "initialized_value", &field))
        TRY(decode_name(d, &object, "initialized_value", EXPR_INITIALIZED_VALUE, out, err));
    else if (api_object_has(&object, "tensor", &field))
        TRY(decode_tensor(d, &object, out, err));
    else if ((is_ref = api_object_has(&object, "ref", &field)))
        TRY(decode_ref(d, &object, out, err));
    else
        return refuse_object(value, &object, err);
    if (!is_ref)
        TRY(set_id(d, &object, *out, err));
    return api_object_end(&object, err);
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
    return api_expr_decode_beside(value, literal_hint, limits, NULL, out, err);
}

enum err_code
api_expr_decode_beside(const struct api_value *value, enum dtype literal_hint,
                       const struct expr_limits *limits, struct api_tensor_table *tensors,
                       struct expr_tree *out, struct err *err)
{
    AUTO(expr_tree) tree = {0};
    struct decoder d = {.limits = limits, .tree = &tree, .tensors = tensors};

    d.depth_max = limits->depth_max < EXPR_DEPTH_MAX ? limits->depth_max : EXPR_DEPTH_MAX;
    TRY(expr_tree_init(&tree, err));
    TRY(decode_value(&d, value, literal_hint, 1, &tree.root, err));
    *out = TAKE(tree);
    return OK;
}

/* --- out ----------------------------------------------------------------------------------- */

/* In written order, so that a node stands where it is met first and the others refer to it. The
 * stack goes as deep as expressions may: EXPR_DEPTH_MAX. */
struct printer {
    bool *printed; /* by index */
};

static void
printer_drop(struct printer *p)
{
    mem_free(p->printed);
}

static enum err_code print_node(struct printer *p, const struct expr *node, json_t **out,
                                struct err *err);

/* *value becomes a list of itself. */
static enum err_code
wrap(json_t **value, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *inner = TAKE(*value);
    AUTO_CALL(api_json_release) json_t *list = NULL;

    TRY(api_json_made(json_array(), &list, err));
    TRY(api_json_push(list, TAKE(inner), err));
    *value = TAKE(list);
    return OK;
}

static enum err_code
print_args(struct printer *p, const struct expr *node, json_t *object, struct err *err)
{
    json_t *args = NULL, *arg = NULL;

    if (node->arg_count == 0)
        return OK;
    TRY(api_json_made(json_array(), &args, err));
    TRY(api_json_set(object, "args", args, err));
    for (uint32_t i = 0; i < node->arg_count; i++) {
        TRY(print_node(p, node->args[i], &arg, err));
        if (node->op->args_max == OP_ARGS_ANY && node->arg_count == 1 && json_is_array(arg))
            TRY(wrap(&arg, err)); /* it would be read as the list of the tensors */
        TRY(api_json_push(args, arg, err));
    }
    return OK;
}

static enum err_code
print_op(struct printer *p, const struct expr *node, json_t *object, struct err *err)
{
    TRY(api_json_set(object, "op", json_string(node->op->name), err));
    TRY(print_args(p, node, object, err));
    return api_attrs_json(node->op->attrs, node->params, node->given, object, err);
}

static enum err_code
print_object(struct printer *p, const struct expr *node, json_t *object, struct err *err)
{
    if (p->printed[node->index])
        return api_json_set(object, "ref", json_string(node->id), err);
    p->printed[node->index] = true;
    switch (node->kind) {
    case EXPR_OP:
        TRY(print_op(p, node, object, err));
        break;
    case EXPR_VARIABLE:
        TRY(api_json_set(object, "variable", json_string(node->variable), err));
        break;
    case EXPR_INITIALIZED_VALUE:
        TRY(api_json_set(object, "initialized_value", json_string(node->variable), err));
        break;
    case EXPR_LITERAL:
        return err_set(err, ERR_INTERNAL, "a literal is no object");
    }
    return node->id == NULL ? OK : api_json_set(object, "id", json_string(node->id), err);
}

static enum err_code
print_node(struct printer *p, const struct expr *node, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *object = NULL;

    if (node->kind == EXPR_LITERAL)
        return api_literal_json(&node->literal, node->weak, out, err);
    TRY(api_json_made(json_object(), &object, err));
    TRY(print_object(p, node, object, err));
    *out = TAKE(object);
    return OK;
}

enum err_code
api_expr_encode(const struct expr_tree *tree, json_t **out, struct err *err)
{
    AUTO(printer) printer = {0};

    CHECK(tree->root != NULL);
    printer.printed = mem_zeroed(tree->node_count, sizeof *printer.printed, err);
    if (printer.printed == NULL)
        return ERR_NO_MEMORY;
    return print_node(&printer, tree->root, out, err);
}
