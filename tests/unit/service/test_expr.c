/* Expression trees: weak literals, places in messages, limits, names, reading in ranges, strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "service/op_helpers.h"
#include "store/base/alloc.h"
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

static void
drop_evaluator(struct evaluator **e)
{
    evaluator_drop(*e);
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
    struct expr *node;
    int32_t value;

    (void)state;
    init(&tree);
    node = exprs_weak_int(&tree, 5);
    for (int i = 1; i < EXPR_DEPTH_MAX; i++)
        node = exprs_op(&tree, "negative", 1, node);
    assert_int_equal(exprs_evaluate(&tree, NULL, &out, NULL), OK);
    memcpy(&value, out.data, sizeof value);
    assert_int_equal(value, -5);
    exprs_op(&tree, "identity", 1, node);
    check_refused(&tree, NULL, ERR_INVALID_ARGUMENT, "more than 48 levels deep");
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

/* --- reading ------------------------------------------------------------------------------- */

static void
a_variable_is_read_in_place_and_in_ranges(void **state)
{
    static const int16_t data[] = {1, 2, 3, 4, 5, 6, 7};
    struct exprs_value named[] = {{"v",
                                   {.type = {DTYPE_INT16, exprs_shape(1, 7)},
                                    .data = (const uint8_t *)data,
                                    .size = sizeof data}}};
    struct exprs_values values = {.values = named, .count = 1};
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) tree = {0};
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;
    int16_t out[3];

    (void)state;
    init(&tree);
    exprs_op(&tree, "identity", 1, exprs_variable(&tree, "v", true));
    assert_int_equal(expr_infer(&tree, &source, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_open(&tree, &source, &e, NULL), OK);
    assert_int_equal(evaluator_read(e, 4, 3, out, NULL), OK);
    assert_memory_equal(out, data + 4, sizeof out);
    assert_int_equal(values.bytes_read, sizeof out);
    assert_int_equal(evaluator_read(e, 7, 0, out, NULL), OK);
    assert_int_equal(evaluator_read(e, 5, 3, out, NULL), ERR_OUT_OF_RANGE);
    assert_int_equal(evaluator_read(e, UINT64_MAX, 2, out, NULL), ERR_OUT_OF_RANGE);
}

enum { SHARED_COUNT = 20000, SHARED_THREADS = 4 };

struct reading {
    const struct expr_tree *tree;
    float *out;
    uint64_t first, count;
    enum err_code code;
};

static void *
read_part(void *context)
{
    struct reading *reading = context;
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;

    reading->code = evaluator_open(reading->tree, NULL, &e, NULL);
    if (reading->code == OK)
        reading->code =
            evaluator_read(e, reading->first, reading->count, reading->out + reading->first, NULL);
    return NULL;
}

/* One tree, an evaluator per thread. */
static void
threads_share_a_tree(void **state)
{
    static float whole[SHARED_COUNT], parts[SHARED_COUNT];
    static const float bias[] = {1, 2, 3, 4, 5};
    struct reading readings[SHARED_THREADS];
    struct expr_draw draw = {.has_model_seed = true, .model_seed = 3, .variable_name = "w"};
    AUTO(expr_tree) tree = {0};
    struct expr *a;
    pthread_t threads[SHARED_THREADS];

    (void)state;
    init(&tree);
    a = exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape",
                        exprs_shape(2, SHARED_COUNT / 5, 5));
    exprs_op(&tree, "multiply", 2, a,
             exprs_op(&tree, "negative", 1, exprs_float32(&tree, exprs_shape(1, 5), bias)));
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(expr_draw(&tree, &draw, NULL), OK);
    readings[0] = (struct reading){.tree = &tree, .out = whole, .count = SHARED_COUNT};
    read_part(&readings[0]);
    assert_int_equal(readings[0].code, OK);
    for (uint64_t i = 0; i < SHARED_THREADS; i++) {
        readings[i] = (struct reading){.tree = &tree,
                                       .out = parts,
                                       .first = i * SHARED_COUNT / SHARED_THREADS,
                                       .count = SHARED_COUNT / SHARED_THREADS};
        assert_int_equal(pthread_create(&threads[i], NULL, read_part, &readings[i]), 0);
    }
    for (int i = 0; i < SHARED_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(readings[i].code, OK);
    }
    assert_memory_equal(whole, parts, sizeof whole);
}

/* Out of memory at any moment: an error, nothing lost. */
static void
short_memory_is_an_error_everywhere(void **state)
{
    static const float x[] = {1, 2, 3};
    bool done = false;

    (void)state;
    for (uint64_t nth = 1; !done && nth < 200; nth++) {
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};
        struct expr *a, *b;
        enum err_code code;

        init(&tree);
        a = exprs_set_shape(exprs_op(&tree, "random_uniform", 0), "shape", exprs_shape(2, 4, 3));
        b = exprs_op(&tree, "negative", 1, exprs_float32(&tree, exprs_shape(1, 3), x));
        exprs_op(&tree, "add", 2, exprs_op(&tree, "multiply", 2, a, b), exprs_weak_float(&tree, 1));
        mem_fail_at(nth, 0);
        code = exprs_evaluate(&tree, NULL, &out, NULL);
        mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        done = code == OK;
    }
    assert_true(done);
}

/* --- strings ------------------------------------------------------------------------------- */

static const uint8_t two_strings[] = {2, 0, 0, 0, 'h', 'i', 0, 0, 0, 0};

/* A string literal; exprs_literal goes by element size. */
static struct expr *
strings_literal(struct expr_tree *tree)
{
    struct tensor_type type = {.dtype = DTYPE_STRING, .shape = exprs_shape(1, 2)};
    struct tensor literal = {0};
    struct tensor_view view;
    struct expr *node = exprs_weak_int(tree, 0);

    assert_int_equal(tensor_init(&literal, &type, sizeof two_strings, NULL), OK);
    memcpy(literal.data, two_strings, sizeof two_strings);
    assert_int_equal(expr_tree_literal(tree, &literal, &view, NULL), OK);
    node->weak = false;
    node->literal = view;
    return node;
}

static void
check_strings(struct expr_tree *tree, const struct expr_source *source, const void *expected,
              size_t size)
{
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;
    AUTO(buf) out = {0};
    uint8_t room[16];

    buf_init(&out, 1000);
    assert_int_equal(expr_infer(tree, source, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_open(tree, source, &e, NULL), OK);
    assert_int_equal(evaluator_strings(e, &out, NULL), OK);
    assert_int_equal(out.size, size);
    assert_memory_equal(out.data, expected, size);
    assert_int_equal(evaluator_read(e, 0, 1, room, NULL), ERR_INVALID_ARGUMENT);
}

static void
strings_are_evaluated_whole(void **state)
{
    static const uint8_t empty[12], repeated[] = {2, 0, 0, 0, 'h', 'i', 0, 0, 0, 0, 0, 0, 0, 0};
    struct exprs_value named[] = {{"s",
                                   {.type = {DTYPE_STRING, exprs_shape(1, 2)},
                                    .data = two_strings,
                                    .size = sizeof two_strings}}};
    struct exprs_values values = {.values = named, .count = 1};
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) literal = {0}, variable = {0}, zeros = {0}, constant = {0};
    struct expr *value;

    (void)state;
    init(&literal);
    strings_literal(&literal);
    check_strings(&literal, NULL, two_strings, sizeof two_strings);
    init(&variable);
    exprs_op(&variable, "identity", 1, exprs_variable(&variable, "s", false));
    check_strings(&variable, &source, two_strings, sizeof two_strings);
    init(&zeros);
    exprs_set_dtype(exprs_set_shape(exprs_op(&zeros, "zeros", 0), "shape", exprs_shape(1, 3)),
                    "dtype", DTYPE_STRING);
    check_strings(&zeros, NULL, empty, sizeof empty);
    init(&constant);
    value = strings_literal(&constant);
    exprs_set_shape(exprs_set_tensor(exprs_op(&constant, "constant", 0), "value", value), "shape",
                    exprs_shape(1, 3));
    check_strings(&constant, NULL, repeated, sizeof repeated);
}

static void
strings_past_the_buffer_are_refused(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;
    AUTO(buf) out = {0};

    (void)state;
    init(&tree);
    exprs_set_dtype(
        exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(2, 1 << 20, 1 << 20)),
        "dtype", DTYPE_STRING);
    buf_init(&out, 1000);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_open(&tree, NULL, &e, NULL), OK);
    assert_int_equal(evaluator_strings(e, &out, NULL), ERR_PAYLOAD_TOO_LARGE);
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
        cmocka_unit_test(a_variable_is_read_in_place_and_in_ranges),
        cmocka_unit_test(threads_share_a_tree),
        cmocka_unit_test(short_memory_is_an_error_everywhere),
        cmocka_unit_test(strings_are_evaluated_whole),
        cmocka_unit_test(strings_past_the_buffer_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
