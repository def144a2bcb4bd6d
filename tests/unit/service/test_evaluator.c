/* Evaluation: ranges, threads, short memory, strings. */
#include <stdio.h>
#include <pthread.h>

#include "store/base/alloc.h"
#include "tests/unit/service/ops_checks.h"

/* --- reading ------------------------------------------------------------------------------- */

static void
a_variable_is_read_in_place_and_in_ranges(void **state)
{
    static const int16_t data[] = {1, 2, 3, 4, 5, 6, 7};
    struct exprs_value named[] = {{"v",
                                   {.type = {DTYPE_INT16, exprs_shape(1, 7)},
                                    .data = (const uint8_t *)data,
                                    .size = sizeof data}}};
    struct exprs_values values = {.values = named, .count = 1};
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) tree = {0};
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;
    int16_t out[3];

    (void)state;
    init(&tree);
    exprs_op(&tree, "identity", 1, exprs_variable(&tree, "v", true));
    assert_int_equal(expr_infer(&tree, &source, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_open(&tree, &source, &exprs_options, &e, NULL), OK);
    assert_int_equal(evaluator_read(e, 4, 3, out, NULL), OK);
    assert_memory_equal(out, data + 4, sizeof out);
    assert_int_equal(values.bytes_read, sizeof out);
    assert_int_equal(evaluator_read(e, 7, 0, out, NULL), OK);
    assert_int_equal(evaluator_read(e, 5, 3, out, NULL), ERR_OUT_OF_RANGE);
    assert_int_equal(evaluator_read(e, UINT64_MAX, 2, out, NULL), ERR_OUT_OF_RANGE);
}

enum { SHARED_COUNT = 20000, SHARED_THREADS = 4 };

struct reading {
    const struct expr_tree *tree;
    float *out;
    uint64_t first, count;
    enum err_code code;
};

static void *
read_part(void *context)
{
    struct reading *reading = context;
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;

    reading->code = evaluator_open(reading->tree, NULL, &exprs_options, &e, NULL);
    if (reading->code == OK)
        reading->code =
            evaluator_read(e, reading->first, reading->count, reading->out + reading->first, NULL);
    return NULL;
}

/* One tree, an evaluator per thread. */
static void
threads_share_a_tree(void **state)
{
    static float whole[SHARED_COUNT], parts[SHARED_COUNT];
    static const float bias[] = {1, 2, 3, 4, 5};
    struct reading readings[SHARED_THREADS];
    struct expr_draw draw = {.has_model_seed = true, .model_seed = 3, .variable_name = "w"};
    AUTO(expr_tree) tree = {0};
    struct expr *a;
    pthread_t threads[SHARED_THREADS];

    (void)state;
    init(&tree);
    a = exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape",
                        exprs_shape(2, SHARED_COUNT / 5, 5));
    exprs_op(&tree, "multiply", 2, a,
             exprs_op(&tree, "negative", 1, exprs_float32(&tree, exprs_shape(1, 5), bias)));
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(expr_draw(&tree, &draw, NULL), OK);
    readings[0] = (struct reading){.tree = &tree, .out = whole, .count = SHARED_COUNT};
    read_part(&readings[0]);
    assert_int_equal(readings[0].code, OK);
    for (uint64_t i = 0; i < SHARED_THREADS; i++) {
        readings[i] = (struct reading){.tree = &tree,
                                       .out = parts,
                                       .first = i * SHARED_COUNT / SHARED_THREADS,
                                       .count = SHARED_COUNT / SHARED_THREADS};
        assert_int_equal(pthread_create(&threads[i], NULL, read_part, &readings[i]), 0);
    }
    for (int i = 0; i < SHARED_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(readings[i].code, OK);
    }
    assert_memory_equal(whole, parts, sizeof whole);
}

/* Out of memory at any moment: an error, nothing lost. */
static void
short_memory_is_an_error_everywhere(void **state)
{
    static const float x[] = {1, 2, 3};
    bool done = false;

    (void)state;
    for (uint64_t nth = 1; !done && nth < 200; nth++) {
        AUTO(expr_tree) tree = {0};
        AUTO(tensor) out = {0};
        struct expr *a, *b;
        enum err_code code;

        init(&tree);
        a = exprs_set_shape(exprs_op(&tree, "random_uniform", 0), "shape", exprs_shape(2, 4, 3));
        b = exprs_op(&tree, "negative", 1, exprs_float32(&tree, exprs_shape(1, 3), x));
        exprs_op(&tree, "add", 2, exprs_op(&tree, "multiply", 2, a, b), exprs_weak_float(&tree, 1));
        mem_fail_at(nth, 0);
        code = exprs_evaluate(&tree, NULL, &out, NULL);
        mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        done = code == OK;
    }
    assert_true(done);
}

/* --- strings ------------------------------------------------------------------------------- */

static const uint8_t two_strings[] = {2, 0, 0, 0, 'h', 'i', 0, 0, 0, 0};

/* A string literal; exprs_literal goes by element size. */
static struct expr *
strings_literal(struct expr_tree *tree)
{
    struct tensor_type type = {.dtype = DTYPE_STRING, .shape = exprs_shape(1, 2)};
    struct tensor literal = {0};
    struct tensor_view view;
    struct expr *node = exprs_weak_int(tree, 0);

    assert_int_equal(tensor_init(&literal, &type, sizeof two_strings, NULL), OK);
    memcpy(literal.data, two_strings, sizeof two_strings);
    assert_int_equal(expr_tree_literal(tree, &literal, &view, NULL), OK);
    node->weak = false;
    node->literal = view;
    return node;
}

static void
check_strings(struct expr_tree *tree, const struct expr_source *source, const void *expected,
              size_t size)
{
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;
    AUTO(buf) out = {0};
    uint8_t room[16];

    buf_init(&out, 1000);
    assert_int_equal(expr_infer(tree, source, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_open(tree, source, &exprs_options, &e, NULL), OK);
    assert_int_equal(evaluator_strings(e, &out, NULL), OK);
    assert_int_equal(out.size, size);
    assert_memory_equal(out.data, expected, size);
    assert_int_equal(evaluator_read(e, 0, 1, room, NULL), ERR_INVALID_ARGUMENT);
}

static void
strings_are_evaluated_whole(void **state)
{
    static const uint8_t empty[12], repeated[] = {2, 0, 0, 0, 'h', 'i', 0, 0, 0, 0, 0, 0, 0, 0};
    struct exprs_value named[] = {{"s",
                                   {.type = {DTYPE_STRING, exprs_shape(1, 2)},
                                    .data = two_strings,
                                    .size = sizeof two_strings}}};
    struct exprs_values values = {.values = named, .count = 1};
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) literal = {0}, variable = {0}, zeros = {0}, constant = {0};
    struct expr *value;

    (void)state;
    init(&literal);
    strings_literal(&literal);
    check_strings(&literal, NULL, two_strings, sizeof two_strings);
    init(&variable);
    exprs_op(&variable, "identity", 1, exprs_variable(&variable, "s", false));
    check_strings(&variable, &source, two_strings, sizeof two_strings);
    init(&zeros);
    exprs_set_dtype(exprs_set_shape(exprs_op(&zeros, "zeros", 0), "shape", exprs_shape(1, 3)),
                    "dtype", DTYPE_STRING);
    check_strings(&zeros, NULL, empty, sizeof empty);
    init(&constant);
    value = strings_literal(&constant);
    exprs_set_shape(exprs_set_tensor(exprs_op(&constant, "constant", 0), "value", value), "shape",
                    exprs_shape(1, 3));
    check_strings(&constant, NULL, repeated, sizeof repeated);
}

static void
strings_past_the_buffer_are_refused(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;
    AUTO(buf) out = {0};

    (void)state;
    init(&tree);
    exprs_set_dtype(
        exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(2, 1 << 20, 1 << 20)),
        "dtype", DTYPE_STRING);
    buf_init(&out, 1000);
    assert_int_equal(expr_infer(&tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(evaluator_open(&tree, NULL, &exprs_options, &e, NULL), OK);
    assert_int_equal(evaluator_strings(e, &out, NULL), ERR_PAYLOAD_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_is_read_in_place_and_in_ranges),
        cmocka_unit_test(threads_share_a_tree),
        cmocka_unit_test(short_memory_is_an_error_everywhere),
        cmocka_unit_test(strings_are_evaluated_whole),
        cmocka_unit_test(strings_past_the_buffer_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
