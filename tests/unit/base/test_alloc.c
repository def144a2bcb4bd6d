/* Memory: sizes at their edges, and failures on demand. */
#include "store/base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
size_zero_gives_a_pointer_of_its_own(void **state)
{
    struct err err = ERR_INIT;
    void *a = mem_alloc(0, &err), *b = mem_zeroed(0, 8, &err), *c = mem_aligned(0, &err);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(b, c);
    a = mem_resize(a, 0, &err);
    assert_non_null(a);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
}

static void
zeroed_memory_is_zero_and_aligned_memory_is_aligned(void **state)
{
    struct err err = ERR_INIT;
    uint8_t *zeroed = mem_zeroed(3, 333, &err);

    (void)state;
    assert_non_null(zeroed);
    for (size_t i = 0; i < 999; i++)
        assert_int_equal(zeroed[i], 0);
    mem_free(zeroed);
    for (size_t size = 1; size < 300; size += 7) {
        uint8_t *aligned = mem_aligned(size, &err);

        assert_non_null(aligned);
        assert_int_equal((uintptr_t)aligned % 64, 0);
        memset(aligned, 0xAB, size);
        mem_free(aligned);
    }
}

static void
sizes_that_overflow_are_refused(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    assert_null(mem_zeroed(SIZE_MAX / 2, 3, &err));
    assert_int_equal(err.code, ERR_NO_MEMORY);
    err_clear(&err);
    assert_null(mem_aligned(SIZE_MAX - 3, &err));
    assert_int_equal(err.code, ERR_NO_MEMORY);
    assert_null(mem_aligned(SIZE_MAX, NULL));
}

static void
a_copied_text_ends_and_keeps_its_bytes(void **state)
{
    struct err err = ERR_INIT;
    char *copy = mem_copy_text("abcdef", 3, &err), *empty = mem_copy_text("", 0, &err);

    (void)state;
    assert_string_equal(copy, "abc");
    assert_string_equal(empty, "");
    mem_free(copy);
    mem_free(empty);
}

static void
the_nth_allocation_fails_once(void **state)
{
    struct err err = ERR_INIT;
    void *got[4];

    (void)state;
    (void)mem_fail_at(3, 0);
    got[0] = mem_alloc(8, &err);
    got[1] = mem_zeroed(1, 8, &err);
    got[2] = mem_aligned(8, &err);
    got[3] = mem_alloc(8, NULL);
    (void)mem_fail_at(0, 0);
    assert_non_null(got[0]);
    assert_non_null(got[1]);
    assert_null(got[2]);
    assert_non_null(got[3]);
    assert_int_equal(err.code, ERR_NO_MEMORY);
    assert_string_equal(err.text, "out of memory: 8 bytes were not to be had");
    for (size_t i = 0; i < 4; i++)
        mem_free(got[i]);
}

static void
a_sticky_failure_stays_until_switched_off(void **state)
{
    void *first, *second, *third, *after;

    (void)state;
    (void)mem_fail_at(2, 1);
    first = mem_alloc(1, NULL);
    second = mem_alloc(1, NULL);
    third = mem_copy_text("x", 1, NULL);
    assert_int_equal(mem_fail_at(0, 0), 3);
    after = mem_alloc(1, NULL);
    assert_non_null(first);
    assert_null(second);
    assert_null(third);
    assert_non_null(after);
    mem_free(first);
    mem_free(after);
}

static void
a_failed_resize_leaves_the_old_block(void **state)
{
    struct err err = ERR_INIT;
    char *text = mem_copy_text("still here", 10, &err);
    char *grown;

    (void)state;
    (void)mem_fail_at(1, 0);
    grown = mem_resize(text, 100000, &err);
    (void)mem_fail_at(0, 0);
    assert_null(grown);
    assert_string_equal(text, "still here");
    grown = mem_resize(text, 100000, &err);
    assert_non_null(grown);
    assert_string_equal(grown, "still here");
    mem_free(grown);
}

static void
lists_double_when_they_are_full(void **state)
{
    struct err err = ERR_INIT;
    uint64_t *list = NULL;
    size_t capacity = 0, grown = 0;

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        size_t before = capacity;

        list = mem_grown(list, i, &capacity, sizeof *list, &err);
        assert_non_null(list);
        assert_true(capacity > i && (capacity == before || capacity >= 2 * before));
        grown += capacity != before;
        list[i] = i;
    }
    assert_in_range(grown, 1, 10);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(list[i], i);
    mem_free(list);
}

static void
lists_stay_as_they_are_when_they_cannot_grow(void **state)
{
    struct err err = ERR_INIT;
    size_t capacity = 0, many = SIZE_MAX / 2 + 1, wide = SIZE_MAX / 16;
    char *list = mem_grown(NULL, 0, &capacity, 1, &err);
    size_t before = capacity;

    (void)state;
    assert_non_null(list);
    mem_fail_at(1, 0);
    assert_null(mem_grown(list, capacity, &capacity, 1, &err));
    mem_fail_at(0, 0);
    assert_int_equal(err.code, ERR_NO_MEMORY);
    assert_int_equal(capacity, before);
    assert_null(mem_grown(list, many, &many, 1, NULL));
    assert_null(mem_grown(list, wide, &wide, 64, NULL));
    mem_free(list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_zero_gives_a_pointer_of_its_own),
        cmocka_unit_test(zeroed_memory_is_zero_and_aligned_memory_is_aligned),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(a_copied_text_ends_and_keeps_its_bytes),
        cmocka_unit_test(the_nth_allocation_fails_once),
        cmocka_unit_test(a_sticky_failure_stays_until_switched_off),
        cmocka_unit_test(a_failed_resize_leaves_the_old_block),
        cmocka_unit_test(lists_double_when_they_are_full),
        cmocka_unit_test(lists_stay_as_they_are_when_they_cannot_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
