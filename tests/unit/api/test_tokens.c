/* Sets of tokens: what a line says, which token is meant, which models it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "api/guard/tokens.h"
#include "store/base/alloc.h"

/* The SHA-256 of "abc". */
#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const struct api_token *
find(const struct api_tokens *tokens, const char *token, uint64_t now_ms)
{
    uint8_t digest[API_TOKEN_DIGEST_BYTES];

    api_token_digest(bytes_of_text(token), digest);
    return api_tokens_find(tokens, digest, now_ms);
}

static struct api_tokens *
parsed(const char *text)
{
    struct api_tokens *tokens = NULL;
    struct err err = ERR_INIT;

    if (api_tokens_parse(bytes_of_text(text), "t", &tokens, &err) != OK)
        fail_msg("%s", err.text);
    return tokens;
}

static void
a_line_says_who_what_where_and_until_when(void **state)
{
    struct api_tokens *tokens =
        parsed("# comment\r\n\n \t\n"
               "a.b-c_1\t" ABC "  write,read models=x,y* until=1970-01-01T00:00:02Z\r\n");
    const struct api_token *token = find(tokens, "abc", 1999);

    (void)state;
    assert_int_equal(api_tokens_count(tokens), 1);
    assert_non_null(token);
    assert_string_equal(token->name, "a.b-c_1");
    assert_int_equal(token->scope, SCOPE_WRITE);
    assert_true(bytes_equal(token->models, bytes_of_text("x,y*")));
    assert_int_equal(token->until_ms, 2000);
    assert_null(find(tokens, "abc", 2000));
    assert_null(find(tokens, "abd", 0));
    assert_null(find(tokens, "", 0));
    api_tokens_drop(tokens);
}

static void
an_empty_file_knows_nobody(void **state)
{
    struct api_tokens *tokens = parsed("");

    (void)state;
    assert_int_equal(api_tokens_count(tokens), 0);
    assert_null(find(tokens, "abc", 0));
    api_tokens_drop(api_tokens_hold(tokens));
    assert_null(find(tokens, "abc", 0));
    api_tokens_drop(tokens);
    api_tokens_drop(NULL);
}

/* Every one is found, wherever it stands; digests that differ in one bit are not taken for it. */
static void
each_of_many_is_told_from_the_others(void **state)
{
    enum { COUNT = 300, LINE_BYTES = 128 };
    static char text[COUNT * LINE_BYTES];
    struct api_tokens *tokens;
    size_t used = 0;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        uint8_t digest[API_TOKEN_DIGEST_BYTES];
        char token[32];

        snprintf(token, sizeof token, "token%d", i);
        api_token_digest(bytes_of_text(token), digest);
        used += (size_t)snprintf(text + used, sizeof text - used, "n%d sha256:", i);
        for (size_t k = 0; k < sizeof digest; k++)
            used += (size_t)snprintf(text + used, sizeof text - used, k % 2 == 0 ? "%02x" : "%02X",
                                     digest[k]);
        used += (size_t)snprintf(text + used, sizeof text - used, " read\n");
    }
    tokens = parsed(text);
    for (int i = 0; i < COUNT; i++) {
        uint8_t digest[API_TOKEN_DIGEST_BYTES];
        char token[32], name[32];

        snprintf(token, sizeof token, "token%d", i);
        snprintf(name, sizeof name, "n%d", i);
        api_token_digest(bytes_of_text(token), digest);
        assert_string_equal(api_tokens_find(tokens, digest, 0)->name, name);
        digest[i % API_TOKEN_DIGEST_BYTES] ^= (uint8_t)(1 << i % 8);
        assert_null(api_tokens_find(tokens, digest, 0));
    }
    api_tokens_drop(tokens);
}

static void
globs_match_whole_names(void **state)
{
    static const struct {
        const char *globs, *model;
        bool covers;
    } cases[] = {
        {"a", "a", true},
        {"a", "ab", false},
        {"a", "", false},
        {"*", "x", true},
        {"*", "", true},
        {"a*", "a", true},
        {"a*c", "abbbc", true},
        {"a*c", "abbbcd", false},
        {"*a*b*", "xxaxxbxx", true},
        {"*a*b*", "xxb", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"a?c", "abc", true},
        {"?*", "", false},
        {"**", "abc", true},
        {"x,a*", "abc", true},
        {"x,y", "x,y", false},
        {"*.v2", "m.v2.v2", true},
        {"A", "a", false},
        {"a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_token token = {.models = bytes_of_text(cases[i].globs)};

        if (api_token_covers(&token, bytes_of_text(cases[i].model)) != cases[i].covers)
            fail_msg("'%s' for '%s'", cases[i].globs, cases[i].model);
    }
    assert_true(api_token_covers(&(struct api_token){.models = {NULL, 0}}, bytes_of_text("any")));
}

static void
wrong_lines_are_told_by_number_and_not_by_content(void **state)
{
    static const char *const bad[] = {"a",
                                      "a " ABC,
                                      "a sha256:00 read",
                                      "a " ABC " none",
                                      "a " ABC " read,",
                                      "a " ABC " read models=",
                                      "a " ABC " read until=2027-13-01T00:00:00Z",
                                      "a " ABC " read until=1960-01-01T00:00:00Z",
                                      "a " ABC " read until=2027-01-01T00:00:00Zz",
                                      "a " ABC " read x y z u v w",
                                      "a/b " ABC " read",
                                      "a " ABC " read\nb " ABC " read"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct api_tokens *tokens = NULL;
        struct err err = ERR_INIT;
        char text[512];

        snprintf(text, sizeof text, "#\n%s\n", bad[i]);
        assert_int_equal(api_tokens_parse(bytes_of_text(text), "file", &tokens, &err),
                         ERR_INVALID_ARGUMENT);
        assert_non_null(
            strstr(err.text, strchr(bad[i], '\n') ? "file, line 3: " : "file, line 2: "));
        assert_null(strstr(err.text, "ba7816bf"));
    }
}

static void
without_memory_there_is_no_set(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 5; nth++) {
        struct api_tokens *tokens = NULL;
        struct err err = ERR_INIT;
        enum err_code code;

        (void)mem_fail_at(nth, 0);
        code = api_tokens_parse(bytes_of_text("a " ABC " read\n"), "t", &tokens, &err);
        (void)mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        assert_true((code == OK) == (tokens != NULL));
        api_tokens_drop(tokens);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_who_what_where_and_until_when),
        cmocka_unit_test(an_empty_file_knows_nobody),
        cmocka_unit_test(each_of_many_is_told_from_the_others),
        cmocka_unit_test(globs_match_whole_names),
        cmocka_unit_test(wrong_lines_are_told_by_number_and_not_by_content),
        cmocka_unit_test(without_memory_there_is_no_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
