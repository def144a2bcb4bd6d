/* What a line of the access log tells. Always true: whatever a client sent, a line stays one line
 * and valid JSON of visible ASCII; what is long is cut. Query strings and header values but for
 * those that name the request are left out: they may hold what should not be kept. */
#include "api/observe/access_log.h"

#include <string.h>

#include "api/guard/caller.h"
#include "api/json/number.h"
#include "api/state.h"
#include "store/base/check.h"
#include "store/base/clock.h"

enum {
    SHOWN_BYTES_MAX = 256,    /* of a text from outside */
    ESCAPE_BYTES = 6,         /* \u001b */
    LINE_BYTES_MAX = 8 * 1024 /* more than all members at their longest */
};

/* A line being put together; without printf, which took longer than the request. */
struct line {
    size_t used;
    char text[LINE_BYTES_MAX];
};

static void
put(struct line *line, const char *text, size_t size)
{
    CHECK(size <= sizeof line->text - line->used);
    memcpy(line->text + line->used, text, size);
    line->used += size;
}

#define PUT(line, literal) put(line, literal, sizeof(literal) - 1)

static void
put_plain(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Visible ASCII as it is, everything else and what JSON minds as an escape. */
static void
put_shown(struct line *line, struct bytes text)
{
    static const char digits[] = "0123456789abcdef";
    size_t size = text.size < SHOWN_BYTES_MAX ? text.size : SHOWN_BYTES_MAX;
    char *out = line->text + line->used;

    CHECK(size * ESCAPE_BYTES <= sizeof line->text - line->used);
    for (size_t i = 0; i < size; i++) {
        uint8_t c = text.data[i];

        if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') {
            *out++ = (char)c;
            continue;
        }
        memcpy(out, "\\u00", 4);
        out[4] = digits[c >> 4];
        out[5] = digits[c & 15];
        out += ESCAPE_BYTES;
    }
    line->used = (size_t)(out - line->text);
}

static void
put_number(struct line *line, uint64_t value)
{
    char text[API_NUMBER_BYTES_MAX];

    put(line, text, api_number_print_u64(value, text));
}

static void
put_ms(struct line *line, uint64_t us)
{
    char text[API_TIMING_MS_BYTES];

    put(line, text, api_timing_print_ms(us, text));
}

static void
put_names(struct line *line, const struct api_request *rq)
{
    PUT(line, ",\"request_id\":\"");
    put_shown(line, bytes_of_text(rq->id));
    if (rq->trace.given) {
        PUT(line, "\",\"trace_id\":\"");
        put_plain(line, rq->trace.trace_id);
        PUT(line, "\",\"parent_id\":\"");
        put_plain(line, rq->trace.parent_id);
        PUT(line, "\",\"span_id\":\"");
        put_plain(line, rq->trace.span_id);
        put_plain(line, rq->trace.sampled ? "\",\"sampled\":true" : "\",\"sampled\":false");
        if (api_head_count(&rq->head, "tracestate") > 0) {
            PUT(line, ",\"trace_state\":\"");
            put_shown(line, api_request_header(rq, "tracestate"));
            PUT(line, "\"");
        }
    } else {
        PUT(line, "\"");
    }
}

/* Of the token the name, never the token. */
static void
put_client(struct line *line, const struct api_request *rq)
{
    const char *token = api_caller_name(rq);

    PUT(line, ",\"client\":\"");
    put_plain(line, rq->connection->address_text);
    if (token[0] != '\0') {
        PUT(line, "\",\"token\":\"");
        put_shown(line, bytes_of_text(token));
    }
    PUT(line, "\"");
}

static void
put_request(struct line *line, const struct api_request *rq)
{
    struct bytes target = bytes_of(rq->target, rq->target == NULL ? 0 : rq->target_size);
    const uint8_t *mark = target.size == 0 ? NULL : memchr(target.data, '?', target.size);

    if (mark != NULL)
        target.size = (size_t)(mark - target.data);
    PUT(line, ",\"method\":\"");
    put_plain(line, rq->method_known ? api_method_name(rq->method) : "");
    PUT(line, "\",\"path\":\"");
    put_shown(line, target);
    if (rq->match.route != NULL) {
        PUT(line, "\",\"route\":\"");
        put_plain(line, rq->match.route->path);
        PUT(line, "\",\"operation\":\"");
        put_plain(line, rq->match.route->operation_id);
    }
    PUT(line, "\",\"request_bytes\":");
    put_number(line, rq->received);
}

static void
put_reply(struct line *line, const struct api_request *rq, bool whole)
{
    PUT(line, ",\"status\":");
    put_number(line, (uint64_t)rq->reply.status);
    PUT(line, ",\"bytes\":");
    put_number(line, rq->method == METHOD_HEAD ? 0 : rq->reply.size);
    if (!whole)
        PUT(line, ",\"aborted\":true");
}

static void
put_times(struct line *line, const struct api_times *times)
{
    if (times->queued_us != 0) {
        PUT(line, ",\"queue_ms\":");
        put_ms(line, times->queue_us);
        PUT(line, ",\"work_ms\":");
        put_ms(line, times->work_us);
    }
    if (times->commit_us != 0) {
        PUT(line, ",\"commit_ms\":");
        put_ms(line, times->commit_us);
    }
    PUT(line, ",\"reply_ms\":");
    put_ms(line, times->replied_us - times->started_us);
    PUT(line, ",\"ms\":");
    put_ms(line, clock_monotonic_us() - times->started_us);
}

void
api_access_log_write(struct api_access_log *log, const struct api_request *rq, bool whole)
{
    struct line line;

    line.used = 0;
    PUT(&line, ",\"level\":\"info\",\"message\":\"request\"");
    put_names(&line, rq);
    put_client(&line, rq);
    put_request(&line, rq);
    put_reply(&line, rq, whole);
    put_times(&line, &rq->times);
    api_access_log_add(log, line.text, line.used);
}
