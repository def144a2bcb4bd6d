/* Shapes: limits that hold against any input, broadcasting, text and record form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/tensor/shape.h"

#define SHAPE(...)                                                                                 \
    ((struct shape){.rank = sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),                  \
                    .dims = {__VA_ARGS__}})
#define SCALAR ((struct shape){0})

static void
check(const struct shape *shape, enum err_code expected)
{
    struct err err = ERR_INIT;

    assert_int_equal(shape_check(shape, &err), expected);
    assert_int_equal(err.code, expected);
}

static void
counts_are_products_and_a_scalar_has_one(void **state)
{
    struct shape scalar = SCALAR, odd = SHAPE(3, 5, 7), empty = SHAPE(3, 0, 7);

    (void)state;
    assert_int_equal(shape_count(&scalar), 1);
    assert_int_equal(shape_count(&odd), 105);
    assert_int_equal(shape_count(&empty), 0);
}

static void
the_limit_itself_passes_and_one_more_does_not(void **state)
{
    struct shape at = SHAPE(SHAPE_COUNT_MAX), over = SHAPE(SHAPE_COUNT_MAX + 1);
    struct shape split = SHAPE(1u << 20, 1u << 20, 1u << 7), split_over = SHAPE(1u << 24, 1u << 24);

    (void)state;
    check(&at, OK);
    check(&over, ERR_INVALID_ARGUMENT);
    check(&split, OK);
    check(&split_over, ERR_INVALID_ARGUMENT);
}

static void
a_product_that_overflows_to_something_small_is_refused(void **state)
{
    struct shape wraps_to_zero = SHAPE((uint64_t)1 << 32, (uint64_t)1 << 32);
    struct shape wraps_to_one = SHAPE(UINT64_MAX, UINT64_MAX);
    struct shape hidden = SHAPE(0, UINT64_MAX, 2);
    struct shape pair = SHAPE((uint64_t)1 << 40, 0, (uint64_t)1 << 40);

    (void)state;
    check(&wraps_to_zero, ERR_INVALID_ARGUMENT);
    check(&wraps_to_one, ERR_INVALID_ARGUMENT);
    check(&hidden, ERR_INVALID_ARGUMENT);
    check(&pair, ERR_INVALID_ARGUMENT);
}

static void
a_rank_over_the_limit_is_refused(void **state)
{
    struct shape deepest = {.rank = SHAPE_RANK_MAX}, deeper = {.rank = SHAPE_RANK_MAX + 1};
    struct shape absurd = {.rank = UINT32_MAX};

    (void)state;
    check(&deepest, OK);
    check(&deeper, ERR_INVALID_ARGUMENT);
    check(&absurd, ERR_INVALID_ARGUMENT);
}

static void
equality_looks_at_rank_and_dimensions_only(void **state)
{
    struct shape a = SHAPE(2, 3), b = SHAPE(2, 3), c = SHAPE(3, 2), d = SHAPE(2, 3, 1);
    struct shape scalar = SCALAR, one = SHAPE(1);

    (void)state;
    b.dims[5] = 99;
    assert_true(shape_equal(&a, &b));
    assert_false(shape_equal(&a, &c));
    assert_false(shape_equal(&a, &d));
    assert_true(shape_equal(&scalar, &scalar));
    assert_false(shape_equal(&scalar, &one));
}

static void
broadcasting_gives(struct shape a, struct shape b, struct shape expected)
{
    struct err err = ERR_INIT;
    struct shape out;

    assert_int_equal(shape_broadcast(&a, &b, &out, &err), OK);
    assert_true(shape_equal(&out, &expected));
    assert_int_equal(shape_broadcast(&b, &a, &out, &err), OK);
    assert_true(shape_equal(&out, &expected));
}

static void
broadcasting_follows_numpy(void **state)
{
    (void)state;
    broadcasting_gives(SCALAR, SCALAR, SCALAR);
    broadcasting_gives(SCALAR, SHAPE(0, 3), SHAPE(0, 3));
    broadcasting_gives(SHAPE(3), SHAPE(2, 3), SHAPE(2, 3));
    broadcasting_gives(SHAPE(2, 1), SHAPE(1, 3), SHAPE(2, 3));
    broadcasting_gives(SHAPE(1), SHAPE(0), SHAPE(0));
    broadcasting_gives(SHAPE(8, 1, 6, 1), SHAPE(7, 1, 5), SHAPE(8, 7, 6, 5));
}

static void
incompatible_shapes_are_both_named(void **state)
{
    struct shape a = SHAPE(2, 3), b = SHAPE(4), out = SHAPE(9);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(shape_broadcast(&a, &b, &out, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "[2,3]"));
    assert_non_null(strstr(err.text, "[4]"));
    assert_int_equal(out.dims[0], 9);
    a = SHAPE(0);
    b = SHAPE(2);
    assert_int_equal(shape_broadcast(&a, &b, &out, NULL), ERR_INVALID_ARGUMENT);
}

static void
a_broadcast_result_over_the_limit_is_refused(void **state)
{
    struct shape a = SHAPE((uint64_t)1 << 40, 1), b = SHAPE(1, (uint64_t)1 << 40), out;

    (void)state;
    assert_int_equal(shape_broadcast(&a, &b, &out, NULL), ERR_INVALID_ARGUMENT);
}

static void
text_has_no_spaces_and_room_for_the_largest(void **state)
{
    char text[SHAPE_TEXT_BYTES_MAX];
    struct shape scalar = SCALAR, two = SHAPE(2, 0), wide = {.rank = SHAPE_RANK_MAX};

    (void)state;
    assert_string_equal(shape_text(&scalar, text), "[]");
    assert_string_equal(shape_text(&two, text), "[2,0]");
    for (uint32_t i = 0; i < SHAPE_RANK_MAX; i++)
        wide.dims[i] = UINT64_MAX;
    assert_int_equal(strlen(shape_text(&wide, text)), SHAPE_RANK_MAX * 21 + 1);
    wide.rank = UINT32_MAX;
    assert_int_equal(strlen(shape_text(&wide, text)), SHAPE_RANK_MAX * 21 + 1);
}

static void
records_read_back_as_written(void **state)
{
    const struct shape shapes[] = {SCALAR, SHAPE(0), SHAPE(3, 5, 7), SHAPE(1, SHAPE_COUNT_MAX)};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct shape back = SHAPE(9, 9);
        struct reader reader;
        struct buf buf;

        buf_init(&buf, 1024);
        assert_int_equal(shape_encode(&shapes[i], &buf, NULL), OK);
        reader = reader_of(buf_bytes(&buf));
        shape_decode(&reader, &back);
        assert_true(reader_ended_well(&reader));
        assert_true(shape_equal(&shapes[i], &back));
        buf_drop(&buf);
    }
}

static void
damaged_records_fail_and_give_a_harmless_shape(void **state)
{
    static const uint8_t huge_rank[] = {0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0};
    static const uint8_t cut[] = {2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0};
    static const uint8_t huge[] = {1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x80};
    const struct bytes records[] = {bytes_of(huge_rank, sizeof huge_rank),
                                    bytes_of(cut, sizeof cut), bytes_of(huge, sizeof huge),
                                    bytes_of("", 0)};

    (void)state;
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        struct reader reader = reader_of(records[i]);
        struct shape shape = SHAPE(9, 9);

        shape_decode(&reader, &shape);
        assert_true(reader.failed);
        assert_int_equal(shape.rank, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_products_and_a_scalar_has_one),
        cmocka_unit_test(the_limit_itself_passes_and_one_more_does_not),
        cmocka_unit_test(a_product_that_overflows_to_something_small_is_refused),
        cmocka_unit_test(a_rank_over_the_limit_is_refused),
        cmocka_unit_test(equality_looks_at_rank_and_dimensions_only),
        cmocka_unit_test(broadcasting_follows_numpy),
        cmocka_unit_test(incompatible_shapes_are_both_named),
        cmocka_unit_test(a_broadcast_result_over_the_limit_is_refused),
        cmocka_unit_test(text_has_no_spaces_and_room_for_the_largest),
        cmocka_unit_test(records_read_back_as_written),
        cmocka_unit_test(damaged_records_fail_and_give_a_harmless_shape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
