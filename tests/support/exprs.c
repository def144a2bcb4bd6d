/* Expressions for tests. Failures here end the program, for a test without its ground floor says
 * nothing. */
#include "tests/support/exprs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/base/scope.h"
#include "tests/support/twin_device.h"

static _Noreturn void
give_up(const char *what, const char *detail)
{
    fprintf(stderr, "a test's expression: %s '%s'\n", what, detail);
    exit(EXIT_FAILURE);
}

const struct evaluator_options exprs_options = {.bytes_max = 64 << 20,
                                                .operations_max = 1000 * 1000 * 1000};

struct expr_limits
exprs_limits(void)
{
    return (struct expr_limits){
        .nodes_max = EXPRS_NODES_MAX, .depth_max = EXPR_DEPTH_MAX, .literal_bytes_max = 1 << 24};
}

struct shape
exprs_shape(uint32_t rank, ...)
{
    struct shape shape = {.rank = rank};
    va_list dims;

    va_start(dims, rank);
    for (uint32_t i = 0; i < rank; i++)
        shape.dims[i] = (uint64_t)va_arg(dims, int);
    va_end(dims);
    return shape;
}

static struct expr *
make_node(struct expr_tree *tree, enum expr_kind kind, const struct op *op, uint32_t arg_count)
{
    struct expr_limits limits = exprs_limits();
    struct expr *node = NULL;
    struct err err = ERR_INIT;

    if (expr_tree_node(tree, &limits, kind, op, arg_count, &node, &err) != OK)
        give_up("no node", err.text);
    tree->root = node;
    return node;
}

static struct expr *
make_literal(struct expr_tree *tree, const struct tensor_type *type, const void *data, bool weak)
{
    struct tensor literal = {0};
    struct tensor_view view;
    struct expr *node = NULL;
    struct err err = ERR_INIT;

    if (tensor_init(&literal, type, tensor_type_bytes(type), &err) != OK)
        give_up("no literal", err.text);
    if (literal.size > 0)
        memcpy(literal.data, data, literal.size);
    if (expr_tree_literal(tree, &literal, &view, &err) != OK)
        give_up("no literal", err.text);
    node = make_node(tree, EXPR_LITERAL, NULL, 0);
    node->literal = view;
    node->weak = weak;
    return node;
}

struct expr *
exprs_literal(struct expr_tree *tree, enum dtype dtype, struct shape shape, const void *data)
{
    struct tensor_type type = {.dtype = dtype, .shape = shape};

    return make_literal(tree, &type, data, false);
}

struct expr *
exprs_float32(struct expr_tree *tree, struct shape shape, const float *data)
{
    return exprs_literal(tree, DTYPE_FLOAT32, shape, data);
}

struct expr *
exprs_weak_int(struct expr_tree *tree, int64_t value)
{
    struct tensor_type type = {.dtype = DTYPE_INT64};

    return make_literal(tree, &type, &value, true);
}

struct expr *
exprs_weak_float(struct expr_tree *tree, double value)
{
    struct tensor_type type = {.dtype = DTYPE_FLOAT64};

    return make_literal(tree, &type, &value, true);
}

struct expr *
exprs_variable(struct expr_tree *tree, const char *name, bool initialized)
{
    struct expr *node =
        make_node(tree, initialized ? EXPR_INITIALIZED_VALUE : EXPR_VARIABLE, NULL, 0);

    node->variable = name;
    return node;
}

struct expr *
exprs_op(struct expr_tree *tree, const char *name, uint32_t arg_count, ...)
{
    const struct op *op = op_find(bytes_of_text(name));
    const struct expr_limits limits = exprs_limits();
    struct err err = ERR_INIT;
    struct expr *node = NULL;
    va_list args;

    if (op == NULL)
        give_up("no op", name);
    node = make_node(tree, EXPR_OP, op, arg_count);
    va_start(args, arg_count);
    for (uint32_t i = 0; i < arg_count; i++)
        node->args[i] = va_arg(args, struct expr *);
    va_end(args);
    if (expr_tree_args(&limits, node, node->args, &err) != OK)
        give_up("no arguments", err.text);
    return node;
}

/* --- attributes ---------------------------------------------------------------------------- */

static void *
attr_of(struct expr *node, const char *name, enum attr_kind kind)
{
    const struct attr_spec *spec = attr_find(node->op->attrs, bytes_of_text(name));

    if (spec == NULL || spec->kind != kind)
        give_up("no such attribute", name);
    node->given[spec - node->op->attrs] = true;
    return attr_at(spec, node->params);
}

struct expr *
exprs_set_shape(struct expr *node, const char *name, struct shape shape)
{
    struct attr_shape *attr = attr_of(node, name, ATTR_KIND_SHAPE);

    *attr = (struct attr_shape){.given = true, .shape = shape};
    return node;
}

struct expr *
exprs_set_dtype(struct expr *node, const char *name, enum dtype dtype)
{
    enum dtype *attr = attr_of(node, name, ATTR_KIND_DTYPE);

    *attr = dtype;
    return node;
}

struct expr *
exprs_set_f64(struct expr *node, const char *name, double value)
{
    double *attr = attr_of(node, name, ATTR_KIND_F64);

    *attr = value;
    return node;
}

struct expr *
exprs_set_bool(struct expr *node, const char *name, bool value)
{
    bool *attr = attr_of(node, name, ATTR_KIND_BOOL);

    *attr = value;
    return node;
}

struct expr *
exprs_set_seed(struct expr *node, const char *name, int64_t value)
{
    struct attr_seed *attr = attr_of(node, name, ATTR_KIND_SEED);

    *attr = (struct attr_seed){.given = true, .value = value};
    return node;
}

struct expr *
exprs_set_dims(struct expr *node, const char *name, uint32_t rank, ...)
{
    struct attr_dims *attr = attr_of(node, name, ATTR_KIND_DIMS);
    va_list dims;

    *attr = (struct attr_dims){.given = true, .rank = rank};
    va_start(dims, rank);
    for (uint32_t i = 0; i < rank && i < SHAPE_RANK_MAX; i++)
        attr->dims[i] = va_arg(dims, int);
    va_end(dims);
    return node;
}

struct expr *
exprs_set_tensor(struct expr *node, const char *name, const struct expr *literal)
{
    struct attr_tensor *attr = attr_of(node, name, ATTR_KIND_TENSOR);

    *attr = (struct attr_tensor){.given = true, .weak = literal->weak, .value = literal->literal};
    return node;
}

/* --- named values -------------------------------------------------------------------------------
 */

static const struct exprs_value *
find_value(const struct exprs_values *values, const char *name)
{
    for (size_t i = 0; i < values->count; i++)
        if (strcmp(values->values[i].name, name) == 0)
            return &values->values[i];
    return NULL;
}

static enum err_code
source_type(void *context, const char *name, bool initialized, struct tensor_type *out,
            struct err *err)
{
    const struct exprs_value *value = find_value(context, name);

    (void)initialized;
    if (value == NULL)
        return err_set(err, ERR_NOT_FOUND, "no variable '%s'", name);
    *out = value->value.type;
    return OK;
}

static enum err_code
source_read(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            void *out, struct err *err)
{
    struct exprs_values *values = context;
    const struct exprs_value *value = find_value(values, name);

    (void)initialized;
    if (value == NULL || offset > value->value.size || size > value->value.size - offset)
        return err_set(err, ERR_INTERNAL, "bytes past the end of '%s'", name);
    values->reads++;
    values->bytes_read += size;
    memcpy(out, value->value.data + offset, size);
    return OK;
}

/* Only where a test asks for it: the others count what is read. */
static enum err_code
source_lend(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            struct bytes *out, struct err *err)
{
    struct exprs_values *values = context;
    const struct exprs_value *value = find_value(values, name);

    (void)initialized;
    *out = (struct bytes){0};
    if (!values->lends)
        return OK;
    if (value == NULL || offset > value->value.size || size > value->value.size - offset)
        return err_set(err, ERR_INTERNAL, "bytes past the end of '%s'", name);
    values->bytes_lent += size;
    *out = bytes_of(value->value.data + offset, (size_t)size);
    return OK;
}

static enum err_code
source_size(void *context, const char *name, bool initialized, uint64_t *out, struct err *err)
{
    const struct exprs_value *value = find_value(context, name);

    (void)initialized;
    if (value == NULL)
        return err_set(err, ERR_NOT_FOUND, "no variable '%s'", name);
    *out = value->value.size;
    return OK;
}

struct expr_source
exprs_source(struct exprs_values *values)
{
    return (struct expr_source){.context = values,
                                .type = source_type,
                                .read = source_read,
                                .lend = source_lend,
                                .size = source_size};
}

/* --- evaluation ---------------------------------------------------------------------------- */

static void
drop_evaluator(struct evaluator **e)
{
    evaluator_drop(*e);
}

static enum err_code
evaluate(const struct expr_tree *tree, const struct expr_source *source,
         const struct evaluator_options *options, struct tensor *out, struct err *err)
{
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;
    AUTO(tensor) result = {0};

    TRY(evaluator_open(tree, source, options, &e, err));
    TRY(tensor_init(&result, &tree->root->type, tensor_type_bytes(&tree->root->type), err));
    TRY(evaluator_read(e, 0, shape_count(&tree->root->type.shape), result.data, err));
    *out = TAKE(result);
    return OK;
}

/* The same, in one piece and in two, bits and errors alike, of a device whose memory is its own. */
static void
check_twin(const struct expr_tree *tree, const struct expr_source *source,
           const struct tensor *wanted, enum err_code wanted_code, const char *wanted_text)
{
    struct evaluator_options options = exprs_options;
    struct device twin;
    AUTO(tensor) got = {0};
    struct err err = ERR_INIT;
    enum err_code code;

    twin_device_open(&twin);
    options.device = &twin;
    code = evaluate(tree, source, &options, &got, &err);
    device_close(&twin);
    if (code == ERR_NO_MEMORY) /* a test has it fail */
        return;
    if (code != wanted_code || (code != OK && strcmp(err.text, wanted_text) != 0))
        give_up("a twin device fails otherwise:", err.text);
    if (code == OK && got.size > 0 && memcmp(got.data, wanted->data, got.size) != 0)
        give_up("a twin device has another result of",
                tree->root->kind == EXPR_OP ? tree->root->op->name : "a leaf");
}

/* What a source counts is what the first evaluation read. */
static void
check_twin_quietly(const struct expr_tree *tree, const struct expr_source *source,
                   const struct tensor *wanted, enum err_code code, const char *text)
{
    struct exprs_values *values, before;

    if (code == ERR_NO_MEMORY || code == ERR_PAYLOAD_TOO_LARGE ||
        tree->root->type.dtype == DTYPE_STRING)
        return;
    if (source == NULL) {
        check_twin(tree, source, wanted, code, text);
    } else if (source->read == source_read) {
        values = source->context;
        before = *values;
        check_twin(tree, source, wanted, code, text);
        *values = before;
    }
}

enum err_code
exprs_evaluate(struct expr_tree *tree, const struct expr_source *source, struct tensor *out,
               struct err *err)
{
    struct expr_draw draw = {.variable_name = "w"};
    struct err own = ERR_INIT;
    enum err_code code;

    err = err == NULL ? &own : err;
    TRY(expr_infer(tree, source, DTYPE_UNSET, err));
    TRY(expr_draw(tree, &draw, err));
    code = evaluate(tree, source, &exprs_options, out, err);
    check_twin_quietly(tree, source, out, code, err->text);
    return code;
}
