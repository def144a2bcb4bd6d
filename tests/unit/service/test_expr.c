/* Expression trees: weak literals, places in messages, limits, names, reading in ranges, strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/expr/op_helpers.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

static void
init(struct expr_tree *tree)
{
    assert_int_equal(expr_tree_init(tree, NULL), OK);
}

static void
check_refused(struct expr_tree *tree, const struct expr_source *source, enum err_code code,
              const char *text)
{
    AUTO(tensor) out = {0};
    struct err err = ERR_INIT;

    assert_int_equal(exprs_evaluate(tree, source, &out, &err), code);
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err.text);
}

/* --- weak literals ------------------------------------------------------------------------- */

static enum dtype
inferred(struct expr_tree *tree, enum dtype wanted)
{
    struct err err = ERR_INIT;

    if (expr_infer(tree, NULL, wanted, &err) != OK)
        fail_msg("%s", err.text);
    return tree->root->type.dtype;
}

static void
a_weak_root_adopts_what_is_wanted(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    exprs_weak_int(&tree, 3);
    assert_int_equal(inferred(&tree, DTYPE_UNSET), DTYPE_INT32);
    assert_int_equal(inferred(&tree, DTYPE_FLOAT16), DTYPE_FLOAT16);
    assert_int_equal(inferred(&tree, DTYPE_COMPLEX128), DTYPE_COMPLEX128);
    assert_int_equal(inferred(&tree, DTYPE_UINT8), DTYPE_UINT8);
    assert_int_equal(tree.root->settled.size, 1);
    assert_int_equal(tree.root->settled.data[0], 3);
    assert_int_equal(inferred(&tree, DTYPE_UNSET), DTYPE_INT32);
    assert_int_equal(tree.root->literal.type.dtype, DTYPE_INT64);
}

static void
a_big_weak_integer_is_int64(void **state)
{
    AUTO(expr_tree) tree = {0};
    int64_t value;

    (void)state;
    init(&tree);
    exprs_weak_int(&tree, INT64_C(9007199254740993));
    assert_int_equal(inferred(&tree, DTYPE_UNSET), DTYPE_INT64);
    memcpy(&value, tree.root->settled.data, sizeof value);
    assert_true(value == INT64_C(9007199254740993));
}

static void
a_weak_fraction_is_float32_and_never_an_integer(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct err err = ERR_INIT;

    (void)state;
    init(&tree);
    exprs_weak_float(&tree, 1.5);
    assert_int_equal(inferred(&tree, DTYPE_UNSET), DTYPE_FLOAT32);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_INT32, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "Expected int32, got 1.5 of type 'float' instead");
}

static void
weak_numbers_are_no_bools_and_no_strings(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct err err = ERR_INIT;

    (void)state;
    init(&tree);
    exprs_weak_int(&tree, 1);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_BOOL, &err), ERR_INVALID_ARGUMENT);
    err_clear(&err);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_STRING, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "expected string, got a number");
}

static void
a_weak_argument_adopts_the_other_ones_dtype(void **state)
{
    static const int8_t small[] = {3, -4};
    static const int8_t doubled[] = {6, -8};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *weak;

    (void)state;
    init(&tree);
    weak = exprs_weak_int(&tree, 2);
    exprs_op(&tree, "multiply", 2, weak,
             exprs_literal(&tree, DTYPE_INT8, exprs_shape(1, 2), small));
    assert_int_equal(exprs_evaluate(&tree, NULL, &out, NULL), OK);
    assert_int_equal(out.type.dtype, DTYPE_INT8);
    assert_memory_equal(out.data, doubled, sizeof doubled);
}

static void
a_weak_argument_that_does_not_fit_names_itself(void **state)
{
    static const int8_t small[] = {3};
    AUTO(expr_tree) tree = {0};
    struct expr *a;

    (void)state;
    init(&tree);
    a = exprs_literal(&tree, DTYPE_INT8, exprs_shape(0), small);
    exprs_op(&tree, "add", 2, a, exprs_weak_int(&tree, 128));
    check_refused(&tree, NULL, ERR_INVALID_ARGUMENT, "add: y: 128 does not fit int8");
}

static void
weak_arguments_among_themselves_are_float32_where_one_has_a_fraction(void **state)
{
    AUTO(expr_tree) tree = {0}, integers = {0};
    AUTO(tensor) out = {0};
    struct expr *a;
    float value;

    (void)state;
    init(&tree);
    a = exprs_weak_int(&tree, 1);
    exprs_op(&tree, "add", 2, a, exprs_weak_float(&tree, 0.25));
    assert_int_equal(exprs_evaluate(&tree, NULL, &out, NULL), OK);
    assert_int_equal(out.type.dtype, DTYPE_FLOAT32);
    memcpy(&value, out.data, sizeof value);
    assert_true(value == 1.25f);
    init(&integers);
    a = exprs_weak_int(&integers, 1);
    exprs_op(&integers, "add", 2, a, exprs_weak_int(&integers, INT64_C(1) << 40));
    assert_int_equal(inferred(&integers, DTYPE_UNSET), DTYPE_INT64);
}

static void
a_weak_number_stays_finite_or_is_refused(void **state)
{
    AUTO(expr_tree) tree = {0}, infinite = {0};
    struct err err = ERR_INIT;

    (void)state;
    init(&tree);
    exprs_weak_float(&tree, 1e300);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_FLOAT32, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "does not fit float32"));
    init(&infinite);
    exprs_weak_float(&infinite, __builtin_inf());
    assert_int_equal(inferred(&infinite, DTYPE_FLOAT16), DTYPE_FLOAT16);
}

static void
an_empty_weak_list_is_of_any_number_type(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    exprs_literal(&tree, DTYPE_FLOAT64, exprs_shape(1, 0), NULL)->weak = true;
    assert_int_equal(inferred(&tree, DTYPE_INT32), DTYPE_INT32);
    assert_int_equal(inferred(&tree, DTYPE_UNSET), DTYPE_FLOAT32);
}

/* --- places -------------------------------------------------------------------------------- */

static void
errors_name_the_place(void **state)
{
    static const float x[6];
    AUTO(expr_tree) tree = {0};
    struct expr *a, *b;

    (void)state;
    init(&tree);
    a = exprs_float32(&tree, exprs_shape(1, 2), x);
    b = exprs_float32(&tree, exprs_shape(1, 3), x);
    a = exprs_op(&tree, "add", 2, a, b);
    a = exprs_op(&tree, "negative", 1, a);
    exprs_op(&tree, "multiply", 2, exprs_weak_int(&tree, 2), a);
    check_refused(&tree, NULL, ERR_INVALID_ARGUMENT,
                  "add (argument 1.0): incompatible shapes: [2] vs. [3]");
    assert_string_equal(tree.root->path, "");
    assert_string_equal(a->path, "1");
    assert_string_equal(b->path, "1.0.1");
    assert_int_equal(b->depth, 4);
}

static void
attributes_are_checked_with_their_place(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    exprs_op(&tree, "negative", 1, exprs_op(&tree, "ones", 0));
    check_refused(&tree, NULL, ERR_INVALID_ARGUMENT,
                  "ones (argument 0): attribute 'shape' is required");
}

/* --- limits -------------------------------------------------------------------------------- */

static void
nodes_are_limited(void **state)
{
    struct expr_limits limits = exprs_limits();
    AUTO(expr_tree) tree = {0};
    struct expr *node = NULL;
    struct err err = ERR_INIT;

    (void)state;
    limits.nodes_max = 3;
    init(&tree);
    for (int i = 0; i < 3; i++)
        assert_int_equal(expr_tree_node(&tree, &limits, EXPR_VARIABLE, NULL, 0, &node, NULL), OK);
    assert_int_equal(expr_tree_node(&tree, &limits, EXPR_VARIABLE, NULL, 0, &node, &err),
                     ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the expression has more than 3 nodes");
}

static void
literals_are_limited_together(void **state)
{
    struct expr_limits limits = exprs_limits();
    AUTO(expr_tree) tree = {0};

    (void)state;
    limits.literal_bytes_max = 10;
    init(&tree);
    assert_int_equal(expr_tree_reserve_literal(&tree, &limits, 6, NULL), OK);
    assert_int_equal(expr_tree_reserve_literal(&tree, &limits, 5, NULL), ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(expr_tree_reserve_literal(&tree, &limits, UINT64_MAX, NULL),
                     ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(expr_tree_reserve_literal(&tree, &limits, 4, NULL), OK);
}

static void
depth_is_limited_whatever_the_settings_say(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    const struct expr_limits limits = {.nodes_max = EXPRS_NODES_MAX, .depth_max = UINT32_MAX};
    struct expr *node, *deeper = NULL;
    struct err err = ERR_INIT;
    int32_t value;

    (void)state;
    init(&tree);
    node = exprs_weak_int(&tree, 5);
    for (int i = 1; i < EXPR_DEPTH_MAX; i++)
        node = exprs_op(&tree, "negative", 1, node);
    assert_int_equal(exprs_evaluate(&tree, NULL, &out, NULL), OK);
    memcpy(&value, out.data, sizeof value);
    assert_int_equal(value, -5);
    assert_int_equal(expr_tree_node(&tree, &limits, EXPR_OP, &op_identity, 1, &deeper, &err), OK);
    assert_int_equal(expr_tree_args(&limits, deeper, &node, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "more than 48 levels deep"));
}

/* --- names --------------------------------------------------------------------------------- */

struct seen {
    int count;
    char text[256];
};

static enum err_code
collect(void *context, const char *name, bool initialized, struct err *err)
{
    struct seen *seen = context;
    size_t used = strlen(seen->text);

    (void)err;
    snprintf(seen->text + used, sizeof seen->text - used, "%s%s ", name, initialized ? "!" : "");
    return ++seen->count == 3 ? ERR_ABORTED : OK;
}

static void
each_name_is_visited_once_until_told_to_stop(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct expr *a, *b, *c;
    struct seen seen = {0};

    (void)state;
    init(&tree);
    a = exprs_op(&tree, "add", 2, exprs_variable(&tree, "w", false),
                 exprs_variable(&tree, "a", true));
    b = exprs_op(&tree, "add", 2, a, exprs_variable(&tree, "w", false));
    c = exprs_op(&tree, "add", 2, b, exprs_variable(&tree, "w", true));
    exprs_op(&tree, "add", 2, c, exprs_variable(&tree, "z", true));
    assert_int_equal(expr_each_variable(&tree, collect, &seen, NULL), ERR_ABORTED);
    assert_string_equal(seen.text, "a! w w! ");
}

static void
an_unknown_name_is_the_sources_error(void **state)
{
    struct exprs_values values = {0};
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    exprs_op(&tree, "negative", 1, exprs_variable(&tree, "gone", false));
    check_refused(&tree, &source, ERR_NOT_FOUND, "no variable 'gone'");
    check_refused(&tree, NULL, ERR_INVALID_ARGUMENT, "variable 'gone' cannot be read here");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_weak_root_adopts_what_is_wanted),
        cmocka_unit_test(a_big_weak_integer_is_int64),
        cmocka_unit_test(a_weak_fraction_is_float32_and_never_an_integer),
        cmocka_unit_test(weak_numbers_are_no_bools_and_no_strings),
        cmocka_unit_test(a_weak_argument_adopts_the_other_ones_dtype),
        cmocka_unit_test(a_weak_argument_that_does_not_fit_names_itself),
        cmocka_unit_test(weak_arguments_among_themselves_are_float32_where_one_has_a_fraction),
        cmocka_unit_test(a_weak_number_stays_finite_or_is_refused),
        cmocka_unit_test(an_empty_weak_list_is_of_any_number_type),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(attributes_are_checked_with_their_place),
        cmocka_unit_test(nodes_are_limited),
        cmocka_unit_test(literals_are_limited_together),
        cmocka_unit_test(depth_is_limited_whatever_the_settings_say),
        cmocka_unit_test(each_name_is_visited_once_until_told_to_stop),
        cmocka_unit_test(an_unknown_name_is_the_sources_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
