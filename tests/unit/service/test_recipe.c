/* Recipes of virtual values: any bytes of them, wherever they begin; what cannot be one; damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/expr/recipe.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

enum { ROWS = 300, COLUMNS = 7, COUNT = ROWS * COLUMNS };

/* A draw of two ops and a bias: more than one seed, a literal. */
static void
build(struct expr_tree *tree, enum dtype dtype)
{
    const struct expr_draw draw = {.has_model_seed = true,
                                   .model_seed = 5,
                                   .variable_name = "w",
                                   .profile = RANDOM_PROFILE_FLOAT_CR};
    struct expr *x, *y;

    assert_int_equal(expr_tree_init(tree, NULL), OK);
    x = exprs_set_dtype(
        exprs_set_shape(exprs_op(tree, "random_normal", 0), "shape", exprs_shape(2, ROWS, COLUMNS)),
        "dtype", dtype);
    y = exprs_set_dtype(
        exprs_set_shape(exprs_op(tree, "random_uniform", 0), "shape", exprs_shape(1, COLUMNS)),
        "dtype", dtype);
    exprs_op(tree, "multiply", 2, exprs_op(tree, "add", 2, x, y), exprs_weak_float(tree, 1.5));
    assert_int_equal(expr_infer(tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(expr_draw(tree, &draw, NULL), OK);
}

static void
evaluate(const struct expr_tree *tree, void *out)
{
    struct evaluator *e = NULL;

    assert_int_equal(evaluator_open(tree, NULL, &exprs_options, &e, NULL), OK);
    assert_int_equal(evaluator_read(e, 0, COUNT, out, NULL), OK);
    evaluator_drop(e);
}

static void
any_bytes_are_made_wherever_they_begin(void **state)
{
    static const enum dtype dtypes[] = {DTYPE_FLOAT16, DTYPE_FLOAT32, DTYPE_FLOAT64};
    static _Alignas(8) uint8_t whole[COUNT * 8], made[COUNT * 8 + 8];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const uint64_t size = COUNT * dtype_size(dtypes[i]);
        const uint64_t offsets[] = {0, 1, 7, 8, 4099, size - 3, size};
        AUTO(expr_tree) tree = {0};
        AUTO(buf) recipe;

        buf_init(&recipe, VALUE_RECIPE_BYTES_MAX);
        build(&tree, dtypes[i]);
        evaluate(&tree, whole);
        assert_int_equal(recipe_check(&tree, NULL), OK);
        assert_int_equal(recipe_encode(&tree, &recipe, NULL), OK);
        for (size_t k = 0; k < sizeof offsets / sizeof offsets[0]; k++)
            for (uint64_t length = 0; length < 40 && offsets[k] + length <= size; length++) {
                uint8_t *out = made + length % 5; /* not aligned either */

                assert_int_equal(recipe_make(buf_bytes(&recipe), offsets[k], length, out, NULL),
                                 OK);
                assert_memory_equal(out, whole + offsets[k], length);
            }
        assert_int_equal(recipe_make(buf_bytes(&recipe), 3, size - 3, made + 1, NULL), OK);
        assert_memory_equal(made + 1, whole + 3, size - 3);
    }
}

static void
past_the_end_there_is_nothing(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO(buf) recipe;
    uint8_t out[16];

    (void)state;
    buf_init(&recipe, VALUE_RECIPE_BYTES_MAX);
    build(&tree, DTYPE_FLOAT32);
    assert_int_equal(recipe_encode(&tree, &recipe, NULL), OK);
    assert_int_equal(recipe_make(buf_bytes(&recipe), COUNT * 4 - 4, 8, out, NULL),
                     ERR_OUT_OF_RANGE);
}

static void
refused(struct expr_tree *tree, const struct expr_source *source, const char *because)
{
    struct err err = ERR_INIT;

    assert_int_equal(expr_infer(tree, source, DTYPE_UNSET, NULL), OK);
    assert_int_equal(recipe_check(tree, &err), ERR_INVALID_ARGUMENT);
    if (strstr(err.text, because) == NULL)
        fail_msg("'%s' is not in '%s'", because, err.text);
}

static void
what_is_not_made_from_itself_is_refused(void **state)
{
    static const float data[300];
    struct exprs_value named = {
        "v", {.type = {DTYPE_FLOAT32, {0}}, .data = (const uint8_t *)data, .size = sizeof data[0]}};
    struct exprs_values values = {.values = &named, .count = 1};
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) reads = {0}, keeps = {0}, large = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&reads, NULL), OK);
    exprs_op(&reads, "negative", 1, exprs_variable(&reads, "v", true));
    refused(&reads, &source, "reads 'v'");

    assert_int_equal(expr_tree_init(&keeps, NULL), OK);
    exprs_op(&keeps, "reduce_sum", 1,
             exprs_set_shape(exprs_op(&keeps, "random_normal", 0), "shape", exprs_shape(1, 9)));
    refused(&keeps, NULL, "needs whole tensors");

    assert_int_equal(expr_tree_init(&large, NULL), OK);
    exprs_float32(&large, exprs_shape(1, 300), data);
    refused(&large, NULL, "at most 1000 bytes");
}

/* Each byte wrong in turn: refused, or, where it is a seed's, other numbers; never a crash. */
static void
damage_is_no_crash(void **state)
{
    static uint8_t out[COUNT * 4];
    AUTO(expr_tree) tree = {0};
    AUTO(buf) recipe;
    int refusals = 0;

    (void)state;
    buf_init(&recipe, VALUE_RECIPE_BYTES_MAX);
    build(&tree, DTYPE_FLOAT32);
    assert_int_equal(recipe_encode(&tree, &recipe, NULL), OK);
    for (size_t i = 0; i < recipe.size; i++) {
        enum err_code code;

        recipe.data[i] ^= 0x41;
        code = recipe_make(buf_bytes(&recipe), 0, 40, out, NULL);
        recipe.data[i] ^= 0x41;
        assert_true(code == OK || code == ERR_DATA_LOSS);
        refusals += code != OK;
    }
    assert_int_equal(refusals, (int)recipe.size - 2 * 16);
    for (size_t size = 0; size < recipe.size; size++)
        assert_int_equal(recipe_make(bytes_of(recipe.data, size), 0, 40, out, NULL), ERR_DATA_LOSS);
}

static void
short_memory_is_an_error(void **state)
{
    static uint8_t out[COUNT * 4];
    AUTO(expr_tree) tree = {0};
    AUTO(buf) recipe;
    enum err_code code = ERR_NO_MEMORY;

    (void)state;
    buf_init(&recipe, VALUE_RECIPE_BYTES_MAX);
    build(&tree, DTYPE_FLOAT32);
    assert_int_equal(recipe_encode(&tree, &recipe, NULL), OK);
    for (uint64_t nth = 1; code != OK; nth++) {
        mem_fail_at(nth, 0);
        code = recipe_make(buf_bytes(&recipe), 0, sizeof out, out, NULL);
        mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_are_made_wherever_they_begin),
        cmocka_unit_test(past_the_end_there_is_nothing),
        cmocka_unit_test(what_is_not_made_from_itself_is_refused),
        cmocka_unit_test(damage_is_no_crash),
        cmocka_unit_test(short_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
