/* random_shuffle and random_crop: known permutations, the words they take, dtypes, pieces, errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/service/random_ops.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "tests/vectors/random_ops.inc"
#pragma GCC diagnostic pop

static struct expr *
shuffle_node(struct expr_tree *tree, struct expr *value, int64_t run)
{
    struct expr *node = exprs_op(tree, "random_shuffle", 1, value);

    set_i64(node, "run", run);
    return exprs_set_seed(node, "seed", SHUFFLE_SEED);
}

static void
shuffles_are_tensorflows_in_every_run(void **state)
{
    (void)state;
    for (int64_t run = 0; run < SHUFFLE_RUNS; run++) {
        AUTO(expr_tree) tree = {0};
        uint8_t *out;

        assert_int_equal(expr_tree_init(&tree, NULL), OK);
        shuffle_node(
            &tree, exprs_literal(&tree, DTYPE_INT64, exprs_shape(1, SHUFFLE_ROWS), shuffle_values),
            run);
        out = evaluate_alone(&tree);
        assert_memory_equal(out, shuffle_expected + run * SHUFFLE_ROWS, sizeof shuffle_values);
        free(out);
    }
}

/* Rows go where the numbers of a vector go, whatever they are made of. */
static void
check_rows(enum dtype dtype, uint32_t columns)
{
    const uint32_t row_bytes = columns * dtype_size(dtype);
    uint8_t *rows = calloc(SHUFFLE_ROWS, row_bytes + 1), *out;
    AUTO(expr_tree) tree = {0};

    assert_non_null(rows);
    for (uint32_t i = 0; i < SHUFFLE_ROWS * row_bytes; i++)
        rows[i] = (uint8_t)(i / row_bytes * 7 + i % row_bytes * 31);
    if (dtype == DTYPE_BOOL)
        for (uint32_t i = 0; i < SHUFFLE_ROWS * row_bytes; i++)
            rows[i] &= 1;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    shuffle_node(
        &tree, exprs_literal(&tree, dtype, exprs_shape(3, SHUFFLE_ROWS, (int)columns, 1), rows), 0);
    out = evaluate_alone(&tree);
    for (size_t i = 0; i < SHUFFLE_ROWS; i++)
        assert_memory_equal(out + i * row_bytes, rows + (size_t)shuffle_expected[i] * row_bytes,
                            row_bytes);
    free(rows);
    free(out);
}

static void
rows_of_every_size_and_dtype_are_moved_whole(void **state)
{
    (void)state;
    check_rows(DTYPE_UINT8, 1);
    check_rows(DTYPE_BOOL, 3);
    check_rows(DTYPE_FLOAT16, 5);
    check_rows(DTYPE_FLOAT32, 1021);
    check_rows(DTYPE_COMPLEX128, 33);
}

/* Fisher-Yates on a plain array, past what is drawn at once. */
static void
a_long_shuffle_takes_a_word_for_each_row(void **state)
{
    enum { ROWS = 1030 };
    struct random_stream stream = {.seeds = {9, SHUFFLE_SEED}, .base_block = 5 * 258};
    const struct expr_draw draw = {.has_model_seed = true, .model_seed = 9, .variable_name = "w"};
    int32_t values[ROWS], expected[ROWS];
    uint32_t words[ROWS];
    AUTO(expr_tree) tree = {0};
    uint8_t *out;

    (void)state;
    for (int32_t i = 0; i < ROWS; i++)
        values[i] = expected[i] = i;
    random_fill_words(&stream, 0, ROWS, words);
    for (uint32_t i = 0; i + 1 < ROWS; i++) {
        const uint32_t other = i + words[i] % (ROWS - i);
        const int32_t held = expected[i];

        expected[i] = expected[other];
        expected[other] = held;
    }
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    shuffle_node(&tree, exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, ROWS), values), 5);
    out = evaluate(&tree, &draw);
    assert_memory_equal(out, expected, sizeof expected);
    free(out);
    check_pieces(&tree, &draw);
}

static void
one_row_or_none_stays_as_it_is(void **state)
{
    static const struct {
        uint32_t rank;
        int dims[2];
    } shapes[] = {{0, {0}}, {1, {0}}, {1, {1}}, {2, {1, 3}}, {2, {3, 0}}};
    const float values[3] = {1.0f, 2.0f, 3.0f};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct shape shape = exprs_shape(shapes[i].rank, shapes[i].dims[0], shapes[i].dims[1]);
        AUTO(expr_tree) tree = {0};
        uint8_t *out;

        assert_int_equal(expr_tree_init(&tree, NULL), OK);
        shuffle_node(&tree, exprs_float32(&tree, shape, values), INT64_MAX);
        out = evaluate_alone(&tree);
        assert_true(shape_equal(&tree.root->type.shape, &shape));
        assert_memory_equal(out, values, shape_count(&shape) * sizeof values[0]);
        free(out);
    }
}

static void
a_run_of_shuffles_64_bits_cannot_count_is_refused(void **state)
{
    AUTO(expr_tree) tree = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    shuffle_node(&tree,
                 exprs_literal(&tree, DTYPE_INT64, exprs_shape(1, SHUFFLE_ROWS), shuffle_values),
                 INT64_MAX);
    check_refused(&tree, "runs of 3 blocks of random numbers each are more than 64 bits count");
}

/* --- random_crop --------------------------------------------------------------------------- */

static struct expr *
crop_node(struct expr_tree *tree, struct expr *value, struct shape size, int64_t run)
{
    struct expr *node = exprs_op(tree, "random_crop", 1, value);

    exprs_set_shape(node, "size", size);
    set_i64(node, "run", run);
    return exprs_set_seed(node, "seed", 3);
}

static void
check_crop(struct shape value, struct shape size, int64_t run)
{
    const struct random_stream stream = {.seeds = {87654321, 3},
                                         .base_block = (uint64_t)run * 256 * value.rank};
    const uint64_t count = shape_count(&value), wanted = shape_count(&size);
    int32_t *elements = malloc((count + 1) * sizeof *elements), *got;
    const struct expr_draw draw = {.variable_name = "w"};
    uint32_t words[SHAPE_RANK_MAX] = {0};
    AUTO(expr_tree) tree = {0};
    uint8_t *out;

    assert_non_null(elements);
    for (uint64_t i = 0; i < count; i++)
        elements[i] = (int32_t)i;
    random_fill_words(&stream, 0, value.rank, words);
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    crop_node(&tree, exprs_literal(&tree, DTYPE_INT32, value, elements), size, run);
    out = evaluate(&tree, &draw);
    got = (int32_t *)(void *)out;
    for (uint64_t i = 0; i < wanted; i++) {
        uint64_t rest = i, place = 0, stride = 1;

        for (uint32_t d = value.rank; d-- > 0;) {
            const uint64_t room = value.dims[d] - size.dims[d] + 1;
            const uint64_t corner = words[d] % (uint32_t)INT32_MAX % room;

            place += (corner + rest % size.dims[d]) * stride;
            rest /= size.dims[d];
            stride *= value.dims[d];
        }
        assert_int_equal(got[i], place);
    }
    if (wanted > 0)
        check_pieces(&tree, &draw);
    free(out);
    free(elements);
}

static void
crops_are_a_box_at_the_drawn_corner(void **state)
{
    (void)state;
    check_crop(exprs_shape(0), exprs_shape(0), 0);
    check_crop(exprs_shape(1, 100), exprs_shape(1, 7), 0);
    check_crop(exprs_shape(1, 100), exprs_shape(1, 7), 3);
    check_crop(exprs_shape(2, 9, 11), exprs_shape(2, 9, 11), 0);
    check_crop(exprs_shape(2, 9, 11), exprs_shape(2, 4, 11), 1);
    check_crop(exprs_shape(3, 5, 7, 3), exprs_shape(3, 2, 3, 3), 2);
    check_crop(exprs_shape(3, 40, 30, 20), exprs_shape(3, 33, 21, 17), 0);
    check_crop(exprs_shape(2, 4, 4), exprs_shape(2, 0, 2), 0);
}

static void
a_size_past_the_value_is_refused(void **state)
{
    const float values[6] = {0};
    AUTO(expr_tree) tree = {0}, ranks = {0};

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    crop_node(&tree, exprs_float32(&tree, exprs_shape(2, 2, 3), values), exprs_shape(2, 3, 3), 0);
    check_refused(&tree, "assertion failed: [Need value.shape >= size, got ] [2 3] [3 3]");
    assert_int_equal(expr_tree_init(&ranks, NULL), OK);
    crop_node(&ranks, exprs_float32(&ranks, exprs_shape(2, 2, 3), values), exprs_shape(1, 2), 0);
    check_refused(&ranks, "value.shape is [2,3], size is [2]");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffles_are_tensorflows_in_every_run),
        cmocka_unit_test(rows_of_every_size_and_dtype_are_moved_whole),
        cmocka_unit_test(a_long_shuffle_takes_a_word_for_each_row),
        cmocka_unit_test(one_row_or_none_stays_as_it_is),
        cmocka_unit_test(a_run_of_shuffles_64_bits_cannot_count_is_refused),
        cmocka_unit_test(crops_are_a_box_at_the_drawn_corner),
        cmocka_unit_test(a_size_past_the_value_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
