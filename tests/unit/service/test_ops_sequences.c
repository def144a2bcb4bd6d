/* eye, linspace, range, one_hot: values against loops of their own, TensorFlow's rules for dtypes
 * and sizes, its error texts. */
#include "tests/unit/service/ops_shapes.h"

#include <math.h>

static struct expr *
float32_of(struct expr_tree *tree, float value)
{
    return exprs_literal(tree, DTYPE_FLOAT32, exprs_shape(0), &value);
}

static struct expr *
float64_of(struct expr_tree *tree, double value)
{
    return exprs_literal(tree, DTYPE_FLOAT64, exprs_shape(0), &value);
}

static struct expr *
int64_of(struct expr_tree *tree, int64_t value)
{
    return exprs_literal(tree, DTYPE_INT64, exprs_shape(0), &value);
}

/* --- eye ----------------------------------------------------------------------------------- */

static struct expr *
eye(struct expr_tree *tree, int64_t rows, int64_t columns)
{
    struct expr *node = exprs_op(tree, "eye", 0);

    set_i64(node, "num_rows", rows);
    if (columns != rows)
        set_i64(node, "num_columns", columns);
    return exprs_set_dtype(node, "dtype", DTYPE_INT32);
}

static int64_t
diagonal_of_a_matrix(const uint64_t *at)
{
    return at[0] == at[1];
}

static int64_t
diagonal_of_a_batch(const uint64_t *at)
{
    return at[2] == at[3];
}

static void
eye_has_ones_on_the_diagonal(void **state)
{
    static const int sizes[][2] = {{1, 1},  {3, 3},     {2, 5},   {5, 2},
                                   {83, 1}, {101, 103}, {1, 257}, {200, 60}};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        AUTO(expr_tree) tree = {0}, batch = {0};

        init(&tree);
        eye(&tree, sizes[i][0], sizes[i][1]);
        check_each(&tree, exprs_shape(2, sizes[i][0], sizes[i][1]), diagonal_of_a_matrix);
        init(&batch);
        exprs_set_shape(eye(&batch, sizes[i][0], sizes[i][1]), "batch_shape", exprs_shape(2, 2, 3));
        check_each(&batch, exprs_shape(4, 2, 3, sizes[i][0], sizes[i][1]), diagonal_of_a_batch);
    }
}

static void
eye_without_elements_is_empty(void **state)
{
    AUTO(expr_tree) tree = {0}, columns = {0};

    (void)state;
    init(&tree);
    eye(&tree, 0, 0);
    check_int32(&tree, exprs_shape(2, 0, 0), NULL);
    init(&columns);
    eye(&columns, 3, 0);
    check_int32(&columns, exprs_shape(2, 3, 0), NULL);
}

static void
eye_is_float32_and_takes_other_dtypes(void **state)
{
    static const float floats[] = {1, 0, 0, 1};
    static const uint8_t bools[] = {1, 0, 0, 1};
    AUTO(expr_tree) tree = {0}, other = {0};
    AUTO(tensor) out = {0}, other_out = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    set_i64(exprs_op(&tree, "eye", 0), "num_rows", 2);
    evaluate(&tree, &out);
    check_type(&out, DTYPE_FLOAT32, exprs_shape(2, 2, 2));
    assert_memory_equal(out.data, floats, sizeof floats);
    init(&other);
    node = exprs_set_dtype(exprs_op(&other, "eye", 0), "dtype", DTYPE_BOOL);
    set_i64(node, "num_rows", 2);
    evaluate(&other, &other_out);
    assert_memory_equal(other_out.data, bools, sizeof bools);
}

static void
eye_refuses_negative_and_absurd_sizes(void **state)
{
    AUTO(expr_tree) rows = {0}, columns = {0}, many = {0}, text = {0}, deep = {0};
    struct shape batch = {.rank = 31};

    (void)state;
    init(&rows);
    eye(&rows, -1, -1);
    check_refused(&rows, "num_rows must be at least 0, got -1");
    init(&columns);
    eye(&columns, 2, -1);
    check_refused(&columns, "num_columns must be at least 0, got -1");
    init(&many);
    eye(&many, INT64_MAX, INT64_MAX);
    check_refused(&many, "more elements than the limit");
    init(&text);
    exprs_set_dtype(eye(&text, 2, 2), "dtype", DTYPE_STRING);
    check_refused(&text, "dtype string is not possible");
    init(&deep);
    for (int i = 0; i < 31; i++)
        batch.dims[i] = 1;
    exprs_set_shape(eye(&deep, 2, 2), "batch_shape", batch);
    check_refused(&deep, "the result has rank 33, the limit is 32");
}

/* --- linspace ------------------------------------------------------------------------------ */

static void
linspace(struct expr_tree *tree, const struct expr *start, const struct expr *stop, int64_t num)
{
    struct expr *node = exprs_op(tree, "linspace", 0);

    exprs_set_tensor(node, "start", start);
    exprs_set_tensor(node, "stop", stop);
    set_i64(node, "num", num);
}

static void
linspace_adds_whole_steps_to_the_start(void **state)
{
    static const int64_t nums[] = {1, 2, 3, 7, 10007};
    static const double ends[][2] = {{1, 5}, {-1, -5}, {-1, 5}, {5, 5}, {0.1, 1e9}};

    (void)state;
    for (int i = 0; i < 25; i++) {
        float start = (float)ends[i / 5][0], stop = (float)ends[i / 5][1];
        int64_t num = nums[i % 5];
        float step = num == 1 ? 0 : (stop - start) / (float)(num - 1);
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};

        init(&tree);
        linspace(&tree, exprs_weak_float(&tree, ends[i / 5][0]),
                 exprs_weak_float(&tree, ends[i / 5][1]), num);
        evaluate(&tree, &out);
        check_type(&out, DTYPE_FLOAT32, exprs_shape(1, (int)num));
        for (int64_t k = 0; k < num; k++)
            assert_true(((const float *)(const void *)out.data)[k] == start + step * (float)k);
    }
}

static void
linspace_has_the_dtype_of_its_ends(void **state)
{
    AUTO(expr_tree) tree = {0}, weak = {0};
    AUTO(tensor) out = {0}, weak_out = {0};

    (void)state;
    init(&tree);
    linspace(&tree, exprs_weak_int(&tree, 0), float64_of(&tree, 1), 11);
    evaluate(&tree, &out);
    check_type(&out, DTYPE_FLOAT64, exprs_shape(1, 11));
    for (int i = 0; i < 11; i++)
        assert_true(((const double *)(const void *)out.data)[i] == 0.0 + 1.0 / 10 * i);
    init(&weak);
    linspace(&weak, exprs_weak_int(&weak, 0), exprs_weak_int(&weak, 10), 3);
    evaluate(&weak, &weak_out);
    check_type(&weak_out, DTYPE_FLOAT32, exprs_shape(1, 3));
}

static void
linspace_refuses_what_tensorflow_refuses(void **state)
{
    static const float two[] = {1, 2};
    AUTO(expr_tree) none = {0}, vector = {0}, mixed = {0}, integers = {0}, endless = {0};

    (void)state;
    init(&none);
    linspace(&none, exprs_weak_int(&none, 1), exprs_weak_int(&none, 5), 0);
    check_refused(&none, "Requires num > 0: 0");
    init(&vector);
    linspace(&vector, exprs_float32(&vector, exprs_shape(1, 2), two), exprs_weak_int(&vector, 5),
             2);
    check_refused(&vector, "start must be a scalar, not shape [2]");
    init(&mixed);
    linspace(&mixed, float32_of(&mixed, 1), float64_of(&mixed, 5), 2);
    check_refused(&mixed, "stop is float64[], dtype is float32");
    init(&integers);
    linspace(&integers, int64_of(&integers, 1), exprs_weak_int(&integers, 5), 2);
    check_refused(&integers, "dtype int64 is not possible, only float32 float64");
    init(&endless);
    linspace(&endless, exprs_weak_int(&endless, 1), exprs_weak_float(&endless, INFINITY), 2);
    check_refused(&endless, "stop must be a finite number");
}

/* --- one_hot ------------------------------------------------------------------------------- */

static const int32_t some_indices[] = {0, 2, -1, 1, 3, 7};

static struct expr *
one_hot(struct expr_tree *tree, struct expr *indices, int64_t depth, int64_t axis)
{
    struct expr *node = exprs_op(tree, "one_hot", 1, indices);

    set_i64(node, "depth", depth);
    set_i64(node, "axis", axis);
    return exprs_set_dtype(node, "dtype", DTYPE_INT32);
}

static int64_t
hot_last(const uint64_t *at)
{
    return some_indices[at[0] * 3 + at[1]] == (int64_t)at[2];
}

static int64_t
hot_between(const uint64_t *at)
{
    return some_indices[at[0] * 3 + at[2]] == (int64_t)at[1];
}

static int64_t
hot_first(const uint64_t *at)
{
    return some_indices[at[1] * 3 + at[2]] == (int64_t)at[0];
}

static void
one_hot_is_on_at_the_index_along_any_axis(void **state)
{
    static const struct {
        int64_t axis;
        int dims[3];
        expected_at *expected;
    } cases[] = {{-1, {2, 3, 4}, hot_last},
                 {2, {2, 3, 4}, hot_last},
                 {1, {2, 4, 3}, hot_between},
                 {0, {4, 2, 3}, hot_first}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(expr_tree) tree = {0};

        init(&tree);
        one_hot(&tree, int32s(&tree, exprs_shape(2, 2, 3), some_indices), 4, cases[i].axis);
        check_each(&tree, exprs_shape(3, cases[i].dims[0], cases[i].dims[1], cases[i].dims[2]),
                   cases[i].expected);
    }
}

static int64_t
same_place(const uint64_t *at)
{
    return at[0] == at[1];
}

static void
one_hot_reads_its_indices_from_anywhere(void **state)
{
    (void)state;
    for (int kind = 0; kind < SOURCE_KINDS; kind++) {
        for (int axis = -1; axis < 2; axis++) {
            AUTO(expr_tree) tree = {0};
            struct shape shape = axis == 0 ? exprs_shape(2, 57, 1031) : exprs_shape(2, 1031, 57);

            init(&tree);
            one_hot(&tree, places_of(&tree, (enum source_kind)kind, exprs_shape(1, 1031)), 57,
                    axis);
            check_each(&tree, shape, same_place);
        }
    }
}

static void
one_hot_of_a_scalar_and_of_nothing(void **state)
{
    static const int32_t index = 1, expected[] = {0, 1, 0};
    AUTO(expr_tree) scalar = {0}, nothing = {0}, no_depth = {0};

    (void)state;
    init(&scalar);
    one_hot(&scalar, int32s(&scalar, exprs_shape(0), &index), 3, -1);
    check_int32(&scalar, exprs_shape(1, 3), expected);
    init(&nothing);
    one_hot(&nothing, int32s(&nothing, exprs_shape(1, 0), NULL), 3, -1);
    check_int32(&nothing, exprs_shape(2, 0, 3), NULL);
    init(&no_depth);
    one_hot(&no_depth, int32s(&no_depth, exprs_shape(0), &index), 0, -1);
    check_int32(&no_depth, exprs_shape(1, 0), NULL);
}

static void
one_hot_values_decide_the_dtype(void **state)
{
    static const float expected[] = {0.5f, 5, 0.5f, 1, 0, 0};
    static const int32_t index = 1, first = 0;
    AUTO(expr_tree) tree = {0}, plain = {0};
    AUTO(tensor) out = {0}, plain_out = {0};
    struct expr *node, *on, *off;

    (void)state;
    init(&tree);
    on = exprs_weak_int(&tree, 5);
    off = exprs_weak_float(&tree, 0.5);
    node = exprs_op(&tree, "one_hot", 1, int32s(&tree, exprs_shape(0), &index));
    exprs_set_tensor(exprs_set_tensor(node, "on_value", on), "off_value", off);
    set_i64(node, "depth", 3);
    evaluate(&tree, &out);
    check_type(&out, DTYPE_FLOAT32, exprs_shape(1, 3));
    assert_memory_equal(out.data, expected, out.size);
    init(&plain);
    node = exprs_op(&plain, "one_hot", 1, int32s(&plain, exprs_shape(0), &first));
    set_i64(node, "depth", 3);
    evaluate(&plain, &plain_out);
    check_type(&plain_out, DTYPE_FLOAT32, exprs_shape(1, 3));
    assert_memory_equal(plain_out.data, expected + 3, plain_out.size);
}

static void
one_hot_refuses_what_tensorflow_refuses(void **state)
{
    static const float floats[] = {1, 2};
    AUTO(expr_tree) kind = {0}, depth = {0}, axis = {0}, vector = {0}, text = {0};
    struct expr *node;

    (void)state;
    init(&kind);
    one_hot(&kind, exprs_float32(&kind, exprs_shape(1, 2), floats), 3, -1);
    check_refused(&kind, "indices must be uint8, int32 or int64, not float32");
    init(&depth);
    one_hot(&depth, exprs_weak_int(&depth, 1), -1, -1);
    check_refused(&depth, "depth must be non-negative, got: -1");
    init(&axis);
    one_hot(&axis, exprs_weak_int(&axis, 1), 2, 1);
    check_refused(&axis, "Expected axis to be -1 or between [0, 0].  But received: 1");
    init(&vector);
    node = exprs_float32(&vector, exprs_shape(1, 2), floats);
    exprs_set_tensor(one_hot(&vector, exprs_weak_int(&vector, 1), 2, 0), "on_value", node);
    check_refused(&vector, "on_value must be a scalar, but got: [2]");
    init(&text);
    exprs_set_dtype(one_hot(&text, exprs_weak_int(&text, 1), 2, 0), "dtype", DTYPE_STRING);
    check_refused(&text, "dtype string is not possible");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eye_has_ones_on_the_diagonal),
        cmocka_unit_test(eye_without_elements_is_empty),
        cmocka_unit_test(eye_is_float32_and_takes_other_dtypes),
        cmocka_unit_test(eye_refuses_negative_and_absurd_sizes),
        cmocka_unit_test(linspace_adds_whole_steps_to_the_start),
        cmocka_unit_test(linspace_has_the_dtype_of_its_ends),
        cmocka_unit_test(linspace_refuses_what_tensorflow_refuses),
        cmocka_unit_test(one_hot_is_on_at_the_index_along_any_axis),
        cmocka_unit_test(one_hot_reads_its_indices_from_anywhere),
        cmocka_unit_test(one_hot_of_a_scalar_and_of_nothing),
        cmocka_unit_test(one_hot_values_decide_the_dtype),
        cmocka_unit_test(one_hot_refuses_what_tensorflow_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
