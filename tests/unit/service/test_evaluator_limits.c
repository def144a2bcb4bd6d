/* Evaluation that must come to an end: layouts within layouts, and being told to give up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/parallel.h"
#include "tests/unit/service/ops_shapes.h"

/* --- layouts within layouts ---------------------------------------------------------------- */

enum { ROWS = 1024, GAP = 8, LEVELS = 3, ELEMENTS = ROWS * GAP * GAP * GAP };

static uint8_t bytes[ELEMENTS];

/* Of its last dimension the first element: what is wanted stands GAP apart. */
static struct expr *
first_of_last(struct expr_tree *tree, struct expr *x, uint32_t rank)
{
    static const int64_t begin[LEVELS + 1] = {0};
    int64_t size[LEVELS + 1] = {-1, -1, -1, -1};
    struct expr *slice = exprs_op(tree, "slice", 1, x), *out;

    size[rank - 1] = 1;
    set_ints(slice, "begin", rank, begin);
    set_ints(slice, "size", rank, size);
    out = exprs_op(tree, "squeeze", 1, slice);
    return out;
}

/* 8 times 8 times 8 as much would be read, were each level to read over its gaps. */
static void
gaps_within_gaps_are_not_all_read(void **state)
{
    struct exprs_value named[] = {{"v",
                                   {.type = {DTYPE_UINT8, exprs_shape(4, ROWS, GAP, GAP, GAP)},
                                    .data = bytes,
                                    .size = sizeof bytes}}};
    struct exprs_values values = {.values = named, .count = 1};
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *x;

    (void)state;
    for (uint32_t i = 0; i < ELEMENTS; i++)
        bytes[i] = (uint8_t)(i % 251);
    init(&tree);
    x = exprs_set_dtype(exprs_op(&tree, "cast", 1, exprs_variable(&tree, "v", false)), "dtype",
                        DTYPE_INT8);
    for (uint32_t rank = LEVELS + 1; rank > 1; rank--)
        x = first_of_last(&tree, x, rank);
    assert_int_equal(exprs_evaluate(&tree, &source, &out, NULL), OK);
    assert_int_equal(out.size, ROWS);
    for (uint32_t i = 0; i < ROWS; i++)
        assert_int_equal(out.data[i], bytes[i * GAP * GAP * GAP]);
    assert_in_range(values.bytes_read, ROWS, 64 * ROWS);
}

/* --- giving up ----------------------------------------------------------------------------- */

enum { MANY = 64 * OP_TILE_ELEMENTS };

static float numbers[MANY];
static _Atomic bool interrupted;

/* The first read is what somebody interrupts. */
static enum err_code
interrupting_read(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
                  void *out, struct err *err)
{
    struct exprs_values *values = context;
    struct expr_source plain = exprs_source(values);

    atomic_store(&interrupted, true);
    return plain.read(context, name, initialized, offset, size, out, err);
}

static void
check_given_up(const char *op, struct parallel *parallel)
{
    struct exprs_value named[] = {{"v",
                                   {.type = {DTYPE_FLOAT32, exprs_shape(3, MANY / 4, 2, 2)},
                                    .data = (const uint8_t *)numbers,
                                    .size = sizeof numbers}}};
    struct exprs_values values = {.values = named, .count = 1};
    struct expr_source source = exprs_source(&values);
    struct evaluator_options options = exprs_options;
    AUTO_CALL(drop_reading) struct evaluator *e = NULL;
    AUTO(expr_tree) tree = {0};
    static float out[MANY];
    struct err err = ERR_INIT;
    enum err_code code;

    init(&tree);
    exprs_op(&tree, op, 1, exprs_op(&tree, "negative", 1, exprs_variable(&tree, "v", false)));
    source.read = interrupting_read;
    options.interrupted = &interrupted;
    options.parallel = parallel;
    atomic_store(&interrupted, false);
    assert_int_equal(expr_infer(&tree, &source, DTYPE_UNSET, NULL), OK);
    code = evaluator_open(&tree, &source, &options, &e, &err);
    if (code == OK)
        code = evaluator_read(e, 0, shape_count(&tree.root->type.shape), out, &err);
    assert_int_equal(code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "stopping"));
    assert_true(values.bytes_read <= sizeof numbers / 4);
}

static void
an_interrupted_evaluation_gives_up_within_a_tile(void **state)
{
    static const char *const ops[] = {"negative", "reduce_sum", "matrix_inverse", "transpose"};
    struct parallel *parallel = NULL;

    (void)state;
    assert_int_equal(parallel_open(3, &parallel, NULL), OK);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        check_given_up(ops[i], NULL);
        check_given_up(ops[i], parallel);
    }
    parallel_close(parallel);
}

/* Interrupted from the start: between the matrices of a batch too, when nothing is read. */
static void
batches_of_matrices_give_up_between_two(void **state)
{
    static const char *const names[] = {"matrix_inverse", "matmul"};
    struct evaluator_options options = exprs_options;

    (void)state;
    options.interrupted = &interrupted;
    atomic_store(&interrupted, true);
    for (uint32_t i = 0; i < 2; i++) {
        static const float ones[8] = {1, 0, 0, 1, 1, 0, 0, 1};
        AUTO_CALL(drop_reading) struct evaluator *e = NULL;
        AUTO(expr_tree) tree = {0};
        struct expr *x;
        float out[8];

        init(&tree);
        x = exprs_float32(&tree, exprs_shape(3, 2, 2, 2), ones);
        exprs_op(&tree, names[i], i + 1, x, x);
        assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
        assert_int_equal(evaluator_open(&tree, NULL, &options, &e, NULL), OK);
        assert_int_equal(evaluator_read(e, 0, 8, out, NULL), ERR_UNAVAILABLE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_within_gaps_are_not_all_read),
        cmocka_unit_test(an_interrupted_evaluation_gives_up_within_a_tile),
        cmocka_unit_test(batches_of_matrices_give_up_between_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
