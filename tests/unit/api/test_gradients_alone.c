/* Tensors alone, said as the JSON that names them. */
#include "api/resource/gradients_alone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "service/name.h"
#include "store/base/scope.h"
#include "tests/support/pieces.h"

enum { ARENA_BYTES = 1 << 20, TEXT_BYTES = 1 << 20 };

#define NONE                                                                                       \
    {                                                                                              \
        NULL, NULL, NULL, NULL, NULL, NULL                                                         \
    }
#define EMPTY(name) "\"" name "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}"
#define META(pairs) "\"__metadata__\":{" pairs "}"

/* `header`: without its braces. `query`: in the order of api_gradients_arguments. */
static enum err_code
say(const char *header, const char *const query[static API_GRADIENTS_ARGUMENTS], struct buf *out,
    struct err *err)
{
    const struct api_tensor_limits limits = {TEXT_BYTES, 100};
    struct bytes arguments[API_GRADIENTS_ARGUMENTS];
    AUTO(arena) arena = {0};
    AUTO(api_tensor_table) table = {0};
    AUTO(buf) file = {0};
    struct pieces pieces;
    struct api_byte_source source = {.context = &pieces, .read = pieces_read};

    for (int i = 0; i < API_GRADIENTS_ARGUMENTS; i++)
        arguments[i] = query[i] == NULL ? bytes_of(NULL, 0) : bytes_of_text(query[i]);
    arena_init(&arena, ARENA_BYTES);
    buf_init(&file, TEXT_BYTES);
    buf_init(out, TEXT_BYTES);
    assert_int_equal(buf_append_u64(&file, strlen(header) + 2, NULL), OK);
    assert_int_equal(buf_printf(&file, NULL, "{%s}", header), OK);
    pieces = (struct pieces){.left = buf_bytes(&file)};
    TRY(api_tensor_table_read(&source, "the body", &limits, &arena, &table, err));
    TRY(api_gradients_text(&table, arguments, out, err));
    return buf_append_byte(out, '\0', err);
}

static const struct {
    const char *header;
    const char *query[API_GRADIENTS_ARGUMENTS];
    const char *text;
} good[] = {
    {"", NONE, "{\"gradients\":{}}"},
    {EMPTY("w") "," EMPTY("a/b:0"), NONE,
     "{\"gradients\":{\"a/b:0\":{\"tensor\":\"a/b:0\"},\"w\":{\"tensor\":\"w\"}}}"},
    {EMPTY("e.values") "," EMPTY("e.indices"), NONE,
     "{\"gradients\":{\"e\":{\"indices\":{\"tensor\":\"e.indices\"},\"values\":{\"tensor\":\"e."
     "values\"}}}}"},
    {EMPTY(".values") "," EMPTY(".indices"), NONE,
     "{\"gradients\":{\".indices\":{\"tensor\":\".indices\"},\".values\":{\"tensor\":\".values\"}}"
     "}"},
    /* one of the two alone is an ordinary name */
    {EMPTY("e.values") "," EMPTY("f.indices"), NONE,
     "{\"gradients\":{\"e.values\":{\"tensor\":\"e.values\"},\"f.indices\":{\"tensor\":\"f."
     "indices\"}}}"},
    {EMPTY("a"),
     {"global_step", "5.5", "905", "4"},
     "{\"gradients\":{\"a\":{\"tensor\":\"a\"}},\"global_step\":\"global_step\",\"clip_by_global_"
     "norm\":5.5,\"base_revision\":905,\"max_staleness\":4}"},
    {META("\"format\":\"pt\",\"global_step\":\"7\",\"base_revision\":\" 9 \"") "," EMPTY("a"),
     {NULL, "a \"b\"", NULL, ""},
     "{\"gradients\":{\"a\":{\"tensor\":\"a\"}},\"global_step\":\"7\",\"clip_by_global_norm\":\"a "
     "\\\"b\\\"\",\"base_revision\": 9 ,\"max_staleness\":\"\"}"},
    /* no text closes what it stands in */
    {EMPTY("a"),
     {"x\",\"y\":\"", "1,\"y\":2", "1}", "[1"},
     "{\"gradients\":{\"a\":{\"tensor\":\"a\"}},\"global_step\":\"x\\\",\\\"y\\\":\\\"\",\"clip_by_"
     "global_norm\":\"1,\\\"y\\\":2\",\"base_revision\":\"1}\",\"max_staleness\":\"[1\"}"},
};

static void
tensors_become_the_json_that_names_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const struct api_json_limits limits = {TEXT_BYTES, TEXT_BYTES};
        struct api_json *doc = NULL;
        struct err err = ERR_INIT;
        AUTO(buf) out = {0};

        if (say(good[i].header, good[i].query, &out, &err) != OK)
            fail_msg("%s: %s", good[i].header, err.text);
        assert_string_equal((char *)out.data, good[i].text);
        assert_int_equal(api_json_parse(bytes_of_text((char *)out.data), &limits, &doc, NULL), OK);
        api_json_drop(doc);
    }
}

static const struct {
    const char *header;
    const char *query[API_GRADIENTS_ARGUMENTS];
    const char *because;
} bad[] = {
    {EMPTY("e.values") "," EMPTY("e.indices") "," EMPTY("e"), NONE,
     "'e' is there beside 'e.indices' and 'e.values': a gradient is dense or sparse"},
    {EMPTY("a b"), NONE, "'a b' is not a legal variable name"},
    {EMPTY("a\\\"b"), NONE, "is not a legal variable name"},
    {EMPTY(""), NONE, "a variable name may not be empty"},
    {EMPTY("a\\u0000b"), NONE, "the tensor 'a?b' has no variable's name"},
    {META("\"global_step\":\"a\"") "," EMPTY("a"),
     {"a", NULL, NULL, NULL},
     "'global_step' is given twice: in the query and in __metadata__"},
    {META("\"max_stalenes\":\"4\"") "," EMPTY("a"), NONE,
     "__metadata__: 'max_stalenes': did you mean 'max_staleness'?"},
};

static void
what_names_no_gradient_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = ERR_INIT;
        AUTO(buf) out = {0};

        assert_int_equal(say(bad[i].header, bad[i].query, &out, &err), ERR_INVALID_ARGUMENT);
        if (strstr(err.text, bad[i].because) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, bad[i].because);
    }
}

/* The longest variable's name is no longer than the room for keys; what is longer is refused. */
static void
long_names_are_refused(void **state)
{
    static const size_t sizes[] = {NAME_BYTES_MAX, NAME_BYTES_MAX + 1, NAME_BYTES_MAX + 40, 2000};
    static const char *const none[API_GRADIENTS_ARGUMENTS] = NONE;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[2001] = "", header[8192];
        AUTO(buf) out = {0};

        memset(name, 'n', sizes[i]);
        snprintf(header, sizeof header,
                 "\"%s.values\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
                 "\"%s.indices\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
                 name, name);
        assert_int_equal(say(header, none, &out, NULL), i == 0 ? OK : ERR_INVALID_ARGUMENT);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_become_the_json_that_names_them),
        cmocka_unit_test(what_names_no_gradient_is_refused),
        cmocka_unit_test(long_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
