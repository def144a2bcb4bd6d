/* W3C traceparent: what is one, what is not, and where its parts go. */
#include "api/observe/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/observe/timing.h"

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

/* In memory of its own, without an end, so that reading past it is found. */
static bool
parse(const char *text, struct api_trace *out)
{
    size_t size = strlen(text);
    uint8_t *copy = malloc(size > 0 ? size : 1);
    bool given;

    assert_non_null(copy);
    memcpy(copy, text, size);
    given = api_trace_parse(bytes_of(copy, size), out);
    free(copy);
    return given;
}

static void
the_parts_are_taken(void **state)
{
    struct api_trace trace;
    char response[API_TRACE_RESPONSE_BYTES];

    (void)state;
    assert_true(parse("00-" TRACE "-" PARENT "-01", &trace));
    assert_true(trace.given && trace.sampled);
    assert_string_equal(trace.trace_id, TRACE);
    assert_string_equal(trace.parent_id, PARENT);
    memcpy(trace.span_id, "0123456789abcdef", sizeof trace.span_id);
    api_trace_response(&trace, response);
    assert_string_equal(response, "00-" TRACE "-0123456789abcdef-01");
    assert_true(parse("00-" TRACE "-" PARENT "-fe", &trace));
    assert_false(trace.sampled);
    assert_true(parse("00-" TRACE "-" PARENT "-0b", &trace));
    assert_true(trace.sampled);
}

static void
later_versions_may_have_more(void **state)
{
    struct api_trace trace;

    (void)state;
    assert_true(parse("cc-" TRACE "-" PARENT "-01", &trace));
    assert_true(parse("cc-" TRACE "-" PARENT "-01-what-the-future-holds", &trace));
    assert_false(parse("cc-" TRACE "-" PARENT "-01.x", &trace));
    assert_false(parse("00-" TRACE "-" PARENT "-01-more", &trace));
}

static void
what_is_none_is_as_if_there_were_none(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE "-" PARENT "-0",
        "ff-" TRACE "-" PARENT "-01",
        "0g-" TRACE "-" PARENT "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-" TRACE "-B7AD6B7169203331-01",
        "00-" TRACE "-" PARENT "-0G",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "_" PARENT "-01",
        "00-" TRACE "-" PARENT "_01",
        " 0-" TRACE "-" PARENT "-01",
    };
    struct api_trace trace;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(parse(bad[i], &trace));
        assert_false(trace.given);
    }
    assert_false(api_trace_parse(bytes_of(NULL, 0), &trace));
}

static void
times_are_told_that_there_were(void **state)
{
    struct api_times times = {.started_us = 1000, .replied_us = 3500};
    char text[API_TIMING_BYTES];

    (void)state;
    api_timing_text(&times, text);
    assert_string_equal(text, "total;dur=2.500");
    times.queued_us = 1100;
    times.queue_us = 7;
    times.work_us = 2000;
    times.commit_us = 1042;
    api_timing_text(&times, text);
    assert_string_equal(text, "queue;dur=0.007, work;dur=2.000, commit;dur=1.042, total;dur=2.500");
    times = (struct api_times){.queued_us = UINT64_MAX,
                               .queue_us = UINT64_MAX,
                               .work_us = UINT64_MAX,
                               .commit_us = UINT64_MAX,
                               .replied_us = UINT64_MAX};
    api_timing_text(&times, text);
    assert_true(strlen(text) < sizeof text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parts_are_taken),
        cmocka_unit_test(later_versions_may_have_more),
        cmocka_unit_test(what_is_none_is_as_if_there_were_none),
        cmocka_unit_test(times_are_told_that_there_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
