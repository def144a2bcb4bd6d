/* Tensors that lie in parts: every way to cut one gives its elements in order. */
#include "api/file/tf_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "store/base/scope.h"
#include "tests/unit/api/boxes.h"

enum { ARENA_BYTES = 1 << 20, PARTS_MAX = 64 };

static enum err_code
begin(struct arena *arena, const struct shape *whole, const struct box *boxes, size_t count,
      struct api_tf_parts *out, struct err *err)
{
    TRY(api_tf_parts_begin(out, arena, whole, count, err));
    for (size_t i = 0; i < count; i++)
        TRY(api_tf_parts_add(out, arena, boxes[i].first, &boxes[i].shape, err));
    return api_tf_parts_start(out, err);
}

/* Goes through the whole; each part's elements must come in order, and be where they are due. */
static enum err_code
go_through(const struct shape *whole, const struct box *boxes, size_t count, struct err *err)
{
    AUTO(arena) arena = {0};
    struct api_tf_parts parts;
    uint64_t read[PARTS_MAX] = {0}, position = 0;

    arena_init(&arena, ARENA_BYTES);
    TRY(begin(&arena, whole, boxes, count, &parts, err));
    while (position < shape_count(whole)) {
        uint64_t limit = 1 + random_below(9), run = 0;
        size_t part = SIZE_MAX;

        TRY(api_tf_parts_next(&parts, limit, &part, &run, err));
        assert_true(part < count && run >= 1 && run <= limit);
        for (uint64_t i = 0; i < run; i++)
            assert_int_equal(box_place(&boxes[part], whole, read[part]++), position++);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(read[i], shape_count(&boxes[i].shape));
    return OK;
}

static void
any_parts_make_the_whole(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct box boxes[PARTS_MAX] = {{.shape.rank = 1 + random_below(5)}};
        size_t count = 1;
        struct shape whole;

        for (uint32_t i = 0; i < boxes[0].shape.rank; i++)
            boxes[0].shape.dims[i] = 1 + random_below(i < 2 ? 7 : 4);
        whole = boxes[0].shape;
        for (uint32_t cuts = random_below(PARTS_MAX - 1); cuts > 0; cuts--)
            count = boxes_cut(boxes, count);
        assert_int_equal(go_through(&whole, boxes, count, NULL), OK);
    }
}

static void
scalars_and_tensors_without_elements_have_one_part(void **state)
{
    struct box scalar = {.shape.rank = 0}, empty = {.shape = {.rank = 2, .dims = {0, 5}}};

    (void)state;
    assert_int_equal(go_through(&scalar.shape, &scalar, 1, NULL), OK);
    assert_int_equal(go_through(&empty.shape, &empty, 1, NULL), OK);
    assert_int_equal(go_through(&empty.shape, NULL, 0, NULL), OK);
}

static void
holes_and_overlaps_are_errors(void **state)
{
    const struct shape whole = {.rank = 2, .dims = {4, 3}};
    struct box boxes[] = {{.first = {0, 0}, .shape = {.rank = 2, .dims = {2, 3}}},
                          {.first = {2, 0}, .shape = {.rank = 2, .dims = {2, 3}}},
                          {.first = {1, 1}, .shape = {.rank = 2, .dims = {1, 1}}}};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(go_through(&whole, boxes, 2, &err), OK);
    assert_int_equal(go_through(&whole, boxes, 1, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "hole"));
    err_clear(&err);
    assert_int_equal(go_through(&whole, boxes, 3, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "overlap"));
    /* As many elements as the whole, but not its. */
    boxes[1].first[0] = 1;
    err_clear(&err);
    assert_int_equal(go_through(&whole, boxes, 2, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "at element"));
    boxes[1] = boxes[0];
    assert_int_equal(go_through(&whole, boxes, 2, NULL), ERR_INVALID_ARGUMENT);
}

static void
the_same_part_many_times_is_refused_at_once(void **state)
{
    enum { TIMES = 20000 };
    const struct shape whole = {.rank = 2, .dims = {4, 3}}, part = {.rank = 2, .dims = {2, 3}};
    const uint64_t first[2] = {2, 0};
    AUTO(arena) arena = {0};
    struct api_tf_parts parts;

    (void)state;
    arena_init(&arena, ARENA_BYTES * 16);
    assert_int_equal(api_tf_parts_begin(&parts, &arena, &whole, TIMES, NULL), OK);
    for (size_t i = 0; i < TIMES; i++)
        assert_int_equal(api_tf_parts_add(&parts, &arena, first, &part, NULL), OK);
    assert_int_equal(api_tf_parts_start(&parts, NULL), ERR_INVALID_ARGUMENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_parts_make_the_whole),
        cmocka_unit_test(scalars_and_tensors_without_elements_have_one_part),
        cmocka_unit_test(holes_and_overlaps_are_errors),
        cmocka_unit_test(the_same_part_many_times_is_refused_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
