/* Arithmetic, cast and reshape: values over their dtypes, TensorFlow's rules and error texts. */

#include "tests/unit/service/ops_checks.h"

static const enum dtype number_dtypes[] = {
    DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32,   DTYPE_FLOAT64,    DTYPE_INT8,
    DTYPE_INT16,   DTYPE_INT32,    DTYPE_INT64,     DTYPE_UINT8,      DTYPE_UINT16,
    DTYPE_UINT32,  DTYPE_UINT64,   DTYPE_COMPLEX64, DTYPE_COMPLEX128,
};
enum { NUMBERS = sizeof number_dtypes / sizeof number_dtypes[0] };

static void
evaluate(struct expr_tree *tree, struct tensor *out)
{
    struct err err = ERR_INIT;

    if (exprs_evaluate(tree, NULL, out, &err) != OK)
        fail_msg("%s", err.text);
}

static void
check_float32(struct expr_tree *tree, struct shape shape, const float *expected)
{
    AUTO(tensor) out = {0};

    evaluate(tree, &out);
    assert_int_equal(out.type.dtype, DTYPE_FLOAT32);
    assert_true(shape_equal(&out.type.shape, &shape));
    assert_memory_equal(out.data, expected, out.size);
}

static void
check_doubles(const struct tensor *out, const double *expected)
{
    uint32_t size = dtype_size(out->type.dtype);

    for (uint64_t i = 0; i < shape_count(&out->type.shape); i++)
        if (tensor_element_as_double(out->type.dtype, out->data + i * size) != expected[i])
            fail_msg("%s: element %d is %g, not %g", dtype_name(out->type.dtype), (int)i,
                     tensor_element_as_double(out->type.dtype, out->data + i * size), expected[i]);
}

/* --- arithmetic ---------------------------------------------------------------------------- */

static void
arithmetic_works_in_every_number_type(void **state)
{
    static const double x[] = {6, 8, 7}, y[] = {2, 4, 3};
    static const struct {
        const char *op;
        double expected[3];
    } cases[] = {
        {"add", {8, 12, 10}},
        {"subtract", {4, 4, 4}},
        {"multiply", {12, 32, 21}},
    };

    (void)state;
    for (size_t i = 0; i < NUMBERS; i++)
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            AUTO(expr_tree) tree = {0};
            AUTO(tensor) out = {0};
            struct expr *a, *b;

            init(&tree);
            a = numbers(&tree, number_dtypes[i], exprs_shape(1, 3), x);
            b = numbers(&tree, number_dtypes[i], exprs_shape(1, 3), y);
            exprs_op(&tree, cases[k].op, 2, a, b);
            evaluate(&tree, &out);
            assert_int_equal(out.type.dtype, number_dtypes[i]);
            check_doubles(&out, cases[k].expected);
        }
}

static void
integers_divide_as_floats(void **state)
{
    static const int32_t x[] = {7, -7, 1, 0}, y[] = {2, 2, 0, 0};
    static const uint8_t small_x[] = {7, 255}, small_y[] = {2, 3};
    static const double expected[] = {3.5, -3.5, __builtin_inf()};
    static const float small[] = {3.5f, 85.0f};
    AUTO(expr_tree) tree = {0}, small_tree = {0};
    AUTO(tensor) out = {0};
    struct expr *a, *b;

    (void)state;
    init(&tree);
    a = exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, 4), x);
    b = exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, 4), y);
    exprs_op(&tree, "divide", 2, a, b);
    evaluate(&tree, &out);
    assert_int_equal(out.type.dtype, DTYPE_FLOAT64);
    assert_memory_equal(out.data, expected, sizeof expected);
    assert_true(__builtin_isnan(tensor_element_as_double(DTYPE_FLOAT64, out.data + 24)));
    init(&small_tree);
    a = exprs_literal(&small_tree, DTYPE_UINT8, exprs_shape(1, 2), small_x);
    b = exprs_literal(&small_tree, DTYPE_UINT8, exprs_shape(1, 2), small_y);
    exprs_op(&small_tree, "divide", 2, a, b);
    check_float32(&small_tree, exprs_shape(1, 2), small);
}

static void
integer_division_by_zero_names_op_and_place(void **state)
{
    static const int32_t x[] = {7, 1}, y[] = {2, 0};
    AUTO(expr_tree) tree = {0};
    struct expr *a, *b;

    (void)state;
    init(&tree);
    a = exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, 2), x);
    b = exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, 2), y);
    exprs_op(&tree, "negative", 1, exprs_op(&tree, "floordiv", 2, a, b));
    check_fails(&tree, "floordiv (argument 0): integer division by zero");
}

static void
float_division_by_zero_is_infinite(void **state)
{
    static const float x[] = {1, -1},
                       expected[] = {(float)__builtin_inf(), (float)-__builtin_inf()};
    AUTO(expr_tree) tree = {0};
    struct expr *a;

    (void)state;
    init(&tree);
    a = exprs_float32(&tree, exprs_shape(1, 2), x);
    exprs_op(&tree, "divide", 2, a, exprs_weak_int(&tree, 0));
    check_float32(&tree, exprs_shape(1, 2), expected);
}

static void
negative_changes_the_sign_in_every_number_type(void **state)
{
    static const double x[] = {0, 1, 5}, expected[] = {0, -1, -5};

    (void)state;
    for (size_t i = 0; i < NUMBERS; i++) {
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};

        if (dtype_info(number_dtypes[i])->kind == DTYPE_KIND_UNSIGNED)
            continue;
        init(&tree);
        exprs_op(&tree, "negative", 1, numbers(&tree, number_dtypes[i], exprs_shape(1, 3), x));
        evaluate(&tree, &out);
        check_doubles(&out, expected);
    }
}

static void
negative_of_an_unsigned_number_wraps(void **state)
{
    static const uint8_t x[] = {0, 1, 255}, expected[] = {0, 255, 1};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};

    (void)state;
    init(&tree);
    exprs_op(&tree, "negative", 1, exprs_literal(&tree, DTYPE_UINT8, exprs_shape(1, 3), x));
    evaluate(&tree, &out);
    assert_memory_equal(out.data, expected, sizeof expected);
}

static void
different_dtypes_are_refused_by_name(void **state)
{
    static const float x[6];
    static const double y[2];
    AUTO(expr_tree) tree = {0};
    struct expr *a;

    (void)state;
    init(&tree);
    a = exprs_float32(&tree, exprs_shape(2, 2, 3), x);
    exprs_op(&tree, "multiply", 2, a, exprs_literal(&tree, DTYPE_FLOAT64, exprs_shape(1, 2), y));
    check_refused(&tree, "multiply: x is float32[2,3], y is float64[2]: dtypes must match");
}

static void
shapes_that_do_not_broadcast_are_refused(void **state)
{
    static const float x[6];
    AUTO(expr_tree) tree = {0};
    struct expr *a;

    (void)state;
    init(&tree);
    a = exprs_float32(&tree, exprs_shape(2, 2, 3), x);
    exprs_op(&tree, "add", 2, a, exprs_float32(&tree, exprs_shape(1, 2), x));
    check_refused(&tree, "add: incompatible shapes: [2,3] vs. [2]");
}

static void
a_broadcast_past_the_largest_tensor_is_refused(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct expr *a, *b;

    (void)state;
    init(&tree);
    a = exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(2, 1 << 30, 1));
    b = exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(1, 1 << 30));
    exprs_op(&tree, "add", 2, a, b);
    check_refused(&tree, "add: shape [1073741824,1073741824] has more elements");
}

static void
opaque_dtypes_have_no_arithmetic(void **state)
{
    static const uint8_t x[] = {1, 2};
    AUTO(expr_tree) tree = {0}, strings = {0}, bools = {0};
    static const uint8_t text[] = {0, 0, 0, 0};
    struct expr *a;

    (void)state;
    init(&tree);
    a = exprs_literal(&tree, DTYPE_QUINT8, exprs_shape(1, 2), x);
    exprs_op(&tree, "add", 2, a, exprs_literal(&tree, DTYPE_QUINT8, exprs_shape(1, 2), x));
    check_refused(&tree, "add: quint8 has no arithmetic");
    init(&bools);
    exprs_op(&bools, "negative", 1, exprs_literal(&bools, DTYPE_BOOL, exprs_shape(1, 2), x));
    check_refused(&bools, "negative: bool has no arithmetic");
    init(&strings);
    a = exprs_weak_int(&strings, 0);
    exprs_op(&strings, "negative", 1, a);
    a->weak = false;
    a->literal =
        (struct tensor_view){.type = {.dtype = DTYPE_STRING}, .data = text, .size = sizeof text};
    check_refused(&strings, "negative: string has no arithmetic");
}

static void
ops_take_their_number_of_arguments(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    exprs_op(&tree, "add", 1, exprs_weak_int(&tree, 1));
    check_refused(&tree, "add: takes 2 args, 1 are given");
}

/* --- dtype and shape ----------------------------------------------------------------------- */

static void
cast_converts_as_the_kernel_does(void **state)
{
    static const float x[] = {-1.9f, 0.0f, 2.9f, 300.0f};
    static const int32_t whole[] = {-1, 0, 2, 300};
    static const uint8_t truth[] = {1, 0, 1, 1};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) integers = {0}, bools = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    node = exprs_op(&tree, "cast", 1, exprs_float32(&tree, exprs_shape(1, 4), x));
    check_refused(&tree, "cast: attribute 'dtype' is required");
    exprs_set_dtype(node, "dtype", DTYPE_INT32);
    evaluate(&tree, &integers);
    assert_memory_equal(integers.data, whole, sizeof whole);
    exprs_set_dtype(node, "dtype", DTYPE_BOOL);
    evaluate(&tree, &bools);
    assert_memory_equal(bools.data, truth, sizeof truth);
}

static void
cast_refuses_what_has_no_numbers(void **state)
{
    static const uint8_t x[] = {1};
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    node = exprs_op(&tree, "cast", 1, exprs_literal(&tree, DTYPE_QINT8, exprs_shape(0), x));
    exprs_set_dtype(node, "dtype", DTYPE_FLOAT32);
    check_refused(&tree, "cast: Cast qint8 to float32 is not supported");
    exprs_set_dtype(node, "dtype", DTYPE_STRING);
    check_refused(&tree, "cast: dtype string is not possible");
}

static struct expr *
six(struct expr_tree *tree)
{
    static const float x[] = {1, 2, 3, 4, 5, 6};

    return exprs_float32(tree, exprs_shape(1, 6), x);
}

static void
reshape_keeps_the_order_and_fills_in_one_dimension(void **state)
{
    static const float expected[] = {1, 2, 3, 4, 5, 6};
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    node = exprs_op(&tree, "reshape", 1, six(&tree));
    exprs_set_dims(node, "shape", 2, 3, -1);
    check_float32(&tree, exprs_shape(2, 3, 2), expected);
    exprs_set_dims(node, "shape", 1, -1);
    check_float32(&tree, exprs_shape(1, 6), expected);
}

static void
reshape_refuses_another_number_of_elements(void **state)
{
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    node = exprs_op(&tree, "reshape", 1, six(&tree));
    exprs_set_dims(node, "shape", 1, 4);
    check_refused(&tree, "reshape: Input to reshape is a tensor with 6 values, but the requested "
                         "shape has 4");
    exprs_set_dims(node, "shape", 2, -1, 4);
    check_refused(&tree, "but the requested shape requires a multiple of 4");
    exprs_set_dims(node, "shape", 2, 0, -1);
    check_refused(&tree, "reshape cannot infer the missing input size for an empty tensor");
    exprs_set_dims(node, "shape", 2, 1 << 30, 1 << 30);
    check_refused(&tree, "reshape: shape [1073741824,1073741824] has more elements");
}

static void
identity_and_reshape_serve_opaque_dtypes(void **state)
{
    static const uint8_t x[] = {200, 7};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    node = exprs_literal(&tree, DTYPE_FLOAT8_E4M3FN, exprs_shape(1, 2), x);
    node = exprs_op(&tree, "identity", 1, node);
    exprs_set_dims(exprs_op(&tree, "reshape", 1, node), "shape", 2, 2, 1);
    evaluate(&tree, &out);
    assert_int_equal(out.type.dtype, DTYPE_FLOAT8_E4M3FN);
    assert_memory_equal(out.data, x, sizeof x);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_works_in_every_number_type),
        cmocka_unit_test(integers_divide_as_floats),
        cmocka_unit_test(integer_division_by_zero_names_op_and_place),
        cmocka_unit_test(float_division_by_zero_is_infinite),
        cmocka_unit_test(negative_changes_the_sign_in_every_number_type),
        cmocka_unit_test(negative_of_an_unsigned_number_wraps),
        cmocka_unit_test(different_dtypes_are_refused_by_name),
        cmocka_unit_test(shapes_that_do_not_broadcast_are_refused),
        cmocka_unit_test(a_broadcast_past_the_largest_tensor_is_refused),
        cmocka_unit_test(opaque_dtypes_have_no_arithmetic),
        cmocka_unit_test(ops_take_their_number_of_arguments),
        cmocka_unit_test(cast_converts_as_the_kernel_does),
        cmocka_unit_test(cast_refuses_what_has_no_numbers),
        cmocka_unit_test(reshape_keeps_the_order_and_fills_in_one_dimension),
        cmocka_unit_test(reshape_refuses_another_number_of_elements),
        cmocka_unit_test(identity_and_reshape_serve_opaque_dtypes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
