/* Metrics as lines of text. For what api/observe/metrics.def names. */
#ifndef API_OBSERVE_METRICS_TEXT_H
#define API_OBSERVE_METRICS_TEXT_H

#include "api/observe/metrics.h"
#include "store/base/histogram.h"

struct api_server;

enum api_metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM, METRICS_INFO };

struct api_metrics_family {
    const char *name; /* of a counter without _total, of an info without _info */
    enum api_metrics_kind kind;
    const char *unit, *help;
};

/* Where a writer writes. A failure stays: later lines are not written. */
struct api_metrics_text {
    struct api_server *server;
    const struct service_counters *service;
    enum api_metrics_form form;
    const struct api_metrics_family *family; /* the current one */
    struct buf *out;
    struct err *err;
    enum err_code code;
};

typedef void api_metrics_writer(struct api_metrics_text *text);

void api_metrics_begin(struct api_metrics_text *text, const struct api_metrics_family *family);
/* `labels` as they stand between the braces, "" for none: names and values of the program's own. */
void api_metrics_sample(struct api_metrics_text *text, const char *labels, double value);
void api_metrics_histogram(struct api_metrics_text *text, const char *labels,
                           const struct histogram_counts *counts);
void api_metrics_end(struct api_metrics_text *text);

#endif
