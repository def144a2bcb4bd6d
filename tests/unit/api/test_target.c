/* The request target: one meaning, or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/http/target.h"
#include "store/base/scope.h"

static enum err_code
split(const char *text, struct api_target *out, struct err *err)
{
    return api_target_split(bytes_of_text(text), out, err);
}

static void
path_and_query_are_cut_at_the_first_question_mark(void **state)
{
    struct api_target target;

    (void)state;
    assert_int_equal(split("/v1/models?a=b?c", &target, NULL), OK);
    assert_int_equal(target.path.size, 10);
    assert_memory_equal(target.path.data, "/v1/models", 10);
    assert_int_equal(target.query.size, 5);
    assert_memory_equal(target.query.data, "a=b?c", 5);

    assert_int_equal(split("/", &target, NULL), OK);
    assert_int_equal(target.path.size, 1);
    assert_int_equal(target.query.size, 0);
    assert_int_equal(split("/a?", &target, NULL), OK);
    assert_int_equal(target.query.size, 0);
}

static void
doubtful_targets_are_refused(void **state)
{
    static const char *const bad[] = {
        "",         "*",       "http://evil/x", "a:1",         "/a b",     "/a#b",
        "/a\tb",    "/a\x7f",  "/a%",           "/a%2",        "/a%zz",    "/a%00b",
        "/a%0d%0a", "/a%1f",   "/a%7F",         "/a%253a",     "/a%25",    "/a%3Ab",
        "/a//b",    "/a/./b",  "/a/../b",       "/..",         "/.",       "/a/%2e%2e/b",
        "/a/%2E/b", "/a/.%2e", "/a%2f%2fb",     "/a%2F..%2Fb", "/a%2f./b", "/%2e%2e",
        "/a%ff",    "/a%c3",   "/a%c3(",        "/a%ed%a0%80", "/a%c0%af", "/a%f4%90%80%80",
        "/a\xc3/b",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = ERR_INIT;
        struct api_target target;

        if (split(bad[i], &target, &err) != ERR_INVALID_ARGUMENT)
            fail_msg("'%s' was let through", bad[i]);
        assert_true(strlen(err.text) > 10);
    }
}

static void
clean_targets_pass(void **state)
{
    static const char *const good[] = {
        "/v1/models/m/variables/layer1/w:assign_add",
        "/v1/models/m/variables/layer1%2Fw",
        "/...",
        "/.a/..b/c..",
        "/a%20b",
        "/a/",
        "/%c3%a9",
        "/a?x=%zz", /* the query is looked at later */
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct api_target target;

        if (split(good[i], &target, NULL) != OK)
            fail_msg("'%s' was refused", good[i]);
    }
}

static void
decoding_happens_once(void **state)
{
    uint8_t out[16];
    size_t size = api_target_decode(bytes_of_text("a%2Fb%2fc"), out);

    (void)state;
    assert_int_equal(size, 5);
    assert_memory_equal(out, "a/b/c", 5);
}

static void
query_text_is_decoded_with_plus_as_space(void **state)
{
    AUTO(arena) arena;
    struct bytes out;

    (void)state;
    arena_init(&arena, 4096);
    assert_int_equal(api_target_decode_query(bytes_of_text("a+b%2Bc%C3%A9"), &arena, &out, NULL),
                     OK);
    assert_int_equal(out.size, 7);
    assert_memory_equal(out.data, "a b+c\xc3\xa9", 7);
    assert_int_equal(out.data[out.size], 0);
    assert_int_equal(api_target_decode_query(bytes_of_text(""), &arena, &out, NULL), OK);
    assert_int_equal(out.size, 0);
    assert_non_null(out.data);
}

static void
hostile_query_text_is_refused(void **state)
{
    static const char *const bad[] = {"%", "%4", "%zz", "a%00b", "%ff", "\xc3("};
    AUTO(arena) arena;

    (void)state;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes out;

        if (api_target_decode_query(bytes_of_text(bad[i]), &arena, &out, NULL) !=
            ERR_INVALID_ARGUMENT)
            fail_msg("'%s' was let through", bad[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_and_query_are_cut_at_the_first_question_mark),
        cmocka_unit_test(doubtful_targets_are_refused),
        cmocka_unit_test(clean_targets_pass),
        cmocka_unit_test(decoding_happens_once),
        cmocka_unit_test(query_text_is_decoded_with_plus_as_space),
        cmocka_unit_test(hostile_query_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
