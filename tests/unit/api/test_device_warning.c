/* The Warning field: quoted, counted, and short enough. */
#include "api/resource/device_warning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/base/scope.h"

static void
conflict(struct device_conflicts *conflicts, const char *asked)
{
    if (conflicts->count < DEVICE_CONFLICTS_MAX) {
        struct device_conflict *told = &conflicts->told[conflicts->count];

        told->operation = "assign";
        snprintf(told->name, sizeof told->name, "v");
        snprintf(told->asked, sizeof told->asked, "%s", asked);
        snprintf(told->device, sizeof told->device, "/job:ps");
    }
    conflicts->count++;
}

static void
text_is(const struct device_conflicts *conflicts, const char *expected)
{
    AUTO(buf) out = {0};

    buf_init(&out, 8192);
    assert_int_equal(api_device_warning_text(conflicts, &out, NULL), OK);
    assert_int_equal(out.size, strlen(expected));
    assert_memory_equal(out.data, expected, out.size);
}

static void
no_byte_leaves_its_quotes(void **state)
{
    struct device_conflicts conflicts = {.count = 0};

    (void)state;
    conflict(&conflicts, "/job:a\"\\\r\n\x7f\xc3\xa9");
    text_is(&conflicts,
            "199 tensorkeep \"Tried to colocate assign with an op v that had a different device: "
            "/job:a\\\"\\\\????? vs /job:ps. Ignoring the device.\"");
}

static void
the_longest_are_told_and_the_rest_is_counted(void **state)
{
    char asked[DEVICE_TEXT_BYTES_MAX + 1];
    struct device_conflicts conflicts = {.count = 0};
    AUTO(buf) out = {0};

    (void)state;
    memset(asked, '"', sizeof asked - 1);
    asked[sizeof asked - 1] = '\0';
    for (int i = 0; i < 100; i++)
        conflict(&conflicts, asked);
    memset(conflicts.told[0].device, '\\', DEVICE_TEXT_BYTES_MAX);
    conflicts.told[0].device[DEVICE_TEXT_BYTES_MAX] = '\0';
    memset(conflicts.told[0].name, 'n', NAME_BYTES_MAX);
    conflicts.told[0].name[NAME_BYTES_MAX] = '\0';
    buf_init(&out, 8192);
    assert_int_equal(api_device_warning_text(&conflicts, &out, NULL), OK);
    assert_in_range(out.size, 1400, 2048);
    assert_int_equal(buf_append_byte(&out, 0, NULL), OK);
    assert_non_null(strstr((const char *)out.data, "Tried to colocate"));
    assert_non_null(strstr((const char *)out.data, ", 199 tensorkeep \"99 more were asked"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_leaves_its_quotes),
        cmocka_unit_test(the_longest_are_told_and_the_rest_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
