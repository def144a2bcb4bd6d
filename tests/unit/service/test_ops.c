/* Ops that fill: values over their dtypes, TensorFlow's rules and error texts; and the table of
 * ops. */

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

static struct expr *
six(struct expr_tree *tree)
{
    static const float x[] = {1, 2, 3, 4, 5, 6};

    return exprs_float32(tree, exprs_shape(1, 6), x);
}

/* --- fills --------------------------------------------------------------------------------- */

static void
zeros_have_any_dtype_of_a_size(void **state)
{
    (void)state;
    for (uint32_t dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        static const uint8_t none[6 * OP_ELEMENT_BYTES_MAX];
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};
        struct expr *node;

        if (dtype == DTYPE_STRING)
            continue;
        init(&tree);
        node = exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(2, 2, 3));
        exprs_set_dtype(node, "dtype", (enum dtype)dtype);
        evaluate(&tree, &out);
        assert_int_equal(out.size, 6 * dtype_size((enum dtype)dtype));
        assert_memory_equal(out.data, none, out.size);
    }
}

static void
ones_are_ones_in_every_number_type(void **state)
{
    static const double expected[] = {1, 1, 1};

    (void)state;
    for (size_t i = 0; i < NUMBERS; i++) {
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};

        init(&tree);
        exprs_set_dtype(exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(1, 3)),
                        "dtype", number_dtypes[i]);
        evaluate(&tree, &out);
        check_doubles(&out, expected);
    }
}

static void
ones_of_bool_are_true(void **state)
{
    static const uint8_t expected[] = {1, 1};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};

    (void)state;
    init(&tree);
    exprs_set_dtype(exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(1, 2)),
                    "dtype", DTYPE_BOOL);
    evaluate(&tree, &out);
    assert_memory_equal(out.data, expected, sizeof expected);
}

static void
ones_need_a_dtype_with_arithmetic(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    exprs_set_dtype(exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(1, 2)),
                    "dtype", DTYPE_QINT8);
    check_refused(&tree, "ones: dtype qint8 is not possible, only float16");
}

static void
zeros_default_to_float32_and_need_a_shape(void **state)
{
    static const float zero[] = {0.0f};
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    node = exprs_op(&tree, "zeros", 0);
    check_refused(&tree, "zeros: attribute 'shape' is required");
    exprs_set_shape(node, "shape", exprs_shape(0));
    check_float32(&tree, exprs_shape(0), zero);
}

/* ZerosTest.testDynamicSizes */
static void
fill_repeats_a_scalar(void **state)
{
    static const float expected[] = {12, 12, 12, 12, 12, 12};
    AUTO(expr_tree) tree = {0};
    struct expr *value, *node;

    (void)state;
    init(&tree);
    value = exprs_weak_float(&tree, 12.0);
    node = exprs_op(&tree, "fill", 0);
    exprs_set_shape(node, "dims", exprs_shape(2, 2, 3));
    exprs_set_tensor(node, "value", value);
    check_float32(&tree, exprs_shape(2, 2, 3), expected);
}

static void
fill_refuses_a_vector(void **state)
{
    static const float two[] = {1, 2};
    AUTO(expr_tree) tree = {0};
    struct expr *value, *node;

    (void)state;
    init(&tree);
    value = exprs_float32(&tree, exprs_shape(1, 2), two);
    node = exprs_op(&tree, "fill", 0);
    exprs_set_shape(node, "dims", exprs_shape(1, 2));
    exprs_set_tensor(node, "value", value);
    check_refused(&tree, "fill: value must be a scalar, got shape [2]");
}

static struct expr *
constant_of(struct expr_tree *tree, const int64_t *values, int count)
{
    struct expr *value = exprs_literal(tree, DTYPE_INT64, exprs_shape(1, count), values);

    value->weak = true;
    return exprs_set_tensor(exprs_op(tree, "constant", 0), "value", value);
}

static void
constant_repeats_its_last_value(void **state)
{
    static const int64_t values[] = {1, 2, 3};
    static const int32_t expected[] = {1, 2, 3, 3, 3, 3};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};

    (void)state;
    init(&tree);
    exprs_set_shape(constant_of(&tree, values, 3), "shape", exprs_shape(2, 2, 3));
    evaluate(&tree, &out);
    assert_int_equal(out.type.dtype, DTYPE_INT32);
    assert_int_equal(out.size, sizeof expected);
    assert_memory_equal(out.data, expected, sizeof expected);
}

static void
constant_ranges_cross_the_last_value(void **state)
{
    enum { COUNT = 10000 };
    static const int64_t values[] = {7, 8, 9};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};

    (void)state;
    init(&tree);
    exprs_set_dtype(exprs_set_shape(constant_of(&tree, values, 3), "shape", exprs_shape(1, COUNT)),
                    "dtype", DTYPE_UINT8);
    evaluate(&tree, &out);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(out.data[i], i < 3 ? 7 + i : 9);
}

static void
constant_refuses_too_many_values(void **state)
{
    static const int64_t values[] = {1, 2, 3, 4, 5, 6, 7, 8};
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    exprs_set_shape(constant_of(&tree, values, 8), "shape", exprs_shape(2, 2, 3));
    check_refused(&tree, "Too many elements provided. Needed at most 6, but received 8");
}

static void
constant_with_verify_shape_repeats_nothing(void **state)
{
    static const int64_t values[] = {1, 2, 3};
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    exprs_set_bool(exprs_set_shape(constant_of(&tree, values, 3), "shape", exprs_shape(2, 2, 3)),
                   "verify_shape", true);
    check_refused(&tree, "Expected Tensor's shape: (2, 3), got (3,).");
}

static void
constant_without_values_has_none_to_repeat(void **state)
{
    AUTO(expr_tree) tree = {0}, empty = {0};
    AUTO(tensor) out = {0};

    (void)state;
    init(&tree);
    exprs_set_shape(constant_of(&tree, NULL, 0), "shape", exprs_shape(1, 3));
    check_refused(&tree, "the value has no element to repeat for shape [3]");
    init(&empty);
    exprs_set_shape(constant_of(&empty, NULL, 0), "shape", exprs_shape(2, 3, 0));
    evaluate(&empty, &out);
    assert_int_equal(out.size, 0);
}

static void
constant_takes_its_dtype_or_is_refused(void **state)
{
    static const int64_t values[] = {1, 300};
    static const float floats[] = {1.0f};
    AUTO(expr_tree) tree = {0}, other = {0};
    struct expr *value, *node;

    (void)state;
    init(&tree);
    exprs_set_dtype(constant_of(&tree, values, 2), "dtype", DTYPE_UINT8);
    check_refused(&tree, "constant: value: 300 does not fit uint8");
    init(&other);
    value = exprs_float32(&other, exprs_shape(1, 1), floats);
    node = exprs_set_dtype(exprs_op(&other, "constant", 0), "dtype", DTYPE_INT32);
    exprs_set_tensor(node, "value", value);
    check_refused(&other, "constant: value is float32[1], dtype is int32");
}

/* ZerosLikeTest.testZerosLikeCPU */
static void
zeros_like_takes_the_shape_and_not_the_elements(void **state)
{
    static const int32_t fives[] = {5, 5, 5, 5, 5, 5}, expected[6];
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};

    (void)state;
    init(&tree);
    exprs_op(&tree, "zeros_like", 1,
             exprs_literal(&tree, DTYPE_INT32, exprs_shape(2, 2, 3), fives));
    evaluate(&tree, &out);
    assert_int_equal(out.type.dtype, DTYPE_INT32);
    assert_int_equal(out.type.shape.rank, 2);
    assert_memory_equal(out.data, expected, sizeof expected);
}

static void
ones_like_takes_another_dtype(void **state)
{
    static const int32_t fives[] = {5, 5};
    static const float expected[] = {1, 1};
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    exprs_set_dtype(exprs_op(&tree, "ones_like", 1,
                             exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, 2), fives)),
                    "dtype", DTYPE_FLOAT32);
    check_float32(&tree, exprs_shape(1, 2), expected);
}

/* --- one repeated element ------------------------------------------------------------------ */

static void
fills_are_seen_through_other_ops(void **state)
{
    AUTO(expr_tree) tree = {0};
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];
    struct expr *node;
    int16_t value;

    (void)state;
    init(&tree);
    node = exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(2, 3, 4));
    node = exprs_op(&tree, "negative", 1, node);
    node = exprs_op(&tree, "identity", 1, node);
    node = exprs_set_dtype(exprs_op(&tree, "cast", 1, node), "dtype", DTYPE_INT16);
    exprs_set_dims(exprs_op(&tree, "reshape", 1, node), "shape", 1, 12);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_true(expr_constant_fill(&tree, element));
    memcpy(&value, element, sizeof value);
    assert_int_equal(value, -1);
}

static void
a_literal_of_several_elements_is_no_fill(void **state)
{
    AUTO(expr_tree) tree = {0};
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];

    (void)state;
    init(&tree);
    six(&tree);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_false(expr_constant_fill(&tree, element));
}

/* --- the table ----------------------------------------------------------------------------- */

static void
every_op_is_found_by_its_name(void **state)
{
    size_t count = 0;

    (void)state;
    for (; op_at(count) != NULL; count++) {
        const struct op *op = op_at(count);

        assert_ptr_equal(op_find(bytes_of_text(op->name)), op);
        assert_true(op->infer != NULL && op->summary != NULL && op->dtypes != 0);
        assert_int_equal((op->eval != NULL) + (op->compute != NULL), op->passthrough ? 0 : 1);
        for (uint32_t i = 0; i < op_arg_name_count(op); i++)
            assert_non_null(op->arg_names[i]);
    }
    assert_true(count >= 17);
    assert_null(op_find(bytes_of_text("matmu")));
    assert_null(op_find(bytes_of_text("")));
}

static void
a_misspelt_op_has_a_nearest_one(void **state)
{
    (void)state;
    assert_string_equal(op_nearest(bytes_of_text("random_norml")), "random_normal");
    assert_string_equal(op_nearest(bytes_of_text("zeroes")), "zeros");
    assert_string_equal(op_nearest(bytes_of_text("Multiply")), "multiply");
    assert_null(op_nearest(bytes_of_text("convolution_two_dimensional")));
    assert_null(op_nearest(bytes_of_text("")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_have_any_dtype_of_a_size),
        cmocka_unit_test(ones_are_ones_in_every_number_type),
        cmocka_unit_test(ones_of_bool_are_true),
        cmocka_unit_test(ones_need_a_dtype_with_arithmetic),
        cmocka_unit_test(zeros_default_to_float32_and_need_a_shape),
        cmocka_unit_test(fill_repeats_a_scalar),
        cmocka_unit_test(fill_refuses_a_vector),
        cmocka_unit_test(constant_repeats_its_last_value),
        cmocka_unit_test(constant_ranges_cross_the_last_value),
        cmocka_unit_test(constant_refuses_too_many_values),
        cmocka_unit_test(constant_with_verify_shape_repeats_nothing),
        cmocka_unit_test(constant_without_values_has_none_to_repeat),
        cmocka_unit_test(constant_takes_its_dtype_or_is_refused),
        cmocka_unit_test(zeros_like_takes_the_shape_and_not_the_elements),
        cmocka_unit_test(ones_like_takes_another_dtype),
        cmocka_unit_test(fills_are_seen_through_other_ops),
        cmocka_unit_test(a_literal_of_several_elements_is_no_fill),
        cmocka_unit_test(every_op_is_found_by_its_name),
        cmocka_unit_test(a_misspelt_op_has_a_nearest_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
