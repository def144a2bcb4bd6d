/* Initializers that draw nothing: zeros, ones, constant, identity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "service/tensor/convert.h"
#include "tests/unit/service/random_ops.h"

static void
check_all(enum dtype dtype, const char *op, double expected)
{
    AUTO(expr_tree) tree = {0};
    uint8_t element[OP_ELEMENT_BYTES_MAX] = {0}, *out;
    struct expr *node;

    tensor_element_of_double(dtype, expected, element);
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    node = exprs_op(&tree, op, 0);
    exprs_set_shape(node, "shape", exprs_shape(2, 2, 3));
    exprs_set_dtype(node, "dtype", dtype);
    out = evaluate_alone(&tree);
    assert_int_equal(tree.root->type.dtype, dtype);
    for (size_t i = 0; i < 6; i++)
        assert_memory_equal(out + i * dtype_size(dtype), element, dtype_size(dtype));
    free(out);
}

static void
zeros_and_ones_of_every_number_dtype_and_bool(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        if (!dtype_is_number((enum dtype)i) && i != DTYPE_BOOL)
            continue;
        check_all((enum dtype)i, "zeros_initializer", 0.0);
        check_all((enum dtype)i, "ones_initializer", 1.0);
    }
}

static void
strings_are_zeroed_and_not_ones(void **state)
{
    AUTO(expr_tree) zeros = {0}, ones = {0};
    struct expr *node;

    (void)state;
    assert_int_equal(expr_tree_init(&zeros, NULL), OK);
    node = exprs_op(&zeros, "zeros_initializer", 0);
    exprs_set_dtype(exprs_set_shape(node, "shape", exprs_shape(1, 2)), "dtype", DTYPE_STRING);
    assert_int_equal(expr_infer(&zeros, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(node->type.dtype, DTYPE_STRING);
    assert_int_equal(expr_tree_init(&ones, NULL), OK);
    node = exprs_op(&ones, "ones_initializer", 0);
    exprs_set_dtype(exprs_set_shape(node, "shape", exprs_shape(1, 2)), "dtype", DTYPE_STRING);
    check_refused(&ones, "dtype string is not possible");
}

/* tf.constant_initializer([0 … 5]) in [2, 4], as TensorFlow's test has it. */
static void
constant_fills_row_by_row_and_repeats_the_last(void **state)
{
    const int32_t values[] = {0, 1, 2, 3, 4, 5}, expected[] = {0, 1, 2, 3, 4, 5, 5, 5};
    AUTO(expr_tree) tree = {0};
    struct expr *node, *literal;
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    literal = exprs_literal(&tree, DTYPE_INT32, exprs_shape(2, 2, 3), values);
    node = exprs_op(&tree, "constant_initializer", 0);
    exprs_set_shape(node, "shape", exprs_shape(2, 2, 4));
    exprs_set_dtype(node, "dtype", DTYPE_INT32);
    exprs_set_tensor(node, "value", literal);
    out = evaluate_alone(&tree);
    assert_memory_equal(out, expected, sizeof expected);
    free(out);
}

static void
constant_is_float32_and_zero_when_nothing_is_said(void **state)
{
    const float expected[3] = {0};
    AUTO(expr_tree) tree = {0}, seven = {0}, many = {0};
    struct expr *node;
    uint8_t *out;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    exprs_set_shape(exprs_op(&tree, "constant_initializer", 0), "shape", exprs_shape(1, 3));
    out = evaluate_alone(&tree);
    assert_int_equal(tree.root->type.dtype, DTYPE_FLOAT32);
    assert_memory_equal(out, expected, sizeof expected);
    free(out);
    assert_int_equal(expr_tree_init(&seven, NULL), OK);
    node = exprs_op(&seven, "constant_initializer", 0);
    exprs_set_tensor(exprs_set_shape(node, "shape", exprs_shape(0)), "value",
                     exprs_weak_int(&seven, 7));
    seven.root = node;
    out = evaluate_alone(&seven);
    assert_true(tensor_element_as_double(DTYPE_FLOAT32, out) == 7.0);
    free(out);
    assert_int_equal(expr_tree_init(&many, NULL), OK);
    node = exprs_op(&many, "constant_initializer", 0);
    exprs_set_shape(node, "shape", exprs_shape(1, 2));
    exprs_set_tensor(node, "value", exprs_float32(&many, exprs_shape(1, 3), expected));
    many.root = node;
    check_refused(&many, "Too many elements provided. Needed at most 2, but received 3");
}

static void
check_identity(enum dtype dtype, int rows, int columns, double gain)
{
    const struct expr_draw draw = {.variable_name = "w"};
    const uint32_t size = dtype_size(dtype);
    uint8_t on[OP_ELEMENT_BYTES_MAX], off[OP_ELEMENT_BYTES_MAX], *out;
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    tensor_element_of_double(dtype, gain, on);
    tensor_element_of_double(dtype, gain < 0 ? -0.0 : 0.0, off);
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    node = exprs_op(&tree, "identity_initializer", 0);
    exprs_set_shape(node, "shape", exprs_shape(2, rows, columns));
    exprs_set_dtype(exprs_set_f64(node, "gain", gain), "dtype", dtype);
    out = evaluate(&tree, &draw);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            assert_memory_equal(out + (uint32_t)(i * columns + j) * size, i == j ? on : off, size);
    free(out);
    if (rows * columns > 0)
        check_pieces(&tree, &draw);
}

static void
identity_has_gain_on_its_diagonal(void **state)
{
    (void)state;
    check_identity(DTYPE_FLOAT32, 3, 3, 1.0);
    check_identity(DTYPE_FLOAT32, 2, 5, 2.5);
    check_identity(DTYPE_FLOAT64, 130, 77, -1.5);
    check_identity(DTYPE_FLOAT16, 77, 130, 0.5);
    check_identity(DTYPE_BFLOAT16, 1, 1, 0.0);
    check_identity(DTYPE_FLOAT32, 0, 4, 1.0);
    check_identity(DTYPE_FLOAT32, 4, 0, 1.0);
}

static void
identity_refuses_what_is_no_matrix(void **state)
{
    AUTO(expr_tree) vector = {0}, integer = {0}, wide = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&vector, NULL), OK);
    exprs_set_shape(exprs_op(&vector, "identity_initializer", 0), "shape", exprs_shape(1, 4));
    check_refused(&vector, "Identity matrix initializer can only be used for 2D matrices.");
    assert_int_equal(expr_tree_init(&integer, NULL), OK);
    exprs_set_dtype(exprs_set_shape(exprs_op(&integer, "identity_initializer", 0), "shape",
                                    exprs_shape(2, 4, 4)),
                    "dtype", DTYPE_INT32);
    check_refused(&integer, "Expected floating point type, got int32.");
    assert_int_equal(expr_tree_init(&wide, NULL), OK);
    exprs_set_dtype(exprs_set_f64(exprs_set_shape(exprs_op(&wide, "identity_initializer", 0),
                                                  "shape", exprs_shape(2, 2, 2)),
                                  "gain", 1e9),
                    "dtype", DTYPE_FLOAT16);
    check_refused(&wide, "gain: 1000000000 does not fit float16");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_and_ones_of_every_number_dtype_and_bool),
        cmocka_unit_test(strings_are_zeroed_and_not_ones),
        cmocka_unit_test(constant_fills_row_by_row_and_repeats_the_last),
        cmocka_unit_test(constant_is_float32_and_zero_when_nothing_is_said),
        cmocka_unit_test(identity_has_gain_on_its_diagonal),
        cmocka_unit_test(identity_refuses_what_is_no_matrix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
