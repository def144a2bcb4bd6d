/* Entity tags, and which form a reply takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/http/etag.h"
#include "api/http/negotiate.h"

static void
a_list_is_cut_into_tags(void **state)
{
    struct bytes list = bytes_of_text(" \"a\", W/\"b,c\" ,, \"\" ");
    struct api_etag tag;
    bool malformed;

    (void)state;
    assert_true(api_etag_next(&list, &tag, &malformed));
    assert_true(bytes_equal(tag.tag, bytes_of_text("\"a\"")) && !tag.weak);
    assert_true(api_etag_next(&list, &tag, &malformed));
    assert_true(bytes_equal(tag.tag, bytes_of_text("\"b,c\"")) && tag.weak);
    assert_true(api_etag_next(&list, &tag, &malformed));
    assert_true(bytes_equal(tag.tag, bytes_of_text("\"\"")));
    assert_false(api_etag_next(&list, &tag, &malformed));
    assert_false(malformed);
    list = bytes_of_text("\"a");
    assert_false(api_etag_next(&list, &tag, &malformed));
    assert_true(malformed);
    list = bytes_of_text("abc");
    assert_false(api_etag_next(&list, &tag, &malformed));
    assert_true(malformed);
}

static void
if_none_match_compares_weakly(void **state)
{
    (void)state;
    assert_true(api_etag_list_matches(bytes_of_text("\"r7-json\""), "\"r7-json\""));
    assert_true(api_etag_list_matches(bytes_of_text("\"x\", W/\"r7-json\""), "\"r7-json\""));
    assert_true(api_etag_list_matches(bytes_of_text(" * "), "\"r7-json\""));
    assert_false(api_etag_list_matches(bytes_of_text("\"r7-raw\""), "\"r7-json\""));
    assert_false(api_etag_list_matches(bytes_of_text("r7-json"), "\"r7-json\""));
    assert_false(api_etag_list_matches(bytes_of_text(""), "\"r7-json\""));
}

static void
if_match_compares_strongly(void **state)
{
    static const struct {
        const char *list;
        bool well_formed, names;
    } cases[] = {
        {"\"r7-json\"", true, true}, {"\"x\", \"r7-json\"", true, true},
        {" * ", true, true},         {"W/\"r7-json\"", true, false},
        {"\"r7-raw\"", true, false}, {"W/\"r7-json\", \"r7-json\"", true, true},
        {"", true, false},           {"r7-json", false, false},
        {"\"r7-json", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool names = false;

        assert_int_equal(api_etag_list_names(bytes_of_text(cases[i].list), "\"r7-json\"", &names),
                         cases[i].well_formed);
        assert_int_equal(names, cases[i].names);
    }
}

static void
revisions_are_read_from_our_tags_only(void **state)
{
    static const char *const foreign[] = {
        "\"\"",        "\"r\"",   "\"r-x\"",
        "\"7\"",       "\"r7x\"", "\"r 7\"",
        "\"R7-json\"", "\"r7",    "\"r99999999999999999999-json\""};
    uint64_t revision = 0;

    (void)state;
    assert_true(api_etag_revision(bytes_of_text("\"r907-json\""), &revision));
    assert_true(revision == 907);
    assert_true(api_etag_revision(bytes_of_text("\"r18446744073709551615\""), &revision));
    assert_true(revision == UINT64_MAX);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        assert_false(api_etag_revision(bytes_of_text(foreign[i]), &revision));
}

#define JSON_RAW_NPY                                                                               \
    (API_FORMATS(API_FORMAT_JSON) | API_FORMATS(API_FORMAT_RAW) | API_FORMATS(API_FORMAT_NPY))
#define SETS (API_FORMATS(API_FORMAT_SAFETENSORS) | API_FORMATS(API_FORMAT_NPZ))

static void
accept_chooses_the_form(void **state)
{
    static const struct {
        const char *accept;
        unsigned formats;
        enum err_code code;
        enum api_format format;
    } cases[] = {
        {NULL, JSON_RAW_NPY, OK, API_FORMAT_JSON},
        {"*/*", JSON_RAW_NPY, OK, API_FORMAT_JSON},
        {"*/*", SETS, OK, API_FORMAT_SAFETENSORS},
        {"application/x-npy", JSON_RAW_NPY, OK, API_FORMAT_NPY},
        {"application/x-npy, application/json", JSON_RAW_NPY, OK, API_FORMAT_JSON},
        {"application/json;q=0.5, application/x-npy;q=0.8", JSON_RAW_NPY, OK, API_FORMAT_NPY},
        {"application/json;q=0, */*", JSON_RAW_NPY, OK, API_FORMAT_RAW},
        {"application/*;q=0.1, application/octet-stream", JSON_RAW_NPY, OK, API_FORMAT_RAW},
        {"text/html, */*;q=0.1", JSON_RAW_NPY, OK, API_FORMAT_JSON},
        {"application/octet-stream", SETS, OK, API_FORMAT_SAFETENSORS},
        {"Application/JSON", JSON_RAW_NPY, OK, API_FORMAT_JSON},
        {"text/html", JSON_RAW_NPY, ERR_NOT_ACCEPTABLE, 0},
        {"application/json;q=0", JSON_RAW_NPY, ERR_NOT_ACCEPTABLE, 0},
        {"application/x-npz", JSON_RAW_NPY, ERR_NOT_ACCEPTABLE, 0},
        {";;q=,,=", JSON_RAW_NPY, ERR_NOT_ACCEPTABLE, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes accept =
            cases[i].accept == NULL ? bytes_of(NULL, 0) : bytes_of_text(cases[i].accept);
        enum api_format format = API_FORMAT_UNKNOWN;
        struct err err = ERR_INIT;

        if (api_negotiate_accept(accept, cases[i].formats, &format, &err) != cases[i].code)
            fail_msg("'%s'", cases[i].accept);
        if (cases[i].code == OK)
            assert_int_equal(format, cases[i].format);
        else
            assert_non_null(strstr(err.text, "application/x-npy"));
    }
}

static void
accept_encoding_chooses_the_coding(void **state)
{
    static const struct {
        const char *first, *second; /* NULL: there is no such field */
        bool gzip;
    } cases[] = {
        {NULL, NULL, false},
        {"", NULL, false},
        {"gzip", NULL, true},
        {"X-GZip", NULL, true},
        {"*", NULL, true},
        {"br, deflate", NULL, false},
        {"gzip;q=0", NULL, false},
        {"gzip; q=0.000", NULL, false},
        {"gzip;q=0.001", NULL, true},
        {"gzip;q=0, *", NULL, false},
        {"*;q=0", NULL, false},
        {"gzip, *;q=0", NULL, true},
        {"gzip;q=0.5, identity", NULL, false},
        {"gzip;q=0.5, identity;q=0.501", NULL, false},
        {"gzip;q=0.5, identity;q=0.5", NULL, true},
        {"gzip;q=0.5, *", NULL, false},
        {"identity;q=0.5, *", NULL, true},
        {"identity;q=0", NULL, false},
        {"identity;q=0, *;q=0.1", NULL, true},
        {"br", "gzip", true},
        {"gzip;q=0.5", "identity", false},
        {"*", "gzip;q=0", false},
        {";;q=,,=", NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *values[] = {cases[i].first, cases[i].second};
        struct api_header fields[] = {{bytes_of_text("Accept"), bytes_of_text("gzip")},
                                      {bytes_of_text("accept-encoding"), {NULL, 0}},
                                      {bytes_of_text("Accept-Encoding"), {NULL, 0}}};
        struct api_head head = {.fields = fields, .count = 1};

        for (; head.count < 3 && values[head.count - 1] != NULL; head.count++)
            fields[head.count].value = bytes_of_text(values[head.count - 1]);
        if (api_negotiate_prefers_gzip(&head) != cases[i].gzip)
            fail_msg("'%s', '%s'", cases[i].first, cases[i].second);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_cut_into_tags),
        cmocka_unit_test(if_none_match_compares_weakly),
        cmocka_unit_test(if_match_compares_strongly),
        cmocka_unit_test(revisions_are_read_from_our_tags_only),
        cmocka_unit_test(accept_chooses_the_form),
        cmocka_unit_test(accept_encoding_chooses_the_coding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
