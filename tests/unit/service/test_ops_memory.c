/* Every op of the table when memory runs out: each allocation of inferring, opening and reading
 * fails in turn. An op that is added is taken along: its arguments are found by trying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/expr/op_helpers.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

/* --- arguments ----------------------------------------------------------------------------- */

enum { ARGS_MAX = 4, NTH_MAX = 2000 };

static const float matrix[] = {2, 1, 1, 3}; /* positive definite */
static const int32_t indices[] = {0, 1, 1, 0};
static const uint8_t truths[] = {1, 0, 0, 1};

/* In the order they are tried. */
static const char *const names[] = {"matrix", "vector", "indices", "truths", "scalar", "single"};
enum { NAMES = sizeof names / sizeof names[0] };

static struct expr_source
variables(void)
{
    static struct exprs_value named[NAMES];
    static struct exprs_values values = {.values = named, .count = NAMES};
    struct shape square = exprs_shape(2, 2, 2);

    named[0] = (struct exprs_value){
        "matrix", {{DTYPE_FLOAT32, square}, (const uint8_t *)matrix, sizeof matrix}};
    named[1] = (struct exprs_value){
        "vector", {{DTYPE_FLOAT32, exprs_shape(1, 2)}, (const uint8_t *)matrix, 8}};
    named[2] = (struct exprs_value){
        "indices", {{DTYPE_INT32, square}, (const uint8_t *)indices, sizeof indices}};
    named[3] = (struct exprs_value){"truths", {{DTYPE_BOOL, square}, truths, sizeof truths}};
    named[4] =
        (struct exprs_value){"scalar", {{.dtype = DTYPE_FLOAT32}, (const uint8_t *)matrix, 4}};
    named[5] = (struct exprs_value){
        "single", {{DTYPE_FLOAT32, exprs_shape(1, 1)}, (const uint8_t *)matrix, 4}};
    return exprs_source(&values);
}

/* Computed by the tile from a variable that is read twice. */
static struct expr *
computed(struct expr_tree *tree, const char *name)
{
    struct expr *condition = exprs_op(tree, "equal", 2, exprs_variable(tree, name, false),
                                      exprs_variable(tree, name, false));

    if (strcmp(name, "truths") == 0)
        return exprs_op(tree, "logical_not", 1, exprs_variable(tree, name, false));
    return exprs_op(tree, "where", 3, condition, exprs_variable(tree, name, false),
                    exprs_variable(tree, name, false));
}

/* --- attributes ---------------------------------------------------------------------------- */

static void
set_tensor(struct expr_tree *tree, struct expr *node, const struct attr_spec *spec)
{
    const struct expr *value = strcmp(spec->name, "paddings") == 0
                                   ? exprs_literal(tree, DTYPE_INT32, exprs_shape(2, 2, 2), indices)
                                   : exprs_weak_float(tree, 1.0);

    exprs_set_tensor(node, spec->name, value);
}

/* Of a required attribute: what suits any op that has one of its kind. */
static void
set_required(struct expr_tree *tree, struct expr *node, const struct attr_spec *spec)
{
    void *value = attr_at(spec, node->params);

    node->given[spec - node->op->attrs] = true;
    switch (spec->kind) {
    case ATTR_KIND_SHAPE:
        *(struct attr_shape *)value = (struct attr_shape){true, exprs_shape(2, 2, 2)};
        return;
    case ATTR_KIND_DIMS:
        *(struct attr_dims *)value = (struct attr_dims){.given = true, .rank = 1, .dims = {-1}};
        return;
    case ATTR_KIND_INTS:
        *(struct attr_ints *)value =
            (struct attr_ints){.given = true, .count = 2, .values = {1, 1}};
        return;
    case ATTR_KIND_TENSOR:
        set_tensor(tree, node, spec);
        return;
    case ATTR_KIND_F64:
        *(double *)value = 1;
        return;
    case ATTR_KIND_I64:
        *(int64_t *)value = 1;
        return;
    case ATTR_KIND_DTYPE:
        *(enum dtype *)value = DTYPE_FLOAT64;
        return;
    case ATTR_KIND_BOOL:
    case ATTR_KIND_SEED:
    case ATTR_KIND_CHOICE:
    case ATTR_KIND_COUNT:
        break;
    }
    fail_msg("%s: no value for a required %s", node->op->name, spec->name);
}

/* An initializer wants its variable's shape where it states none. */
static void
set_attributes(struct expr_tree *tree, struct expr *node)
{
    for (const struct attr_spec *spec = node->op->attrs; spec->name != NULL; spec++)
        if (spec->required || (node->op->initializer && spec->kind == ATTR_KIND_SHAPE))
            set_required(tree, node, spec);
}

/* --- running ------------------------------------------------------------------------------- */

static uint32_t
arg_count(const struct op *op)
{
    return op->args_min == 1 && op->args_max == OP_ARGS_ANY ? 2 : op->args_min;
}

/* The op over arguments number `choice`, a digit for each. */
static void
build(struct expr_tree *tree, const struct op *op, uint32_t choice)
{
    struct expr *args[ARGS_MAX] = {NULL}, *node;

    assert_true(arg_count(op) <= ARGS_MAX);
    assert_int_equal(expr_tree_init(tree, NULL), OK);
    for (uint32_t i = 0; i < arg_count(op); i++, choice /= NAMES)
        args[i] = computed(tree, names[choice % NAMES]);
    node = exprs_op(tree, op->name, arg_count(op), args[0], args[1], args[2], args[3]);
    set_attributes(tree, node);
    tree->root = node;
}

static uint32_t
find_choice(const struct op *op, const struct expr_source *source)
{
    struct err err = ERR_INIT;

    for (uint32_t choice = 0; choice < NAMES * NAMES * NAMES * NAMES; choice++) {
        AUTO(expr_tree) tree = {0};

        build(&tree, op, choice);
        if (expr_infer(&tree, source, DTYPE_UNSET, &err) == OK)
            return choice;
    }
    fail_msg("%s: %s", op->name, err.text);
    return 0;
}

static void
check_op(const struct op *op, const struct expr_source *source)
{
    uint32_t choice = find_choice(op, source);
    enum err_code code = ERR_NO_MEMORY;
    AUTO(tensor) whole = {0};

    for (uint64_t nth = 0; nth == 0 || code != OK; nth++) {
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};
        struct err err = ERR_INIT;

        build(&tree, op, choice);
        mem_fail_at(nth, 0);
        code = exprs_evaluate(&tree, source, &out, &err);
        mem_fail_at(0, 0);
        if (nth == 0 ? code != OK : code != OK && code != ERR_NO_MEMORY)
            fail_msg("%s, allocation %u: %s", op->name, (unsigned)nth, err.text);
        if (nth == 0)
            whole = TAKE(out);
        else if (code == OK && !op->random)
            assert_memory_equal(out.data, whole.data, whole.size);
        assert_true(nth < NTH_MAX);
    }
}

static void
every_op_survives_the_failure_of_each_allocation(void **state)
{
    struct expr_source source = variables();
    size_t count = 0;

    (void)state;
    for (const struct op *op = op_at(0); op != NULL; op = op_at(++count))
        check_op(op, &source);
    assert_true(count > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_survives_the_failure_of_each_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
