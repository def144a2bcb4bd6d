/* Bodies of two parts: JSON and the tensors it names, in either order. */
#include "api/tensors/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "tests/support/pieces.h"

#define TYPE "multipart/form-data; boundary=b"
#define PART(name, type)                                                                           \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\nContent-Type: " type "\r\n\r\n"
#define BARE(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define TEXT       "{\"x\": [1, 2]}"
#define HEADER     "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}"
#define END        "--b--\r\n"

enum { ARENA_BYTES = 1 << 20, TEXT_BYTES = 1 << 20, JSON_BYTES = 64 };

static const struct api_parts_limits limits = {.json = {JSON_BYTES, JSON_BYTES},
                                               .tensors = {JSON_BYTES, 4}};

/* `text`, in which @ stands for a safetensors file: a = 1, 2, 3. */
static void
make_body(const char *text, struct buf *out)
{
    buf_init(out, TEXT_BYTES);
    for (; *text != '\0'; text++) {
        if (*text != '@') {
            assert_int_equal(buf_append_byte(out, (uint8_t)*text, NULL), OK);
            continue;
        }
        assert_int_equal(buf_append_u64(out, strlen(HEADER), NULL), OK);
        assert_int_equal(buf_append_text(out, HEADER "\1\2\3", NULL), OK);
    }
}

static enum err_code
read_parts(struct bytes body, size_t piece, struct arena *arena, struct api_parts *out,
           struct err *err)
{
    struct pieces pieces = {.left = body, .piece = piece};
    struct api_byte_source source = {.context = &pieces, .read = pieces_read};

    arena_init(arena, ARENA_BYTES);
    return api_parts_read(bytes_of_text(TYPE), &source, &limits, arena, out, err);
}

static void
check_read(const char *text, size_t tensors)
{
    AUTO(buf) body = {0};

    make_body(text, &body);
    for (size_t piece = 0; piece < 3; piece++) {
        AUTO(arena) arena = {0};
        AUTO(api_parts) parts = {0};
        struct err err = ERR_INIT;
        struct api_value root, field;
        struct api_object object;

        if (read_parts(buf_bytes(&body), piece, &arena, &parts, &err) != OK)
            fail_msg("%s: %s", text, err.text);
        root = api_json_root(parts.doc);
        assert_int_equal(api_object_of(&root, &object, &err), OK);
        assert_true(api_object_has(&object, "x", &field));
        assert_int_equal(parts.tensors.count, tensors);
        assert_string_equal(parts.tensors.place, "the part 'tensors'");
        if (tensors > 0)
            assert_memory_equal(
                api_tensor_table_use(&parts.tensors, bytes_of_text("a"))->tensor.data, "\1\2\3", 3);
    }
}

static void
the_parts_come_in_either_order(void **state)
{
    (void)state;
    check_read(PART("request", "application/json") TEXT
               "\r\n" PART("tensors", "application/vnd.safetensors") "@\r\n" END,
               1);
    check_read(PART("tensors", "application/octet-stream") "@\r\n" BARE("request") TEXT "\r\n" END,
               1);
    check_read(BARE("tensors") "@\r\n" PART("request", "Text/Plain; charset=utf-8") TEXT "\r\n" END,
               1);
}

static void
a_request_may_come_without_tensors(void **state)
{
    (void)state;
    check_read(BARE("request") TEXT "\r\n" END, 0);
}

static const struct {
    const char *body;
    enum err_code code;
    const char *because;
} bad[] = {
    {BARE("tensors") "@\r\n" END, ERR_INVALID_ARGUMENT, "the body has no part 'request'"},
    {BARE("request") TEXT "\r\n" BARE("more") "\r\n" END, ERR_INVALID_ARGUMENT,
     "unknown part 'more': the parts are 'request' and 'tensors'"},
    {BARE("request") TEXT "\r\n" BARE("request") TEXT "\r\n" END, ERR_INVALID_ARGUMENT,
     "part 'request' is there twice"},
    {BARE("tensors") "@\r\n" BARE("tensors") "@\r\n" END, ERR_INVALID_ARGUMENT,
     "part 'tensors' is there twice"},
    {PART("request", "application/xml") TEXT "\r\n" END, ERR_UNSUPPORTED_MEDIA_TYPE,
     "part 'request' is application/xml, it must be application/json"},
    {PART("tensors", "application/x-npy") "@\r\n" END, ERR_UNSUPPORTED_MEDIA_TYPE,
     "part 'tensors' is application/x-npy, it must be application/vnd.safetensors"},
    {BARE("request") "\r\n" END, ERR_INVALID_ARGUMENT, "JSON"},
    {BARE("request") "{\"x\": 1,}\r\n" END, ERR_INVALID_ARGUMENT, "JSON"},
    {BARE("request") "[\"0123456789012345678901234567890123456789012345678901234567890\"]\r\n" END,
     ERR_PAYLOAD_TOO_LARGE, "part 'request' has more than 64 bytes (setting json_body_max_bytes)"},
    {BARE("tensors") "@x\r\n" END, ERR_INVALID_ARGUMENT,
     "the part 'tensors' goes on after its tensors"},
    {BARE("tensors") "\r\n" END, ERR_INVALID_ARGUMENT,
     "the part 'tensors' ends after 0 of 8 bytes of the safetensors header's length"},
    {BARE("tensors") "@", ERR_INVALID_ARGUMENT, "the body ends in part 'tensors'"},
    {BARE("request") TEXT, ERR_INVALID_ARGUMENT, "the body ends in part 'request'"},
};

static void
what_is_wrong_with_a_part_names_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        AUTO(buf) body = {0};
        AUTO(arena) arena = {0};
        AUTO(api_parts) parts = {0};
        struct err err = ERR_INIT;

        make_body(bad[i].body, &body);
        assert_int_equal(read_parts(buf_bytes(&body), 5, &arena, &parts, &err), bad[i].code);
        if (strstr(err.text, bad[i].because) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, bad[i].because);
        assert_null(parts.doc);
        assert_null(parts.tensors.entries);
    }
}

static void
short_memory_leaves_nothing_behind(void **state)
{
    AUTO(buf) body = {0};
    enum err_code code = ERR_NO_MEMORY;
    uint64_t nth = 0;

    (void)state;
    make_body(BARE("request") TEXT "\r\n" BARE("tensors") "@\r\n" END, &body);
    while (code == ERR_NO_MEMORY) {
        AUTO(arena) arena = {0};
        AUTO(api_parts) parts = {0};
        struct err err = ERR_INIT;

        mem_fail_at(++nth, 0);
        code = read_parts(buf_bytes(&body), 0, &arena, &parts, &err);
        mem_fail_at(0, 0);
        assert_int_equal(parts.doc != NULL, code == OK);
    }
    assert_int_equal(code, OK);
    assert_true(nth > 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parts_come_in_either_order),
        cmocka_unit_test(a_request_may_come_without_tensors),
        cmocka_unit_test(what_is_wrong_with_a_part_names_it),
        cmocka_unit_test(short_memory_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
