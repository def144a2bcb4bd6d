/* transpose, slice, tile: every element against arithmetic on coordinates, from all
 * kinds of source, whole and in pieces. */
#include "tests/unit/service/ops_shapes.h"

/* The source of most: int32[11, 37, 29], more than two tiles, nothing a multiple of anything. */
enum { D0 = 11, D1 = 37, D2 = 29 };

static struct shape
big(void)
{
    return exprs_shape(3, D0, D1, D2);
}

static int64_t
place(uint64_t a, uint64_t b, uint64_t c)
{
    return (int64_t)((a * D1 + b) * D2 + c);
}

typedef struct expr *make_op(struct expr_tree *tree, struct expr *source);

static void
check_from_everywhere(struct shape from, make_op *make, struct shape to, expected_at *expected)
{
    for (int kind = 0; kind < SOURCE_KINDS; kind++) {
        AUTO(expr_tree) tree = {0};

        init(&tree);
        make(&tree, places_of(&tree, (enum source_kind)kind, from));
        check_each(&tree, to, expected);
    }
}

static struct expr *
with_ints(struct expr *node, const char *name, uint32_t count, const int64_t *values)
{
    set_ints(node, name, count, values);
    return node;
}

/* --- transpose ----------------------------------------------------------------------------- */

#define PERM(name, a, b, c)                                                                        \
    static struct expr *name(struct expr_tree *tree, struct expr *source)                          \
    {                                                                                              \
        static const int64_t perm[] = {a, b, c};                                                   \
                                                                                                   \
        return with_ints(exprs_op(tree, "transpose", 1, source), "perm", 3, perm);                 \
    }
PERM(perm_021, 0, 2, 1)
PERM(perm_102, 1, 0, 2)
PERM(perm_120, 1, 2, 0)
PERM(perm_012, 0, 1, 2)

static struct expr *
reversed(struct expr_tree *tree, struct expr *source)
{
    return exprs_op(tree, "transpose", 1, source);
}

static int64_t
at_021(const uint64_t *at)
{
    return place(at[0], at[2], at[1]);
}

static int64_t
at_102(const uint64_t *at)
{
    return place(at[1], at[0], at[2]);
}

static int64_t
at_120(const uint64_t *at)
{
    return place(at[2], at[0], at[1]);
}

static int64_t
at_012(const uint64_t *at)
{
    return place(at[0], at[1], at[2]);
}

static int64_t
at_210(const uint64_t *at)
{
    return place(at[2], at[1], at[0]);
}

static void
transpose_puts_dimensions_in_any_order(void **state)
{
    (void)state;
    check_from_everywhere(big(), perm_021, exprs_shape(3, D0, D2, D1), at_021);
    check_from_everywhere(big(), perm_102, exprs_shape(3, D1, D0, D2), at_102);
    check_from_everywhere(big(), perm_120, exprs_shape(3, D1, D2, D0), at_120);
    check_from_everywhere(big(), perm_012, big(), at_012);
    check_from_everywhere(big(), reversed, exprs_shape(3, D2, D1, D0), at_210);
}

static int64_t
at_10(const uint64_t *at)
{
    return (int64_t)(at[1] * 211 + at[0]);
}

static void
transpose_of_matrices_scalars_and_nothing(void **state)
{
    static const int32_t nine = 9;
    AUTO(expr_tree) scalar = {0}, nothing = {0};

    (void)state;
    check_from_everywhere(exprs_shape(2, 307, 211), reversed, exprs_shape(2, 211, 307), at_10);
    init(&scalar);
    exprs_op(&scalar, "transpose", 1, int32s(&scalar, exprs_shape(0), &nine));
    check_int32(&scalar, exprs_shape(0), &nine);
    init(&nothing);
    exprs_op(&nothing, "transpose", 1, int32s(&nothing, exprs_shape(3, 2, 0, 3), NULL));
    check_int32(&nothing, exprs_shape(3, 3, 0, 2), NULL);
}

static void
transpose_moves_elements_of_every_size(void **state)
{
    (void)state;
    for (uint32_t dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        uint8_t bytes[3 * 5 * OP_ELEMENT_BYTES_MAX];
        uint32_t size = dtype_size((enum dtype)dtype);
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};

        if (dtype == DTYPE_STRING)
            continue;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(i * 7);
        init(&tree);
        exprs_op(&tree, "transpose", 1,
                 exprs_literal(&tree, (enum dtype)dtype, exprs_shape(2, 3, 5), bytes));
        evaluate(&tree, &out);
        for (uint32_t i = 0; i < 15; i++)
            assert_memory_equal(out.data + i * size, bytes + (i % 3 * 5 + i / 3) * size, size);
    }
}

/* --- slice --------------------------------------------------------------------------------- */

#define SLICE(name, ...)                                                                           \
    static struct expr *name(struct expr_tree *tree, struct expr *source)                          \
    {                                                                                              \
        static const int64_t numbers[] = {__VA_ARGS__};                                            \
        struct expr *node = exprs_op(tree, "slice", 1, source);                                    \
                                                                                                   \
        set_ints(node, "begin", 3, numbers);                                                       \
        set_ints(node, "size", 3, numbers + 3);                                                    \
        return node;                                                                               \
    }
SLICE(slice_inside, 2, 5, 7, 6, 31, 19)
SLICE(slice_rest, 3, 0, 1, -1, -1, -1)
SLICE(slice_rows, 1, 0, 0, 9, 37, -1)
SLICE(slice_column, 0, 0, 13, -1, -1, 1)
SLICE(slice_plane, 0, 8, 0, -1, 1, -1)
SLICE(slice_nothing, 11, 0, 0, 0, -1, -1)

static int64_t
at_inside(const uint64_t *at)
{
    return place(at[0] + 2, at[1] + 5, at[2] + 7);
}

static int64_t
at_rest(const uint64_t *at)
{
    return place(at[0] + 3, at[1], at[2] + 1);
}

static int64_t
at_rows(const uint64_t *at)
{
    return place(at[0] + 1, at[1], at[2]);
}

static int64_t
at_column(const uint64_t *at)
{
    return place(at[0], at[1], at[2] + 13);
}

static int64_t
at_plane(const uint64_t *at)
{
    return place(at[0], at[1] + 8, at[2]);
}

static void
slice_takes_a_part(void **state)
{
    (void)state;
    check_from_everywhere(big(), slice_inside, exprs_shape(3, 6, 31, 19), at_inside);
    check_from_everywhere(big(), slice_rest, exprs_shape(3, 8, D1, 28), at_rest);
    check_from_everywhere(big(), slice_rows, exprs_shape(3, 9, D1, D2), at_rows);
    check_from_everywhere(big(), slice_column, exprs_shape(3, D0, D1, 1), at_column);
    check_from_everywhere(big(), slice_plane, exprs_shape(3, D0, 1, D2), at_plane);
    check_from_everywhere(big(), slice_nothing, exprs_shape(3, 0, D1, D2), at_plane);
}

static int64_t
at_matrix_column(const uint64_t *at)
{
    return (int64_t)(at[0] * 5 + 3);
}

static int64_t
at_far_column(const uint64_t *at)
{
    return (int64_t)(at[0] * 71 + 70);
}

/* One element of every row: with small gaps and with large ones. */
static void
slice_takes_a_column(void **state)
{
    static const int64_t three[] = {0, 3}, last[] = {0, 70}, one[] = {-1, 1};

    (void)state;
    for (int kind = 0; kind < SOURCE_KINDS; kind++) {
        AUTO(expr_tree) near = {0}, far = {0};
        struct expr *node;

        init(&near);
        node = places_of(&near, (enum source_kind)kind, exprs_shape(2, 9001, 5));
        node = with_ints(exprs_op(&near, "slice", 1, node), "begin", 2, three);
        set_ints(node, "size", 2, one);
        check_each(&near, exprs_shape(2, 9001, 1), at_matrix_column);
        init(&far);
        node = places_of(&far, (enum source_kind)kind, exprs_shape(2, 907, 71));
        node = with_ints(exprs_op(&far, "slice", 1, node), "begin", 2, last);
        set_ints(node, "size", 2, one);
        check_each(&far, exprs_shape(2, 907, 1), at_far_column);
    }
}

/* --- tile ---------------------------------------------------------------------------------- */

static struct expr *
tile_all(struct expr_tree *tree, struct expr *source)
{
    static const int64_t multiples[] = {2, 1, 3};

    return with_ints(exprs_op(tree, "tile", 1, source), "multiples", 3, multiples);
}

static struct expr *
tile_none(struct expr_tree *tree, struct expr *source)
{
    static const int64_t multiples[] = {2, 0, 3};

    return with_ints(exprs_op(tree, "tile", 1, source), "multiples", 3, multiples);
}

static int64_t
at_modulo(const uint64_t *at)
{
    return place(at[0] % D0, at[1], at[2] % D2);
}

static void
tile_repeats_each_dimension(void **state)
{
    (void)state;
    check_from_everywhere(big(), tile_all, exprs_shape(3, 2 * D0, D1, 3 * D2), at_modulo);
    check_from_everywhere(big(), tile_none, exprs_shape(3, 2 * D0, 0, 3 * D2), at_modulo);
}

static int64_t
at_column_of_two(const uint64_t *at)
{
    return (int64_t)at[0];
}

static void
tile_repeats_single_elements(void **state)
{
    static const int64_t multiples[] = {1, 5000};
    AUTO(expr_tree) tree = {0};

    (void)state;
    init(&tree);
    with_ints(exprs_op(&tree, "tile", 1, places_of(&tree, FROM_OP, exprs_shape(2, 2, 1))),
              "multiples", 2, multiples);
    check_each(&tree, exprs_shape(2, 2, 5000), at_column_of_two);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transpose_puts_dimensions_in_any_order),
        cmocka_unit_test(transpose_of_matrices_scalars_and_nothing),
        cmocka_unit_test(transpose_moves_elements_of_every_size),
        cmocka_unit_test(slice_takes_a_part),
        cmocka_unit_test(slice_takes_a_column),
        cmocka_unit_test(tile_repeats_each_dimension),
        cmocka_unit_test(tile_repeats_single_elements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
