/* Comparisons, logic, selection and clipping: values, shapes, rows, constants, and what is refused.
 */
#include "tests/unit/service/elementwise.h"

enum { VALUES = 4 };

static void
comparisons_hold_where_they_should_in_every_dtype(void **state)
{
    static const double x[] = {1, 2, 3, 0}, y[] = {2, 2, 1, 0};
    static const struct {
        const char *op;
        bool ordered;
        double expected[VALUES];
    } cases[] = {
        {"equal", false, {0, 1, 0, 1}},  {"not_equal", false, {1, 0, 1, 0}},
        {"less", true, {1, 0, 0, 0}},    {"less_equal", true, {1, 1, 0, 1}},
        {"greater", true, {0, 0, 1, 0}}, {"greater_equal", true, {0, 1, 1, 1}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint32_t d = 0; d < DTYPE_COUNT; d++) {
            enum dtype dtype = (enum dtype)d;

            if (dtype_is_integer(dtype) || dtype_is_float(dtype) ||
                (dtype_is_number(dtype) && !cases[i].ordered))
                check_op(cases[i].op, dtype, DTYPE_BOOL, VALUES, x, y, cases[i].expected);
        }
}

static void
anything_of_one_size_can_be_equal(void **state)
{
    static const uint8_t x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8] = {1, 2, 3, 4, 5, 6, 7, 0};
    static const enum dtype dtypes[] = {DTYPE_QINT8,      DTYPE_QUINT8, DTYPE_QINT16,
                                        DTYPE_QUINT16,    DTYPE_QINT32, DTYPE_FLOAT8_E4M3FN,
                                        DTYPE_FLOAT8_E5M2};

    (void)state;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        int count = (int)(8 / dtype_size(dtypes[i]));
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};
        struct expr *a;

        init(&tree);
        a = exprs_literal(&tree, dtypes[i], exprs_shape(1, count), x);
        exprs_op(&tree, "equal", 2, a, exprs_literal(&tree, dtypes[i], exprs_shape(1, count), y));
        evaluate(&tree, &out);
        for (int k = 0; k < count; k++)
            assert_int_equal(out.data[k], k + 1 < count);
    }
}

static void
logic_of_bools(void **state)
{
    static const double x[] = {0, 0, 1, 1}, y[] = {0, 1, 0, 1};
    static const double both[] = {0, 0, 0, 1}, any[] = {0, 1, 1, 1}, one[] = {0, 1, 1, 0},
                        same[] = {1, 0, 0, 1}, flipped[] = {1, 1, 0, 0};

    (void)state;
    check_op("logical_and", DTYPE_BOOL, DTYPE_BOOL, VALUES, x, y, both);
    check_op("logical_or", DTYPE_BOOL, DTYPE_BOOL, VALUES, x, y, any);
    check_op("logical_xor", DTYPE_BOOL, DTYPE_BOOL, VALUES, x, y, one);
    check_op("equal", DTYPE_BOOL, DTYPE_BOOL, VALUES, x, y, same);
    check_op("not_equal", DTYPE_BOOL, DTYPE_BOOL, VALUES, x, y, one);
    check_op("logical_not", DTYPE_BOOL, DTYPE_BOOL, VALUES, x, NULL, flipped);
}

static void
comparisons_broadcast_over_many_elements(void **state)
{
    enum { ROWS = 3001, COLUMNS = 5 };
    static int16_t rows[ROWS];
    static const int16_t columns[COLUMNS] = {-1, 0, 1000, 2000, 5000};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *a;

    (void)state;
    for (int i = 0; i < ROWS; i++)
        rows[i] = (int16_t)i;
    init(&tree);
    a = exprs_literal(&tree, DTYPE_INT16, exprs_shape(2, ROWS, 1), rows);
    exprs_op(&tree, "less", 2, a,
             exprs_literal(&tree, DTYPE_INT16, exprs_shape(1, COLUMNS), columns));
    evaluate(&tree, &out);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        assert_int_equal(out.data[i], rows[i / COLUMNS] < columns[i % COLUMNS]);
}

static void
comparisons_refuse_what_has_no_order(void **state)
{
    static const double x[] = {1};
    AUTO(expr_tree) complex = {0}, strings = {0};
    struct expr *a;

    (void)state;
    init(&complex);
    a = numbers(&complex, DTYPE_COMPLEX64, exprs_shape(1, 1), x);
    exprs_op(&complex, "less", 2, a, exprs_weak_int(&complex, 1));
    check_refused(&complex, "less: x is complex64[1], the dtype may only be");
    init(&strings);
    a = exprs_op(&strings, "zeros", 0);
    exprs_set_dtype(exprs_set_shape(a, "shape", exprs_shape(1, 2)), "dtype", DTYPE_STRING);
    exprs_op(&strings, "equal", 2, a, a);
    check_refused(&strings, "equal: x is string[2], the dtype may only be");
}

/* --- where --------------------------------------------------------------------------------- */

static void
where_takes_elements_of_every_dtype(void **state)
{
    static const double yes[] = {1, 0, 0, 1}, x[] = {1, 0, 1, 1}, y[] = {0, 1, 0, 1},
                        expected[] = {1, 1, 0, 1};

    (void)state;
    for (uint32_t d = 0; d < DTYPE_COUNT; d++) {
        enum dtype dtype = (enum dtype)d;
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};
        struct expr *condition, *a;

        if (!dtype_is_number(dtype) && dtype != DTYPE_BOOL)
            continue;
        init(&tree);
        condition = numbers(&tree, DTYPE_BOOL, exprs_shape(2, 2, 2), yes);
        a = numbers(&tree, dtype, exprs_shape(2, 2, 2), x);
        exprs_op(&tree, "where", 3, condition, a, numbers(&tree, dtype, exprs_shape(2, 2, 2), y));
        evaluate(&tree, &out);
        assert_int_equal(out.type.dtype, dtype);
        check_numbers(&out, expected);
    }
}

/* A vector of bools and rows of `columns` elements. */
static void
check_rows(int rows, int columns)
{
    static uint8_t yes[3000];
    static int32_t x[30000], y[30000];
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *condition, *a;

    for (int i = 0; i < rows; i++)
        yes[i] = i % 3 == 0 || i % 7 == 1;
    for (int i = 0; i < rows * columns; i++) {
        x[i] = i;
        y[i] = -i;
    }
    init(&tree);
    condition = exprs_literal(&tree, DTYPE_BOOL, exprs_shape(1, rows), yes);
    /* Computed, not there to be read in place. */
    condition = exprs_op(&tree, "logical_not", 1, exprs_op(&tree, "logical_not", 1, condition));
    a = exprs_literal(&tree, DTYPE_INT32, exprs_shape(3, rows, 1, columns), x);
    exprs_op(&tree, "where", 3, condition, exprs_op(&tree, "abs", 1, a),
             exprs_literal(&tree, DTYPE_INT32, exprs_shape(3, rows, 1, columns), y));
    evaluate(&tree, &out);
    for (int i = 0; i < rows * columns; i++)
        assert_true(number_at(&out, (uint64_t)i) == (yes[i / columns] != 0 ? i : -i));
}

static void
where_takes_whole_rows_by_a_vector(void **state)
{
    (void)state;
    check_rows(1, 7);
    check_rows(2999, 1);
    check_rows(2999, 10);
    check_rows(3, 9001);
}

static void
where_takes_all_of_one_by_a_scalar(void **state)
{
    static const double no[] = {0}, x[] = {1, 2}, y[] = {3, 4};
    AUTO(expr_tree) tree = {0}, empty = {0};
    AUTO(tensor) out = {0}, none = {0};
    struct expr *condition, *a;

    (void)state;
    init(&tree);
    condition = numbers(&tree, DTYPE_BOOL, exprs_shape(0), no);
    a = numbers(&tree, DTYPE_INT8, exprs_shape(1, 2), x);
    exprs_op(&tree, "where", 3, condition, a, numbers(&tree, DTYPE_INT8, exprs_shape(1, 2), y));
    evaluate(&tree, &out);
    check_numbers(&out, y);
    init(&empty);
    condition = numbers(&empty, DTYPE_BOOL, exprs_shape(1, 0), no);
    a = numbers(&empty, DTYPE_INT8, exprs_shape(2, 0, 3), x);
    exprs_op(&empty, "where", 3, condition, a, a);
    evaluate(&empty, &none);
    assert_int_equal(none.size, 0);
}

static void
refuse_where(enum dtype condition, struct shape of_condition, struct shape of_x, struct shape of_y,
             const char *text)
{
    static const double zeros[64];
    AUTO(expr_tree) tree = {0};
    struct expr *c, *x;

    init(&tree);
    c = numbers(&tree, condition, of_condition, zeros);
    x = numbers(&tree, DTYPE_FLOAT32, of_x, zeros);
    exprs_op(&tree, "where", 3, c, x, numbers(&tree, DTYPE_FLOAT32, of_y, zeros));
    check_refused(&tree, text);
}

static void
where_refuses_what_does_not_fit(void **state)
{
    static const double zeros[2];
    const struct shape two = exprs_shape(1, 2), three = exprs_shape(1, 3),
                       matrix = exprs_shape(2, 2, 3);
    AUTO(expr_tree) tree = {0};
    struct expr *condition, *x;

    (void)state;
    refuse_where(DTYPE_INT32, two, two, two, "where: condition is int32[2], it must be bool");
    refuse_where(DTYPE_BOOL, two, two, three,
                 "where: x is float32[2], y is float32[3]: shapes must match");
    refuse_where(
        DTYPE_BOOL, three, matrix, matrix,
        "where: condition is bool[3], x has shape [2,3]: the condition must have the same");
    refuse_where(DTYPE_BOOL, exprs_shape(2, 2, 1), matrix, matrix, "where: condition is bool[2,1]");
    refuse_where(DTYPE_BOOL, two, exprs_shape(0), exprs_shape(0), "where: condition is bool[2]");
    init(&tree);
    condition = numbers(&tree, DTYPE_BOOL, two, zeros);
    x = numbers(&tree, DTYPE_FLOAT32, two, zeros);
    exprs_op(&tree, "where", 3, condition, x, numbers(&tree, DTYPE_FLOAT64, two, zeros));
    check_refused(&tree, "where: x is float32[2], y is float64[2]: dtypes must match");
}

/* --- clip_by_value ------------------------------------------------------------------------- */

static struct expr *
clip(struct expr_tree *tree, struct expr *t, double min, double max)
{
    struct expr *low = exprs_weak_float(tree, min);

    return exprs_op(tree, "clip_by_value", 3, t, low, exprs_weak_float(tree, max));
}

static void
clipping_keeps_between_the_bounds(void **state)
{
    static const double x[] = {-5, -0.5, 0.25, 7}, expected[] = {-1, -0.5, 0.25, 2};
    static const double crossed[] = {3, 3, 3, 3};
    AUTO(expr_tree) tree = {0}, other = {0};
    AUTO(tensor) out = {0}, result = {0};

    (void)state;
    init(&tree);
    clip(&tree, numbers(&tree, DTYPE_FLOAT16, exprs_shape(1, 4), x), -1, 2);
    evaluate(&tree, &out);
    assert_int_equal(out.type.dtype, DTYPE_FLOAT16);
    check_numbers(&out, expected);
    init(&other);
    clip(&other, numbers(&other, DTYPE_FLOAT32, exprs_shape(1, 4), x), 3, -3);
    evaluate(&other, &result);
    check_numbers(&result, crossed); /* the lower bound has the last word */
}

static void
clipping_broadcasts_all_three(void **state)
{
    enum { COUNT = 5001 };
    static int64_t x[COUNT];
    static const int64_t low[2] = {10, -20};
    const int64_t high = 2000;
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *t, *min;

    (void)state;
    for (int i = 0; i < COUNT; i++)
        x[i] = i - 100;
    init(&tree);
    t = exprs_literal(&tree, DTYPE_INT64, exprs_shape(1, COUNT), x);
    min = exprs_literal(&tree, DTYPE_INT64, exprs_shape(2, 2, 1), low);
    exprs_op(&tree, "clip_by_value", 3, t, min,
             exprs_literal(&tree, DTYPE_INT64, exprs_shape(0), &high));
    evaluate(&tree, &out);
    assert_true(out.type.shape.rank == 2 && out.type.shape.dims[0] == 2);
    for (int i = 0; i < 2 * COUNT; i++) {
        int64_t value = x[i % COUNT] > high ? high : x[i % COUNT];

        value = value < low[i / COUNT] ? low[i / COUNT] : value;
        assert_true(number_at(&out, (uint64_t)i) == (double)value);
    }
}

static void
clipping_refuses_other_dtypes_and_shapes(void **state)
{
    static const double x[] = {1, 2};
    AUTO(expr_tree) tree = {0}, integers = {0}, complex = {0};
    struct expr *t, *low;

    (void)state;
    init(&tree);
    t = numbers(&tree, DTYPE_FLOAT32, exprs_shape(1, 2), x);
    low = numbers(&tree, DTYPE_FLOAT32, exprs_shape(1, 3), (const double[]){0, 0, 0});
    exprs_op(&tree, "clip_by_value", 3, t, low, exprs_weak_int(&tree, 1));
    check_refused(&tree, "clip_by_value: ");
    init(&integers);
    clip(&integers, numbers(&integers, DTYPE_INT32, exprs_shape(1, 2), x), 0, 0.5);
    check_refused(&integers,
                  "clip_by_value: clip_value_min: Expected int32, got 0 of type 'float'");
    init(&complex);
    clip(&complex, numbers(&complex, DTYPE_COMPLEX64, exprs_shape(1, 2), x), 0, 1);
    check_refused(&complex, "clip_by_value: t is complex64[2], the dtype may only be");
}

/* --- constants ----------------------------------------------------------------------------- */

static void
choices_between_constants_are_constants(void **state)
{
    AUTO(expr_tree) tree = {0};
    _Alignas(16) uint8_t element[16];
    struct expr *ones, *twos, *condition;

    (void)state;
    init(&tree);
    ones = exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(1, 100000));
    twos = exprs_op(&tree, "add", 2, ones, ones);
    condition = exprs_op(&tree, "logical_not", 1, exprs_op(&tree, "less", 2, ones, twos));
    clip(&tree, exprs_op(&tree, "where", 3, condition, ones, twos), 0, 1.5);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_true(expr_constant_fill(&tree, element));
    assert_true(tensor_element_as_double(DTYPE_FLOAT32, element) == 1.5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_hold_where_they_should_in_every_dtype),
        cmocka_unit_test(anything_of_one_size_can_be_equal),
        cmocka_unit_test(logic_of_bools),
        cmocka_unit_test(comparisons_broadcast_over_many_elements),
        cmocka_unit_test(comparisons_refuse_what_has_no_order),
        cmocka_unit_test(where_takes_elements_of_every_dtype),
        cmocka_unit_test(where_takes_whole_rows_by_a_vector),
        cmocka_unit_test(where_takes_all_of_one_by_a_scalar),
        cmocka_unit_test(where_refuses_what_does_not_fit),
        cmocka_unit_test(clipping_keeps_between_the_bounds),
        cmocka_unit_test(clipping_broadcasts_all_three),
        cmocka_unit_test(clipping_refuses_other_dtypes_and_shapes),
        cmocka_unit_test(choices_between_constants_are_constants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
