/* Both text formats of metrics, line by line. */
#include "api/observe/metrics_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/scope.h"

static const struct api_metrics_family families[] = {
    {"things", METRICS_COUNTER, "", "How many."},
    {"room_bytes", METRICS_GAUGE, "bytes", "How much."},
    {"about", METRICS_INFO, "", "What."},
    {"time_seconds", METRICS_HISTOGRAM, "seconds", "How long."},
};

static void
write_all(struct buf *out, enum api_metrics_form form)
{
    struct histogram_counts counts = {.buckets = {1, 0, 2}, .count = 4, .sum_us = 2500001};
    struct api_metrics_text text = {.form = form, .out = out};

    counts.buckets[HISTOGRAM_BOUNDS] = 1;
    api_metrics_begin(&text, &families[0]);
    api_metrics_sample(&text, "", 123456789012345.0);
    api_metrics_begin(&text, &families[1]);
    api_metrics_sample(&text, "kind=\"free\"", 0.1);
    api_metrics_begin(&text, &families[2]);
    api_metrics_sample(&text, "version=\"1\"", 1);
    api_metrics_begin(&text, &families[3]);
    api_metrics_histogram(&text, "a=\"b\"", &counts);
    api_metrics_end(&text);
    assert_int_equal(text.code, OK);
    assert_int_equal(buf_append_byte(out, '\0', NULL), OK);
}

static void
has(const struct buf *text, const char *line)
{
    const char *at = strstr((const char *)text->data, line);

    if (at == NULL)
        fail_msg("'%s' is not in\n%s", line, (const char *)text->data);
    assert_true(at == (const char *)text->data || at[-1] == '\n');
}

static void
the_older_format(void **state)
{
    AUTO(buf) text;

    (void)state;
    buf_init(&text, 1 << 16);
    write_all(&text, API_METRICS_TEXT);
    has(&text, "# HELP things_total How many.\n# TYPE things_total counter\n"
               "things_total 123456789012345\n");
    has(&text, "# TYPE room_bytes gauge\nroom_bytes{kind=\"free\"} 0.1\n");
    has(&text, "# TYPE about_info gauge\nabout_info{version=\"1\"} 1\n");
    assert_null(strstr((const char *)text.data, "# UNIT"));
    assert_null(strstr((const char *)text.data, "# EOF"));
}

static void
open_metrics(void **state)
{
    AUTO(buf) text;

    (void)state;
    buf_init(&text, 1 << 16);
    write_all(&text, API_METRICS_OPEN);
    has(&text, "# HELP things How many.\n# TYPE things counter\nthings_total 123456789012345\n");
    has(&text, "# TYPE room_bytes gauge\n# UNIT room_bytes bytes\nroom_bytes{kind=\"free\"} 0.1\n");
    has(&text, "# TYPE about info\nabout_info{version=\"1\"} 1\n");
    has(&text, "# TYPE time_seconds histogram\n# UNIT time_seconds seconds\n"
               "time_seconds_bucket{a=\"b\",le=\"0.0001\"} 1\n"
               "time_seconds_bucket{a=\"b\",le=\"0.00025\"} 1\n"
               "time_seconds_bucket{a=\"b\",le=\"0.0005\"} 3\n");
    has(&text, "time_seconds_bucket{a=\"b\",le=\"1.0\"} 3\n");
    has(&text, "time_seconds_bucket{a=\"b\",le=\"10.0\"} 3\n"
               "time_seconds_bucket{a=\"b\",le=\"+Inf\"} 4\n"
               "time_seconds_count{a=\"b\"} 4\ntime_seconds_sum{a=\"b\"} 2.500001\n# EOF\n");
}

static void
a_failure_stays(void **state)
{
    struct err err = ERR_INIT;
    struct api_metrics_text text = {.form = API_METRICS_OPEN, .err = &err};
    AUTO(buf) out;

    (void)state;
    buf_init(&out, 40);
    text.out = &out;
    api_metrics_begin(&text, &families[0]);
    assert_int_equal(text.code, ERR_PAYLOAD_TOO_LARGE);
    out.size_max = 1 << 16;
    api_metrics_sample(&text, "", 1);
    api_metrics_end(&text);
    assert_int_equal(text.code, ERR_PAYLOAD_TOO_LARGE);
    assert_int_equal(out.size, strlen("# HELP things How many.\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_older_format),
        cmocka_unit_test(open_metrics),
        cmocka_unit_test(a_failure_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
