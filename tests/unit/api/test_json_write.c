/* Documents as text: numbers keep all their digits and their kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/json/json_write.h"
#include "store/base/scope.h"

/* Takes `value`. */
static void
is_written(json_t *value, const char *text)
{
    AUTO(buf) out;

    buf_init(&out, 1000);
    assert_non_null(value);
    assert_int_equal(api_json_write(value, &out, NULL), OK);
    if (!bytes_equal(buf_bytes(&out), bytes_of_text(text)))
        fail_msg("%.*s, not %s", (int)out.size, (const char *)out.data, text);
    json_decref(value);
}

static void
every_integer_has_all_its_digits(void **state)
{
    (void)state;
    is_written(json_integer(INT64_MIN), "-9223372036854775808");
    is_written(api_json_u64(0), "0");
    is_written(api_json_u64(INT64_MAX), "9223372036854775807");
    is_written(api_json_u64((uint64_t)INT64_MAX + 1), "9223372036854775808");
    is_written(api_json_u64(UINT64_MAX), "18446744073709551615");
    is_written(json_pack("{s:o, s:[o,i]}", "a", api_json_u64(UINT64_MAX), "b",
                         api_json_u64(UINT64_C(1) << 63), 1),
               "{\"a\":18446744073709551615,\"b\":[9223372036854775808,1]}");
}

static void
the_rest_is_as_it_is_built(void **state)
{
    (void)state;
    is_written(
        json_pack("{s:f, s:f, s:n, s:b, s:{}, s:[]}", "a", 0.35, "b", 1.0, "c", "d", 1, "e", "f"),
        "{\"a\":0.35,\"b\":1.0,\"c\":null,\"d\":true,\"e\":{},\"f\":[]}");
    is_written(json_pack("{s:s}", "u64", "1"), "{\"u64\":\"1\"}");
    is_written(json_pack("{s:i}", "u64", 1), "{\"u64\":1}");
    is_written(json_pack("{s:s}", "\001u64", "1"), "{\"\\u0001u64\":\"1\"}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_integer_has_all_its_digits),
        cmocka_unit_test(the_rest_is_as_it_is_built),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
