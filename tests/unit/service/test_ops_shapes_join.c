/* concat, stack, gather, pad: every element against arithmetic on coordinates, from all kinds of
 * source, whole and in pieces. */
#include "tests/unit/service/ops_shapes.h"

/* --- concat and stack ---------------------------------------------------------------------- */

static int first_size; /* of the dimension joined, in the first argument */

/* Both arguments have places in [3, 4, first_size or 2 * first_size, 5]; this is axis 2. */
static int64_t
at_joined(const uint64_t *at)
{
    uint64_t size = (uint64_t)first_size, k = at[2];

    if (k >= size) {
        k -= size;
        size *= 2;
    }
    return (int64_t)(((at[0] * 4 + at[1]) * size + k) * 5 + at[3]);
}

static void
concat_joins_along_a_dimension(void **state)
{
    static const int sizes[] = {1, 3, 101};

    (void)state;
    for (int i = 0; i < 9; i++) {
        enum source_kind kind = (enum source_kind)(i % SOURCE_KINDS);
        AUTO(expr_tree) tree = {0};
        struct expr *a, *b;

        first_size = sizes[i / 3];
        init(&tree);
        a = places_of(&tree, kind, exprs_shape(4, 3, 4, first_size, 5));
        b = places_of(&tree, kind, exprs_shape(4, 3, 4, 2 * first_size, 5));
        set_i64(exprs_op(&tree, "concat", 2, a, b), "axis", i % 2 == 0 ? 2 : -2);
        check_each(&tree, exprs_shape(4, 3, 4, 3 * first_size, 5), at_joined);
    }
}

static int64_t
at_halves(const uint64_t *at)
{
    return (int64_t)(at[0] < 7001 ? at[0] : at[0] - 7001);
}

static void
concat_of_vectors_of_nothing_and_of_one(void **state)
{
    AUTO(expr_tree) tree = {0}, one = {0};
    struct expr *a, *b, *none;

    (void)state;
    init(&tree);
    none = int32s(&tree, exprs_shape(1, 0), NULL);
    a = places_of(&tree, FROM_OP, exprs_shape(1, 7001));
    b = places_of(&tree, FROM_VARIABLE, exprs_shape(1, 2003));
    set_i64(exprs_op(&tree, "concat", 4, none, a, none, b), "axis", 0);
    check_each(&tree, exprs_shape(1, 9004), at_halves);
    init(&one);
    a = places_of(&one, FROM_LITERAL, exprs_shape(1, 5));
    set_i64(exprs_op(&one, "concat", 1, a), "axis", -1);
    check_each(&one, exprs_shape(1, 5), at_halves);
}

static int64_t
at_front(const uint64_t *at)
{
    return (int64_t)(at[1] * 409 + at[2]);
}

static int64_t
at_middle(const uint64_t *at)
{
    return (int64_t)(at[0] * 409 + at[2]);
}

static int64_t
at_end(const uint64_t *at)
{
    return (int64_t)(at[0] * 409 + at[1]);
}

static void
stack_makes_a_new_dimension(void **state)
{
    (void)state;
    for (int i = 0; i < 9; i++) {
        static expected_at *const expected[] = {at_front, at_middle, at_end};
        enum source_kind kind = (enum source_kind)(i % SOURCE_KINDS);
        int axis = i / 3;
        struct shape to = exprs_shape(3, axis == 0 ? 2 : 13,
                                      axis == 1   ? 2
                                      : axis == 0 ? 13
                                                  : 409,
                                      axis == 2 ? 2 : 409);
        AUTO(expr_tree) tree = {0};
        struct expr *a, *b;

        init(&tree);
        a = places_of(&tree, kind, exprs_shape(2, 13, 409));
        b = places_of(&tree, kind, exprs_shape(2, 13, 409));
        set_i64(exprs_op(&tree, "stack", 2, a, b), "axis", i % 2 == 0 ? axis : axis - 3);
        check_each(&tree, to, expected[axis]);
    }
}

static void
stack_of_scalars_settles_weak_numbers(void **state)
{
    static const float expected[] = {1, 2.5f, 3};
    static const int32_t repeated[] = {1, 7, 1, 7};
    AUTO(expr_tree) tree = {0}, twice = {0};
    AUTO(tensor) out = {0};
    struct expr *a, *b;

    (void)state;
    init(&tree);
    a = exprs_weak_int(&tree, 1);
    b = exprs_weak_float(&tree, 2.5);
    exprs_op(&tree, "stack", 3, a, b, exprs_weak_int(&tree, 3));
    evaluate(&tree, &out);
    check_type(&out, DTYPE_FLOAT32, exprs_shape(1, 3));
    assert_memory_equal(out.data, expected, sizeof expected);
    init(&twice);
    a = exprs_op(&twice, "stack", 2, exprs_weak_int(&twice, 1), exprs_weak_int(&twice, 7));
    exprs_op(&twice, "stack", 2, a, a);
    check_int32(&twice, exprs_shape(2, 2, 2), repeated);
}

/* --- gather -------------------------------------------------------------------------------- */

static const int32_t picked[] = {4, 0, 1, 2, 2, 8};

static int64_t
at_picked(const uint64_t *at)
{
    return picked[at[0] * 3 + at[1]] * 1013 + (int64_t)at[2];
}

static void
gather_takes_parts_by_index(void **state)
{
    (void)state;
    for (int kind = 0; kind < SOURCE_KINDS; kind++) {
        AUTO(expr_tree) tree = {0};
        struct expr *params, *indices;

        init(&tree);
        params = places_of(&tree, (enum source_kind)kind, exprs_shape(2, 9, 1013));
        indices = int32s(&tree, exprs_shape(2, 2, 3), picked);
        exprs_op(&tree, "gather", 2, params, indices);
        check_each(&tree, exprs_shape(3, 2, 3, 1013), at_picked);
    }
}

static int64_t
at_itself(const uint64_t *at)
{
    return (int64_t)at[0];
}

static void
gather_takes_computed_indices(void **state)
{
    (void)state;
    for (int kind = 0; kind < SOURCE_KINDS; kind++) {
        AUTO(expr_tree) tree = {0};
        struct expr *params, *indices;

        init(&tree);
        params = places_of(&tree, FROM_LITERAL, exprs_shape(1, 9001));
        indices = places_of(&tree, (enum source_kind)kind, exprs_shape(1, 9001));
        exprs_op(&tree, "gather", 2, params, indices);
        check_each(&tree, exprs_shape(1, 9001), at_itself);
    }
}

static void
gather_of_a_scalar_and_of_nothing(void **state)
{
    static const int32_t expected[] = {4, 5};
    AUTO(expr_tree) scalar = {0}, nothing = {0}, narrow = {0};
    struct expr *params;

    (void)state;
    init(&scalar);
    params = places_of(&scalar, FROM_LITERAL, exprs_shape(2, 3, 2));
    exprs_op(&scalar, "gather", 2, params, exprs_weak_int(&scalar, 2));
    check_int32(&scalar, exprs_shape(1, 2), expected);
    init(&nothing);
    params = places_of(&nothing, FROM_LITERAL, exprs_shape(2, 3, 2));
    exprs_op(&nothing, "gather", 2, params, int32s(&nothing, exprs_shape(1, 0), NULL));
    check_int32(&nothing, exprs_shape(2, 0, 2), NULL);
    init(&narrow);
    params = places_of(&narrow, FROM_LITERAL, exprs_shape(2, 3, 0));
    exprs_op(&narrow, "gather", 2, params, int32s(&narrow, exprs_shape(2, 2, 3), picked));
    check_int32(&narrow, exprs_shape(3, 2, 3, 0), NULL);
}

/* Filled arguments are not in memory, yet an op may want them there. */
static void
gather_with_indices_that_are_all_one(void **state)
{
    static const int32_t expected[] = {2, 3, 2, 3, 2, 3};
    AUTO(expr_tree) tree = {0};
    struct expr *params, *indices;

    (void)state;
    init(&tree);
    params = places_of(&tree, FROM_LITERAL, exprs_shape(2, 3, 2));
    indices = exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(1, 3));
    exprs_set_dtype(indices, "dtype", DTYPE_INT32);
    exprs_op(&tree, "gather", 2, params, indices);
    check_int32(&tree, exprs_shape(2, 3, 2), expected);
}

/* --- pad ----------------------------------------------------------------------------------- */

enum { PAD_CONSTANT, PAD_REFLECT, PAD_SYMMETRIC };

static int32_t paddings[6];
static int mode, sizes[3];

/* -1: nowhere */
static int64_t
back(uint64_t at, int dim)
{
    int64_t size = sizes[dim], i = (int64_t)at - paddings[dim * 2];

    if (mode == PAD_CONSTANT)
        return i >= 0 && i < size ? i : -1;
    if (i < 0)
        i = mode == PAD_REFLECT ? -i : -i - 1;
    if (i >= size)
        i = mode == PAD_REFLECT ? 2 * size - 2 - i : 2 * size - 1 - i;
    return i;
}

static int64_t
at_padded(const uint64_t *at)
{
    int64_t a = back(at[0], 0), b = back(at[1], 1), c = back(at[2], 2);

    return a < 0 || b < 0 || c < 0 ? 0 : (a * sizes[1] + b) * sizes[2] + c;
}

static void
check_pad(enum source_kind kind)
{
    AUTO(expr_tree) tree = {0};
    struct expr *node, *padding;

    init(&tree);
    node = places_of(&tree, kind, exprs_shape(3, sizes[0], sizes[1], sizes[2]));
    padding = int32s(&tree, exprs_shape(2, 3, 2), paddings);
    node = exprs_set_tensor(exprs_op(&tree, "pad", 1, node), "paddings", padding);
    set_i64(node, "mode", mode);
    check_each(&tree,
               exprs_shape(3, sizes[0] + paddings[0] + paddings[1],
                           sizes[1] + paddings[2] + paddings[3],
                           sizes[2] + paddings[4] + paddings[5]),
               at_padded);
}

static void
pad_surrounds_with_zeros_or_mirrors(void **state)
{
    static const int32_t cases[][6] = {
        {0, 0, 0, 0, 0, 0}, {1, 2, 3, 0, 0, 4}, {0, 0, 2, 2, 0, 0}, {2, 1, 0, 0, 0, 0},
        {0, 0, 0, 0, 4, 3}, {3, 3, 6, 6, 4, 4}, {0, 1, 0, 5, 1, 0},
    };
    static const int shapes[][3] = {{4, 7, 5}, {5, 61, 43}, {4, 7, 1201}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(paddings, cases[i], sizeof paddings);
        for (size_t shape = 0; shape < 3; shape++) {
            memcpy(sizes, shapes[shape], sizeof sizes);
            for (mode = PAD_CONSTANT; mode <= PAD_SYMMETRIC; mode++)
                check_pad((enum source_kind)((i + shape + (size_t)mode) % SOURCE_KINDS));
        }
    }
}

static void
pad_makes_zeros_of_nothing(void **state)
{
    static const int32_t expected[3] = {0};
    static const int64_t one_two[] = {1, 2};
    static const int32_t nine = 9;
    AUTO(expr_tree) tree = {0}, scalar = {0};
    struct expr *node, *padding;

    (void)state;
    init(&tree);
    node = int32s(&tree, exprs_shape(1, 0), NULL);
    padding = exprs_literal(&tree, DTYPE_INT64, exprs_shape(2, 1, 2), one_two);
    exprs_set_tensor(exprs_op(&tree, "pad", 1, node), "paddings", padding);
    check_int32(&tree, exprs_shape(1, 3), expected);
    init(&scalar);
    node = int32s(&scalar, exprs_shape(0), &nine);
    padding = int32s(&scalar, exprs_shape(2, 0, 2), NULL);
    exprs_set_tensor(exprs_op(&scalar, "pad", 1, node), "paddings", padding);
    check_int32(&scalar, exprs_shape(0), &nine);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(concat_joins_along_a_dimension),
        cmocka_unit_test(concat_of_vectors_of_nothing_and_of_one),
        cmocka_unit_test(stack_makes_a_new_dimension),
        cmocka_unit_test(stack_of_scalars_settles_weak_numbers),
        cmocka_unit_test(gather_takes_parts_by_index),
        cmocka_unit_test(gather_takes_computed_indices),
        cmocka_unit_test(gather_of_a_scalar_and_of_nothing),
        cmocka_unit_test(gather_with_indices_that_are_all_one),
        cmocka_unit_test(pad_surrounds_with_zeros_or_mirrors),
        cmocka_unit_test(pad_makes_zeros_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
