/* orthogonal_initializer: what makes it one, over shapes and dtypes; its seed; what it refuses. */

#include <math.h>

#include "tests/unit/service/ops_checks.h"

static struct expr *
orthogonal(struct expr_tree *tree, enum dtype dtype, struct shape shape, int64_t seed)
{
    struct expr *node;

    init(tree);
    node = exprs_set_shape(exprs_op(tree, "orthogonal_initializer", 0), "shape", shape);
    return exprs_set_seed(exprs_set_dtype(node, "dtype", dtype), "seed", seed);
}

static double
at(const struct tensor *t, uint64_t index)
{
    return tensor_element_as_double(t->type.dtype, t->data + index * dtype_size(t->type.dtype));
}

/* The product of rows (or columns) i and k, whichever are fewer. */
static double
inner(const struct tensor *t, uint64_t rows, uint64_t columns, uint64_t i, uint64_t k)
{
    uint64_t step = rows > columns ? columns : 1, length = rows > columns ? rows : columns;
    uint64_t a = rows > columns ? i : i * columns, b = rows > columns ? k : k * columns;
    double sum = 0;

    for (uint64_t l = 0; l < length; l++)
        sum += at(t, a + l * step) * at(t, b + l * step);
    return sum;
}

static void
check_orthogonal(enum dtype dtype, struct shape shape, double gain, double most)
{
    uint64_t columns = shape.dims[shape.rank - 1], rows = shape_count(&shape) / columns;
    uint64_t fewer = rows < columns ? rows : columns;
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct err err = ERR_INIT;

    exprs_set_f64(orthogonal(&tree, dtype, shape, 1), "gain", gain);
    if (exprs_evaluate(&tree, NULL, &out, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(out.type.dtype, dtype);
    assert_true(shape_equal(&out.type.shape, &shape));
    for (uint64_t i = 0; i < fewer; i++)
        for (uint64_t k = 0; k < fewer; k++) {
            double got = inner(&out, rows, columns, i, k) / (gain * gain);

            if (!(fabs(got - (i == k ? 1 : 0)) <= most))
                fail_msg("%s: %d times %d is %.17g", dtype_name(dtype), (int)i, (int)k, got);
        }
}

static void
the_fewer_of_rows_and_columns_are_orthogonal(void **state)
{
    const struct shape shapes[] = {exprs_shape(2, 50, 40),   exprs_shape(2, 40, 50),
                                   exprs_shape(2, 1, 1),     exprs_shape(3, 3, 5, 7),
                                   exprs_shape(3, 2, 3, 17), exprs_shape(2, 9, 9)};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        check_orthogonal(DTYPE_FLOAT64, shapes[i], 1, 1e-12);
        check_orthogonal(DTYPE_FLOAT32, shapes[i], 1, 1e-6);
        check_orthogonal(DTYPE_FLOAT16, shapes[i], 1, 1e-2);
        check_orthogonal(DTYPE_BFLOAT16, shapes[i], 1, 5e-2);
        check_orthogonal(DTYPE_FLOAT32, shapes[i], -3.5, 1e-6);
    }
}

static void
nothing_is_orthogonal_too(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};

    (void)state;
    orthogonal(&tree, DTYPE_FLOAT32, exprs_shape(3, 4, 0, 2), 1);
    assert_int_equal(exprs_evaluate(&tree, NULL, &out, NULL), OK);
    assert_int_equal(out.size, 0);
}

static void
one_seed_gives_one_matrix_in_any_pieces(void **state)
{
    AUTO(expr_tree) a = {0}, b = {0}, c = {0};
    AUTO(tensor) first = {0};
    AUTO(tensor) again = {0};
    AUTO(tensor) other = {0};
    struct evaluator *e = NULL;
    float piece[5];

    (void)state;
    orthogonal(&a, DTYPE_FLOAT32, exprs_shape(2, 10, 10), 7);
    orthogonal(&b, DTYPE_FLOAT32, exprs_shape(2, 10, 10), 7);
    orthogonal(&c, DTYPE_FLOAT32, exprs_shape(2, 10, 10), 8);
    assert_int_equal(exprs_evaluate(&a, NULL, &first, NULL), OK);
    assert_int_equal(exprs_evaluate(&b, NULL, &again, NULL), OK);
    assert_int_equal(exprs_evaluate(&c, NULL, &other, NULL), OK);
    assert_memory_equal(first.data, again.data, first.size);
    assert_memory_not_equal(first.data, other.data, first.size);
    assert_int_equal(evaluator_open(&a, NULL, &exprs_options, &e, NULL), OK);
    for (uint64_t at_ = 0; at_ + 5 <= 100; at_ += 3) {
        assert_int_equal(evaluator_read(e, at_, 5, piece, NULL), OK);
        assert_memory_equal(piece, first.data + at_ * sizeof(float), sizeof piece);
    }
    evaluator_drop(e);
}

static void
vectors_and_integers_are_refused(void **state)
{
    AUTO(expr_tree) vector = {0}, scalar = {0}, integer = {0}, text = {0}, gain = {0};

    (void)state;
    orthogonal(&vector, DTYPE_FLOAT32, exprs_shape(1, 5), 1);
    check_refused(&vector, "The tensor to initialize must be at least two-dimensional");
    orthogonal(&scalar, DTYPE_FLOAT32, exprs_shape(0), 1);
    check_refused(&scalar, "The tensor to initialize must be at least two-dimensional");
    orthogonal(&integer, DTYPE_INT32, exprs_shape(2, 5, 5), 1);
    check_refused(&integer, "Expected floating point type, got int32.");
    orthogonal(&text, DTYPE_STRING, exprs_shape(2, 5, 5), 1);
    check_refused(&text, "Expected floating point type, got string.");
    exprs_set_f64(orthogonal(&gain, DTYPE_FLOAT16, exprs_shape(2, 5, 5), 1), "gain", 1e6);
    check_refused(&gain, "gain");
}

static void
matrices_too_large_to_decompose_are_refused_before_they_are_drawn(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    orthogonal(&tree, DTYPE_FLOAT32, exprs_shape(2, 1 << 15, 1 << 15), 1);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_check(&tree, &exprs_options, NULL), ERR_PAYLOAD_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fewer_of_rows_and_columns_are_orthogonal),
        cmocka_unit_test(nothing_is_orthogonal_too),
        cmocka_unit_test(one_seed_gives_one_matrix_in_any_pieces),
        cmocka_unit_test(vectors_and_integers_are_refused),
        cmocka_unit_test(matrices_too_large_to_decompose_are_refused_before_they_are_drawn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
