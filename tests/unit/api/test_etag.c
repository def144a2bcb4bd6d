/* Entity tags, byte ranges, and which form a reply takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/etag.h"
#include "api/negotiate.h"
#include "api/range.h"

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

static void
single_ranges_are_understood(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
        enum api_range_kind kind;
        uint64_t begin, end;
    } cases[] = {
        {"bytes=0-0", 10, RANGE_PART, 0, 1},
        {"bytes=2-4", 10, RANGE_PART, 2, 5},
        {"Bytes= 2-4 ", 10, RANGE_PART, 2, 5},
        {"bytes=5-", 10, RANGE_PART, 5, 10},
        {"bytes=5-99", 10, RANGE_PART, 5, 10},
        {"bytes=5-18446744073709551615", 10, RANGE_PART, 5, 10},
        {"bytes=-3", 10, RANGE_PART, 7, 10},
        {"bytes=-99", 10, RANGE_PART, 0, 10},
        {"bytes=10-", 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", 10, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", 0, RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=4-2", 10, RANGE_WHOLE, 0, 0},
        {"bytes=0-1,3-4", 10, RANGE_WHOLE, 0, 0},
        {"bytes=", 10, RANGE_WHOLE, 0, 0},
        {"bytes=-", 10, RANGE_WHOLE, 0, 0},
        {"bytes=a-b", 10, RANGE_WHOLE, 0, 0},
        {"bytes=99999999999999999999-", 10, RANGE_UNSATISFIABLE, 0, 0},
        {"items=0-1", 10, RANGE_WHOLE, 0, 0},
        {"", 10, RANGE_WHOLE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_range range = {0};

        if (api_range_parse(bytes_of_text(cases[i].text), cases[i].size, &range) != cases[i].kind)
            fail_msg("'%s'", cases[i].text);
        if (cases[i].kind == RANGE_PART)
            assert_true(range.begin == cases[i].begin && range.end == cases[i].end);
    }
    assert_int_equal(api_range_parse(bytes_of(NULL, 0), 10, &(struct api_range){0}), RANGE_WHOLE);
}

static void
spans_are_cut_to_every_possible_range(void **state)
{
    static const char text[] = "abcdefghij";

    (void)state;
    for (uint64_t begin = 0; begin < 10; begin++) {
        for (uint64_t end = begin + 1; end <= 10; end++) {
            struct bytes spans[] = {{(const uint8_t *)text, 3},
                                    {(const uint8_t *)text + 3, 1},
                                    {(const uint8_t *)text + 4, 6}};
            size_t count = api_range_cut(spans, 3, (struct api_range){begin, end});
            char out[16] = "";
            size_t size = 0;

            for (size_t i = 0; i < count; i++) {
                assert_true(spans[i].size > 0);
                memcpy(out + size, spans[i].data, spans[i].size);
                size += spans[i].size;
            }
            assert_int_equal(size, end - begin);
            assert_memory_equal(out, text + begin, size);
        }
    }
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_cut_into_tags),
        cmocka_unit_test(if_none_match_compares_weakly),
        cmocka_unit_test(revisions_are_read_from_our_tags_only),
        cmocka_unit_test(single_ranges_are_understood),
        cmocka_unit_test(spans_are_cut_to_every_possible_range),
        cmocka_unit_test(accept_chooses_the_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
