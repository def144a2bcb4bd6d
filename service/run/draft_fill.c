/* Initial values of drafted variables, and variables that are made to keep state in: slots, powers,
 * shadows of tensors. */
#include "service/expr/op.h"
#include "service/run/draft_parts.h"
#include "service/tensor/convert.h"
#include "service/variable/variable_info.h"
#include "store/base/scope.h"

/* An attribute of a node that is being built, as stated by a client. */
static void *
state(struct expr *node, const char *name)
{
    const struct attr_spec *row = attr_find(node->op->attrs, bytes_of_text(name));

    node->given[row - node->op->attrs] = true;
    return attr_at(row, node->params);
}

/* fill(dims, value): so that initializing the model again gives it its first value. */
static enum err_code
initial_tree(const struct draft_fill *fill, struct expr_tree *out, struct err *err)
{
    const struct expr_limits limits = {.nodes_max = 1, .depth_max = 1};
    struct tensor_type scalar = {.dtype = fill->type.dtype};
    struct tensor element = {0};
    struct tensor_view value;
    struct expr *node = NULL;

    TRY(tensor_init(&element, &scalar, dtype_size(scalar.dtype), err));
    tensor_element_of_double(scalar.dtype, fill->element, element.data);
    TRY(expr_tree_literal(out, &element, &value, err));
    TRY(expr_tree_node(out, &limits, EXPR_OP, &op_fill, 0, &node, err));
    *(struct attr_shape *)state(node, "dims") =
        (struct attr_shape){.given = true, .shape = fill->type.shape};
    *(struct attr_tensor *)state(node, "value") =
        (struct attr_tensor){.given = true, .value = value};
    out->root = node;
    return expr_tree_args(&limits, node, NULL, err);
}

enum err_code
draft_make_filled(struct draft *draft, const struct draft_fill *fill, struct draft_variable **out,
                  struct err *err)
{
    struct draft_variable_spec spec = {
        .name = fill->name, .type = fill->type, .like = fill->like, .beside = fill->beside};
    AUTO(expr_tree) tree = {0};
    AUTO_WRITER w = NULL;
    _Alignas(16) uint8_t element[16];

    TRY(expr_tree_init(&tree, err));
    TRY(initial_tree(fill, &tree, err));
    TRY(expr_infer(&tree, NULL, fill->type.dtype, err));
    spec.initial_value = &tree;
    TRY(draft_make_variable(draft, &spec, out, err));
    (*out)->is_state = fill->is_state;
    if (!fill->initialize)
        return OK;
    tensor_element_of_double(fill->type.dtype, fill->element, element);
    TRY(draft_write_open(draft, *out, tensor_type_bytes(&fill->type), &w, err));
    if (tensor_type_bytes(&fill->type) > 0)
        TRY(draft_write_fill(w, element, dtype_size(fill->type.dtype), err));
    return draft_write_close(TAKE(w), &fill->type.shape, err);
}

/* --- initial values ------------------------------------------------------------------------ */

/* By way of its record: what inference made of the other tree stays there. */
static enum err_code
copy_tree(const struct expr_tree *tree, struct expr_tree *out, struct err *err)
{
    const struct expr_limits limits = {.nodes_max = UINT32_MAX,
                                       .depth_max = EXPR_DEPTH_MAX,
                                       .literal_bytes_max = VALUE_WRITE_BYTES_MAX};
    AUTO(buf) text;

    buf_init(&text, VALUE_WRITE_BYTES_MAX);
    TRY(expr_encode(tree, &text, err));
    return expr_decode(buf_bytes(&text), &limits, out, err);
}

enum err_code
draft_initial_value(struct draft *draft, const struct draft_variable *variable, bool *found,
                    struct expr_tree *out, struct err *err)
{
    struct variable_record record;

    *found = variable->made != NULL && variable->made->has_tree;
    if (*found)
        return copy_tree(&variable->made->tree, out, err);
    if (!variable->found)
        return OK;
    TRY(service_find_variable(draft->view, draft->model.id, variable->name, &record, err));
    *found = record.initial_value.kind != VALUE_NONE;
    return *found ? variable_initial_value(draft->view, &record, out, err) : OK;
}

bool
draft_is_in(const struct draft_variable *variable, struct bytes collection)
{
    const struct draft_new *made = variable->made;

    return bytes_equal(collection, bytes_of_text(VARIABLE_COLLECTION_GLOBAL)) ||
           (variable->trainable &&
            bytes_equal(collection, bytes_of_text(VARIABLE_COLLECTION_TRAINABLE))) ||
           (made->collection != NULL && bytes_equal(collection, bytes_of_text(made->collection)));
}
