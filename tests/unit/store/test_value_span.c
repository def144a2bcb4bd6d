/* Where the bytes of a value lie. */
#include "tests/unit/store/store_fixture.h"

#include "store/value_span.h"

static const enum store_class classes[] = {STORE_CLASS_BULK, STORE_CLASS_ROWS};

/* Everything the header promises, for one size. */
static void
check_layout(uint64_t size, enum store_class class)
{
    struct value_layout layout;
    uint64_t at = 0;
    uint32_t tail_rows = 0;

    assert_int_equal(value_layout_of(size, class, &layout, NULL), OK);
    assert_int_equal(layout.size, size);
    for (uint32_t i = 0; i < layout.chunk_count; i++) {
        struct value_span span = value_layout_span(&layout, i);
        uint32_t full = span.class == STORE_CLASS_BULK ? STORE_BULK_BYTES : STORE_ROWS_BYTES;

        assert_int_equal(span.offset, at);
        assert_int_equal(span.class, i < layout.bulk_count ? STORE_CLASS_BULK : STORE_CLASS_ROWS);
        assert_true(span.length > 0 && span.length <= full);
        if (i + 1 < layout.bulk_count ||
            (span.class == STORE_CLASS_ROWS && i + 1 < layout.chunk_count))
            assert_int_equal(span.length, full);
        assert_int_equal(span.offset % 64, 0);
        assert_int_equal(value_layout_index(&layout, at), i);
        assert_int_equal(value_layout_index(&layout, at + span.length - 1), i);
        tail_rows += class == STORE_CLASS_BULK && span.class == STORE_CLASS_ROWS;
        at += span.length;
    }
    assert_int_equal(at, size);
    assert_true(tail_rows <= VALUE_TAIL_ROWS_MAX);
}

static void
chunks_cover_a_value_without_gaps_at_every_edge(void **state)
{
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        for (uint64_t bulk = 0; bulk < 4; bulk++)
            for (uint64_t rows = 0; rows < 18; rows++)
                for (uint64_t edge = 0; edge < 3; edge++)
                    if (bulk + rows + edge > 0)
                        check_layout(bulk * STORE_BULK_BYTES + rows * STORE_ROWS_BYTES + edge - 1,
                                     classes[c]);
        for (uint64_t size = 0; size < 3000000; size += 4093)
            check_layout(size, classes[c]);
    }
}

static void
a_short_tail_is_rows_and_a_long_one_is_a_bulk_chunk(void **state)
{
    struct value_layout layout;

    (void)state;
    assert_int_equal(value_layout_of(65536, STORE_CLASS_BULK, &layout, NULL), OK);
    assert_int_equal(layout.bulk_count, 0);
    assert_int_equal(layout.chunk_count, 5);
    assert_int_equal(value_layout_of(8 * 16320, STORE_CLASS_BULK, &layout, NULL), OK);
    assert_int_equal(layout.bulk_count, 0);
    assert_int_equal(layout.chunk_count, 8);
    assert_int_equal(value_layout_of(8 * 16320 + 1, STORE_CLASS_BULK, &layout, NULL), OK);
    assert_int_equal(layout.bulk_count, 1);
    assert_int_equal(layout.chunk_count, 1);
    assert_int_equal(value_layout_span(&layout, 0).length, 8 * 16320 + 1);
    assert_int_equal(value_layout_of(262080 + 1, STORE_CLASS_BULK, &layout, NULL), OK);
    assert_int_equal(layout.bulk_count, 1);
    assert_int_equal(layout.chunk_count, 2);
    assert_int_equal(value_layout_of(0, STORE_CLASS_BULK, &layout, NULL), OK);
    assert_int_equal(layout.chunk_count, 0);
}

static void
sizes_that_cannot_be_counted_are_refused(void **state)
{
    struct value_layout layout;
    struct value_span last;

    (void)state;
    assert_int_equal(value_layout_of(VALUE_SIZE_MAX, STORE_CLASS_BULK, &layout, NULL), OK);
    last = value_layout_span(&layout, layout.chunk_count - 1);
    assert_int_equal(last.offset + last.length, VALUE_SIZE_MAX);
    assert_int_equal(value_layout_index(&layout, VALUE_SIZE_MAX - 1), layout.chunk_count - 1);
    assert_int_equal(value_layout_of(VALUE_SIZE_MAX + 1, STORE_CLASS_BULK, &layout, NULL),
                     ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(value_layout_of(UINT64_MAX, STORE_CLASS_BULK, &layout, NULL),
                     ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(
        value_layout_of((uint64_t)UINT32_MAX * STORE_ROWS_BYTES, STORE_CLASS_ROWS, &layout, NULL),
        OK);
    assert_int_equal(layout.chunk_count, UINT32_MAX);
    assert_int_equal(value_layout_of((uint64_t)UINT32_MAX * STORE_ROWS_BYTES + 1, STORE_CLASS_ROWS,
                                     &layout, NULL),
                     ERR_PAYLOAD_TOO_LARGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_cover_a_value_without_gaps_at_every_edge),
        cmocka_unit_test(a_short_tail_is_rows_and_a_long_one_is_a_bulk_chunk),
        cmocka_unit_test(sizes_that_cannot_be_counted_are_refused),
    };

    return cmocka_run_group_tests_name("value_span", tests, NULL, NULL);
}
