/* Arenas: pieces that are aligned, zeroed and apart; a limit that holds; failures that leave
 * nothing. */
#include "store/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"

static void
pieces_are_aligned_zeroed_and_apart(void **state)
{
    AUTO(arena) a;
    struct err err = ERR_INIT;
    uint8_t *pieces[500];

    (void)state;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < 500; i++) {
        pieces[i] = arena_alloc(&a, i, &err);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t byte = 0; byte < i; byte++)
            assert_int_equal(pieces[i][byte], 0);
        memset(pieces[i], (int)(i % 255 + 1), i);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t byte = 0; byte < i; byte++)
            assert_int_equal(pieces[i][byte], i % 255 + 1);
}

static void
size_zero_gives_a_piece_of_its_own(void **state)
{
    AUTO(arena) a;

    (void)state;
    arena_init(&a, 64);
    void *first = arena_alloc(&a, 0, NULL), *second = arena_alloc(&a, 0, NULL);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
}

static void
the_limit_holds_to_the_byte_for_whole_steps(void **state)
{
    AUTO(arena) a;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 10000);
    assert_non_null(arena_alloc(&a, 9984, &err));
    assert_non_null(arena_alloc(&a, 16, &err));
    assert_int_equal(a.used, 10000);
    assert_null(arena_alloc(&a, 1, &err));
    assert_int_equal(err.code, ERR_PAYLOAD_TOO_LARGE);
    assert_string_equal(err.text, "1 more bytes beside 10000 are over the limit of 10000 bytes");
}

static void
many_tiny_pieces_do_not_slip_under_the_limit(void **state)
{
    AUTO(arena) a;
    int got = 0;

    (void)state;
    arena_init(&a, 1600);
    while (arena_alloc(&a, 1, NULL) != NULL)
        got++;
    assert_int_equal(got, 100);
}

static void
sizes_that_overflow_are_too_large(void **state)
{
    AUTO(arena) a;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, SIZE_MAX);
    assert_non_null(arena_alloc(&a, 5, &err));
    assert_null(arena_alloc(&a, SIZE_MAX, &err));
    assert_int_equal(err.code, ERR_PAYLOAD_TOO_LARGE);
    err_clear(&err);
    assert_null(arena_array(&a, SIZE_MAX / 8 + 2, 8, &err));
    assert_int_equal(err.code, ERR_PAYLOAD_TOO_LARGE);
    err_clear(&err);
    assert_null(arena_text(&a, (struct bytes){(const uint8_t *)"", SIZE_MAX}, &err));
    assert_int_equal(err.code, ERR_PAYLOAD_TOO_LARGE);
}

static void
a_large_piece_leaves_room_for_small_ones_where_they_were(void **state)
{
    AUTO(arena) a;

    (void)state;
    arena_init(&a, 1 << 24);
    uint8_t *before = arena_alloc(&a, 16, NULL);
    uint8_t *large = arena_alloc(&a, 1 << 22, NULL);
    uint8_t *after = arena_alloc(&a, 16, NULL);
    assert_non_null(before);
    assert_non_null(large);
    assert_ptr_equal(after, before + 16);
    memset(large, 1, 1 << 22);
    assert_int_equal(after[0], 0);
}

static void
a_first_large_piece_works_alone(void **state)
{
    AUTO(arena) a;

    (void)state;
    arena_init(&a, 1 << 24);
    uint8_t *large = arena_alloc(&a, 1 << 22, NULL), *small = arena_alloc(&a, 1, NULL);
    assert_non_null(large);
    assert_non_null(small);
    memset(large, 1, 1 << 22);
    assert_int_equal(*small, 0);
}

static void
text_is_copied_and_ended(void **state)
{
    AUTO(arena) a;
    struct err err = ERR_INIT;

    (void)state;
    arena_init(&a, 4096);
    char *text = arena_text(&a, bytes_of("layer/w!!", 7), &err);
    char *empty = arena_text(&a, bytes_of(NULL, 0), &err);
    assert_string_equal(text, "layer/w");
    assert_string_equal(empty, "");
}

static void
each_failing_allocation_leaves_the_arena_usable(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        AUTO(arena) a;
        struct err err = ERR_INIT;
        int refused = 0;

        arena_init(&a, 1 << 20);
        (void)mem_fail_at(nth, 0);
        for (int i = 0; i < 16; i++)
            refused += arena_alloc(&a, 1000, &err) == NULL;
        (void)mem_fail_at(0, 0);
        assert_int_equal(refused, 1);
        assert_int_equal(err.code, ERR_NO_MEMORY);
        assert_int_equal(a.used, 15 * 1008);
    }
}

static void
a_dropped_arena_gives_nothing_and_can_be_dropped_again(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 1000);
    assert_non_null(arena_alloc(&a, 10, NULL));
    arena_drop(&a);
    assert_null(arena_alloc(&a, 1, NULL));
    arena_drop(&a);
    assert_null(a.blocks);
}

static void
a_list_that_grows_keeps_its_items(void **state)
{
    struct arena arena = {0};
    uint64_t *items = NULL;
    size_t capacity = 0;

    (void)state;
    arena_init(&arena, 1 << 16);
    for (size_t count = 0; count < 1000; count++) {
        uint64_t *grown = arena_grown(&arena, items, count, &capacity, sizeof *items, NULL);

        assert_non_null(grown);
        assert_true(count < capacity);
        items = grown;
        items[count] = count * count;
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i * i);
    arena.size_max = arena.used;
    capacity = 1000;
    assert_null(arena_grown(&arena, items, 1000, &capacity, sizeof *items, NULL));
    assert_int_equal(capacity, 1000);
    arena_drop(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(size_zero_gives_a_piece_of_its_own),
        cmocka_unit_test(the_limit_holds_to_the_byte_for_whole_steps),
        cmocka_unit_test(many_tiny_pieces_do_not_slip_under_the_limit),
        cmocka_unit_test(sizes_that_overflow_are_too_large),
        cmocka_unit_test(a_large_piece_leaves_room_for_small_ones_where_they_were),
        cmocka_unit_test(a_first_large_piece_works_alone),
        cmocka_unit_test(text_is_copied_and_ended),
        cmocka_unit_test(each_failing_allocation_leaves_the_arena_usable),
        cmocka_unit_test(a_dropped_arena_gives_nothing_and_can_be_dropped_again),
        cmocka_unit_test(a_list_that_grows_keeps_its_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
