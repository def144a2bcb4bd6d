/* Shape ops: what is refused, in TensorFlow's words; those that only rename; fills seen through. */
#include "tests/unit/service/ops_shapes.h"

static struct expr *
matrix(struct expr_tree *tree)
{
    static const int32_t six[] = {1, 2, 3, 4, 5, 6};

    return int32s(tree, exprs_shape(2, 2, 3), six);
}

static struct expr *
text(struct expr_tree *tree)
{
    return exprs_set_dtype(exprs_set_shape(exprs_op(tree, "zeros", 0), "shape", exprs_shape(1, 2)),
                           "dtype", DTYPE_STRING);
}

/* One op on the matrix with one list of integers. */
struct refusal {
    const char *op, *attr;
    uint32_t count;
    int64_t values[4];
    const char *text;
};

static void
lists_that_do_not_fit_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"transpose",
         "perm",
         3,
         {0, 1, 2},
         "transpose expects a vector of size 2. But input(1) is a vector of size 3"},
        {"transpose", "perm", 2, {0, 2}, "2 is out of range [0 .. 2)"},
        {"transpose", "perm", 2, {0, -1}, "-1 is out of range [0 .. 2)"},
        {"transpose", "perm", 2, {1, 1}, "perm names dimension 1 twice"},
        {"tile",
         "multiples",
         1,
         {2},
         "Expected multiples argument to be a vector of length 2 but got length 1"},
        {"tile", "multiples", 2, {1, -1}, "Expected multiples[1] >= 0, but got -1"},
        {"tile", "multiples", 2, {INT64_MAX, INT64_MAX}, "more elements than the limit"},
        {"squeeze", "axis", 1, {0}, "Can not squeeze dim[0], expected a dimension of 1, got 2"},
        {"squeeze", "axis", 1, {2}, "axis = 2 not in [-2, 2)"},
        {"squeeze", "axis", 1, {-3}, "axis = -3 not in [-2, 2)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(expr_tree) tree = {0};

        init(&tree);
        set_ints(exprs_op(&tree, cases[i].op, 1, matrix(&tree)), cases[i].attr, cases[i].count,
                 cases[i].values);
        check_refused(&tree, cases[i].text);
    }
}

static void
slices_past_the_ends_are_refused(void **state)
{
    static const struct {
        uint32_t count;
        int64_t begin[3], size[3];
        const char *text;
    } cases[] = {
        {2, {0, 4}, {1, 0}, "Expected begin[1] in [0, 3], but got 4"},
        {2, {-1, 0}, {1, 1}, "Expected begin[0] in [0, 2], but got -1"},
        {2, {0, 1}, {1, 3}, "Expected size[1] in [0, 2], but got 3"},
        {2, {0, 1}, {1, -2}, "Expected size[1] in [0, 2], but got -2"},
        {2, {0, 1}, {1, INT64_MAX}, "Expected size[1] in [0, 2], but got 9223372036854775807"},
        {3, {0, 0, 0}, {1, 1, 1}, "Expected begin and size arguments to be 1-D tensors of size 2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(expr_tree) tree = {0};
        struct expr *node;

        init(&tree);
        node = exprs_op(&tree, "slice", 1, matrix(&tree));
        set_ints(node, "begin", cases[i].count, cases[i].begin);
        set_ints(node, "size", cases[i].count, cases[i].size);
        check_refused(&tree, cases[i].text);
    }
}

static void
joins_of_different_shapes_are_refused(void **state)
{
    static const float zero;
    AUTO(expr_tree)
    sizes = {0}, ranks = {0}, axis = {0}, scalars = {0}, dtypes = {0}, stacked = {0};
    struct expr *node;

    (void)state;
    init(&sizes);
    node = places_of(&sizes, FROM_LITERAL, exprs_shape(2, 3, 4));
    set_i64(exprs_op(&sizes, "concat", 2, matrix(&sizes), node), "axis", 0);
    check_refused(&sizes,
                  "Dimension 1 in both shapes must be equal, but are 3 and 4: [2,3] and [3,4]");
    init(&ranks);
    node = places_of(&ranks, FROM_LITERAL, exprs_shape(1, 3));
    set_i64(exprs_op(&ranks, "concat", 2, matrix(&ranks), node), "axis", 0);
    check_refused(&ranks, "Shapes must be equal rank, but are 2 and 1: [2,3] and [3]");
    init(&axis);
    set_i64(exprs_op(&axis, "concat", 2, matrix(&axis), matrix(&axis)), "axis", -3);
    check_refused(&axis, "axis = -3 not in [-2, 2)");
    init(&scalars);
    node = exprs_weak_int(&scalars, 1);
    set_i64(exprs_op(&scalars, "concat", 2, node, exprs_weak_int(&scalars, 2)), "axis", 0);
    check_refused(&scalars, "Can't concatenate scalars");
    init(&dtypes);
    node = exprs_float32(&dtypes, exprs_shape(0), &zero);
    exprs_op(&dtypes, "stack", 2, node, int32s(&dtypes, exprs_shape(0), (const int32_t[]){1}));
    check_refused(&dtypes, "float32[], values is int32[]: dtypes must match");
    init(&stacked);
    set_i64(exprs_op(&stacked, "stack", 1, matrix(&stacked)), "axis", 3);
    check_refused(&stacked, "axis = 3 not in [-3, 3)");
}

static void
gathering_past_the_end_is_refused(void **state)
{
    static const int32_t past[] = {0, 1, 2, 0}, negative[] = {-1};
    static const float floats[] = {0};
    AUTO(expr_tree) tree = {0}, below = {0}, scalar = {0}, kind = {0};
    struct expr *params;

    (void)state;
    init(&tree);
    params = matrix(&tree);
    exprs_op(&tree, "gather", 2, params, int32s(&tree, exprs_shape(2, 2, 2), past));
    check_refused(&tree, "indices[1,0] = 2 is not in [0, 2)");
    init(&below);
    params = matrix(&below);
    exprs_op(&below, "gather", 2, params, int32s(&below, exprs_shape(0), negative));
    check_refused(&below, "indices = -1 is not in [0, 2)");
    init(&scalar);
    params = exprs_weak_int(&scalar, 1);
    exprs_op(&scalar, "gather", 2, params, exprs_weak_int(&scalar, 0));
    check_refused(&scalar, "params must be at least 1 dimensional, it is int32[]");
    init(&kind);
    params = matrix(&kind);
    exprs_op(&kind, "gather", 2, params, exprs_float32(&kind, exprs_shape(1, 1), floats));
    check_refused(&kind, "indices must be int32 or int64, not float32[1]");
}

static void
paddings_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        int rank, rows, columns;
        int64_t mode;
        int32_t values[6];
        const char *text;
    } cases[] = {
        {1, 2, 0, 0, {1, 1}, "paddings must be a matrix with 2 columns: [2]"},
        {2, 2, 3, 0, {0}, "paddings must be a matrix with 2 columns: [2,3]"},
        {2,
         1,
         2,
         0,
         {1, 1},
         "The first dimension of paddings must be the rank of inputs[1,2] [2,3]"},
        {2, 2, 2, 0, {0, 0, -1, 0}, "Paddings must be non-negative: -1 0"},
        {2,
         2,
         2,
         1,
         {0, 2, 0, 0},
         "paddings must be less than the dimension size: 0, 2 not less than 2"},
        {2,
         2,
         2,
         2,
         {0, 2, 4, 0},
         "paddings must be no greater than the dimension size: 4, 0 greater than 3"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO(expr_tree) tree = {0};
        struct expr *node, *padding;

        init(&tree);
        node = matrix(&tree);
        padding =
            int32s(&tree, exprs_shape((uint32_t)cases[i].rank, cases[i].rows, cases[i].columns),
                   cases[i].values);
        node = exprs_set_tensor(exprs_op(&tree, "pad", 1, node), "paddings", padding);
        set_i64(node, "mode", cases[i].mode);
        check_refused(&tree, cases[i].text);
    }
}

static void
strings_have_no_shape_ops_that_move_elements(void **state)
{
    static const char *const ops[] = {"transpose", "tile", "slice", "concat", "stack", "pad"};

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        AUTO(expr_tree) tree = {0};
        static const int64_t one[] = {0};
        static const int32_t padding[] = {0, 0};
        struct expr *node, *literal;

        init(&tree);
        literal = int32s(&tree, exprs_shape(2, 1, 2), padding);
        node = exprs_op(&tree, ops[i], 1, text(&tree));
        if (i == 1)
            set_ints(node, "multiples", 1, one);
        if (i == 2)
            set_ints(node, "begin", 1, one);
        if (i == 2)
            set_ints(node, "size", 1, one);
        if (i == 3)
            set_i64(node, "axis", 0);
        if (i == 5)
            exprs_set_tensor(node, "paddings", literal);
        check_refused(&tree, "dtype string is not possible, only float16");
    }
}

/* --- renaming ------------------------------------------------------------------------------ */

static void
expand_dims_and_squeeze_keep_the_elements(void **state)
{
    static const int64_t axes[] = {0, 1, 2, -1, -3};
    static const int dims[][3] = {{1, 2, 3}, {2, 1, 3}, {2, 3, 1}, {2, 3, 1}, {1, 2, 3}};
    static const int32_t six[] = {1, 2, 3, 4, 5, 6};
    AUTO(expr_tree) chosen = {0};
    struct expr *node;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        AUTO(expr_tree) tree = {0}, back = {0};

        init(&tree);
        set_i64(exprs_op(&tree, "expand_dims", 1, matrix(&tree)), "dim", axes[i]);
        check_int32(&tree, exprs_shape(3, dims[i][0], dims[i][1], dims[i][2]), six);
        init(&back);
        node = exprs_op(&back, "expand_dims", 1, matrix(&back));
        set_i64(node, "axis", axes[i]);
        exprs_op(&back, "squeeze", 1, node);
        check_int32(&back, exprs_shape(2, 2, 3), six);
    }
    init(&chosen);
    node = int32s(&chosen, exprs_shape(4, 1, 6, 1, 1), six);
    set_ints(exprs_op(&chosen, "squeeze", 1, node), "squeeze_dims", 2, (const int64_t[]){0, -1});
    check_int32(&chosen, exprs_shape(2, 6, 1), six);
}

static void
ranks_end_at_their_limit(void **state)
{
    struct shape shape = {.rank = SHAPE_RANK_MAX};
    AUTO(expr_tree) expanded = {0}, stacked = {0}, gathered = {0}, hot = {0}, beyond = {0};
    struct expr *a, *b;

    (void)state;
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = 1;
    init(&expanded);
    set_i64(exprs_op(&expanded, "expand_dims", 1, int32s(&expanded, shape, (const int32_t[]){1})),
            "axis", 5);
    check_refused(&expanded, "the result has rank 33, the limit is 32");
    init(&stacked);
    exprs_op(&stacked, "stack", 1, int32s(&stacked, shape, (const int32_t[]){1}));
    check_refused(&stacked, "the result has rank 33, the limit is 32");
    init(&gathered);
    a = int32s(&gathered, shape, (const int32_t[]){1});
    b = int32s(&gathered, shape, (const int32_t[]){0});
    exprs_op(&gathered, "gather", 2, a, b);
    check_refused(&gathered, "the result has rank 63, the limit is 32");
    init(&hot);
    set_i64(exprs_op(&hot, "one_hot", 1, int32s(&hot, shape, (const int32_t[]){0})), "depth", 1);
    check_refused(&hot, "the result has rank 33, the limit is 32");
    init(&beyond);
    set_i64(exprs_op(&beyond, "expand_dims", 1, matrix(&beyond)), "axis", 3);
    check_refused(&beyond, "axis = 3 not in [-3, 3)");
}

/* --- fills --------------------------------------------------------------------------------- */

static struct expr *
sevens(struct expr_tree *tree, struct shape shape)
{
    struct expr *value = exprs_weak_int(tree, 7);
    struct expr *node = exprs_set_shape(exprs_op(tree, "fill", 0), "dims", shape);

    return exprs_set_tensor(node, "value", value);
}

static bool
is_fill_of_seven(struct expr_tree *tree)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];
    int32_t value = 0;

    assert_int_equal(expr_infer(tree, NULL, DTYPE_UNSET, NULL), OK);
    if (!expr_constant_fill(tree, element))
        return false;
    memcpy(&value, element, sizeof value);
    assert_int_equal(value, 7);
    return true;
}

static void
fills_stay_fills_through_shape_ops(void **state)
{
    static const int64_t zeros[] = {0, 0}, twos[] = {2, 2};
    AUTO(expr_tree) tree = {0}, joined = {0}, mixed = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    node = exprs_op(&tree, "transpose", 1, sevens(&tree, exprs_shape(2, 3, 4)));
    node = exprs_op(&tree, "slice", 1, node);
    set_ints(node, "begin", 2, zeros);
    set_ints(node, "size", 2, twos);
    node = exprs_op(&tree, "tile", 1, node);
    set_ints(node, "multiples", 2, twos);
    node = exprs_op(&tree, "expand_dims", 1, node);
    set_i64(node, "axis", 0);
    exprs_op(&tree, "squeeze", 1, node);
    assert_true(is_fill_of_seven(&tree));
    init(&joined);
    node = sevens(&joined, exprs_shape(2, 3, 4));
    set_i64(exprs_op(&joined, "concat", 2, node, sevens(&joined, exprs_shape(2, 1, 4))), "axis", 0);
    assert_true(is_fill_of_seven(&joined));
    init(&mixed);
    exprs_op(&mixed, "stack", 2, sevens(&mixed, exprs_shape(0)), exprs_weak_int(&mixed, 8));
    assert_false(is_fill_of_seven(&mixed));
}

/* Twice the way down at each level: nothing may walk all of them. */
static void
joins_of_joins_are_looked_at_once(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *node;

    (void)state;
    init(&tree);
    node = sevens(&tree, exprs_shape(1, 0));
    for (int i = 0; i < EXPR_DEPTH_MAX - 1; i++) {
        node = exprs_op(&tree, "concat", 2, node, node);
        set_i64(node, "axis", 0);
    }
    evaluate(&tree, &out);
    check_type(&out, DTYPE_INT32, exprs_shape(1, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_that_do_not_fit_are_refused),
        cmocka_unit_test(slices_past_the_ends_are_refused),
        cmocka_unit_test(joins_of_different_shapes_are_refused),
        cmocka_unit_test(gathering_past_the_end_is_refused),
        cmocka_unit_test(paddings_that_do_not_fit_are_refused),
        cmocka_unit_test(strings_have_no_shape_ops_that_move_elements),
        cmocka_unit_test(expand_dims_and_squeeze_keep_the_elements),
        cmocka_unit_test(ranks_end_at_their_limit),
        cmocka_unit_test(fills_stay_fills_through_shape_ops),
        cmocka_unit_test(joins_of_joins_are_looked_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
