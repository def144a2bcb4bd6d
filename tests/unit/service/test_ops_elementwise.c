/* Elementwise arithmetic and functions: values over their dtypes, broadcasting, rank 0, zero
 * elements, constants, and what is refused. */
#include "tests/unit/service/elementwise.h"

#define FLOATS                                                                                     \
    (1u << DTYPE_FLOAT16 | 1u << DTYPE_BFLOAT16 | 1u << DTYPE_FLOAT32 | 1u << DTYPE_FLOAT64)
#define COMPLEX  (1u << DTYPE_COMPLEX64 | 1u << DTYPE_COMPLEX128)
#define SIGNED   (1u << DTYPE_INT8 | 1u << DTYPE_INT16 | 1u << DTYPE_INT32 | 1u << DTYPE_INT64)
#define UNSIGNED (1u << DTYPE_UINT8 | 1u << DTYPE_UINT16 | 1u << DTYPE_UINT32 | 1u << DTYPE_UINT64)

enum { VALUES = 4 };

struct value_case {
    const char *op;
    uint32_t dtypes;
    double x[VALUES], y[VALUES], expected[VALUES];
};

static const struct value_case unary_cases[] = {
    {"negative", FLOATS | SIGNED | COMPLEX, {1, -2, 0, 7}, {0}, {-1, 2, 0, -7}},
    {"abs", FLOATS | SIGNED, {1, -2, 0, -7}, {0}, {1, 2, 0, 7}},
    {"abs", UNSIGNED, {1, 2, 0, 7}, {0}, {1, 2, 0, 7}},
    {"sign", FLOATS | SIGNED | COMPLEX, {1, -2, 0, -7}, {0}, {1, -1, 0, -1}},
    {"sign", UNSIGNED, {1, 2, 0, 7}, {0}, {1, 1, 0, 1}},
    {"square", FLOATS | SIGNED | COMPLEX, {1, -2, 0, -7}, {0}, {1, 4, 0, 49}},
    {"square", UNSIGNED, {1, 2, 0, 7}, {0}, {1, 4, 0, 49}},
    {"sqrt", FLOATS | COMPLEX, {4, 0.25, 0, 2}, {0}, {2, 0.5, 0, 1.4142135623730951}},
    {"rsqrt", FLOATS | COMPLEX, {4, 0.25, 16, 2}, {0}, {0.5, 2, 0.25, 0.70710678118654757}},
    {"exp",
     FLOATS | COMPLEX,
     {0, 1, -1, 2},
     {0},
     {1, 2.7182818284590451, 0.36787944117144233, 7.3890560989306504}},
    {"log",
     FLOATS | COMPLEX,
     {1, 2, 0.5, 8},
     {0},
     {0, 0.69314718055994529, -0.69314718055994529, 2.0794415416798357}},
    {"log1p",
     FLOATS,
     {0, 1, -0.5, 7},
     {0},
     {0, 0.69314718055994529, -0.69314718055994529, 2.0794415416798357}},
    {"tanh",
     FLOATS | COMPLEX,
     {0, 1, -1, 0.5},
     {0},
     {0, 0.76159415595576485, -0.76159415595576485, 0.46211715726000973}},
    {"sigmoid",
     FLOATS | COMPLEX,
     {0, 1, -1, 2},
     {0},
     {0.5, 0.7310585786300049, 0.2689414213699951, 0.88079707797788231}},
    {"relu", FLOATS | SIGNED, {1, -2, 0, 7}, {0}, {1, 0, 0, 7}},
    {"relu", UNSIGNED, {1, 2, 0, 7}, {0}, {1, 2, 0, 7}},
    {"softplus",
     FLOATS,
     {0, 1, -1, 2},
     {0},
     {0.69314718055994529, 1.3132616875182228, 0.31326168751822286, 2.1269280110429727}},
};

static const struct value_case binary_cases[] = {
    {"floordiv", FLOATS | SIGNED, {7, -7, 7, -7}, {2, 2, -2, -2}, {3, -4, -4, 3}},
    {"floordiv", UNSIGNED, {7, 8, 100, 0}, {2, 9, 7, 3}, {3, 0, 14, 0}},
    {"mod", FLOATS | SIGNED, {7, -7, 7, -7}, {3, 3, -3, -3}, {1, 2, -2, -1}},
    {"mod", UNSIGNED, {7, 8, 100, 0}, {2, 9, 7, 3}, {1, 8, 2, 0}},
    {"pow", FLOATS | SIGNED | UNSIGNED, {2, 3, 5, 0}, {3, 2, 0, 4}, {8, 9, 1, 0}},
    {"pow", FLOATS, {2, -2, 4, 9}, {-1, 3, 0.5, -0.5}, {0.5, -8, 2, 1.0 / 3}},
    {"minimum", FLOATS | SIGNED | UNSIGNED, {2, 3, 5, 0}, {3, 2, 5, 4}, {2, 2, 5, 0}},
    {"maximum", FLOATS | SIGNED | UNSIGNED, {2, 3, 5, 0}, {3, 2, 5, 4}, {3, 3, 5, 4}},
    {"minimum", FLOATS | SIGNED, {-2, 3, -5, 0}, {-3, -2, 5, -1}, {-3, -2, -5, -1}},
};

static void
functions_have_their_values_in_every_dtype(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unary_cases / sizeof unary_cases[0]; i++)
        for (uint32_t d = 0; d < DTYPE_COUNT; d++)
            if ((unary_cases[i].dtypes >> d & 1) != 0)
                check_op(unary_cases[i].op, (enum dtype)d, (enum dtype)d, VALUES, unary_cases[i].x,
                         NULL, unary_cases[i].expected);
}

static void
arithmetic_of_two_has_its_values_in_every_dtype(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof binary_cases / sizeof binary_cases[0]; i++)
        for (uint32_t d = 0; d < DTYPE_COUNT; d++)
            if ((binary_cases[i].dtypes >> d & 1) != 0)
                check_op(binary_cases[i].op, (enum dtype)d, (enum dtype)d, VALUES,
                         binary_cases[i].x, binary_cases[i].y, binary_cases[i].expected);
}

static void
division_of_integers_is_true_division(void **state)
{
    static const double x[] = {7, 1, 100, 0}, y[] = {2, 4, 3, 5}, z[] = {3.5, 0.25, 100.0 / 3, 0};
    static const struct {
        enum dtype from, to;
    } cases[] = {
        {DTYPE_INT8, DTYPE_FLOAT32},        {DTYPE_UINT8, DTYPE_FLOAT32},
        {DTYPE_INT16, DTYPE_FLOAT32},       {DTYPE_UINT16, DTYPE_FLOAT32},
        {DTYPE_INT32, DTYPE_FLOAT64},       {DTYPE_UINT32, DTYPE_FLOAT64},
        {DTYPE_INT64, DTYPE_FLOAT64},       {DTYPE_UINT64, DTYPE_FLOAT64},
        {DTYPE_FLOAT16, DTYPE_FLOAT16},     {DTYPE_BFLOAT16, DTYPE_BFLOAT16},
        {DTYPE_FLOAT32, DTYPE_FLOAT32},     {DTYPE_FLOAT64, DTYPE_FLOAT64},
        {DTYPE_COMPLEX64, DTYPE_COMPLEX64}, {DTYPE_COMPLEX128, DTYPE_COMPLEX128},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_op("divide", cases[i].from, cases[i].to, VALUES, x, y, z);
}

/* x[i] = i - 6000 */
static void
many_int32(int32_t *values, int count)
{
    for (int i = 0; i < count; i++)
        values[i] = i - 6000;
}

static void
division_of_many_integers_goes_by_blocks(void **state)
{
    enum { COUNT = 12001 };
    static int32_t x[COUNT];
    const int32_t by = 7;
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *a;

    (void)state;
    many_int32(x, COUNT);
    init(&tree);
    a = exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, COUNT), x);
    exprs_op(&tree, "divide", 2, a, exprs_literal(&tree, DTYPE_INT32, exprs_shape(0), &by));
    evaluate(&tree, &out);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(number_at(&out, i) == (double)x[i] / 7);
}

static void
length_of_complex_numbers_is_in_their_parts_type(void **state)
{
    enum { COUNT = 5001 };
    static float x[2 * COUNT];
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        x[2 * i] = (float)(3 * i);
        x[2 * i + 1] = (float)(-4 * i);
    }
    init(&tree);
    exprs_op(&tree, "abs", 1, exprs_literal(&tree, DTYPE_COMPLEX64, exprs_shape(1, COUNT), x));
    evaluate(&tree, &out);
    assert_int_equal(out.type.dtype, DTYPE_FLOAT32);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true(number_at(&out, i) == 5.0 * (double)i);
}

static void
functions_in_one_another_over_many_elements(void **state)
{
    enum { COUNT = 12001 };
    static int32_t x[COUNT];
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *a, *b;

    (void)state;
    many_int32(x, COUNT);
    init(&tree);
    a = exprs_literal(&tree, DTYPE_INT32, exprs_shape(2, COUNT, 1), x);
    b = exprs_op(&tree, "mod", 2, exprs_op(&tree, "square", 1, exprs_op(&tree, "relu", 1, a)),
                 exprs_weak_int(&tree, -7));
    exprs_op(&tree, "abs", 1, b);
    evaluate(&tree, &out);
    for (uint64_t i = 0; i < COUNT; i++) {
        int64_t positive = x[i] > 0 ? x[i] : 0, rest = positive * positive % 7;

        assert_true(number_at(&out, i) == (double)(rest == 0 ? 0 : 7 - rest));
    }
}

static void
arguments_broadcast_and_may_be_scalars_or_empty(void **state)
{
    static const double x[] = {1, 2, 3}, y[] = {2, 3}, z[] = {1, 1, 4, 8, 9, 27};
    static const double two[] = {2}, three[] = {3}, eight[] = {8};
    AUTO(expr_tree) tree = {0}, scalar = {0}, empty = {0};
    AUTO(tensor) out = {0}, one = {0}, none = {0};
    struct expr *a;

    (void)state;
    init(&tree);
    a = numbers(&tree, DTYPE_INT16, exprs_shape(2, 3, 1), x);
    exprs_op(&tree, "pow", 2, a, numbers(&tree, DTYPE_INT16, exprs_shape(1, 2), y));
    evaluate(&tree, &out);
    assert_true(out.type.shape.rank == 2 && out.type.shape.dims[0] == 3);
    check_numbers(&out, z);
    init(&scalar);
    a = numbers(&scalar, DTYPE_FLOAT64, exprs_shape(0), two);
    exprs_op(&scalar, "pow", 2, a, numbers(&scalar, DTYPE_FLOAT64, exprs_shape(0), three));
    evaluate(&scalar, &one);
    assert_int_equal(one.type.shape.rank, 0);
    check_numbers(&one, eight);
    init(&empty);
    a = numbers(&empty, DTYPE_FLOAT32, exprs_shape(2, 3, 0), x);
    exprs_op(&empty, "exp", 1, exprs_op(&empty, "minimum", 2, a, exprs_weak_int(&empty, 1)));
    evaluate(&empty, &none);
    assert_int_equal(none.size, 0);
}

/* --- what is refused ----------------------------------------------------------------------- */

static void
refuse_unary(const char *op, enum dtype dtype, const char *text)
{
    static const double x[] = {1, 2};
    AUTO(expr_tree) tree = {0};

    init(&tree);
    exprs_op(&tree, op, 1, numbers(&tree, dtype, exprs_shape(1, 2), x));
    check_refused(&tree, text);
}

static void
functions_refuse_dtypes_they_have_no_kernel_for(void **state)
{
    (void)state;
    refuse_unary("exp", DTYPE_INT32,
                 "exp: x is int32[2], the dtype may only be float16 bfloat16 float32 float64 "
                 "complex64 complex128");
    refuse_unary("log1p", DTYPE_COMPLEX64, "log1p: x is complex64[2], the dtype may only be");
    refuse_unary("relu", DTYPE_COMPLEX64, "relu: features is complex64[2]");
    refuse_unary("softplus", DTYPE_INT8, "softplus: features is int8[2]");
    refuse_unary("abs", DTYPE_BOOL, "abs: bool has no arithmetic");
    refuse_unary("logical_not", DTYPE_INT32,
                 "logical_not: x is int32[2], the dtype may only be "
                 "bool");
}

static void
make_binary(struct expr_tree *tree, const char *op, enum dtype dtype, double second)
{
    static const double x[] = {1, 2};
    const double y[] = {1, second};
    struct expr *a;

    init(tree);
    a = numbers(tree, dtype, exprs_shape(1, 2), x);
    exprs_op(tree, op, 2, a, numbers(tree, dtype, exprs_shape(1, 2), y));
}

static void
refuse_binary(const char *op, enum dtype dtype, const char *text)
{
    AUTO(expr_tree) tree = {0};

    make_binary(&tree, op, dtype, 1);
    check_refused(&tree, text);
}

static void
binary_fails(const char *op, enum dtype dtype, double second, const char *text)
{
    AUTO(expr_tree) tree = {0};

    make_binary(&tree, op, dtype, second);
    check_fails(&tree, text);
}

static void
operations_refuse_what_integers_and_dtypes_cannot(void **state)
{
    (void)state;
    binary_fails("floordiv", DTYPE_INT64, 0, "floordiv: integer division by zero");
    binary_fails("mod", DTYPE_UINT8, 0, "mod: integer division by zero");
    binary_fails("pow", DTYPE_INT32, -1,
                 "pow: Integers to negative integer powers are not allowed");
    refuse_binary("mod", DTYPE_COMPLEX64, "mod: x is complex64[2], the dtype may only be");
    refuse_binary("divide", DTYPE_BOOL, "divide: bool has no arithmetic");
    refuse_binary("maximum", DTYPE_BOOL, "maximum: x is bool[2]");
}

static void
shapes_and_dtypes_that_do_not_fit_are_refused(void **state)
{
    static const double x[] = {1, 2, 3};
    AUTO(expr_tree) shapes = {0}, dtypes = {0};
    struct expr *a;

    (void)state;
    init(&shapes);
    a = numbers(&shapes, DTYPE_INT32, exprs_shape(1, 2), x);
    exprs_op(&shapes, "mod", 2, a, numbers(&shapes, DTYPE_INT32, exprs_shape(1, 3), x));
    check_refused(&shapes, "[2]");
    init(&dtypes);
    a = numbers(&dtypes, DTYPE_INT32, exprs_shape(1, 2), x);
    exprs_op(&dtypes, "pow", 2, a, numbers(&dtypes, DTYPE_INT64, exprs_shape(1, 2), x));
    check_refused(&dtypes, "pow: x is int32[2], y is int64[2]: dtypes must match");
}

/* --- constants ----------------------------------------------------------------------------- */

static struct expr *
ones(struct expr_tree *tree, enum dtype dtype)
{
    struct expr *node = exprs_op(tree, "ones", 0);

    exprs_set_shape(node, "shape", exprs_shape(2, 1000, 1000));
    return exprs_set_dtype(node, "dtype", dtype);
}

static void
what_is_made_of_constants_is_a_constant(void **state)
{
    AUTO(expr_tree) tree = {0};
    _Alignas(16) uint8_t element[16];
    struct expr *node;

    (void)state;
    init(&tree);
    node = exprs_op(&tree, "add", 2, ones(&tree, DTYPE_INT32), exprs_weak_int(&tree, 2));
    node = exprs_op(&tree, "divide", 2, node, ones(&tree, DTYPE_INT32));
    node = exprs_op(&tree, "sqrt", 1, exprs_op(&tree, "square", 1, node));
    exprs_op(&tree, "negative", 1, node);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_true(expr_constant_fill(&tree, element));
    assert_int_equal(tree.root->type.dtype, DTYPE_FLOAT64);
    assert_true(tensor_element_as_double(DTYPE_FLOAT64, element) == -3);
}

static void
a_constant_that_cannot_be_computed_fails_when_evaluated(void **state)
{
    AUTO(expr_tree) tree = {0};
    _Alignas(16) uint8_t element[16];

    (void)state;
    init(&tree);
    exprs_op(&tree, "floordiv", 2, ones(&tree, DTYPE_INT32), exprs_weak_int(&tree, 0));
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_false(expr_constant_fill(&tree, element));
    check_fails(&tree, "floordiv: integer division by zero");
}

/* Sharing within sharing: looking for the constant costs one look a node, not one a path. */
static void
constants_within_constants_are_found_at_once(void **state)
{
    AUTO(expr_tree) tree = {0};
    _Alignas(16) uint8_t element[16];
    struct expr *node;

    (void)state;
    init(&tree);
    node = ones(&tree, DTYPE_FLOAT64);
    for (uint32_t i = 0; i + 2 < EXPR_DEPTH_MAX; i++)
        node = exprs_op(&tree, "add", 2, node, node);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_true(expr_constant_fill(&tree, element));
    assert_true(tensor_element_as_double(DTYPE_FLOAT64, element) ==
                (double)((uint64_t)1 << (EXPR_DEPTH_MAX - 2)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_have_their_values_in_every_dtype),
        cmocka_unit_test(arithmetic_of_two_has_its_values_in_every_dtype),
        cmocka_unit_test(division_of_integers_is_true_division),
        cmocka_unit_test(division_of_many_integers_goes_by_blocks),
        cmocka_unit_test(length_of_complex_numbers_is_in_their_parts_type),
        cmocka_unit_test(functions_in_one_another_over_many_elements),
        cmocka_unit_test(arguments_broadcast_and_may_be_scalars_or_empty),
        cmocka_unit_test(functions_refuse_dtypes_they_have_no_kernel_for),
        cmocka_unit_test(operations_refuse_what_integers_and_dtypes_cannot),
        cmocka_unit_test(shapes_and_dtypes_that_do_not_fit_are_refused),
        cmocka_unit_test(what_is_made_of_constants_is_a_constant),
        cmocka_unit_test(a_constant_that_cannot_be_computed_fails_when_evaluated),
        cmocka_unit_test(constants_within_constants_are_found_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
