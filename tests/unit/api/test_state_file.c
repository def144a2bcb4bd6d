/* The text file `checkpoint`: forms that text format allows, forms it does not, and what we write.
 */
#include "api/file/state_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/base/scope.h"

enum { ARENA_BYTES = 4 << 20 };

static void
expect_read(const char *text, const char *latest, const char *const *paths, size_t count)
{
    AUTO(arena) arena;
    struct api_state_file state;
    struct err err = ERR_INIT;

    arena_init(&arena, ARENA_BYTES);
    if (api_state_file_read(bytes_of_text(text), &arena, &state, &err) != OK)
        fail_msg("%s\n%s", text, err.text);
    if (latest == NULL)
        assert_null(state.latest.data);
    else if (!bytes_equal(state.latest, bytes_of_text(latest)))
        fail_msg("%s\nlatest is '%.*s'", text, (int)state.latest.size,
                 (const char *)state.latest.data);
    assert_int_equal(state.path_count, count);
    for (size_t i = 0; i < count; i++)
        assert_true(bytes_equal(state.paths[i], bytes_of_text(paths[i])));
}

static void
expect_refused(const char *text, size_t size, const char *words)
{
    AUTO(arena) arena;
    struct api_state_file state;
    struct err err = ERR_INIT;

    arena_init(&arena, ARENA_BYTES);
    if (api_state_file_read(bytes_of(text, size), &arena, &state, &err) != ERR_INVALID_ARGUMENT)
        fail_msg("taken:\n%s", text);
    if (strstr(err.text, words) == NULL)
        fail_msg("%s\n%s\nlacks: %s", text, err.text, words);
}

static void
what_tensorflow_writes_is_read(void **state)
{
    static const char *const two[] = {"ckpt-1", "ckpt-2"};
    static const char *const sharded[] = {"model.ckpt-1000-?????"
                                          "-of-00001"};

    (void)state;
    expect_read("model_checkpoint_path: \"ckpt-2\"\nall_model_checkpoint_paths: \"ckpt-1\"\n"
                "all_model_checkpoint_paths: \"ckpt-2\"\n"
                "all_model_checkpoint_timestamps: 1712345678.5\n"
                "all_model_checkpoint_timestamps: 1712345999.25\n"
                "last_preserved_timestamp: 1712345600\n",
                "ckpt-2", two, 2);
    expect_read("model_checkpoint_path: \"model.ckpt-1000-?????"
                "-of-00001\"\n"
                "all_model_checkpoint_paths: \"model.ckpt-1000-?????"
                "-of-00001\"\n",
                sharded[0], sharded, 1);
    expect_read("model_checkpoint_path: \"../../../../evil\"", "../../../../evil", NULL, 0);
    expect_read("", NULL, NULL, 0);
}

static void
all_of_text_format_is_read(void **state)
{
    static const char *const two[] = {"a", "b"};

    (void)state;
    expect_read("# a comment\nmodel_checkpoint_path : 'x' # another", "x", NULL, 0);
    expect_read("model_checkpoint_path: \"a\" 'b'\n\t\"c\";", "abc", NULL, 0);
    expect_read("model_checkpoint_path: \"a\"# and\n\"b\"", "ab", NULL, 0);
    expect_read("model_checkpoint_path:\"it's \\\"\\'\\\\ \\101\\x42\\n\\t\\?\\303\\274\"",
                "it's \"'\\ AB\n\t?\xc3\xbc", NULL, 0);
    expect_read("model_checkpoint_path: \"\\u00fc\\U0001F600\\u20ac\"",
                "\xc3\xbc\xf0\x9f\x98\x80\xe2\x82\xac", NULL, 0);
    expect_read("all_model_checkpoint_paths: [\"a\", 'b'], model_checkpoint_path: \"b\",", "b", two,
                2);
    expect_read("all_model_checkpoint_paths: []", NULL, NULL, 0);
    expect_read("model_checkpoint_path: \"\"", "", NULL, 0);
}

static void
unknown_fields_are_passed_over(void **state)
{
    (void)state;
    expect_read("a: -1.5 b { c: 'x' 'y' d < e: [1, 2] > } f: { } [g.h/i]: 1 j: [ {k: 1}, {} ]\n"
                "l: 'm' 'n' model_checkpoint_path: 'x' o: - 3",
                "x", NULL, 0);
    expect_read("a { model_checkpoint_path: 'inner' } model_checkpoint_path: 'outer'", "outer",
                NULL, 0);
}

static void
what_is_no_text_format_is_refused(void **state)
{
    char deep[API_STATE_FILE_DEPTH_MAX + 8];

    (void)state;
#define REFUSED(text, words) expect_refused(text, sizeof text - 1, words)
    REFUSED("model_checkpoint_path: \"model.ckpt-1\n",
            "line 1 of the file 'checkpoint': a string is not closed");
    REFUSED("a: 1\nmodel_checkpoint_path: \"x\\", "line 2");
    REFUSED("model_checkpoint_path: \"x\\\n\"", "not closed");
    REFUSED("model_checkpoint_path: x", "a string in quotes is expected, 'x'");
    REFUSED("model_checkpoint_path \"x\"", "':' is expected");
    REFUSED("model_checkpoint_path:", "'the end'");
    REFUSED("model_checkpoint_path: 'a' model_checkpoint_path: 'b'", "may stand once");
    REFUSED("model_checkpoint_path: '\\q'", "an escape that is none");
    REFUSED("model_checkpoint_path: '\\400'", "an escape that is none");
    REFUSED("model_checkpoint_path: '\\x'", "an escape that is none");
    REFUSED("model_checkpoint_path: '\\ud800'", "an escape that is none");
    REFUSED("model_checkpoint_path: '\\u12'", "an escape that is none");
    REFUSED("model_checkpoint_path: 'a\\000b'", "a path with a NUL");
    REFUSED("model_checkpoint_path: 'a\0b'", "a path with a NUL");
    REFUSED("all_model_checkpoint_paths: ['a' 'b' 1]", "',' or ']'");
    REFUSED("all_model_checkpoint_paths: ['a'", "',' or ']'");
    REFUSED("a { b: 1", "not closed");
    REFUSED("a { b: 1 >", "closes nothing");
    REFUSED("a: }", "closes nothing");
    REFUSED("a: ,", "a value is expected");
    REFUSED("a 1", "':' is expected");
    REFUSED("= 1", "the name of a field is expected");
    REFUSED("'a': 1", "the name of a field is expected");
    REFUSED("\xff\xfe", "'?'");
#undef REFUSED
    memset(deep, '{', sizeof deep);
    deep[0] = 'a';
    expect_refused(deep, sizeof deep, "too many fields inside one another");
}

static void
too_many_paths_and_too_long_a_file_are_refused(void **state)
{
    static const char line[] = "all_model_checkpoint_paths:''\n";
    AUTO(buf) text;

    (void)state;
    buf_init(&text, 4 << 20);
    for (int i = 0; i <= API_STATE_FILE_PATHS_MAX; i++)
        assert_int_equal(buf_append_text(&text, line, NULL), OK);
    expect_refused((const char *)text.data, text.size, "more than 10000");
    while (text.size <= API_STATE_FILE_BYTES_MAX)
        assert_int_equal(buf_append_text(&text, "# a comment that is long\n", NULL), OK);
    expect_refused((const char *)text.data, text.size, "at most 1048576 are read");
}

static void
what_is_written_is_as_tensorflow_writes_it_and_reads_back(void **state)
{
    AUTO(arena) arena;
    AUTO(buf) out;
    struct api_state_file file = {.path_count = 0}, again;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    buf_init(&out, API_STATE_FILE_BYTES_MAX);
    assert_int_equal(api_state_file_add(&file, bytes_of_text("m-1"), &arena, NULL), OK);
    assert_int_equal(api_state_file_add(&file, bytes_of_text("m-2"), &arena, NULL), OK);
    assert_int_equal(api_state_file_add(&file, bytes_of_text("m-1"), &arena, NULL), OK);
    assert_int_equal(api_state_file_write(&file, &out, NULL), OK);
    assert_true(
        bytes_equal(buf_bytes(&out), bytes_of_text("model_checkpoint_path: \"m-1\"\n"
                                                   "all_model_checkpoint_paths: \"m-2\"\n"
                                                   "all_model_checkpoint_paths: \"m-1\"\n")));
    assert_int_equal(api_state_file_add(&file, bytes_of_text("\xc3\xbc '\"\\\n\x01"), &arena, NULL),
                     OK);
    out.size = 0;
    assert_int_equal(api_state_file_write(&file, &out, NULL), OK);
    assert_true(bytes_start_with(
        buf_bytes(&out),
        bytes_of_text("model_checkpoint_path: \"\\303\\274 \\'\\\"\\\\\\n\\001\"\n")));
    assert_int_equal(api_state_file_read(buf_bytes(&out), &arena, &again, NULL), OK);
    assert_true(bytes_equal(again.latest, file.latest));
    assert_int_equal(again.path_count, 3);
}

static void
the_oldest_paths_are_forgotten(void **state)
{
    AUTO(arena) arena;
    struct api_state_file file = {.path_count = 0};
    char name[16];

    (void)state;
    arena_init(&arena, 1 << 30);
    /* Adding copies the list: filled by hand, but for the last. */
    file.paths = arena_array(&arena, API_STATE_FILE_PATHS_MAX, sizeof *file.paths, NULL);
    for (int i = 0; i < API_STATE_FILE_PATHS_MAX; i++) {
        snprintf(name, sizeof name, "m-%d", i);
        file.paths[file.path_count++] =
            bytes_of_text(arena_text(&arena, bytes_of_text(name), NULL));
    }
    assert_int_equal(api_state_file_add(&file, bytes_of_text("new"), &arena, NULL), OK);
    assert_int_equal(file.path_count, API_STATE_FILE_PATHS_MAX);
    assert_true(bytes_equal(file.paths[0], bytes_of_text("m-1")));
    assert_true(bytes_equal(file.paths[API_STATE_FILE_PATHS_MAX - 1], bytes_of_text("new")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_tensorflow_writes_is_read),
        cmocka_unit_test(all_of_text_format_is_read),
        cmocka_unit_test(unknown_fields_are_passed_over),
        cmocka_unit_test(what_is_no_text_format_is_refused),
        cmocka_unit_test(too_many_paths_and_too_long_a_file_are_refused),
        cmocka_unit_test(what_is_written_is_as_tensorflow_writes_it_and_reads_back),
        cmocka_unit_test(the_oldest_paths_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
