/* Records of expressions: there and back, and whatever damage may do to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/expr/op_helpers.h"
#include "store/base/alloc.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

enum { RECORD_BYTES_MAX = 1 << 20 };

/* Every kind of node and of attribute. */
static void
build(struct expr_tree *tree)
{
    static const float x[] = {1, 2, 3, 4, 5, 6};
    static const int64_t values[] = {1, 2, 3};
    struct expr *a, *b, *value, *last;

    assert_int_equal(expr_tree_init(tree, NULL), OK);
    a = exprs_set_shape(exprs_op(tree, "truncated_normal", 0), "shape", exprs_shape(2, 2, 3));
    exprs_set_seed(exprs_set_f64(a, "stddev", 0.25), "seed", -7);
    b = exprs_set_dims(exprs_op(tree, "reshape", 1, exprs_float32(tree, exprs_shape(1, 6), x)),
                       "shape", 2, -1, 3);
    a = exprs_op(tree, "multiply", 2, a, b);
    a = exprs_op(tree, "add", 2, a, exprs_weak_float(tree, 0.1));
    b = exprs_op(tree, "subtract", 2, exprs_variable(tree, "layer/w", false),
                 exprs_variable(tree, "v", true));
    a = exprs_op(tree, "divide", 2, a, b);
    value = exprs_literal(tree, DTYPE_INT64, exprs_shape(1, 3), values);
    value->weak = true;
    last = exprs_set_tensor(exprs_op(tree, "constant", 0), "value", value);
    exprs_set_bool(exprs_set_dtype(last, "dtype", DTYPE_FLOAT32), "verify_shape", true);
    exprs_op(tree, "add", 2, a, last);
}

static void
encode(const struct expr_tree *tree, struct buf *out)
{
    struct err err = ERR_INIT;

    buf_init(out, RECORD_BYTES_MAX);
    if (expr_encode(tree, out, &err) != OK)
        fail_msg("%s", err.text);
}

static enum err_code
decode(struct bytes record, struct expr_tree *out)
{
    struct expr_limits limits = exprs_limits();

    return expr_decode(record, &limits, out, NULL);
}

static void
a_record_read_and_written_again_is_the_same(void **state)
{
    AUTO(expr_tree) tree = {0}, again = {0};
    AUTO(buf) first = {0}, second = {0};

    (void)state;
    build(&tree);
    encode(&tree, &first);
    assert_int_equal(decode(buf_bytes(&first), &again), OK);
    encode(&again, &second);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    assert_int_equal(again.root->kind, EXPR_OP);
    assert_string_equal(again.root->op->name, "add");
    assert_true(again.root->args[1]->given[3]);
}

/* Inference converts weak literals and sets types; a record holds what was written. */
static void
inference_leaves_the_record_as_it_was(void **state)
{
    static const float zeros[6];
    struct exprs_value named[] = {
        {"layer/w",
         {.type = {DTYPE_FLOAT32, exprs_shape(2, 2, 3)}, (const uint8_t *)zeros, sizeof zeros}},
        {"v", {.type = {DTYPE_FLOAT32, exprs_shape(1, 3)}, (const uint8_t *)zeros, 12}},
    };
    struct exprs_values values = {.values = named, .count = 2};
    struct expr_source source = exprs_source(&values);
    AUTO(expr_tree) tree = {0};
    AUTO(buf) before = {0}, after = {0};
    struct err err = ERR_INIT;

    (void)state;
    build(&tree);
    encode(&tree, &before);
    /* constant of shape [3] with verify_shape and no shape of its own */
    if (expr_infer(&tree, &source, DTYPE_UNSET, &err) != OK)
        fail_msg("%s", err.text);
    encode(&tree, &after);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
}

static void
a_decoded_expression_gives_the_same_numbers(void **state)
{
    AUTO(expr_tree) tree = {0}, again = {0};
    AUTO(tensor) first = {0}, second = {0};
    AUTO(buf) record = {0};
    struct expr *a;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    a = exprs_set_shape(exprs_op(&tree, "random_normal", 0), "shape", exprs_shape(2, 5, 7));
    exprs_set_seed(a, "seed", 3);
    exprs_op(&tree, "multiply", 2, a, exprs_weak_float(&tree, 0.1));
    encode(&tree, &record);
    assert_int_equal(decode(buf_bytes(&record), &again), OK);
    assert_int_equal(exprs_evaluate(&tree, NULL, &first, NULL), OK);
    assert_int_equal(exprs_evaluate(&again, NULL, &second, NULL), OK);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
}

static void
nodes_the_root_does_not_reach_are_left_out(void **state)
{
    AUTO(expr_tree) tree = {0}, again = {0};
    AUTO(buf) record = {0};
    struct expr *kept;

    (void)state;
    build(&tree);
    kept = exprs_weak_int(&tree, 4);
    exprs_op(&tree, "negative", 1, kept);
    encode(&tree, &record);
    assert_int_equal(decode(buf_bytes(&record), &again), OK);
    assert_int_equal(again.node_count, 2);
}

static void
every_truncation_is_data_loss(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO(buf) record = {0};

    (void)state;
    build(&tree);
    encode(&tree, &record);
    for (size_t size = 0; size < record.size; size++) {
        AUTO(expr_tree) again = {0};
        uint8_t *copy = malloc(size + 1); /* a block of its own, so that reads past it are seen */

        assert_non_null(copy);
        memcpy(copy, record.data, size);
        assert_int_equal(decode(bytes_of(copy, size), &again), ERR_DATA_LOSS);
        free(copy);
    }
}

static void
every_flipped_bit_is_data_loss(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO(buf) record = {0};

    (void)state;
    build(&tree);
    encode(&tree, &record);
    for (size_t bit = 0; bit < record.size * 8; bit++) {
        AUTO(expr_tree) again = {0};

        record.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(decode(buf_bytes(&record), &again), ERR_DATA_LOSS);
        record.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void
seal(struct buf *record)
{
    uint32_t crc = crc32c(0, record->data, record->size - sizeof crc);

    memcpy(record->data + record->size - sizeof crc, &crc, sizeof crc);
}

/* With the checksum made right again the checks behind it are reached: no damage may crash, and
 * what is accepted must be an expression that can be encoded and inferred. */
static void
damage_under_a_right_checksum_is_refused_or_harmless(void **state)
{
    static const uint8_t patterns[] = {0x01, 0x80, 0xff, 0x7f};
    AUTO(expr_tree) tree = {0};
    AUTO(buf) record = {0};
    size_t refused = 0;

    (void)state;
    build(&tree);
    encode(&tree, &record);
    for (size_t i = 0; i < (record.size - 4) * sizeof patterns; i++) {
        AUTO(expr_tree) again = {0};
        AUTO(buf) other = {0};
        size_t at = i / sizeof patterns;
        uint8_t before = record.data[at];
        enum err_code code;

        record.data[at] ^= patterns[i % sizeof patterns];
        seal(&record);
        code = decode(buf_bytes(&record), &again);
        record.data[at] = before;
        if (code != OK) {
            assert_true(code == ERR_DATA_LOSS || code == ERR_INVALID_ARGUMENT ||
                        code == ERR_PAYLOAD_TOO_LARGE);
            refused++;
            continue;
        }
        encode(&again, &other);
        code = expr_infer(&again, NULL, DTYPE_UNSET, NULL);
        assert_int_not_equal(code, ERR_INTERNAL);
    }
    assert_true(refused > record.size);
}

static void
limits_hold_for_records_too(void **state)
{
    struct expr_limits limits = exprs_limits();
    AUTO(expr_tree) tree = {0}, again = {0};
    AUTO(buf) record = {0};
    struct err err = ERR_INIT;

    (void)state;
    build(&tree);
    encode(&tree, &record);
    limits.depth_max = 3;
    assert_int_equal(expr_decode(buf_bytes(&record), &limits, &again, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "the expression is more than 3 levels deep");
    limits = exprs_limits();
    limits.nodes_max = 4;
    assert_int_equal(expr_decode(buf_bytes(&record), &limits, &again, NULL), ERR_INVALID_ARGUMENT);
    limits = exprs_limits();
    limits.literal_bytes_max = 20;
    assert_int_equal(expr_decode(buf_bytes(&record), &limits, &again, NULL), ERR_PAYLOAD_TOO_LARGE);
}

static void
a_node_with_an_id_may_be_used_again(void **state)
{
    AUTO(expr_tree) tree = {0}, again = {0}, nameless = {0}, never = {0};
    AUTO(buf) record = {0}, wrong = {0};
    struct expr *x;

    (void)state;
    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    x = exprs_variable(&tree, "a", false);
    x->id = "x";
    exprs_op(&tree, "add", 2, x, x);
    encode(&tree, &record);
    assert_int_equal(decode(buf_bytes(&record), &again), OK);
    assert_int_equal(again.node_count, 2);
    assert_ptr_equal(again.root->args[0], again.root->args[1]);
    assert_string_equal(again.root->args[0]->id, "x");

    assert_int_equal(expr_tree_init(&nameless, NULL), OK);
    x = exprs_variable(&nameless, "a", false);
    exprs_op(&nameless, "add", 2, x, x);
    encode(&nameless, &wrong);
    assert_int_equal(decode(buf_bytes(&wrong), &never), ERR_DATA_LOSS);
}

static void
short_memory_is_an_error_when_decoding(void **state)
{
    AUTO(expr_tree) tree = {0};
    AUTO(buf) record = {0};
    enum err_code code = ERR_NO_MEMORY;

    (void)state;
    build(&tree);
    encode(&tree, &record);
    for (uint64_t nth = 1; code != OK; nth++) {
        AUTO(expr_tree) again = {0};

        mem_fail_at(nth, 0);
        code = decode(buf_bytes(&record), &again);
        mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        assert_true(nth < 1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_read_and_written_again_is_the_same),
        cmocka_unit_test(inference_leaves_the_record_as_it_was),
        cmocka_unit_test(a_decoded_expression_gives_the_same_numbers),
        cmocka_unit_test(nodes_the_root_does_not_reach_are_left_out),
        cmocka_unit_test(every_truncation_is_data_loss),
        cmocka_unit_test(every_flipped_bit_is_data_loss),
        cmocka_unit_test(damage_under_a_right_checksum_is_refused_or_harmless),
        cmocka_unit_test(limits_hold_for_records_too),
        cmocka_unit_test(a_node_with_an_id_may_be_used_again),
        cmocka_unit_test(short_memory_is_an_error_when_decoding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
