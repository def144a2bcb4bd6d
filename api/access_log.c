/* The access log. Always true: whatever a client sent, a line stays one line and valid JSON of
 * visible ASCII; what is long is cut. Query strings and header values but for those that name the
 * request are left out: they may hold what should not be kept. */
#include "api/access_log.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/caller.h"
#include "api/state.h"
#include "store/base/clock.h"
#include "store/base/log.h"

enum {
    SHOWN_BYTES_MAX = 256,    /* of a text from outside */
    LINE_BYTES_MAX = 8 * 1024 /* more than all members at their longest */
};

/* A line being put together. What does not fit is left out, whole. */
struct line {
    size_t used;
    char text[LINE_BYTES_MAX];
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
put(struct line *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->used;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(line->text + line->used, room, format, args);
    va_end(args);
    if (length > 0 && (size_t)length < room)
        line->used += (size_t)length;
}

/* Visible ASCII as it is, everything else and what JSON minds as an escape. */
static void
put_text(struct line *line, const char *name, struct bytes text)
{
    char shown[SHOWN_BYTES_MAX * 6 + 1];
    size_t used = 0;

    for (size_t i = 0; i < text.size && i < SHOWN_BYTES_MAX; i++) {
        uint8_t c = text.data[i];

        if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\')
            shown[used++] = (char)c;
        else
            used += (size_t)snprintf(shown + used, sizeof shown - used, "\\u%04x", c);
    }
    shown[used] = '\0';
    put(line, ",\"%s\":\"%s\"", name, shown);
}

static void
put_ms(struct line *line, const char *name, uint64_t us)
{
    put(line, ",\"%s\":%" PRIu64 ".%03u", name, us / 1000, (unsigned)(us % 1000));
}

static void
put_time(struct line *line)
{
    uint64_t wall_ms = clock_wall_ms();
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};
    char day[32] = "";

    gmtime_r(&seconds, &utc);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    put(line, "{\"time\":\"%s.%03uZ\",\"level\":\"info\",\"message\":\"request\"", day,
        (unsigned)(wall_ms % 1000));
}

/* An IPv4 address as such; the name of the token, never the token. */
static void
put_client(struct line *line, const struct api_request *rq)
{
    const struct api_connection *c = rq->connection;
    char text[INET6_ADDRSTRLEN] = "";
    bool mapped = memcmp(c->address, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;

    if (inet_ntop(mapped ? AF_INET : AF_INET6, c->address + (mapped ? 12 : 0), text, sizeof text) !=
        NULL)
        put(line, ",\"client\":\"%s\"", text);
    if (api_caller_name(rq)[0] != '\0')
        put_text(line, "token", bytes_of_text(api_caller_name(rq)));
}

static void
put_names(struct line *line, const struct api_request *rq)
{
    put_text(line, "request_id", bytes_of_text(rq->id));
    if (!rq->trace.given)
        return;
    put(line, ",\"trace_id\":\"%s\",\"parent_id\":\"%s\",\"span_id\":\"%s\",\"sampled\":%s",
        rq->trace.trace_id, rq->trace.parent_id, rq->trace.span_id,
        rq->trace.sampled ? "true" : "false");
    if (api_head_count(&rq->head, "tracestate") > 0)
        put_text(line, "trace_state", api_request_header(rq, "tracestate"));
}

static void
put_request(struct line *line, const struct api_request *rq)
{
    struct bytes target = bytes_of(rq->target, rq->target == NULL ? 0 : rq->target_size);
    const uint8_t *mark = target.size == 0 ? NULL : memchr(target.data, '?', target.size);

    if (mark != NULL)
        target.size = (size_t)(mark - target.data);
    put(line, ",\"method\":\"%s\"", rq->method_known ? api_method_name(rq->method) : "");
    put_text(line, "path", target);
    if (rq->match.route != NULL)
        put(line, ",\"route\":\"%s\",\"operation\":\"%s\"", rq->match.route->path,
            rq->match.route->operation_id);
    put(line, ",\"request_bytes\":%" PRIu64, rq->received);
}

static void
put_times(struct line *line, const struct api_times *times)
{
    if (times->queued_us != 0) {
        put_ms(line, "queue_ms", times->queue_us);
        put_ms(line, "work_ms", times->work_us);
    }
    if (times->commit_us != 0)
        put_ms(line, "commit_ms", times->commit_us);
    put_ms(line, "reply_ms", times->replied_us - times->started_us);
    put_ms(line, "ms", clock_monotonic_us() - times->started_us);
}

void
api_access_log_write(const struct api_request *rq, bool whole)
{
    const struct api_reply *rp = &rq->reply;
    struct line line;

    line.used = 0;
    put_time(&line);
    put_names(&line, rq);
    put_client(&line, rq);
    put_request(&line, rq);
    put(&line, ",\"status\":%d,\"bytes\":%" PRIu64, rp->status,
        rq->method == METHOD_HEAD ? 0 : rp->size);
    if (!whole)
        put(&line, ",\"aborted\":true");
    put_times(&line, &rq->times);
    put(&line, "}");
    log_line(line.text);
}
