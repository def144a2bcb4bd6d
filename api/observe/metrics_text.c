/* The two text formats. Always true: a family is one block, its samples follow its head; numbers
 * are the shortest decimals of 15 digits, which holds every count below 10^15. */
#include "api/observe/metrics_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void put(struct api_metrics_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
put(struct api_metrics_text *text, const char *format, ...)
{
    char line[1024];
    va_list args;
    int length;

    if (text->code != OK)
        return;
    va_start(args, format);
    length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof line)
        text->code =
            err_set(text->err, ERR_INTERNAL, "a line of %s is too long", text->family->name);
    else
        text->code = buf_append(text->out, line, (size_t)length, text->err);
}

void
api_metrics_begin(struct api_metrics_text *text, const struct api_metrics_family *family)
{
    static const char *const kinds[] = {
        [METRICS_COUNTER] = "counter",
        [METRICS_GAUGE] = "gauge",
        [METRICS_HISTOGRAM] = "histogram",
        [METRICS_INFO] = "info",
    };
    bool open = text->form == API_METRICS_OPEN;
    enum api_metrics_kind kind = family->kind;
    const char *suffix = open                      ? ""
                         : kind == METRICS_COUNTER ? "_total"
                         : kind == METRICS_INFO    ? "_info"
                                                   : "";

    text->family = family;
    put(text, "# HELP %s%s %s\n", family->name, suffix, family->help);
    put(text, "# TYPE %s%s %s\n", family->name, suffix,
        !open && kind == METRICS_INFO ? "gauge" : kinds[kind]);
    if (open && family->unit[0] != '\0')
        put(text, "# UNIT %s %s\n", family->name, family->unit);
}

static void
put_sample(struct api_metrics_text *text, const char *suffix, const char *labels, double value)
{
    bool bare = labels[0] == '\0';

    put(text, "%s%s%s%s%s %.15g\n", text->family->name, suffix, bare ? "" : "{", labels,
        bare ? "" : "}", value);
}

void
api_metrics_sample(struct api_metrics_text *text, const char *labels, double value)
{
    enum api_metrics_kind kind = text->family->kind;

    put_sample(text,
               kind == METRICS_COUNTER ? "_total"
               : kind == METRICS_INFO  ? "_info"
                                       : "",
               labels, value);
}

void
api_metrics_histogram(struct api_metrics_text *text, const char *labels,
                      const struct histogram_counts *counts)
{
    const char *name = text->family->name, *comma = labels[0] == '\0' ? "" : ",";
    uint64_t below = 0;

    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        uint64_t us = histogram_bounds_us[i];

        below += counts->buckets[i];
        put(text, "%s_bucket{%s%sle=\"%.15g%s\"} %" PRIu64 "\n", name, labels, comma,
            (double)us / 1e6, us % 1000000 == 0 ? ".0" : "", below);
    }
    put(text, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, counts->count);
    put_sample(text, "_count", labels, (double)counts->count);
    put_sample(text, "_sum", labels, (double)counts->sum_us / 1e6);
}

void
api_metrics_end(struct api_metrics_text *text)
{
    if (text->form == API_METRICS_OPEN)
        put(text, "# EOF\n");
}
