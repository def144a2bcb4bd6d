/* Requests counted by route and status, and the table of metrics. Always true: what a client sends
 * is never a label, so there are as many series as routes and statuses at most, and tasks up to
 * TASKS_MAX. A route's series of a status begins with its first request; requests by status alone
 * are all there from the start. */
#include "api/observe/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/feed/feed.h"
#include "api/observe/metrics_text.h"
#include "api/observe/process.h"
#include "api/state.h"
#include "service/device/cluster.h"
#include "service/placement/task_usage.h"
#include "service/version.h"
#include "store/base/alloc.h"

/* What api/http/status.c and the handlers give; the last: no reply, the client left before it. */
static const int statuses[] = {200, 201, 202, 204, 206, 304, 400, 401, 403, 404,
                               405, 406, 409, 410, 411, 412, 413, 414, 415, 416,
                               417, 421, 422, 429, 431, 500, 501, 503, 507, 0};
enum {
    STATUS_COUNT = sizeof statuses / sizeof statuses[0],
    LABEL_BYTES_MAX = 256,
    TASKS_MAX = 64, /* that have series of their own */
};

struct api_metrics {
    _Atomic uint64_t received_bytes, sent_bytes;
    struct histogram durations[][STATUS_COUNT]; /* by route; after the last: none matched */
};

enum err_code
api_metrics_open(struct api_metrics **out, struct err *err)
{
    struct api_metrics *metrics = NULL;
    size_t rows = api_route_count + 1;

    metrics = mem_zeroed(1, sizeof *metrics + rows * sizeof metrics->durations[0], err);
    if (metrics == NULL)
        return ERR_NO_MEMORY;
    *out = metrics;
    return OK;
}

void
api_metrics_drop(struct api_metrics *metrics)
{
    mem_free(metrics);
}

static unsigned
index_of_status(int status)
{
    unsigned i = 0;

    while (i < STATUS_COUNT - 1 && statuses[i] != status)
        i++;
    return i;
}

void
api_metrics_count(struct api_metrics *metrics, const struct api_metrics_request *request)
{
    size_t row = request->route == NULL ? api_route_count : (size_t)(request->route - api_routes);

    histogram_add(&metrics->durations[row][index_of_status(request->status)], request->us);
    if (request->received_bytes > 0)
        atomic_fetch_add_explicit(&metrics->received_bytes, request->received_bytes,
                                  memory_order_relaxed);
    if (request->sent_bytes > 0)
        atomic_fetch_add_explicit(&metrics->sent_bytes, request->sent_bytes, memory_order_relaxed);
}

uint64_t
api_metrics_received_bytes(const struct api_metrics *metrics)
{
    return atomic_load_explicit(&metrics->received_bytes, memory_order_relaxed);
}

uint64_t
api_metrics_sent_bytes(const struct api_metrics *metrics)
{
    return atomic_load_explicit(&metrics->sent_bytes, memory_order_relaxed);
}

/* --- families ------------------------------------------------------------------------------ */

static const char *
status_label(unsigned i, char out[static 16])
{
    if (statuses[i] == 0)
        return "none";
    snprintf(out, 16, "%d", statuses[i]);
    return out;
}

static void
api_metrics_build(struct api_metrics_text *text)
{
    char labels[LABEL_BYTES_MAX];

    snprintf(labels, sizeof labels, "version=\"%s\",durability=\"%s\"", service_version,
             service_durability_name(text->server->service));
    api_metrics_sample(text, labels, 1);
}

static void
api_metrics_requests(struct api_metrics_text *text)
{
    const struct api_metrics *metrics = text->server->metrics;

    for (unsigned i = 0; i < STATUS_COUNT; i++) {
        struct histogram_counts counts = {.count = 0};
        char labels[LABEL_BYTES_MAX], code[16];

        for (size_t row = 0; row <= api_route_count; row++)
            histogram_collect(&metrics->durations[row][i], &counts);
        snprintf(labels, sizeof labels, "code=\"%s\"", status_label(i, code));
        api_metrics_sample(text, labels, (double)counts.count);
    }
}

static void
api_metrics_durations(struct api_metrics_text *text)
{
    const struct api_metrics *metrics = text->server->metrics;

    for (size_t row = 0; row <= api_route_count; row++) {
        bool matched = row < api_route_count;

        for (unsigned i = 0; i < STATUS_COUNT; i++) {
            struct histogram_counts counts = {.count = 0};
            char labels[LABEL_BYTES_MAX], code[16];

            histogram_collect(&metrics->durations[row][i], &counts);
            if (counts.count == 0)
                continue;
            snprintf(labels, sizeof labels, "method=\"%s\",route=\"%s\",code=\"%s\"",
                     matched ? api_method_name(api_routes[row].method) : "none",
                     matched ? api_routes[row].path : "none", status_label(i, code));
            api_metrics_histogram(text, labels, &counts);
        }
    }
}

static void
api_metrics_steps(struct api_metrics_text *text)
{
    for (size_t i = 0; i < OPTIMIZER_COUNT; i++) {
        char labels[LABEL_BYTES_MAX];

        snprintf(labels, sizeof labels, "op=\"%s\"", optimizer_at(i)->name);
        api_metrics_sample(text, labels, (double)text->service->steps[i]);
    }
}

/* One series for each of the first tasks, one for all others, one for what is on none. */
static void
write_tasks(struct api_metrics_text *text, uint64_t (*count)(const struct task_usage *usage))
{
    const struct cluster *cluster = service_cluster(text->server->service);
    struct task_usage usage = {.variables = 0};
    char labels[LABEL_BYTES_MAX];
    uint64_t others = 0;

    for (size_t j = 0; j < cluster->job_count; j++) {
        const struct cluster_job *job = &cluster->jobs[j];

        for (size_t t = 0; t < job->task_count; t++) {
            task_usage_counted(text->server->service, job->first + t, &usage);
            snprintf(labels, sizeof labels, "job=\"%s\",task=\"%" PRId32 "\"", job->name,
                     job->tasks[t].number);
            if (job->first + t < TASKS_MAX)
                api_metrics_sample(text, labels, (double)count(&usage));
            else
                others += count(&usage);
        }
    }
    if (cluster->task_count > TASKS_MAX)
        api_metrics_sample(text, "job=\"others\",task=\"others\"", (double)others);
    task_usage_counted(text->server->service, cluster->task_count, &usage);
    api_metrics_sample(text, "job=\"none\",task=\"none\"", (double)count(&usage));
}

static uint64_t
commits_of(const struct task_usage *usage)
{
    return usage->commits;
}

static uint64_t
written_bytes_of(const struct task_usage *usage)
{
    return usage->written_bytes;
}

static void
api_metrics_task_commits(struct api_metrics_text *text)
{
    write_tasks(text, commits_of);
}

static void
api_metrics_task_written(struct api_metrics_text *text)
{
    write_tasks(text, written_bytes_of);
}

static void
api_metrics_store_bytes(struct api_metrics_text *text)
{
    const struct store_stats *store = &text->service->store;
    uint64_t live = store->file_bytes - store->free_bytes, all = text->service->logical_bytes;

    api_metrics_sample(text, "kind=\"live\"", (double)live);
    api_metrics_sample(text, "kind=\"shared\"", all > live ? (double)(all - live) : 0);
    api_metrics_sample(text, "kind=\"free\"", (double)store->free_bytes);
}

static void
api_metrics_files(struct api_metrics_text *text)
{
    for (int i = 0; i < STORE_FILES; i++) {
        const struct store_file_stats *file = &text->service->store.files[i];
        char labels[LABEL_BYTES_MAX];

        snprintf(labels, sizeof labels, "file=\"%s\"", file->name);
        api_metrics_sample(text, labels, (double)file->bytes);
    }
}

static void
api_metrics_commits(struct api_metrics_text *text)
{
    api_metrics_histogram(text, "", &text->service->store.commits);
}

static void
api_metrics_syncs(struct api_metrics_text *text)
{
    api_metrics_histogram(text, "", &text->service->store.syncs);
}

/* --- the table ----------------------------------------------------------------------------- */

#define FAMILY(name, kind, unit, writer, help)
#define VALUE(name, kind, unit, expression, help)                                                  \
    static void write_##name(struct api_metrics_text *text)                                        \
    {                                                                                              \
        struct api_server *server = text->server;                                                  \
        const struct service_counters *service = text->service;                                    \
        const struct store_stats *store = &service->store;                                         \
                                                                                                   \
        (void)server;                                                                              \
        (void)store;                                                                               \
        api_metrics_sample(text, "", (double)(expression));                                        \
    }
#include "api/observe/metrics.def"
#undef FAMILY
#undef VALUE

static const struct {
    struct api_metrics_family family;
    api_metrics_writer *write;
} table[] = {
#define FAMILY(name, kind, unit, writer, help) {{#name, METRICS_##kind, unit, help}, writer},
#define VALUE(name, kind, unit, expression, help)                                                  \
    {{#name, METRICS_##kind, unit, help}, write_##name},
#include "api/observe/metrics.def"
#undef FAMILY
#undef VALUE
};

enum err_code
api_metrics_write(struct api_request *rq, const struct service_counters *service,
                  enum api_metrics_form form, struct buf *out, struct err *err)
{
    struct api_metrics_text text = {
        .server = rq->server, .service = service, .form = form, .out = out, .err = err};

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        api_metrics_begin(&text, &table[i].family);
        table[i].write(&text);
    }
    api_metrics_end(&text);
    return text.code;
}
