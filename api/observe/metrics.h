/* GET /metrics: what is counted here of requests, and every metric as text. The table is
 * api/observe/metrics.def. */
#ifndef API_OBSERVE_METRICS_H
#define API_OBSERVE_METRICS_H

#include "api/router.h"
#include "service/usage/counters.h"
#include "store/base/buf.h"

struct api_metrics;

/* For requests of api_routes. Owned by the caller: api_metrics_drop. */
ERR_MUST_CHECK enum err_code api_metrics_open(struct api_metrics **out, struct err *err);
void api_metrics_drop(struct api_metrics *metrics); /* NULL is fine */

struct api_metrics_request {
    const struct api_route *route; /* NULL: none matched */
    int status;                    /* 0: the client left before it was answered */
    uint64_t us;                   /* to its reply's first byte */
    uint64_t received_bytes, sent_bytes;
};
/* Any thread, cheap. */
void api_metrics_count(struct api_metrics *metrics, const struct api_metrics_request *request);
uint64_t api_metrics_received_bytes(const struct api_metrics *metrics);
uint64_t api_metrics_sent_bytes(const struct api_metrics *metrics);

/* Prometheus' older text format, or OpenMetrics 1.0. */
enum api_metrics_form { API_METRICS_TEXT, API_METRICS_OPEN };

/* Of the server that rq came to. */
ERR_MUST_CHECK enum err_code api_metrics_write(struct api_request *rq,
                                               const struct service_counters *service,
                                               enum api_metrics_form form, struct buf *out,
                                               struct err *err);

#endif
