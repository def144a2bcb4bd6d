/* multipart/form-data: what is read of it, however it comes, and what is refused. */
#include "api/http/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/base/alloc.h"
#include "store/base/buf.h"
#include "store/base/scope.h"
#include "tests/support/pieces.h"

#define TYPE  "multipart/form-data; boundary=b"
#define NAMED "Content-Disposition: form-data; name=\"a\"\r\n"
#define PART  "--b\r\n" NAMED "\r\n"

enum { TOLD_BYTES_MAX = 1 << 20, READ_BYTES = 7 };

static void
close_multipart(struct api_multipart **m)
{
    api_multipart_drop(*m);
}

/* "name|type|content" of every part, one after the other. */
static enum err_code
tell(const char *type, struct pieces *pieces, size_t read_size, struct buf *out, struct err *err)
{
    struct api_byte_source source = {.context = pieces, .read = pieces_read};
    AUTO_CALL(close_multipart) struct api_multipart *m = NULL;
    struct api_multipart_part part;
    bool present = true;

    buf_init(out, TOLD_BYTES_MAX);
    TRY(api_multipart_open(bytes_of_text(type), &source, &m, err));
    for (;;) {
        uint8_t bytes[4096];
        size_t got = 1;

        TRY(api_multipart_next(m, &part, &present, err));
        if (!present)
            break;
        TRY(buf_printf(out, err, "%s|%s|", part.name, part.media_type));
        while (got > 0) {
            TRY(api_multipart_read(m, bytes, read_size, &got, err));
            TRY(buf_append(out, bytes, got, err));
        }
        TRY(buf_append_byte(out, '\n', err));
    }
    TRY(api_multipart_next(m, &part, &present, err)); /* still over */
    assert_false(present);
    return OK;
}

static void
check_told(const char *type, struct pieces pieces, size_t read_size, struct bytes want)
{
    struct err err = ERR_INIT;
    AUTO(buf) told = {0};

    if (tell(type, &pieces, read_size, &told, &err) != OK)
        fail_msg("%.*s: %s", (int)want.size, (const char *)want.data, err.text);
    if (!bytes_equal(buf_bytes(&told), want))
        fail_msg("'%.*s' is not '%.*s'", (int)told.size, (const char *)told.data, (int)want.size,
                 (const char *)want.data);
}

/* --- what is read -------------------------------------------------------------------------- */

static const struct {
    const char *type, *body, *told;
} good[] = {
    {TYPE, PART "x\r\n--b--\r\n", "a||x\n"},
    {TYPE, PART "x\r\n--b--", "a||x\n"},
    {TYPE, "\r\n" PART "x\r\n--b--\r\n", "a||x\n"},
    {TYPE, PART "\r\n--b--\r\n", "a||\n"},
    {TYPE, PART "--b--\r\n", "a||\n"}, /* the empty line's end is the boundary's */
    {TYPE, PART "\r\n\r\n--b--\r\n", "a||\r\n\n"},
    {TYPE, PART "1\r\n-b\r\n--\r\n--c\r--b\n--b\r\r\n--b--\r\n",
     "a||1\r\n-b\r\n--\r\n--c\r--b\n--b\r\n"},
    {TYPE,
     PART "1\r\n\r\n--b\t \r\n" NAMED "Content-Type: text/plain; charset=\"utf-8\"\r\n\r\n2"
          "\r\n--b-- \t\r\n",
     "a||1\r\n\na|text/plain|2\n"},
    {"Multipart/Form-Data ; charset=utf-8 ;\tBoundary=\"b\"", PART "x\r\n--b--\r\n", "a||x\n"},
    {"multipart/form-data; boundary=\"a b'()+_,-./:=?\"",
     "--a b'()+_,-./:=?\r\n" NAMED "\r\nx\r\n--a b'()+_,-./:=?--", "a||x\n"},
    {"multipart/form-data; boundary=\"\\b\"", PART "x\r\n--b--\r\n", "a||x\n"},
    {TYPE,
     "--b\r\ncontent-disposition:form-data;name=a; filename=\"a\\\"\\\\;name=b\"; x=y\r\n"
     "Content-Length: 17\r\nX-: \r\nCONTENT-TYPE:  application/vnd.safetensors \r\n"
     "content-transfer-encoding: Binary\r\n\r\nx\r\n--b--\r\n",
     "a|application/vnd.safetensors|x\n"},
    {TYPE,
     "--b\r\nContent-Disposition: form-data; filename*=utf-8''x; name=\"\\\"\xc3\xa4 "
     ";\\\\\"\r\n\r\n"
     "\r\n--b--\r\n",
     "\"\xc3\xa4 ;\\||\n"},
};

static void
parts_are_read_with_names_types_and_contents(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        check_told(good[i].type, (struct pieces){.left = bytes_of_text(good[i].body)}, READ_BYTES,
                   bytes_of_text(good[i].told));
}

static void
where_a_body_is_cut_into_pieces_makes_no_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct bytes body = bytes_of_text(good[i].body);

        for (size_t cut = 0; cut <= body.size; cut++)
            check_told(good[i].type, (struct pieces){.left = body, .first = cut}, READ_BYTES,
                       bytes_of_text(good[i].told));
        for (size_t piece = 1; piece <= 3; piece++)
            check_told(good[i].type, (struct pieces){.left = body, .piece = piece}, piece,
                       bytes_of_text(good[i].told));
    }
}

static void
a_part_that_is_not_read_is_passed_over(void **state)
{
    struct pieces pieces = {
        .left = bytes_of_text(PART "one\r\n" PART "two\r\n" PART "three\r\n--b--\r\n"), .piece = 2};
    struct api_byte_source source = {.context = &pieces, .read = pieces_read};
    AUTO_CALL(close_multipart) struct api_multipart *m = NULL;
    struct api_multipart_part part;
    struct err err = ERR_INIT;
    uint8_t bytes[2];
    bool present = false;
    size_t got = 0;

    (void)state;
    assert_int_equal(api_multipart_open(bytes_of_text(TYPE), &source, &m, &err), OK);
    assert_int_equal(api_multipart_read(m, bytes, 2, &got, &err), OK);
    assert_int_equal(got, 0); /* no part is open yet */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(api_multipart_next(m, &part, &present, &err), OK);
        assert_true(present);
        if (i == 1)
            assert_int_equal(api_multipart_read(m, bytes, 1, &got, &err), OK);
    }
    assert_memory_equal(bytes, "t", 1);
    assert_int_equal(api_multipart_next(m, &part, &present, &err), OK);
    assert_false(present);
    assert_int_equal(api_multipart_read(m, bytes, 2, &got, &err), OK);
    assert_int_equal(got, 0);
}

/* Three windows of what looks like the boundary at every turn. */
static void
a_long_part_goes_through_one_window(void **state)
{
    static const char *const bits[] = {"\r",      "\n", "-",   "--",    "\r\n", "\r\n-", "\r\n--",
                                       "\r\n--B", "b",  "--b", "\n--b", "x",    "\r\n\r"};
    AUTO(buf) body = {0};
    AUTO(buf) want = {0};
    uint64_t dice = 1;

    (void)state;
    buf_init(&body, TOLD_BYTES_MAX);
    buf_init(&want, TOLD_BYTES_MAX);
    assert_int_equal(buf_append_text(&body, PART, NULL), OK);
    assert_int_equal(buf_append_text(&want, "a||", NULL), OK);
    while (want.size < (size_t)3 * API_MULTIPART_WINDOW_BYTES) {
        const char *bit;

        dice = dice * 6364136223846793005u + 1442695040888963407u;
        bit = bits[(dice >> 33) % (sizeof bits / sizeof bits[0])];
        if (want.size < 4 ||
            (bit[0] == 'b' && memcmp(want.data + want.size - 4, "\r\n--", 4) == 0) ||
            (bit[0] == '-' && memcmp(want.data + want.size - 2, "\r\n", 2) == 0 && bit[1] == '-' &&
             bit[2] == 'b') ||
            (bit[0] == '\n' && want.data[want.size - 1] == '\r'))
            bit = "y";
        assert_int_equal(buf_append_text(&body, bit, NULL), OK);
        assert_int_equal(buf_append_text(&want, bit, NULL), OK);
    }
    assert_int_equal(buf_append_text(&body, "z\r\n--b--\r\n", NULL), OK);
    assert_int_equal(buf_append_text(&want, "z\n", NULL), OK);
    for (size_t piece = 0; piece < 70000; piece = piece * 5 + 999) {
        struct pieces pieces = {.left = buf_bytes(&body), .piece = piece};

        check_told(TYPE, pieces, piece % 4096 + 1, buf_bytes(&want));
    }
}

/* --- what is refused ----------------------------------------------------------------------- */

static const struct {
    const char *type, *body, *because;
} bad[] = {
    {"application/json", "", "Content-Type is not multipart/form-data"},
    {"", "", "Content-Type is not multipart/form-data"},
    {"multipart/form-data", "", "needs a boundary"},
    {"multipart/form-data; charset=utf-8", "", "needs a boundary"},
    {"multipart/form-data boundary=b", "", "is not multipart/form-data"},
    {"multipart/form-data; boundary", "", "'boundary' is no parameter: it must be name=value"},
    {"multipart/form-data; boundary =b", "", "'boundary =b' is no parameter"},
    {"multipart/form-data; boundary=", "", "'boundary' has no value"},
    {"multipart/form-data; boundary= b", "", "'boundary' has no value"},
    {"multipart/form-data; boundary=\"\"", "", "1 to 70 characters, this has 0"},
    {"multipart/form-data; boundary=\"b", "", "'boundary' has no closing quote"},
    {"multipart/form-data; boundary=\"b\\", "", "'boundary' has no closing quote"},
    {"multipart/form-data; boundary=\"b\" c", "", "'c' where a semicolon must be"},
    {"multipart/form-data; boundary=a/b", "", "'/b' where a semicolon must be"},
    {"multipart/form-data; boundary=b;", "", "'' is no parameter"},
    {"multipart/form-data; boundary=b; boundary=b", "", "two boundaries"},
    {"multipart/form-data; boundary=b; BOUNDARY=c", "", "two boundaries"},
    {"multipart/form-data; boundary=a*b", "", "the character 0x2a, which none may"},
    {"multipart/form-data; boundary=\"a\\\"b\"", "", "the character 0x22, which none may"},
    {"multipart/form-data; boundary=\"\xc3\xa4\"", "", "the character 0xc3, which none may"},
    {"multipart/form-data; boundary=\"a\tb\"", "", "the character 0x09, which none may"},
    {"multipart/form-data; boundary=\"a\x01\"", "", "the control character 0x01"},
    {"multipart/form-data; boundary=\"a \"", "", "ends with a space"},
    {"multipart/form-data; boundary="
     "b234567890123456789012345678901234567890123456789012345678901234567890b",
     "", "1 to 70 characters, this has 71"},

    {TYPE, "", "the body does not begin with its boundary '--b'"},
    {TYPE, "-", "does not begin with its boundary"},
    {TYPE, "hello\r\n" PART "x\r\n--b--\r\n", "does not begin with its boundary"},
    {TYPE, "\r\n\r\n" PART "x\r\n--b--\r\n", "does not begin with its boundary"},
    {TYPE, "--c\r\n" NAMED "\r\nx\r\n--c--\r\n", "does not begin with its boundary"},
    {TYPE, "--b--\r\n", "the body has no parts"},
    {TYPE, "--b", "the body ends behind a boundary, before its closing boundary '--b--'"},
    {TYPE, "--b\r", "the body ends behind a boundary"},
    {TYPE, "--bc\r\n", "begins with the boundary '--b' and goes on"},
    {TYPE, "--b\n" NAMED "\r\nx\r\n--b--\r\n", "begins with the boundary '--b' and goes on"},
    {TYPE, "--b-x\r\n", "begins with the boundary '--b' and goes on"},
    {TYPE,
     "--b                                                                 \r\n" NAMED
     "\r\n\r\n--b--\r\n",
     "more than 64 blanks follow the boundary '--b'"},
    {TYPE, "--b\r\n", "the body ends in the headers of a part"},
    {TYPE, "--b\r\n" NAMED, "the body ends in the headers of a part"},
    {TYPE, PART, "the body ends in part 'a', before its closing boundary '--b--'"},
    {TYPE, PART "x", "the body ends in part 'a'"},
    {TYPE, PART "x\r\n--", "the body ends in part 'a'"},
    {TYPE, PART "x\r\n--b", "the body ends behind a boundary"},
    {TYPE, PART "x\r\n--b-", "the body ends behind a boundary"},
    {TYPE, PART "x\r\n--bb\r\n\r\n--b--\r\n", "begins with the boundary '--b' and goes on"},
    {TYPE, PART "x\r\n--b--x", "goes on behind its closing boundary '--b--'"},
    {TYPE, PART "x\r\n--b--\r\nx", "goes on behind its closing boundary"},
    {TYPE, PART "x\r\n--b--\r\n\r\n", "goes on behind its closing boundary"},
    {TYPE, PART "x\r\n--b--\n", "goes on behind its closing boundary"},
    {TYPE, PART "x\r\n--b--\r\n" PART "y\r\n--b--\r\n", "goes on behind its closing boundary"},
    {TYPE, PART "x\n--b--\n", "the body ends in part 'a'"},

    {TYPE, "--b\r\n\r\nx\r\n--b--\r\n", "part 1 of the body has no Content-Disposition"},
    {TYPE, PART "x\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n",
     "part 2 of the body has no Content-Disposition"},
    {TYPE, "--b\r\nContent-Disposition\r\n\r\n", "'Content-Disposition' is no header"},
    {TYPE, "--b\r\n: x\r\n\r\n", "': x' is no header"},
    {TYPE, "--b\r\nContent-Disposition : form-data\r\n\r\n", "is no header"},
    {TYPE, "--b\r\n" NAMED " x\r\n\r\n", "' x' is no header"},
    {TYPE, "--b\r\nX: a\nb\r\n\r\n", "part 1 of the body: X holds the control character 0x0a"},
    {TYPE, "--b\r\nX: a\rb\r\n\r\n", "X holds the control character 0x0d"},
    {TYPE, "--b\r\nX: \x7f\r\n\r\n", "X holds the control character 0x7f"},
    {TYPE, "--b\r\n" NAMED NAMED "\r\n", "Content-Disposition is there twice"},
    {TYPE, "--b\r\nContent-Disposition: attachment; name=a\r\n\r\n",
     "must be form-data, it is 'attachment'"},
    {TYPE, "--b\r\nContent-Disposition: form-data\r\n\r\n", "Content-Disposition has no name"},
    {TYPE, "--b\r\nContent-Disposition: form-data; filename=a\r\n\r\n", "has no name"},
    {TYPE, "--b\r\nContent-Disposition: form-data; name=\"\"\r\n\r\n",
     "1 to 255 bytes, this has 0"},
    {TYPE, "--b\r\nContent-Disposition: form-data; name=a; Name=b\r\n\r\n", "two names"},
    {TYPE, "--b\r\nContent-Disposition: form-data; name*=utf-8''a\r\n\r\n", "name* is not allowed"},
    {TYPE, "--b\r\nContent-Disposition: form-data; name=\"a\xff\"\r\n\r\n", "is not UTF-8"},
    {TYPE, "--b\r\nContent-Disposition: form-data; name=\"a\tb\"\r\n\r\n", "is not UTF-8 without"},
    {TYPE, "--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\n", "has no closing quote"},
    {TYPE, "--b\r\n" NAMED "Content-Type: text\r\n\r\n",
     "Content-Type 'text' must be type/subtype"},
    {TYPE, "--b\r\n" NAMED "Content-Type: text/a b\r\n\r\n", "must be type/subtype"},
    {TYPE, "--b\r\n" NAMED "Content-Type: /a\r\n\r\n", "must be type/subtype"},
    {TYPE, "--b\r\n" NAMED "Content-Type:\r\n\r\n", "must be type/subtype"},
    {TYPE, "--b\r\n" NAMED "Content-Type: a/b; c\r\n\r\n", "'c' is no parameter"},
    {TYPE, "--b\r\n" NAMED "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
     "Content-Type is there twice"},
    {TYPE, "--b\r\n" NAMED "Content-Transfer-Encoding: base64\r\n\r\n",
     "Content-Transfer-Encoding 'base64' is not taken"},
    {TYPE,
     "--b\r\n" NAMED "Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
     "Content-Transfer-Encoding is there twice"},
};

static void
check_refused(const char *type, struct pieces pieces, const char *because)
{
    struct err err = ERR_INIT;
    AUTO(buf) told = {0};
    struct bytes body = pieces.left;

    if (tell(type, &pieces, READ_BYTES, &told, &err) != ERR_INVALID_ARGUMENT)
        fail_msg("%s, '%.*s' was not refused", type, (int)body.size, (const char *)body.data);
    if (strstr(err.text, because) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, because);
}

static void
every_broken_rule_is_named_however_the_body_comes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bytes body = bytes_of_text(bad[i].body);

        for (size_t cut = 0; cut <= body.size; cut++)
            check_refused(bad[i].type, (struct pieces){.left = body, .first = cut}, bad[i].because);
        check_refused(bad[i].type, (struct pieces){.left = body, .piece = 1}, bad[i].because);
    }
}

/* `before`, then `bit` so many times, then `after`. */
static void
check_repeated(const char *before, const char *bit, size_t times, const char *after,
               const char *because)
{
    AUTO(buf) body = {0};
    AUTO(buf) told = {0};
    struct err err = ERR_INIT;
    struct pieces pieces;

    buf_init(&body, TOLD_BYTES_MAX);
    assert_int_equal(buf_append_text(&body, before, NULL), OK);
    for (size_t i = 0; i < times; i++)
        assert_int_equal(buf_append_text(&body, bit, NULL), OK);
    assert_int_equal(buf_append_text(&body, after, NULL), OK);
    pieces = (struct pieces){.left = buf_bytes(&body)};
    if (because != NULL)
        check_refused(TYPE, pieces, because);
    else if (tell(TYPE, &pieces, READ_BYTES, &told, &err) != OK)
        fail_msg("%s: %s", before, err.text);
}

static void
what_has_a_limit_ends_there(void **state)
{
    static const char *const named = "--b\r\nContent-Disposition: form-data; name=\"";
    static const char *const rest = "\"\r\n\r\nx\r\n--b--\r\n";

    (void)state;
    check_repeated(named, "n", API_MULTIPART_NAME_BYTES_MAX, rest, NULL);
    check_repeated(named, "n", API_MULTIPART_NAME_BYTES_MAX + 1, rest,
                   "1 to 255 bytes, this has 256");
    check_repeated(named, "n", 1025, rest, "the value of 'name' has more than 1024 bytes");
    check_repeated("--b\r\n" NAMED "Content-Type: t/", "t", API_MULTIPART_TYPE_BYTES_MAX - 2,
                   "\r\n\r\n\r\n--b--", NULL);
    check_repeated("--b\r\n" NAMED "Content-Type: t/", "t", API_MULTIPART_TYPE_BYTES_MAX - 1,
                   "\r\n\r\n\r\n--b--", "must be type/subtype");
    check_repeated("", PART "x\r\n", API_MULTIPART_PARTS_MAX, "--b--", NULL);
    check_repeated("", PART "x\r\n", API_MULTIPART_PARTS_MAX + 1, "--b--", "more than 64 parts");
    check_repeated("--b\r\n" NAMED "X: ", "x",
                   API_MULTIPART_HEADER_BYTES_MAX - strlen(NAMED "X: \r\n"), "\r\n\r\n\r\n--b--",
                   NULL);
    check_repeated("--b\r\n" NAMED "X: ", "x",
                   API_MULTIPART_HEADER_BYTES_MAX - strlen(NAMED "X: \r\n") + 1,
                   "\r\n\r\n\r\n--b--", "more than 8192 bytes of headers");
    check_repeated("--b\r\nX: ", "x", (size_t)2 * API_MULTIPART_WINDOW_BYTES, "",
                   "more than 8192 bytes of headers");
}

/* --- what is beneath ----------------------------------------------------------------------- */

static enum err_code
read_nothing(void *context, void *out, size_t size, size_t *got, struct err *err)
{
    (void)context;
    (void)out;
    (void)size;
    *got = 0;
    return err_set(err, ERR_UNAVAILABLE, "the client left");
}

static void
what_the_source_says_is_passed_on(void **state)
{
    struct api_byte_source source = {.read = read_nothing};
    AUTO_CALL(close_multipart) struct api_multipart *m = NULL;
    struct api_multipart_part part;
    struct err err = ERR_INIT;
    bool present = true;

    (void)state;
    assert_int_equal(api_multipart_open(bytes_of_text(TYPE), &source, &m, &err), OK);
    assert_int_equal(api_multipart_next(m, &part, &present, &err), ERR_UNAVAILABLE);
    assert_string_equal(err.text, "the client left");
    assert_false(present);
}

static void
memory_that_is_short_is_told(void **state)
{
    struct pieces pieces = {.left = bytes_of_text(PART "x\r\n--b--")};
    struct err err = ERR_INIT;
    AUTO(buf) told = {0};

    (void)state;
    mem_fail_at(1, 0);
    assert_int_equal(tell(TYPE, &pieces, READ_BYTES, &told, &err), ERR_NO_MEMORY);
    mem_fail_at(0, 0);
}

static void
a_type_is_known_by_its_name_alone(void **state)
{
    (void)state;
    assert_true(api_multipart_is_type(bytes_of_text("multipart/form-data")));
    assert_true(api_multipart_is_type(bytes_of_text(" MULTIPART/form-data ; x")));
    assert_false(api_multipart_is_type(bytes_of_text("multipart/mixed; boundary=b")));
    assert_false(api_multipart_is_type(bytes_of(NULL, 0)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_read_with_names_types_and_contents),
        cmocka_unit_test(where_a_body_is_cut_into_pieces_makes_no_difference),
        cmocka_unit_test(a_part_that_is_not_read_is_passed_over),
        cmocka_unit_test(a_long_part_goes_through_one_window),
        cmocka_unit_test(every_broken_rule_is_named_however_the_body_comes),
        cmocka_unit_test(what_has_a_limit_ends_there),
        cmocka_unit_test(what_the_source_says_is_passed_on),
        cmocka_unit_test(memory_that_is_short_is_told),
        cmocka_unit_test(a_type_is_known_by_its_name_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
