/* Linear algebra as ops: shapes, dtypes, batches, what is refused and with which words, ranges of
 * results, costs told in advance. */

#include <math.h>

#include "store/base/alloc.h"
#include "tests/unit/service/ops_checks.h"

static struct expr *
set_output(struct expr *node, int64_t output)
{
    const struct attr_spec *spec = attr_find(node->op->attrs, bytes_of_text("output"));

    node->given[spec - node->op->attrs] = true;
    *(int64_t *)attr_at(spec, node->params) = output;
    return node;
}

/* Whole and in pieces of 3. */
static void
check(struct expr_tree *tree, enum dtype dtype, struct shape shape, const double *expected,
      double most)
{
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;
    uint64_t count = shape_count(&shape);
    uint32_t size = dtype_size(dtype);
    AUTO(tensor) out = {0};
    struct err err = ERR_INIT;
    uint8_t piece[3 * OP_ELEMENT_BYTES_MAX];

    if (exprs_evaluate(tree, NULL, &out, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(out.type.dtype, dtype);
    assert_true(shape_equal(&out.type.shape, &shape));
    for (uint64_t i = 0; i < count; i++) {
        double got = tensor_element_as_double(dtype, out.data + i * size);

        if (!(fabs(got - expected[i]) <= most))
            fail_msg("%s %s: element %d is %.17g, not %.17g", tree->root->op->name,
                     dtype_name(dtype), (int)i, got, expected[i]);
    }
    assert_int_equal(evaluator_open(tree, NULL, &exprs_options, &e, NULL), OK);
    for (uint64_t first = 0; first < count; first += 2) {
        uint64_t left = count - first, step = left < 3 ? left : 3;

        assert_int_equal(evaluator_read(e, first, step, piece, NULL), OK);
        assert_memory_equal(piece, out.data + first * size, step * size);
    }
}

static const double six[] = {1, 2, 3, 4, 5, 6}, eight[] = {1, 2, 3, 4, 5, 6, 7, 8};

/* --- products ------------------------------------------------------------------------------ */

static void
matmul_works_in_every_type_it_names(void **state)
{
    static const double expected[] = {22, 28, 49, 64},
                        gram[] = {17, 22, 27, 22, 29, 36, 27, 36, 45};
    const struct op *op = op_find(bytes_of_text("matmul"));

    (void)state;
    for (uint32_t d = 0; d < DTYPE_COUNT; d++) {
        enum dtype dtype = (enum dtype)d;
        AUTO(expr_tree) plain = {0};
        AUTO(expr_tree) turned = {0};
        struct expr *a;

        if (!op_has_dtype(op, dtype))
            continue;
        init(&plain);
        a = numbers(&plain, dtype, exprs_shape(2, 2, 3), six);
        exprs_op(&plain, "matmul", 2, a, numbers(&plain, dtype, exprs_shape(2, 3, 2), six));
        check(&plain, dtype, exprs_shape(2, 2, 2), expected, 0);
        init(&turned);
        a = numbers(&turned, dtype, exprs_shape(2, 2, 3), six);
        exprs_set_bool(exprs_op(&turned, "matmul", 2, a, a), "transpose_a", true);
        check(&turned, dtype, exprs_shape(2, 3, 3), gram, 0);
    }
}

static void
batches_are_multiplied_one_by_one(void **state)
{
    static const double expected[] = {5, 11, 61, 83}; /* [[1,2],[3,4]] by (1,2), … by (5,6) */
    static const double vectors[] = {1, 2, 5, 6}, zeros[6] = {0};
    AUTO(expr_tree) tree = {0}, nothing = {0};
    struct expr *a;

    (void)state;
    init(&tree);
    a = numbers(&tree, DTYPE_FLOAT32, exprs_shape(3, 2, 2, 2), eight);
    exprs_op(&tree, "matmul", 2, a,
             numbers(&tree, DTYPE_FLOAT32, exprs_shape(3, 2, 2, 1), vectors));
    check(&tree, DTYPE_FLOAT32, exprs_shape(3, 2, 2, 1), expected, 0);
    init(&nothing);
    a = numbers(&nothing, DTYPE_FLOAT64, exprs_shape(2, 2, 0), zeros);
    exprs_op(&nothing, "matmul", 2, a,
             numbers(&nothing, DTYPE_FLOAT64, exprs_shape(2, 0, 3), zeros));
    check(&nothing, DTYPE_FLOAT64, exprs_shape(2, 2, 3), zeros, 0);
}

static void
products_refuse_what_does_not_fit(void **state)
{
    AUTO(expr_tree) inner = {0}, rank = {0}, batch = {0}, ranks = {0}, forms = {0}, type = {0};
    struct expr *a;

    (void)state;
    init(&inner);
    a = numbers(&inner, DTYPE_FLOAT32, exprs_shape(2, 3, 2), six);
    exprs_op(&inner, "matmul", 2, a, a);
    check_refused(
        &inner, "Dimensions must be equal, but are 2 and 3 (a is float32[3,2], b is float32[3,2])");
    init(&rank);
    a = numbers(&rank, DTYPE_FLOAT32, exprs_shape(1, 6), six);
    exprs_op(&rank, "matmul", 2, a, a);
    check_refused(&rank, "Shape must be at least rank 2 but is rank 1: a is float32[6]");
    init(&batch);
    a = numbers(&batch, DTYPE_FLOAT32, exprs_shape(3, 2, 1, 1), six);
    exprs_op(&batch, "matmul", 2, a, numbers(&batch, DTYPE_FLOAT32, exprs_shape(3, 3, 1, 1), six));
    check_refused(&batch, "Dimensions must be equal, but are 2 and 3");
    init(&ranks);
    a = numbers(&ranks, DTYPE_FLOAT32, exprs_shape(3, 2, 1, 1), six);
    exprs_op(&ranks, "matmul", 2, a, numbers(&ranks, DTYPE_FLOAT32, exprs_shape(2, 1, 1), six));
    check_refused(&ranks, "equal rank, but are 3 and 2");
    init(&forms);
    a = numbers(&forms, DTYPE_FLOAT32, exprs_shape(2, 1, 1), six);
    a = exprs_op(&forms, "matmul", 2, a, a);
    exprs_set_bool(exprs_set_bool(a, "transpose_b", true), "adjoint_b", true);
    check_refused(&forms, "Only one of transpose_b and adjoint_b can be True.");
    init(&type);
    a = numbers(&type, DTYPE_INT64, exprs_shape(2, 1, 1), six);
    exprs_op(&type, "matmul", 2, a, a);
    check_refused(&type, "int64");
}

static void
vectors_are_multiplied_inside_and_outside(void **state)
{
    static const double outer[] = {4, 5, 6, 8, 10, 12, 12, 15, 18}, dot = 32, vector[] = {14, 32};
    AUTO(expr_tree) a = {0}, b = {0}, c = {0}, d = {0};
    struct expr *x;

    (void)state;
    init(&a);
    x = numbers(&a, DTYPE_INT8, exprs_shape(1, 3), six);
    exprs_op(&a, "outer", 2, x, numbers(&a, DTYPE_INT8, exprs_shape(1, 3), six + 3));
    check(&a, DTYPE_INT8, exprs_shape(2, 3, 3), outer, 0);
    init(&b);
    x = numbers(&b, DTYPE_FLOAT32, exprs_shape(1, 3), six);
    exprs_op(&b, "dot", 2, x, numbers(&b, DTYPE_FLOAT32, exprs_shape(1, 3), six + 3));
    check(&b, DTYPE_FLOAT32, exprs_shape(0), &dot, 0);
    init(&c);
    x = numbers(&c, DTYPE_FLOAT64, exprs_shape(2, 2, 3), six);
    exprs_op(&c, "matvec", 2, x, numbers(&c, DTYPE_FLOAT64, exprs_shape(1, 3), six));
    check(&c, DTYPE_FLOAT64, exprs_shape(1, 2), vector, 0);
    init(&d);
    x = numbers(&d, DTYPE_FLOAT64, exprs_shape(1, 3), six);
    exprs_op(&d, "dot", 2, x, numbers(&d, DTYPE_FLOAT64, exprs_shape(1, 2), six));
    check_refused(&d, "Dimensions must be equal, but are 3 and 2");
}

/* --- decompositions ------------------------------------------------------------------------ */

static void
decompositions_give_the_result_that_is_asked_for(void **state)
{
    static const double x[] = {3, 0, 0, -4}, values[] = {4, 3}, r[] = {-3, 0, 0, -4};
    static const double two[] = {2, 0, 0, 4}, half[] = {0.5, 0, 0, 0.25}, root[] = {2, 0, 1, 3};
    static const double square[] = {4, 2, 2, 10}, determinant = -12;
    AUTO(expr_tree) s = {0}, triangle = {0}, inverse = {0}, cholesky = {0}, det = {0}, u = {0};

    (void)state;
    init(&s);
    exprs_op(&s, "svd", 1, numbers(&s, DTYPE_FLOAT64, exprs_shape(2, 2, 2), x));
    check(&s, DTYPE_FLOAT64, exprs_shape(1, 2), values, 1e-14);
    init(&triangle); /* as R is made unique: up to signs */
    set_output(
        exprs_op(&triangle, "qr", 1, numbers(&triangle, DTYPE_FLOAT64, exprs_shape(2, 2, 2), x)),
        1);
    exprs_op(&triangle, "abs", 1, triangle.root);
    check(&triangle, DTYPE_FLOAT64, exprs_shape(2, 2, 2), (double[]){-r[0], 0, 0, -r[3]}, 1e-14);
    init(&inverse);
    exprs_op(&inverse, "matrix_inverse", 1,
             numbers(&inverse, DTYPE_FLOAT32, exprs_shape(2, 2, 2), two));
    check(&inverse, DTYPE_FLOAT32, exprs_shape(2, 2, 2), half, 0);
    init(&cholesky);
    exprs_op(&cholesky, "cholesky", 1,
             numbers(&cholesky, DTYPE_FLOAT32, exprs_shape(2, 2, 2), square));
    check(&cholesky, DTYPE_FLOAT32, exprs_shape(2, 2, 2), root, 1e-6);
    init(&det);
    exprs_op(&det, "matrix_determinant", 1,
             numbers(&det, DTYPE_COMPLEX64, exprs_shape(3, 1, 2, 2), x));
    check(&det, DTYPE_COMPLEX64, exprs_shape(1, 1), &determinant, 0);
    init(&u);
    exprs_set_bool(
        set_output(exprs_op(&u, "svd", 1, numbers(&u, DTYPE_FLOAT32, exprs_shape(2, 2, 2), x)), 1),
        "compute_uv", false);
    check_refused(&u, "output 'u' is not there when compute_uv is false");
}

static void
systems_are_solved_for_every_column(void **state)
{
    static const double a[] = {2, 0, 1, 4}, b[] = {2, 4, 9, 6}, x[] = {1, 2, 2, 1};
    AUTO(expr_tree) tree = {0}, wrong = {0};
    struct expr *matrix;

    (void)state;
    init(&tree);
    matrix = numbers(&tree, DTYPE_FLOAT64, exprs_shape(2, 2, 2), a);
    exprs_op(&tree, "matrix_solve", 2, matrix,
             numbers(&tree, DTYPE_FLOAT64, exprs_shape(2, 2, 2), b));
    check(&tree, DTYPE_FLOAT64, exprs_shape(2, 2, 2), x, 1e-15);
    init(&wrong);
    matrix = numbers(&wrong, DTYPE_FLOAT64, exprs_shape(2, 2, 2), a);
    exprs_op(&wrong, "matrix_solve", 2, matrix,
             numbers(&wrong, DTYPE_FLOAT64, exprs_shape(2, 1, 2), b));
    check_refused(&wrong, "Dimensions must be equal, but are 2 and 1");
}

static void
matrices_without_elements_have_results_all_the_same(void **state)
{
    static const double ones[] = {1, 1}, identity[] = {1, 0, 0, 1};
    AUTO(expr_tree) det = {0}, q = {0}, s = {0};

    (void)state;
    init(&det);
    exprs_op(&det, "matrix_determinant", 1,
             numbers(&det, DTYPE_FLOAT32, exprs_shape(3, 2, 0, 0), ones));
    check(&det, DTYPE_FLOAT32, exprs_shape(1, 2), ones, 0);
    init(&q);
    exprs_set_bool(exprs_op(&q, "qr", 1, numbers(&q, DTYPE_FLOAT32, exprs_shape(2, 2, 0), ones)),
                   "full_matrices", true);
    check(&q, DTYPE_FLOAT32, exprs_shape(2, 2, 2), identity, 0);
    init(&s);
    exprs_op(&s, "svd", 1, numbers(&s, DTYPE_FLOAT32, exprs_shape(2, 0, 3), ones));
    check(&s, DTYPE_FLOAT32, exprs_shape(1, 0), ones, 0);
}

static void
what_cannot_be_decomposed_fails_with_its_name(void **state)
{
    static const double zeros[4] = {0}, nan[] = {1, NAN, 0, 1}, indefinite[] = {1, 2, 2, 1};
    AUTO(expr_tree) inverse = {0}, cholesky = {0}, svd = {0}, rectangle = {0};

    (void)state;
    init(&inverse);
    exprs_op(&inverse, "matrix_inverse", 1,
             numbers(&inverse, DTYPE_FLOAT32, exprs_shape(2, 2, 2), zeros));
    check_fails(&inverse, "matrix_inverse: Input is not invertible.");
    init(&cholesky);
    exprs_op(&cholesky, "cholesky", 1,
             numbers(&cholesky, DTYPE_FLOAT32, exprs_shape(2, 2, 2), indefinite));
    check_fails(&cholesky, "Cholesky decomposition was not successful.");
    init(&svd);
    exprs_op(&svd, "svd", 1, numbers(&svd, DTYPE_FLOAT32, exprs_shape(2, 2, 2), nan));
    check_fails(&svd, "svd: tensor has elements that are not finite");
    init(&rectangle);
    exprs_op(&rectangle, "cholesky", 1,
             numbers(&rectangle, DTYPE_FLOAT32, exprs_shape(2, 2, 3), six));
    check_refused(&rectangle, "Dimensions must be equal, but are 2 and 3: input is float32[2,3]");
}

static void
diagonals_are_taken_and_added(void **state)
{
    static const double part[] = {1, 5}, trace[] = {5, 13}, sums = 6;
    AUTO(expr_tree) a = {0}, b = {0}, c = {0}, d = {0};

    (void)state;
    init(&a);
    exprs_op(&a, "trace", 1, numbers(&a, DTYPE_UINT8, exprs_shape(3, 2, 2, 2), eight));
    check(&a, DTYPE_UINT8, exprs_shape(1, 2), trace, 0);
    init(&b);
    exprs_op(&b, "trace", 1, numbers(&b, DTYPE_FLOAT32, exprs_shape(2, 2, 3), six));
    check(&b, DTYPE_FLOAT32, exprs_shape(0), &sums, 0);
    init(&c);
    exprs_op(&c, "diag_part", 1,
             numbers(&c, DTYPE_INT64, exprs_shape(4, 1, 2, 1, 2), (double[]){1, 2, 3, 5}));
    check(&c, DTYPE_INT64, exprs_shape(2, 1, 2), part, 0);
    init(&d);
    exprs_op(&d, "diag_part", 1, numbers(&d, DTYPE_INT64, exprs_shape(2, 2, 3), six));
    check_refused(&d, "Dimensions must be equal, but are 2 and 3");
}

/* --- costs --------------------------------------------------------------------------------- */

static void
products_past_the_limits_are_refused_before_they_begin(void **state)
{
    struct evaluator_options few = {.bytes_max = 1 << 20, .operations_max = 999};
    struct evaluator_options small = {.bytes_max = 1199, .operations_max = 1000};
    AUTO(expr_tree) tree = {0}, absurd = {0};
    struct expr *a;

    (void)state;
    init(&tree);
    a = exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(2, 10, 10));
    exprs_op(&tree, "matmul", 2, a, exprs_op(&tree, "negative", 1, a));
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_check(&tree, &few, NULL), ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(evaluator_check(&tree, &small, NULL), ERR_PAYLOAD_TOO_LARGE);
    init(&absurd);
    a = exprs_set_shape(exprs_op(&absurd, "ones", 0), "shape", exprs_shape(2, 1 << 22, 1 << 22));
    exprs_op(&absurd, "svd", 1, a);
    assert_int_equal(expr_infer(&absurd, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_check(&absurd, &exprs_options, NULL), ERR_PAYLOAD_TOO_LARGE);
}

static void
short_memory_is_an_error_everywhere(void **state)
{
    static const char *const ops[] = {"svd",   "qr",         "matrix_inverse", "matrix_determinant",
                                      "trace", "reduce_sum", "argmax",         "norm"};
    static const double x[] = {2, 0, 0, 4};

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        bool done = false;

        for (uint64_t nth = 1; !done && nth < 100; nth++) {
            AUTO(expr_tree) tree = {0};
            AUTO(tensor) out = {0};
            enum err_code code;

            init(&tree);
            exprs_op(&tree, ops[i], 1, numbers(&tree, DTYPE_FLOAT32, exprs_shape(2, 2, 2), x));
            mem_fail_at(nth, 0);
            code = exprs_evaluate(&tree, NULL, &out, NULL);
            mem_fail_at(0, 0);
            assert_true(code == OK || code == ERR_NO_MEMORY);
            done = code == OK;
        }
        assert_true(done);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul_works_in_every_type_it_names),
        cmocka_unit_test(batches_are_multiplied_one_by_one),
        cmocka_unit_test(products_refuse_what_does_not_fit),
        cmocka_unit_test(vectors_are_multiplied_inside_and_outside),
        cmocka_unit_test(decompositions_give_the_result_that_is_asked_for),
        cmocka_unit_test(systems_are_solved_for_every_column),
        cmocka_unit_test(matrices_without_elements_have_results_all_the_same),
        cmocka_unit_test(what_cannot_be_decomposed_fails_with_its_name),
        cmocka_unit_test(diagonals_are_taken_and_added),
        cmocka_unit_test(products_past_the_limits_are_refused_before_they_begin),
        cmocka_unit_test(short_memory_is_an_error_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
