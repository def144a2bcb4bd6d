/* Reductions as ops: axes, dtypes, what is refused, memory that does not grow with the argument. */

#include <math.h>

#include "tests/unit/service/ops_checks.h"

static void *
attr_of(struct expr *node, const char *name)
{
    const struct attr_spec *spec = attr_find(node->op->attrs, bytes_of_text(name));

    assert_non_null(spec);
    node->given[spec - node->op->attrs] = true;
    return attr_at(spec, node->params);
}

static struct expr *
set_axes(struct expr *node, const char *name, uint32_t count, ...)
{
    struct attr_ints *attr = attr_of(node, name);
    va_list axes;

    *attr = (struct attr_ints){.given = true, .count = count};
    va_start(axes, count);
    for (uint32_t i = 0; i < count; i++)
        attr->values[i] = va_arg(axes, int);
    va_end(axes);
    return node;
}

static struct expr *
set_number(struct expr *node, const char *name, int64_t value)
{
    *(int64_t *)attr_of(node, name) = value;
    return node;
}

static void
check(struct expr_tree *tree, enum dtype dtype, struct shape shape, const double *expected)
{
    AUTO(tensor) out = {0};
    struct err err = ERR_INIT;

    if (exprs_evaluate(tree, NULL, &out, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(out.type.dtype, dtype);
    assert_true(shape_equal(&out.type.shape, &shape));
    for (uint64_t i = 0; i < shape_count(&shape); i++) {
        double got = tensor_element_as_double(dtype, out.data + i * dtype_size(dtype));

        if (got != expected[i] && !(isnan(got) && isnan(expected[i])))
            fail_msg("%s %s: element %d is %.17g, not %.17g", tree->root->op->name,
                     dtype_name(dtype), (int)i, got, expected[i]);
    }
}

static const double six[] = {1, 2, 3, 4, 5, 6};

static void
reductions_work_in_every_number_type(void **state)
{
    static const struct {
        const char *op;
        double rows[2], columns[3], all;
    } cases[] = {
        {"reduce_sum", {6, 15}, {5, 7, 9}, 21},      {"reduce_mean", {2, 5}, {2.5, 3.5, 4.5}, 3.5},
        {"reduce_min", {1, 4}, {1, 2, 3}, 1},        {"reduce_max", {3, 6}, {4, 5, 6}, 6},
        {"reduce_prod", {6, 120}, {4, 10, 18}, 720},
    };

    (void)state;
    for (uint32_t d = 0; d < DTYPE_COUNT; d++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            enum dtype dtype = (enum dtype)d;
            bool integer = dtype_is_integer(dtype);
            AUTO(expr_tree) rows = {0};
            AUTO(expr_tree) columns = {0};
            AUTO(expr_tree) all = {0};
            double halves[3], whole = cases[i].all;

            if (!op_has_dtype(op_find(bytes_of_text(cases[i].op)), dtype))
                continue;
            for (int k = 0; k < 3; k++)
                halves[k] = integer ? floor(cases[i].columns[k]) : cases[i].columns[k];
            if (dtype_size(dtype) == 1 && i == 4)
                whole = dtype == DTYPE_INT8 ? 720 - 768 : 720 - 512;
            init(&rows);
            set_axes(
                exprs_op(&rows, cases[i].op, 1, numbers(&rows, dtype, exprs_shape(2, 2, 3), six)),
                "axis", 1, -1);
            check(&rows, dtype, exprs_shape(1, 2), cases[i].rows);
            init(&columns);
            set_axes(exprs_op(&columns, cases[i].op, 1,
                              numbers(&columns, dtype, exprs_shape(2, 2, 3), six)),
                     "reduction_indices", 1, 0);
            check(&columns, dtype, exprs_shape(1, 3), halves);
            init(&all);
            exprs_op(&all, cases[i].op, 1, numbers(&all, dtype, exprs_shape(2, 2, 3), six));
            whole = integer ? floor(whole) : whole;
            check(&all, dtype, exprs_shape(0), &whole);
        }
}

static void
axes_may_be_none_several_or_kept(void **state)
{
    static const double twelve[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, sums[] = {30, 48};
    static const double three = 3;
    AUTO(expr_tree) several = {0}, none = {0}, kept = {0}, scalar = {0};

    (void)state;
    init(&several);
    set_axes(exprs_op(&several, "reduce_sum", 1,
                      numbers(&several, DTYPE_FLOAT32, exprs_shape(3, 2, 2, 3), twelve)),
             "axis", 2, -1, 0);
    check(&several, DTYPE_FLOAT32, exprs_shape(1, 2), sums);
    init(&none);
    set_axes(
        exprs_op(&none, "reduce_max", 1, numbers(&none, DTYPE_INT64, exprs_shape(2, 3, 4), twelve)),
        "axis", 0);
    check(&none, DTYPE_INT64, exprs_shape(2, 3, 4), twelve);
    init(&kept);
    exprs_set_bool(
        set_axes(exprs_op(&kept, "reduce_sum", 1,
                          numbers(&kept, DTYPE_FLOAT64, exprs_shape(3, 2, 2, 3), twelve)),
                 "axis", 2, 0, 2),
        "keep_dims", true);
    check(&kept, DTYPE_FLOAT64, exprs_shape(3, 1, 2, 1), sums);
    init(&scalar);
    exprs_op(&scalar, "reduce_mean", 1, numbers(&scalar, DTYPE_FLOAT32, exprs_shape(0), &three));
    check(&scalar, DTYPE_FLOAT32, exprs_shape(0), &three);
}

static void
integers_wrap_before_they_are_divided(void **state)
{
    static const double large[] = {100, 100, 1}, mean[] = {-18}, negative[] = {-7, 0};
    static const double cut[] = {-3};
    AUTO(expr_tree) wrapped = {0}, truncated = {0};

    (void)state;
    init(&wrapped); /* 201 is -55 in int8 */
    exprs_op(&wrapped, "reduce_mean", 1, numbers(&wrapped, DTYPE_INT8, exprs_shape(1, 3), large));
    check(&wrapped, DTYPE_INT8, exprs_shape(0), mean);
    init(&truncated);
    exprs_op(&truncated, "reduce_mean", 1,
             numbers(&truncated, DTYPE_INT32, exprs_shape(1, 2), negative));
    check(&truncated, DTYPE_INT32, exprs_shape(0), cut);
}

static void
nothing_reduces_to_what_changes_nothing(void **state)
{
    static const double zeros[2] = {0}, nans[] = {NAN, NAN};
    static const double lows[] = {-HUGE_VAL, -HUGE_VAL}, tops[] = {2147483647, 2147483647};
    static const struct {
        const char *op;
        enum dtype dtype;
        const double *expected;
    } cases[] = {
        {"reduce_sum", DTYPE_FLOAT32, zeros},
        {"reduce_mean", DTYPE_FLOAT32, nans},
        {"reduce_max", DTYPE_FLOAT64, lows},
        {"reduce_min", DTYPE_INT32, tops},
    };
    AUTO(expr_tree) integer = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(expr_tree) tree = {0};

        init(&tree);
        set_axes(exprs_op(&tree, cases[i].op, 1,
                          numbers(&tree, cases[i].dtype, exprs_shape(2, 2, 0), zeros)),
                 "axis", 1, 1);
        check(&tree, cases[i].dtype, exprs_shape(1, 2), cases[i].expected);
    }
    init(&integer);
    exprs_op(&integer, "reduce_mean", 1, numbers(&integer, DTYPE_INT32, exprs_shape(1, 0), zeros));
    check_refused(&integer, "division by zero");
}

static void
truths_are_reduced_by_and_and_or(void **state)
{
    static const double truths[] = {1, 0, 1, 1, 0, 0}, all[] = {0, 1, 0}, any[] = {1, 1, 0};
    AUTO(expr_tree) a = {0}, b = {0}, c = {0};

    (void)state;
    init(&a);
    set_axes(exprs_op(&a, "reduce_all", 1, numbers(&a, DTYPE_BOOL, exprs_shape(2, 3, 2), truths)),
             "axis", 1, 1);
    check(&a, DTYPE_BOOL, exprs_shape(1, 3), all);
    init(&b);
    set_axes(exprs_op(&b, "reduce_any", 1, numbers(&b, DTYPE_BOOL, exprs_shape(2, 3, 2), truths)),
             "axis", 1, 1);
    check(&b, DTYPE_BOOL, exprs_shape(1, 3), any);
    init(&c);
    exprs_op(&c, "reduce_any", 1, numbers(&c, DTYPE_INT32, exprs_shape(1, 2), truths));
    check_refused(&c, "reduce_any: input_tensor is int32[2], the dtype may only be bool");
}

static void
places_are_int64_and_count_from_the_first_dimension(void **state)
{
    static const double x[] = {3, 9, 9, 7, 9, 1}, down[] = {1, 0, 0}, across[] = {2};
    AUTO(expr_tree) a = {0}, b = {0}, c = {0}, d = {0}, e = {0};

    (void)state;
    init(&a);
    exprs_op(&a, "argmax", 1, numbers(&a, DTYPE_UINT16, exprs_shape(2, 2, 3), x));
    check(&a, DTYPE_INT64, exprs_shape(1, 3), down);
    init(&b);
    set_number(exprs_op(&b, "argmin", 1, numbers(&b, DTYPE_FLOAT16, exprs_shape(2, 1, 3), x + 3)),
               "axis", -1);
    check(&b, DTYPE_INT64, exprs_shape(1, 1), across);
    init(&c);
    set_number(exprs_op(&c, "argmax", 1, numbers(&c, DTYPE_INT32, exprs_shape(1, 3), x)),
               "dimension", 1);
    check_refused(&c, "dim must be < input rank (1), but got: 1");
    init(&d);
    set_number(exprs_op(&d, "argmax", 1, numbers(&d, DTYPE_INT32, exprs_shape(1, 3), x)), "axis",
               -2);
    check_refused(&d, "but got: -2");
    init(&e);
    exprs_op(&e, "argmax", 1, numbers(&e, DTYPE_INT32, exprs_shape(2, 0, 3), x));
    check_refused(&e, "Reduction axis 0 is empty in shape [0,3]");
}

static void
wrong_axes_name_themselves_and_the_rank(void **state)
{
    AUTO(expr_tree) a = {0}, b = {0}, c = {0};

    (void)state;
    init(&a);
    set_axes(exprs_op(&a, "reduce_sum", 1, numbers(&a, DTYPE_INT32, exprs_shape(2, 2, 3), six)),
             "axis", 1, 2);
    check_refused(&a, "Invalid reduction dimension 2 for input with 2 dimension(s)");
    init(&b);
    set_axes(exprs_op(&b, "norm", 1, numbers(&b, DTYPE_FLOAT32, exprs_shape(2, 2, 3), six)), "axis",
             1, -3);
    check_refused(&b, "Invalid reduction dimension -3");
    init(&c);
    set_axes(exprs_op(&c, "reduce_max", 1, numbers(&c, DTYPE_INT32, exprs_shape(2, 2, 3), six)),
             "axis", 2, 1, -1);
    check_refused(&c, "dimension 1 twice");
}

/* --- norms --------------------------------------------------------------------------------- */

enum { EUCLIDEAN, FRO, ONE, TWO, INFINITE };

static void
check_norm(int64_t ord, uint32_t axes, struct shape shape, const double *expected)
{
    static const double x[] = {3, -4, 0, 5, -12, 1};
    AUTO(expr_tree) tree = {0};
    struct expr *node;

    init(&tree);
    node = set_number(
        exprs_op(&tree, "norm", 1, numbers(&tree, DTYPE_FLOAT64, exprs_shape(2, 3, 2), x)), "ord",
        ord);
    if (axes == 1)
        set_axes(node, "axis", 1, 1);
    if (axes == 2)
        set_axes(node, "axis", 2, 0, 1);
    check(&tree, DTYPE_FLOAT64, shape, expected);
}

static void
norms_of_vectors_and_of_matrices(void **state)
{
    const double whole = sqrt(9 + 16 + 25 + 144 + 1), one = 25, infinite = 12;
    const double rows = 13, columns = 15; /* 7, 5, 13; 15, 10 */
    const double lengths[] = {5, 5, sqrt(145)}, sums[] = {7, 5, 13}, tops[] = {4, 5, 12};

    (void)state;
    check_norm(EUCLIDEAN, 0, exprs_shape(0), &whole);
    check_norm(TWO, 0, exprs_shape(0), &whole);
    check_norm(FRO, 2, exprs_shape(0), &whole);
    check_norm(ONE, 0, exprs_shape(0), &one);
    check_norm(INFINITE, 0, exprs_shape(0), &infinite);
    check_norm(EUCLIDEAN, 1, exprs_shape(1, 3), lengths);
    check_norm(ONE, 1, exprs_shape(1, 3), sums);
    check_norm(INFINITE, 1, exprs_shape(1, 3), tops);
    check_norm(INFINITE, 2, exprs_shape(0), &rows);
    check_norm(ONE, 2, exprs_shape(0), &columns);
}

static void
norms_refuse_what_r1_0_refuses(void **state)
{
    AUTO(expr_tree) a = {0}, b = {0}, c = {0};

    (void)state;
    init(&a);
    set_axes(
        set_number(exprs_op(&a, "norm", 1, numbers(&a, DTYPE_FLOAT32, exprs_shape(2, 2, 3), six)),
                   "ord", TWO),
        "axis", 2, 0, 1);
    check_refused(&a, "'ord' must be a supported matrix norm");
    init(&b);
    set_axes(exprs_op(&b, "norm", 1, numbers(&b, DTYPE_FLOAT32, exprs_shape(2, 2, 3), six)), "axis",
             0);
    check_refused(&b, "'axis' must be None, an integer, or a tuple of 2 unique integers");
    init(&c);
    exprs_op(&c, "l2_loss", 1, numbers(&c, DTYPE_INT32, exprs_shape(2, 2, 3), six));
    check_refused(&c, "int32");
}

static void
l2_loss_and_clip_by_norm(void **state)
{
    static const double x[] = {3, 4}, half = 12.5, clipped[] = {1.5, 2}, zeros[2] = {0};
    AUTO(expr_tree) loss = {0}, clip = {0}, same = {0}, none = {0}, wrong = {0};

    (void)state;
    init(&loss);
    exprs_op(&loss, "l2_loss", 1, numbers(&loss, DTYPE_FLOAT16, exprs_shape(1, 2), x));
    check(&loss, DTYPE_FLOAT16, exprs_shape(0), &half);
    init(&clip);
    exprs_set_f64(
        exprs_op(&clip, "clip_by_norm", 1, numbers(&clip, DTYPE_FLOAT64, exprs_shape(1, 2), x)),
        "clip_norm", 2.5);
    check(&clip, DTYPE_FLOAT64, exprs_shape(1, 2), clipped);
    init(&same);
    set_axes(exprs_set_f64(exprs_op(&same, "clip_by_norm", 1,
                                    numbers(&same, DTYPE_FLOAT32, exprs_shape(2, 2, 1), x)),
                           "clip_norm", 4),
             "axes", 1, 1);
    check(&same, DTYPE_FLOAT32, exprs_shape(2, 2, 1), x);
    init(&none); /* 1 / 0 is more than 1 / clip_norm */
    exprs_set_f64(
        exprs_op(&none, "clip_by_norm", 1, numbers(&none, DTYPE_FLOAT32, exprs_shape(1, 2), zeros)),
        "clip_norm", 1);
    check(&none, DTYPE_FLOAT32, exprs_shape(1, 2), zeros);
    init(&wrong);
    exprs_set_f64(
        exprs_op(&wrong, "clip_by_norm", 1, numbers(&wrong, DTYPE_FLOAT32, exprs_shape(1, 2), x)),
        "clip_norm", 0);
    check_refused(&wrong, "clip_norm");
}

/* --- size ---------------------------------------------------------------------------------- */

/* 256 MiB are reduced within 8 MiB; 2^47 elements are more than the limit allows. */
static void
arguments_larger_than_the_limit_are_reduced_in_pieces(void **state)
{
    struct evaluator_options options = {.bytes_max = 8 << 20, .operations_max = 1u << 30};
    AUTO(expr_tree) tree = {0}, endless = {0};
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;
    struct expr *x;
    float out = 0;

    (void)state;
    init(&tree);
    x = exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(2, 4096, 4096));
    exprs_op(&tree, "reduce_sum", 1, exprs_op(&tree, "negative", 1, x));
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_open(&tree, NULL, &options, &e, NULL), OK);
    assert_int_equal(evaluator_read(e, 0, 1, &out, NULL), OK);
    assert_true(out == -16777216);
    init(&endless);
    x = exprs_set_shape(exprs_op(&endless, "ones", 0), "shape", exprs_shape(2, 1 << 23, 1 << 24));
    exprs_op(&endless, "reduce_max", 1, x);
    assert_int_equal(expr_infer(&endless, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_check(&endless, &options, NULL), ERR_PAYLOAD_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reductions_work_in_every_number_type),
        cmocka_unit_test(axes_may_be_none_several_or_kept),
        cmocka_unit_test(integers_wrap_before_they_are_divided),
        cmocka_unit_test(nothing_reduces_to_what_changes_nothing),
        cmocka_unit_test(truths_are_reduced_by_and_and_or),
        cmocka_unit_test(places_are_int64_and_count_from_the_first_dimension),
        cmocka_unit_test(wrong_axes_name_themselves_and_the_rank),
        cmocka_unit_test(norms_of_vectors_and_of_matrices),
        cmocka_unit_test(norms_refuse_what_r1_0_refuses),
        cmocka_unit_test(l2_loss_and_clip_by_norm),
        cmocka_unit_test(arguments_larger_than_the_limit_are_reduced_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
