/* Buffers keep their limit and survive a failing allocation; readers survive any bytes. */
#include "store/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"

static void
an_unused_buffer_gives_an_empty_run_that_is_not_none(void **state)
{
    AUTO(buf) b;

    (void)state;
    buf_init(&b, 10);
    assert_non_null(buf_bytes(&b).data);
    assert_int_equal(buf_bytes(&b).size, 0);
    assert_null(b.data);
}

static void
appended_pieces_follow_each_other(void **state)
{
    AUTO(buf) b;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&b, 1000);
    assert_int_equal(buf_append_text(&b, "one ", &err), OK);
    assert_int_equal(buf_append(&b, "tw\0o", 4, &err), OK);
    assert_int_equal(buf_append(&b, NULL, 0, &err), OK);
    assert_int_equal(buf_append_byte(&b, '!', &err), OK);
    assert_int_equal(buf_printf(&b, &err, "%d%%", 42), OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of("one tw\0o!42%", 12)));
}

static void
the_limit_is_reached_exactly_and_not_passed(void **state)
{
    AUTO(buf) b;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&b, 5);
    assert_int_equal(buf_append_text(&b, "12345", &err), OK);
    assert_int_equal(buf_append_byte(&b, '6', &err), ERR_PAYLOAD_TOO_LARGE);
    assert_string_equal(err.text, "6 bytes are over the limit of 5 bytes");
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_text("12345")));
    assert_int_equal(buf_append(&b, "", 0, &err), OK);
}

static void
printed_text_may_fill_the_buffer_to_its_limit(void **state)
{
    AUTO(buf) b;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&b, 5);
    assert_int_equal(buf_printf(&b, &err, "%d", 12345), OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_text("12345")));
    assert_int_equal(buf_printf(&b, &err, "%d", 6), ERR_PAYLOAD_TOO_LARGE);
}

static void
a_size_that_overflows_is_too_large(void **state)
{
    AUTO(buf) b;
    struct err err = ERR_INIT;
    uint8_t *room = NULL;

    (void)state;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(buf_append_byte(&b, 1, &err), OK);
    b.size_max = SIZE_MAX - 1;
    assert_int_equal(buf_reserve(&b, SIZE_MAX, &room, &err), ERR_PAYLOAD_TOO_LARGE);
    assert_null(room);
}

static void
reserved_room_counts_only_when_committed(void **state)
{
    AUTO(buf) b;
    struct err err = ERR_INIT;
    uint8_t *room = NULL;

    (void)state;
    buf_init(&b, 100000);
    assert_int_equal(buf_reserve(&b, 70000, &room, &err), OK);
    memset(room, 'x', 70000);
    assert_int_equal(b.size, 0);
    buf_commit(&b, 3);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_text("xxx")));
}

static void
growing_keeps_what_is_there(void **state)
{
    AUTO(buf) b;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&b, 100000);
    for (uint32_t i = 0; i < 20000; i++)
        assert_int_equal(buf_append_u32(&b, i, &err), OK);
    struct reader r = reader_of(buf_bytes(&b));
    for (uint32_t i = 0; i < 20000; i++)
        assert_int_equal(reader_u32(&r), i);
    assert_true(reader_ended_well(&r));
}

static void
a_failed_allocation_leaves_the_bytes_alone(void **state)
{
    AUTO(buf) b;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&b, 100000);
    assert_int_equal(buf_append_text(&b, "kept", &err), OK);
    (void)mem_fail_at(1, 0);
    uint8_t *room = NULL;
    assert_int_equal(buf_reserve(&b, 5000, &room, &err), ERR_NO_MEMORY);
    (void)mem_fail_at(0, 0);
    assert_int_equal(err.code, ERR_NO_MEMORY);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_text("kept")));
    assert_int_equal(buf_reserve(&b, 5000, &room, &err), OK);
}

static void
a_dropped_buffer_can_be_dropped_again(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_int_equal(buf_append_byte(&b, 1, NULL), OK);
    buf_drop(&b);
    buf_drop(&b);
    assert_null(b.data);
    assert_int_equal(buf_append_byte(&b, 1, NULL), ERR_PAYLOAD_TOO_LARGE);
}

static void
numbers_are_little_endian(void **state)
{
    static const uint8_t want[] = {0x04, 0x03, 0x02, 0x01, 0xF8, 0xF7, 0xF6, 0xF5, 0xF4,
                                   0xF3, 0xF2, 0xF1, 2,    0,    0,    0,    'h',  'i'};
    AUTO(buf) b;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(buf_append_u32(&b, 0x01020304, &err), OK);
    assert_int_equal(buf_append_u64(&b, 0xF1F2F3F4F5F6F7F8, &err), OK);
    assert_int_equal(buf_append_bytes(&b, bytes_of_text("hi"), &err), OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of(want, sizeof want)));
}

static void
a_reader_gives_back_what_was_written(void **state)
{
    AUTO(buf) b;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(buf_append_byte(&b, 200, &err), OK);
    assert_int_equal(buf_append_u64(&b, UINT64_MAX - 1, &err), OK);
    assert_int_equal(buf_append_bytes(&b, bytes_of("", 0), &err), OK);
    assert_int_equal(buf_append_bytes(&b, bytes_of("a\0c", 3), &err), OK);
    assert_int_equal(buf_append_text(&b, "tail", &err), OK);

    struct reader r = reader_of(buf_bytes(&b));
    assert_int_equal(reader_u8(&r), 200);
    assert_true(reader_u64(&r) == UINT64_MAX - 1);
    assert_int_equal(reader_bytes(&r).size, 0);
    assert_true(bytes_equal(reader_bytes(&r), bytes_of("a\0c", 3)));
    assert_false(reader_ended_well(&r));
    assert_true(bytes_equal(reader_take(&r, 4), bytes_of_text("tail")));
    assert_true(reader_ended_well(&r));
}

/* Cut a record at every length: the reader must notice, and read nothing beyond the cut. The copy
 * is exactly as long as the cut, so that a sanitizer sees one byte too many. */
static void
a_reader_notices_every_truncation(void **state)
{
    AUTO(buf) b;
    struct err err = ERR_INIT;

    (void)state;
    buf_init(&b, 100);
    assert_int_equal(buf_append_byte(&b, 1, &err), OK);
    assert_int_equal(buf_append_u32(&b, 2, &err), OK);
    assert_int_equal(buf_append_u64(&b, 3, &err), OK);
    assert_int_equal(buf_append_bytes(&b, bytes_of_text("four"), &err), OK);
    for (size_t size = 0; size < b.size; size++) {
        uint8_t *cut = mem_alloc(size, &err);

        assert_non_null(cut);
        memcpy(cut, b.data, size);
        struct reader r = reader_of(bytes_of(cut, size));
        (void)reader_u8(&r);
        (void)reader_u32(&r);
        (void)reader_u64(&r);
        (void)reader_bytes(&r);
        assert_true(r.failed);
        assert_false(reader_ended_well(&r));
        mem_free(cut);
    }
}

static void
after_a_failure_a_reader_gives_zeros_only(void **state)
{
    struct reader r = reader_of(bytes_of("\xFF\xFF\xFF\xFFrest", 8));

    (void)state;
    assert_int_equal(reader_bytes(&r).size, 0);
    assert_true(r.failed);
    assert_int_equal(reader_u8(&r), 0);
    assert_int_equal(reader_u32(&r), 0);
    assert_true(reader_u64(&r) == 0);
    assert_int_equal(reader_take(&r, 1).size, 0);
    assert_non_null(reader_take(&r, 1).data);
    assert_false(reader_ended_well(&r));
}

static void
a_reader_of_none_is_at_its_end(void **state)
{
    struct reader r = reader_of((struct bytes){0});

    (void)state;
    assert_true(reader_ended_well(&r));
    assert_int_equal(reader_u8(&r), 0);
    assert_true(r.failed);
}

static void
room_for_nothing_is_a_place_too(void **state)
{
    uint8_t *room = NULL;
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    assert_int_equal(buf_reserve(&b, 0, &room, NULL), OK);
    assert_non_null(room);
    buf_commit(&b, 0);
    assert_int_equal(b.size, 0);
    buf_drop(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unused_buffer_gives_an_empty_run_that_is_not_none),
        cmocka_unit_test(appended_pieces_follow_each_other),
        cmocka_unit_test(the_limit_is_reached_exactly_and_not_passed),
        cmocka_unit_test(printed_text_may_fill_the_buffer_to_its_limit),
        cmocka_unit_test(a_size_that_overflows_is_too_large),
        cmocka_unit_test(reserved_room_counts_only_when_committed),
        cmocka_unit_test(growing_keeps_what_is_there),
        cmocka_unit_test(a_failed_allocation_leaves_the_bytes_alone),
        cmocka_unit_test(a_dropped_buffer_can_be_dropped_again),
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(a_reader_gives_back_what_was_written),
        cmocka_unit_test(a_reader_notices_every_truncation),
        cmocka_unit_test(after_a_failure_a_reader_gives_zeros_only),
        cmocka_unit_test(a_reader_of_none_is_at_its_end),
        cmocka_unit_test(room_for_nothing_is_a_place_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
