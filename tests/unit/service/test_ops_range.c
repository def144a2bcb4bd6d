/* range: sizes and dtypes by TensorFlow's rules; and the sums of floats, bit for bit those of a
 * loop wherever one begins to read. */
#include "tests/unit/service/ops_shapes.h"

#include <float.h>
#include <math.h>

#include "service/expr/op_progression.h"

static struct expr *
typed(struct expr_tree *tree, enum dtype dtype, double value)
{
    const int32_t i32 = (int32_t)value;
    const int64_t i64 = (int64_t)value;
    const float f32 = (float)value;
    const void *data = dtype == DTYPE_INT32     ? (const void *)&i32
                       : dtype == DTYPE_INT64   ? (const void *)&i64
                       : dtype == DTYPE_FLOAT32 ? (const void *)&f32
                                                : (const void *)&value;

    return exprs_literal(tree, dtype, exprs_shape(0), data);
}

/* Integral numbers are weak integers. */
static struct expr *
weak(struct expr_tree *tree, double value, bool fraction)
{
    return fraction ? exprs_weak_float(tree, value) : exprs_weak_int(tree, (int64_t)value);
}

static struct expr *
range(struct expr_tree *tree, const struct expr *start, const struct expr *limit,
      const struct expr *delta)
{
    struct expr *node = exprs_op(tree, "range", 0);

    exprs_set_tensor(node, "start", start);
    if (limit != NULL)
        exprs_set_tensor(node, "limit", limit);
    if (delta != NULL)
        exprs_set_tensor(node, "delta", delta);
    return node;
}

static void
check_numbers(struct expr_tree *tree, enum dtype dtype, int count, const double *expected)
{
    AUTO(tensor) out = {0};

    evaluate(tree, &out);
    check_type(&out, dtype, exprs_shape(1, count));
    for (int i = 0; i < count; i++) {
        const void *at = out.data + (size_t)i * dtype_size(dtype);
        double value = dtype == DTYPE_INT32 ? *(const int32_t *)at : (double)*(const float *)at;

        assert_true(value == expected[i]);
    }
}

/* RangeTest.testBasic, testLimitOnly, testEmpty, testNonInteger, testNegativeDelta */
static void
ranges_have_tensorflows_numbers(void **state)
{
    static const struct {
        double start, limit, delta;
        bool fractions, limit_only;
        int count;
        double expected[6];
    } cases[] = {
        {0, 5, 1, false, false, 5, {0, 1, 2, 3, 4}},
        {0, 5, 2, false, false, 3, {0, 2, 4}},
        {0, 6, 2, false, false, 3, {0, 2, 4}},
        {13, 32, 7, false, false, 3, {13, 20, 27}},
        {5, 0, 1, false, true, 5, {0, 1, 2, 3, 4}},
        {0, 0, 1, false, false, 0, {0}},
        {0, 5, 2.5, true, false, 2, {0, 2.5}},
        {100, 500, 100, true, false, 4, {100, 200, 300, 400}},
        {5, -1, -1, false, false, 6, {5, 4, 3, 2, 1, 0}},
        {2.5, 0, -0.5, true, false, 5, {2.5, 2, 1.5, 1, 0.5}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(expr_tree) tree = {0};
        bool fractions = cases[i].fractions;
        struct expr *limit;

        init(&tree);
        limit = weak(&tree, cases[i].limit, fractions);
        range(&tree, weak(&tree, cases[i].start, fractions), cases[i].limit_only ? NULL : limit,
              cases[i].limit_only ? NULL : weak(&tree, cases[i].delta, fractions));
        check_numbers(&tree, fractions ? DTYPE_FLOAT32 : DTYPE_INT32, cases[i].count,
                      cases[i].expected);
    }
}

static void
the_highest_dtype_wins(void **state)
{
    static const enum dtype cases[][4] = {
        {DTYPE_INT32, DTYPE_INT32, DTYPE_INT32, DTYPE_INT32},
        {DTYPE_INT32, DTYPE_INT64, DTYPE_INT32, DTYPE_INT64},
        {DTYPE_INT64, DTYPE_FLOAT32, DTYPE_INT32, DTYPE_FLOAT32},
        {DTYPE_FLOAT32, DTYPE_FLOAT64, DTYPE_INT32, DTYPE_FLOAT64},
        {DTYPE_INT32, DTYPE_INT32, DTYPE_FLOAT64, DTYPE_FLOAT64},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};

        init(&tree);
        range(&tree, typed(&tree, cases[i][0], 0), typed(&tree, cases[i][1], 7),
              typed(&tree, cases[i][2], 2));
        evaluate(&tree, &out);
        check_type(&out, cases[i][3], exprs_shape(1, 4));
    }
}

/* What does not fit int32 is int64, and a stated dtype goes before. */
static void
weak_numbers_have_pythons_dtypes(void **state)
{
    AUTO(expr_tree) wide = {0}, stated = {0}, fraction = {0};
    AUTO(tensor) out = {0}, stated_out = {0};

    (void)state;
    init(&wide);
    range(&wide, exprs_weak_int(&wide, (int64_t)1 << 40),
          exprs_weak_int(&wide, ((int64_t)1 << 40) + 3), NULL);
    evaluate(&wide, &out);
    check_type(&out, DTYPE_INT64, exprs_shape(1, 3));
    assert_int_equal(((const int64_t *)(const void *)out.data)[2], ((int64_t)1 << 40) + 2);
    init(&stated);
    exprs_set_dtype(range(&stated, exprs_weak_int(&stated, 3), NULL, NULL), "dtype", DTYPE_FLOAT64);
    evaluate(&stated, &stated_out);
    check_type(&stated_out, DTYPE_FLOAT64, exprs_shape(1, 3));
    init(&fraction);
    exprs_set_dtype(range(&fraction, exprs_weak_float(&fraction, 2.5), NULL, NULL), "dtype",
                    DTYPE_INT32);
    check_refused(&fraction, "Expected int32, got 2.5 of type 'float' instead");
}

static void
integer_ranges_reach_the_ends_of_their_dtype(void **state)
{
    AUTO(expr_tree) up = {0}, down = {0};
    AUTO(tensor) out = {0}, down_out = {0};

    (void)state;
    init(&up);
    range(&up, typed(&up, DTYPE_INT32, INT32_MIN), typed(&up, DTYPE_INT32, INT32_MAX),
          exprs_weak_int(&up, INT32_MAX));
    evaluate(&up, &out);
    check_type(&out, DTYPE_INT32, exprs_shape(1, 3));
    assert_int_equal(((const int32_t *)(const void *)out.data)[2], INT32_MAX - 1);
    init(&down);
    range(&down, exprs_weak_int(&down, INT64_MAX), exprs_weak_int(&down, INT64_MIN),
          exprs_weak_int(&down, INT64_MIN));
    evaluate(&down, &down_out);
    check_type(&down_out, DTYPE_INT64, exprs_shape(1, 2));
    assert_int_equal(((const int64_t *)(const void *)down_out.data)[1], -1);
}

static void
ranges_tensorflow_refuses_are_refused(void **state)
{
    static const struct {
        double start, limit, delta;
        bool fractions;
        const char *text;
    } cases[] = {
        {0, 5, 0, false, "Requires delta != 0: 0"},
        {0, 5, 0, true, "Requires delta != 0: 0"},
        {5, 0, 1, false, "Requires start <= limit when delta > 0: 5/0"},
        {5.5, 0, 1, true, "Requires start <= limit when delta > 0: 5.5/0"},
        {0, 5, -1, false, "Requires start >= limit when delta < 0: 0/5"},
        {0, 5, -0.5, true, "Requires start >= limit when delta < 0: 0/5"},
        {0, INFINITY, 1, true, "limit must be a finite number"},
        {0, 1e30, 1e-30, true, "more elements than the limit"},
        {0, 9e18, 1, false, "more elements than the limit"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(expr_tree) tree = {0};

        init(&tree);
        range(&tree, weak(&tree, cases[i].start, cases[i].fractions),
              weak(&tree, cases[i].limit, cases[i].fractions),
              weak(&tree, cases[i].delta, cases[i].fractions));
        check_refused(&tree, cases[i].text);
    }
}

static void
ranges_are_made_of_scalars_of_four_dtypes(void **state)
{
    static const int32_t two[] = {1, 2};
    static const uint8_t byte = 9;
    AUTO(expr_tree) vector = {0}, small = {0};

    (void)state;
    init(&vector);
    range(&vector, int32s(&vector, exprs_shape(1, 2), two), NULL, NULL);
    check_refused(&vector, "start must be a scalar, not shape [2]");
    init(&small);
    range(&small, exprs_literal(&small, DTYPE_UINT8, exprs_shape(0), &byte), NULL, NULL);
    check_refused(&small, "start is uint8, only int32 int64 float32 float64 are possible");
}

/* --- sums ---------------------------------------------------------------------------------- */

/* Every element by itself, against the loop; and some far from the start. */
static void
check_sums32(float start, float delta, uint64_t count)
{
    struct op_progression p = {.dtype = DTYPE_FLOAT32, .start_f64 = start, .delta_f64 = delta};
    float value = start, found;

    for (uint64_t i = 0; i < count; i++) {
        op_progression_fill(&p, i, 1, &found);
        if (memcmp(&found, &value, sizeof found) != 0)
            fail_msg("%a + %d * %a is %a, not %a", (double)start, (int)i, (double)delta,
                     (double)found, (double)value);
        value += delta;
    }
}

static void
check_sums64(double start, double delta, uint64_t count)
{
    struct op_progression p = {.dtype = DTYPE_FLOAT64, .start_f64 = start, .delta_f64 = delta};
    double value = start, found;

    for (uint64_t i = 0; i < count; i++) {
        op_progression_fill(&p, i, 1, &found);
        if (memcmp(&found, &value, sizeof found) != 0)
            fail_msg("%a + %d * %a is %a, not %a", start, (int)i, delta, found, value);
        value += delta;
    }
}

static void
sums_are_those_of_a_loop(void **state)
{
    static const float cases[][2] = {
        {0, 0.1f},
        {-10, 0.1f},
        {10, -0.1f},
        {0, 1},
        {0, 1e-45f},
        {-1e-43f, 1e-45f},
        {3e-39f, -3e-42f},
        {16777210, 1},
        {16777216, 1},
        {16777215, 3},
        {8388607, 0.5f},
        {8388608, 0.5f},
        {8388609, 1.5f},
        {-16777300, 0.7f},
        {1, 5.9604645e-8f},
        {1, 8.940697e-8f},
        {1, 1.1920929e-7f},
        {-1, 5.9604645e-8f},
        {1.5f, -5.9604645e-8f},
        {FLT_MAX, 1e38f},
        {0.5f, -1.4e-4f},
        {-0.0f, -0.0f},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_sums32(cases[i][0], cases[i][1], 3000);
        check_sums64((double)cases[i][0], (double)cases[i][1], 3000);
    }
    check_sums64(0, 0.1, 3000);
    check_sums64(9007199254740000.0, 1.5, 3000);
    check_sums64(-9007199254741500.0, 0.5, 5000);
    check_sums64(5e-324 * 4000, -5e-324, 5000);
}

/* Starts and deltas of any bits near each other in size, so that sums lose some of their bits. */
static void
sums_of_many_pairs_are_those_of_a_loop(void **state)
{
    uint64_t random = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        double start, delta;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        start = ldexp((double)(random & 0xff) + 1, (int)(random >> 8 & 15) - 8);
        delta = ldexp((double)(random >> 12 & 0x1ff) + 1, (int)(random >> 21 & 31) - 30);
        check_sums32((float)(random >> 40 & 1 ? -start : start),
                     (float)(random >> 41 & 1 ? -delta : delta), 200);
    }
}

static void
sums_far_from_the_start_are_those_of_a_loop(void **state)
{
    enum { FAR = 3000017 };
    struct op_progression p = {.dtype = DTYPE_FLOAT32, .start_f64 = -1000, .delta_f64 = 0.1f};
    float value = -1000, found;

    (void)state;
    for (int i = 0; i < FAR; i++)
        value += 0.1f;
    op_progression_fill(&p, FAR, 1, &found);
    assert_true(found == value);
    p.start_f64 = 0;
    p.delta_f64 = 1;
    op_progression_fill(&p, (uint64_t)1 << 40, 1, &found);
    assert_true(found == 16777216.0f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_have_tensorflows_numbers),
        cmocka_unit_test(the_highest_dtype_wins),
        cmocka_unit_test(weak_numbers_have_pythons_dtypes),
        cmocka_unit_test(integer_ranges_reach_the_ends_of_their_dtype),
        cmocka_unit_test(ranges_tensorflow_refuses_are_refused),
        cmocka_unit_test(ranges_are_made_of_scalars_of_four_dtypes),
        cmocka_unit_test(sums_are_those_of_a_loop),
        cmocka_unit_test(sums_of_many_pairs_are_those_of_a_loop),
        cmocka_unit_test(sums_far_from_the_start_are_those_of_a_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
