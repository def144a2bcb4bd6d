/* Row numbers: read from indices with every refusal, put in order, and rid of duplicates, compared
 * with plain loops; every allocation made to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/training/sparse.h"
#include "store/base/alloc.h"
#include "tests/unit/service/kernel_inputs.h"

static const struct tensor_type table = {DTYPE_FLOAT32, {3, {6, 5, 2}}};
static const struct sparse_target target = {.verb = "verb of", .name = "w", .type = &table};

typedef enum err_code read_indices(const struct sparse_target *target,
                                   const struct tensor_view *indices, struct sparse *out,
                                   struct err *err);

static struct tensor_view
view_of(enum dtype dtype, struct shape shape, const void *data)
{
    struct tensor_view view = {.type = {dtype, shape}, .data = data};

    view.size = tensor_type_bytes(&view.type);
    return view;
}

static void
reads(read_indices *read, struct tensor_view indices, uint64_t row_count, uint64_t width,
      const uint64_t *rows, uint64_t count)
{
    struct sparse sparse = {0};

    assert_int_equal(read(&target, &indices, &sparse, NULL), OK);
    assert_int_equal(sparse.row_count, row_count);
    assert_int_equal(sparse.width, width);
    assert_int_equal(sparse.count, count);
    assert_memory_equal(sparse.rows, rows, count * sizeof rows[0]);
    sparse_drop(&sparse);
    sparse_drop(&sparse);
}

static void
indices_of_both_types_and_any_rank_are_read(void **state)
{
    const int32_t narrow[6] = {5, 0, 3, 3, 1, 2};
    const int64_t wide[6] = {5, 0, 3, 3, 1, 2};
    const uint64_t rows[6] = {5, 0, 3, 3, 1, 2};

    (void)state;
    reads(sparse_read_rows, view_of(DTYPE_INT32, (struct shape){1, {6}}, narrow), 6, 10, rows, 6);
    reads(sparse_read_rows, view_of(DTYPE_INT64, (struct shape){2, {2, 3}}, wide), 6, 10, rows, 6);
    reads(sparse_read_rows, view_of(DTYPE_INT64, (struct shape){0, {0}}, wide), 6, 10, rows, 1);
    reads(sparse_read_rows, view_of(DTYPE_INT32, (struct shape){1, {0}}, narrow), 6, 10, rows, 0);
    reads(sparse_read_gradient, view_of(DTYPE_INT64, (struct shape){1, {6}}, wide), 6, 10, rows, 6);
}

static void
indices_of_several_dimensions_are_counted_through_in_row_major_order(void **state)
{
    const int32_t narrow[6] = {5, 4, 1, 0, 0, 3};
    const int64_t wide[6] = {5, 4, 1, 0, 0, 1};
    const uint64_t whole[6] = {5, 4, 1, 0, 0, 3}, pairs[3] = {29, 5, 3}, triples[2] = {59, 1};

    (void)state;
    reads(sparse_read_nd, view_of(DTYPE_INT32, (struct shape){2, {6, 1}}, narrow), 6, 10, whole, 6);
    reads(sparse_read_nd, view_of(DTYPE_INT32, (struct shape){2, {3, 2}}, narrow), 30, 2, pairs, 3);
    reads(sparse_read_nd, view_of(DTYPE_INT64, (struct shape){3, {2, 1, 3}}, wide), 60, 1, triples,
          2);
    reads(sparse_read_nd, view_of(DTYPE_INT64, (struct shape){1, {2}}, wide), 30, 2, pairs, 1);
    reads(sparse_read_nd, view_of(DTYPE_INT64, (struct shape){2, {0, 2}}, wide), 30, 2, pairs, 0);
}

static void
refuses(read_indices *read, struct tensor_view indices, const char *text)
{
    struct sparse sparse = {0};
    struct err err = ERR_INIT;

    assert_int_equal(read(&target, &indices, &sparse, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, text);
    assert_string_equal(err.about, "w");
    assert_null(sparse.rows);
}

static void
an_index_out_of_range_is_named_with_its_place(void **state)
{
    const int32_t high[4] = {0, 5, 6, 7}, low[4] = {-1, 0, 1, 2};
    const int64_t far[4] = {0, 1, INT64_MIN, INT64_MAX};

    (void)state;
    refuses(sparse_read_rows, view_of(DTYPE_INT32, (struct shape){1, {4}}, high),
            "verb of 'w': indices[2] = 6 is not in [0, 6)");
    refuses(sparse_read_rows, view_of(DTYPE_INT32, (struct shape){2, {2, 2}}, high),
            "verb of 'w': indices[1,0] = 6 is not in [0, 6)");
    refuses(sparse_read_rows, view_of(DTYPE_INT32, (struct shape){0, {0}}, high + 3),
            "verb of 'w': indices = 7 is not in [0, 6)");
    refuses(sparse_read_rows, view_of(DTYPE_INT32, (struct shape){1, {4}}, low),
            "verb of 'w': indices[0] = -1 is not in [0, 6)");
    refuses(sparse_read_rows, view_of(DTYPE_INT64, (struct shape){1, {4}}, far),
            "verb of 'w': indices[2] = -9223372036854775808 is not in [0, 6)");
    refuses(sparse_read_gradient, view_of(DTYPE_INT32, (struct shape){1, {4}}, high),
            "verb of 'w': Index 6 at offset 2 in indices is out of range [0, 6)");
    refuses(sparse_read_gradient, view_of(DTYPE_INT64, (struct shape){1, {1}}, far + 3),
            "verb of 'w': Index 9223372036854775807 at offset 0 in indices is out of range [0, 6)");
}

static void
an_index_of_several_dimensions_is_named_in_r1_0_s_words_and_in_1_15_s(void **state)
{
    const int32_t first[2] = {3, -1}, pairs[6] = {0, 0, 5, 4, 0, 5};
    const int64_t triple[3] = {6, INT64_MIN, 0};

    (void)state;
    refuses(sparse_read_nd, view_of(DTYPE_INT32, (struct shape){2, {2, 1}}, first),
            "verb of 'w': Invalid indices: [1,0] = [-1] is not in [0, 6): "
            "indices[1] = [-1] does not index into shape [6,5,2]");
    refuses(sparse_read_nd, view_of(DTYPE_INT32, (struct shape){2, {3, 2}}, pairs),
            "verb of 'w': Invalid indices: [2,0] = [0, 5] is not in [0, 6): "
            "indices[2] = [0, 5] does not index into shape [6,5,2]");
    refuses(sparse_read_nd, view_of(DTYPE_INT64, (struct shape){1, {3}}, triple),
            "verb of 'w': Invalid indices: [0] = [6, -9223372036854775808, 0] is not in [0, 6): "
            "indices = [6, -9223372036854775808, 0] does not index into shape [6,5,2]");
}

static void
an_integer_zero_divisor_is_named_with_its_place(void **state)
{
    const int32_t updates[4] = {1, 2, 0, 3};
    struct tensor_view view = view_of(DTYPE_INT32, (struct shape){2, {2, 2}}, updates);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(sparse_check_divisors(&target, KERNEL_SCATTER_MULTIPLY, &view, &err), OK);
    assert_int_equal(sparse_check_divisors(&target, KERNEL_SCATTER_DIVIDE, &view, &err),
                     ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "verb of 'w': updates[1,0] = 0: integer division by zero");
    err_clear(&err);
    view = view_of(DTYPE_INT32, (struct shape){0, {0}}, updates + 2);
    assert_int_equal(sparse_check_divisors(&target, KERNEL_SCATTER_DIVIDE, &view, &err),
                     ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "verb of 'w': updates = 0: integer division by zero");
}

/* --- order and duplicates -------------------------------------------------------------------- */

enum { NAMED_MAX = 400, WIDTH = 3 };

static void
draw_rows(struct sparse *sparse, uint64_t row_count, uint64_t count, uint32_t *seed)
{
    *sparse = (struct sparse){.width = WIDTH, .row_count = row_count, .count = count};
    sparse->rows = mem_alloc(count * sizeof *sparse->rows, NULL);
    assert_non_null(sparse->rows);
    for (uint64_t i = 0; i < count; i++)
        sparse->rows[i] = ((uint64_t)next_word(seed) << 32 | next_word(seed)) % row_count;
}

static void
check_order(const struct sparse *sparse)
{
    uint64_t *order = NULL;
    uint8_t seen[NAMED_MAX] = {0};

    assert_int_equal(sparse_order(sparse, &order, NULL), OK);
    for (uint64_t i = 0; i < sparse->count; i++) {
        assert_in_range(order[i], 0, sparse->count - 1);
        assert_int_equal(seen[order[i]]++, 0);
        if (i == 0)
            continue;
        assert_true(sparse->rows[order[i - 1]] <= sparse->rows[order[i]]);
        if (sparse->rows[order[i - 1]] == sparse->rows[order[i]])
            assert_true(order[i - 1] < order[i]);
    }
    mem_free(order);
}

static void
the_order_is_by_row_and_keeps_the_order_of_duplicates(void **state)
{
    static const uint64_t row_counts[] = {
        1, 2, 100, 2048, 2049, (uint64_t)1 << 22, (uint64_t)1 << 47};
    uint32_t seed = 7;

    (void)state;
    for (size_t i = 0; i < sizeof row_counts / sizeof row_counts[0]; i++) {
        for (uint64_t count = 0; count <= NAMED_MAX; count += 57) {
            struct sparse sparse;

            draw_rows(&sparse, row_counts[i], count, &seed);
            check_order(&sparse);
            sparse_drop(&sparse);
        }
    }
}

struct copying {
    const uint64_t *from;
    uint64_t *to;
    uint64_t runs;
};

static enum err_code
copy_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
         struct err *err)
{
    struct copying *c = context;

    (void)err;
    memcpy(c->to + result_first, c->from + source_first, count * sizeof c->to[0]);
    c->runs++;
    return OK;
}

static void
runs_of_rows_cover_them_in_any_order(void **state)
{
    static uint64_t source[100 * WIDTH], result[NAMED_MAX * WIDTH];
    uint32_t seed = 11;

    (void)state;
    for (uint64_t i = 0; i < 100 * WIDTH; i++)
        source[i] = i;
    for (uint64_t count = 0; count <= NAMED_MAX; count += 57) {
        struct sparse sparse;
        uint64_t *order = NULL;

        draw_rows(&sparse, 100, count, &seed);
        assert_int_equal(sparse_order(&sparse, &order, NULL), OK);
        for (int ordered = 0; ordered < 2; ordered++) {
            struct copying c = {source, result, 0};

            memset(result, 0xff, sizeof result);
            assert_int_equal(sparse_each_run(&sparse, ordered ? order : NULL, copy_run, &c, NULL),
                             OK);
            for (uint64_t i = 0; i < count * WIDTH; i++)
                assert_int_equal(result[i], sparse.rows[i / WIDTH] * WIDTH + i % WIDTH);
        }
        mem_free(order);
        sparse_drop(&sparse);
    }
}

static void
rows_that_follow_each_other_are_one_run(void **state)
{
    uint64_t rows[7] = {4, 5, 6, 6, 7, 0, 1}, source[8] = {0}, result[7];
    struct sparse sparse = {.width = 1, .row_count = 8, .count = 7, .rows = rows};
    struct copying c = {source, result, 0};

    (void)state;
    assert_int_equal(sparse_each_run(&sparse, NULL, copy_run, &c, NULL), OK);
    assert_int_equal(c.runs, 3);
    sparse.width = 0;
    assert_int_equal(sparse_each_run(&sparse, NULL, copy_run, &c, NULL), OK);
    assert_int_equal(c.runs, 3);
}

/* Row by row, with a search for each. */
static void
compare_sums(enum dtype dtype, uint64_t row_count, uint64_t count, uint32_t *seed)
{
    static struct memory values, sums;
    const uint64_t row_bytes = WIDTH * dtype_size(dtype);
    uint64_t unique[NAMED_MAX], found = 0, k;
    struct sparse sparse;

    draw_rows(&sparse, row_count, count, seed);
    fill(dtype, seed, false, &values, count * WIDTH);
    memset(&sums, 0, sizeof sums);
    for (uint64_t i = 0; i < count; i++) {
        for (k = 0; k < found && unique[k] != sparse.rows[i]; k++)
            continue;
        unique[k] = sparse.rows[i];
        found += k == found;
        assert_int_equal(
            kernel_binary_plain(KERNEL_ADD, dtype,
                                (struct kernel_operand){sums.bytes + k * row_bytes, 1},
                                (struct kernel_operand){values.bytes + i * row_bytes, 1},
                                sums.bytes + k * row_bytes, WIDTH, NULL),
            OK);
    }
    assert_int_equal(sparse_sum_duplicates(&sparse, dtype, &values, NULL), OK);
    assert_int_equal(sparse.count, found);
    assert_memory_equal(sparse.rows, unique, found * sizeof unique[0]);
    same_numbers(dtype, values.bytes, sums.bytes, found * WIDTH);
    sparse_drop(&sparse);
}

static void
duplicates_are_summed_in_their_order_and_stand_where_they_first_did(void **state)
{
    static const uint64_t row_counts[] = {1, 3, 50, 100000};
    uint32_t seed = 3;

    (void)state;
    for (unsigned dtype = 0; dtype < DTYPE_COUNT; dtype++)
        for (size_t i = 0; i < 4 && dtype_is_number((enum dtype)dtype); i++)
            for (uint64_t count = 0; count <= COUNT_MAX / WIDTH; count += 61)
                compare_sums((enum dtype)dtype, row_counts[i], count, &seed);
}

/* --- memory ---------------------------------------------------------------------------------- */

static enum err_code
all_of_it(struct err *err)
{
    const int32_t indices[4] = {3, 1, 3, 0};
    const struct tensor_view view = view_of(DTYPE_INT32, (struct shape){1, {4}}, indices);
    float values[40] = {0};
    struct sparse sparse = {0};
    enum err_code code = sparse_read_rows(&target, &view, &sparse, err);

    if (code == OK)
        code = sparse_sum_duplicates(&sparse, DTYPE_FLOAT32, values, err);
    sparse_drop(&sparse);
    return code;
}

static void
short_memory_fails_cleanly(void **state)
{
    uint64_t nth = 0;
    enum err_code code;

    (void)state;
    do {
        struct err err = ERR_INIT;

        mem_fail_at(++nth, 0);
        code = all_of_it(&err);
        mem_fail_at(0, 0);
        assert_true(code == OK || (code == ERR_NO_MEMORY && err.code == ERR_NO_MEMORY));
    } while (code != OK);
    assert_int_equal(nth, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indices_of_both_types_and_any_rank_are_read),
        cmocka_unit_test(indices_of_several_dimensions_are_counted_through_in_row_major_order),
        cmocka_unit_test(an_index_out_of_range_is_named_with_its_place),
        cmocka_unit_test(an_index_of_several_dimensions_is_named_in_r1_0_s_words_and_in_1_15_s),
        cmocka_unit_test(an_integer_zero_divisor_is_named_with_its_place),
        cmocka_unit_test(the_order_is_by_row_and_keeps_the_order_of_duplicates),
        cmocka_unit_test(runs_of_rows_cover_them_in_any_order),
        cmocka_unit_test(rows_that_follow_each_other_are_one_run),
        cmocka_unit_test(duplicates_are_summed_in_their_order_and_stand_where_they_first_did),
        cmocka_unit_test(short_memory_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
