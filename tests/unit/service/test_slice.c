/* Slices: NumPy's results (the table was made with NumPy), refusals of garbage, and runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/tensor/slice.h"

static const struct slice_case {
    struct shape shape;
    const char *text, *result, *elements; /* of numpy.arange(count).reshape(shape) */
} cases[] = {
    /* clang-format off */
    {{0, {0}}, "", "[]", "0"},
    {{0, {0}}, "...", "[]", "0"},
    {{1, {5}}, "", "[5]", "0 1 2 3 4"},
    {{1, {5}}, ":", "[5]", "0 1 2 3 4"},
    {{1, {5}}, "::", "[5]", "0 1 2 3 4"},
    {{1, {5}}, "...", "[5]", "0 1 2 3 4"},
    {{1, {5}}, "2", "[]", "2"},
    {{1, {5}}, "-1", "[]", "4"},
    {{1, {5}}, "-5", "[]", "0"},
    {{1, {5}}, "+3", "[]", "3"},
    {{1, {5}}, "-0", "[]", "0"},
    {{1, {5}}, "1:3", "[2]", "1 2"},
    {{1, {5}}, "1:", "[4]", "1 2 3 4"},
    {{1, {5}}, ":3", "[3]", "0 1 2"},
    {{1, {5}}, ":-1", "[4]", "0 1 2 3"},
    {{1, {5}}, "-3:", "[3]", "2 3 4"},
    {{1, {5}}, "-3:-1", "[2]", "2 3"},
    {{1, {5}}, "::2", "[3]", "0 2 4"},
    {{1, {5}}, "1::2", "[2]", "1 3"},
    {{1, {5}}, "::-1", "[5]", "4 3 2 1 0"},
    {{1, {5}}, "::-2", "[3]", "4 2 0"},
    {{1, {5}}, "3::-1", "[4]", "3 2 1 0"},
    {{1, {5}}, ":2:-1", "[2]", "4 3"},
    {{1, {5}}, "3:0:-2", "[2]", "3 1"},
    {{1, {5}}, "-2:-5:-1", "[3]", "3 2 1"},
    {{1, {5}}, "0:10:2", "[3]", "0 2 4"},
    {{1, {5}}, "7:9", "[0]", ""},
    {{1, {5}}, "-9:2", "[2]", "0 1"},
    {{1, {5}}, "-9:9", "[5]", "0 1 2 3 4"},
    {{1, {5}}, "9:-9:-1", "[5]", "4 3 2 1 0"},
    {{1, {5}}, "3:1", "[0]", ""},
    {{1, {5}}, "1:3:-1", "[0]", ""},
    {{1, {5}}, "2:2", "[0]", ""},
    {{1, {5}}, "-9::-1", "[0]", ""},
    {{1, {5}}, "9::-1", "[5]", "4 3 2 1 0"},
    {{1, {5}}, ":-9:-1", "[5]", "4 3 2 1 0"},
    {{1, {5}}, "0:99999999999999999999999", "[5]", "0 1 2 3 4"},
    {{1, {5}}, "-99999999999999999999999:3", "[3]", "0 1 2"},
    {{1, {5}}, "::99999999999999999999999", "[1]", "0"},
    {{1, {5}}, "::-99999999999999999999999", "[1]", "4"},
    {{1, {5}}, "1:4:99999999999999999999999", "[1]", "1"},
    {{1, {5}}, "9223372036854775807:", "[0]", ""},
    {{1, {5}}, "-9223372036854775808:2", "[2]", "0 1"},
    {{1, {5}}, "18446744073709551617:", "[0]", ""},
    {{1, {0}}, ":", "[0]", ""},
    {{1, {0}}, "::-1", "[0]", ""},
    {{1, {0}}, "3:", "[0]", ""},
    {{1, {1}}, "0", "[]", "0"},
    {{1, {1}}, "::-1", "[1]", "0"},
    {{2, {3, 4}}, "1", "[4]", "4 5 6 7"},
    {{2, {3, 4}}, "-1,-1", "[]", "11"},
    {{2, {3, 4}}, ":,1", "[3]", "1 5 9"},
    {{2, {3, 4}}, "::2,1:3", "[2,2]", "1 2 9 10"},
    {{2, {3, 4}}, "1:3", "[2,4]", "4 5 6 7 8 9 10 11"},
    {{2, {3, 4}}, "...,1", "[3]", "1 5 9"},
    {{2, {3, 4}}, "1,...", "[4]", "4 5 6 7"},
    {{2, {3, 4}}, "1,...,2", "[]", "6"},
    {{2, {3, 4}}, "...,1,2", "[]", "6"},
    {{2, {3, 4}}, "1,2,...", "[]", "6"},
    {{2, {3, 4}}, "::-1,::-1", "[3,4]", "11 10 9 8 7 6 5 4 3 2 1 0"},
    {{2, {3, 4}}, "::-2,3:0:-2", "[2,2]", "11 9 3 1"},
    {{2, {3, 4}}, "1:1,2", "[0]", ""},
    {{2, {3, 4}}, "2,1:1", "[0]", ""},
    {{3, {2, 3, 4}}, "1,:,2", "[3]", "14 18 22"},
    {{3, {2, 3, 4}}, "...,::3", "[2,3,2]", "0 3 4 7 8 11 12 15 16 19 20 23"},
    {{3, {2, 3, 4}}, "0:10:2,3:7,-1", "[1,0]", ""},
    {{3, {2, 3, 4}}, ":,1", "[2,4]", "4 5 6 7 16 17 18 19"},
    {{3, {2, 3, 4}}, ":,1:", "[2,2,4]", "4 5 6 7 8 9 10 11 16 17 18 19 20 21 22 23"},
    {{3, {2, 3, 4}}, "-1,::-1,1:3", "[3,2]", "21 22 17 18 13 14"},
    {{3, {2, 3, 4}}, "...,0,:", "[2,4]", "0 1 2 3 12 13 14 15"},
    {{3, {2, 3, 4}}, "1,1,1", "[]", "17"},
    {{3, {2, 0, 4}}, "1", "[0,4]", ""},
    {{3, {2, 1, 3}}, ":,0,1:", "[2,2]", "1 2 4 5"},
    {{3, {2, 1, 3}}, ":,::5", "[2,1,3]", "0 1 2 3 4 5"},
    /* clang-format on */
};

enum { TEXT_MAX = 512 };

struct walk {
    char text[TEXT_MAX];
    size_t used;
    uint64_t next_result, run_calls, last_end;
    bool joined; /* two runs that should have been one */
};

static enum err_code
note_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
         struct err *err)
{
    struct walk *walk = context;

    (void)err;
    assert_int_equal(result_first, walk->next_result);
    assert_true(count > 0);
    walk->joined = walk->joined || (walk->run_calls > 0 && source_first == walk->last_end);
    walk->last_end = source_first + count;
    walk->next_result += count;
    walk->run_calls++;
    for (uint64_t i = 0; i < count && walk->used < TEXT_MAX - 24; i++)
        walk->used +=
            (size_t)snprintf(walk->text + walk->used, TEXT_MAX - walk->used, "%s%llu",
                             walk->used == 0 ? "" : " ", (unsigned long long)(source_first + i));
    return OK;
}

static void
every_case_selects_what_numpy_selects_in_maximal_runs(void **state)
{
    char shape[SHAPE_TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        struct walk walk = {0};
        struct slice slice;

        if (slice_parse(bytes_of_text(cases[i].text), &cases[i].shape, &slice, &err) != OK)
            fail_msg("'%s': %s", cases[i].text, err.text);
        if (strcmp(shape_text(&slice.result, shape), cases[i].result) != 0)
            fail_msg("'%s' gives %s, not %s", cases[i].text, shape, cases[i].result);
        assert_int_equal(slice_each_run(&slice, note_run, &walk, &err), OK);
        if (strcmp(walk.text, cases[i].elements) != 0)
            fail_msg("'%s' selects '%s', not '%s'", cases[i].text, walk.text, cases[i].elements);
        assert_int_equal(walk.next_result, shape_count(&slice.result));
        assert_false(walk.joined);
    }
}

static void
contiguous_parts_come_as_one_run(void **state)
{
    static const struct {
        const char *text;
        uint64_t runs;
    } texts[] = {{"", 1},    {"1:3", 1},  {"2", 1},      {"2,1:3", 1},   {":,1:3", 5},
                 {"::2", 3}, {"::-1", 5}, {":,:,1", 20}, {"1,:,::2", 5}, {"9:", 0}};
    struct shape shape = {3, {5, 4, 3}};
    struct slice slice;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct walk walk = {0};

        assert_int_equal(slice_parse(bytes_of_text(texts[i].text), &shape, &slice, NULL), OK);
        assert_int_equal(slice_each_run(&slice, note_run, &walk, NULL), OK);
        assert_int_equal(walk.run_calls, texts[i].runs);
    }
}

static enum err_code
fail_second_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
                struct err *err)
{
    uint64_t *calls = context;

    (void)source_first;
    (void)result_first;
    (void)count;
    return ++*calls == 2 ? err_set(err, ERR_DATA_LOSS, "run %d", 2) : OK;
}

static void
a_failing_run_ends_the_walk(void **state)
{
    struct shape shape = {2, {5, 2}};
    struct slice slice;
    uint64_t calls = 0;

    (void)state;
    assert_int_equal(slice_parse(bytes_of_text(":,0"), &shape, &slice, NULL), OK);
    assert_int_equal(slice_each_run(&slice, fail_second_run, &calls, NULL), ERR_DATA_LOSS);
    assert_int_equal(calls, 2);
}

static void
garbage_is_refused_with_its_place(void **state)
{
    static const char *const texts[] = {
        ",",           "1,",          ",1",  "1,,2",  "a",     "1:b",       "1:2:c",    "1:2:3:4",
        "::0",         "::-0",        "1 ",  " 1",    "..",    "....",      "...:",     "...,...",
        "-",           "+",           "--1", "1:-",   "1::+",  "0x1",       "1.5",      "1e3",
        "None",        "[1]",         "1;2", ":,:,:", "1,2,3", "...,1,2,3", "\xc3\xa9", "1\n",
        "1:2,...,...", "1,...,2,...", "inf", "1_0"};
    struct shape shape = {2, {3, 4}};
    struct slice slice;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct err err = ERR_INIT;

        if (slice_parse(bytes_of_text(texts[i]), &shape, &slice, &err) != ERR_INVALID_ARGUMENT)
            fail_msg("'%s' passed", texts[i]);
        assert_non_null(strstr(err.text, "slice"));
        for (const char *c = err.text; *c != '\0'; c++)
            assert_true(*c >= ' ' && *c <= '~');
    }
    assert_int_equal(slice_parse(bytes_of("1\0", 2), &shape, &slice, NULL), ERR_INVALID_ARGUMENT);
}

static void
a_rank_zero_tensor_takes_no_entries(void **state)
{
    struct shape scalar = {0, {0}};
    struct slice slice;

    (void)state;
    assert_int_equal(slice_parse(bytes_of_text(":"), &scalar, &slice, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(slice_parse(bytes_of_text("0"), &scalar, &slice, NULL), ERR_INVALID_ARGUMENT);
}

static void
an_index_past_the_end_is_out_of_range(void **state)
{
    static const char *const texts[] = {"3",
                                        "-4",
                                        "0,4",
                                        "...,-5",
                                        "99999999999999999999999",
                                        "-99999999999999999999999",
                                        "9223372036854775808"};
    struct shape shape = {2, {3, 4}}, empty = {1, {0}};
    struct slice slice;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct err err = ERR_INIT;

        assert_int_equal(slice_parse(bytes_of_text(texts[i]), &shape, &slice, &err),
                         ERR_OUT_OF_RANGE);
        assert_non_null(strstr(err.text, "[3,4]"));
    }
    assert_int_equal(slice_parse(bytes_of_text("0"), &empty, &slice, NULL), ERR_OUT_OF_RANGE);
}

static void
the_deepest_rank_has_room_for_every_entry(void **state)
{
    struct shape shape = {.rank = SHAPE_RANK_MAX};
    char text[SHAPE_RANK_MAX * 2 + 8] = "...";
    size_t used = strlen(text);
    struct walk walk = {0};
    struct slice slice;

    (void)state;
    for (uint32_t i = 0; i < SHAPE_RANK_MAX; i++) {
        shape.dims[i] = i % 8 == 7 ? 2 : 1;
        used += (size_t)snprintf(text + used, sizeof text - used, ",0");
    }
    assert_int_equal(slice_parse(bytes_of_text(text), &shape, &slice, NULL), OK);
    assert_int_equal(slice.result.rank, 0);
    assert_int_equal(slice_each_run(&slice, note_run, &walk, NULL), OK);
    assert_string_equal(walk.text, "0");
    snprintf(text + used, sizeof text - used, ",0");
    assert_int_equal(slice_parse(bytes_of_text(text), &shape, &slice, NULL), ERR_INVALID_ARGUMENT);
}

static void
the_largest_dimension_does_not_overflow(void **state)
{
    struct shape shape = {1, {SHAPE_COUNT_MAX}};
    struct slice slice;

    (void)state;
    assert_int_equal(slice_parse(bytes_of_text("::-1"), &shape, &slice, NULL), OK);
    assert_int_equal(slice.count[0], SHAPE_COUNT_MAX);
    assert_int_equal(slice.start[0], SHAPE_COUNT_MAX - 1);
    assert_int_equal(slice_parse(bytes_of_text("5::70368744177664"), &shape, &slice, NULL), OK);
    assert_int_equal(slice.count[0], 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_selects_what_numpy_selects_in_maximal_runs),
        cmocka_unit_test(contiguous_parts_come_as_one_run),
        cmocka_unit_test(a_failing_run_ends_the_walk),
        cmocka_unit_test(garbage_is_refused_with_its_place),
        cmocka_unit_test(a_rank_zero_tensor_takes_no_entries),
        cmocka_unit_test(an_index_past_the_end_is_out_of_range),
        cmocka_unit_test(the_deepest_rank_has_room_for_every_entry),
        cmocka_unit_test(the_largest_dimension_does_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
