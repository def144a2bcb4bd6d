/* The access log. Always true: whatever a client sent, a line stays one line and valid JSON; the
 * path is cut. Query strings and header values but for the request id are left out: they may hold
 * what should not be kept. */
#include "api/access_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "api/state.h"
#include "store/base/clock.h"
#include "store/base/log.h"

enum { PATH_SHOWN_MAX = 256, LINE_BYTES_MAX = 4096 };

/* Visible ASCII as it is, everything else and what JSON minds as an escape. */
static void
escape_path(struct bytes path, char *out, size_t out_size)
{
    size_t used = 0;

    for (size_t i = 0; i < path.size && i < PATH_SHOWN_MAX && out_size - used > 8; i++) {
        uint8_t c = path.data[i];

        if (c > 0x20 && c < 0x7F && c != '"' && c != '\\')
            out[used++] = (char)c;
        else
            used += (size_t)snprintf(out + used, out_size - used, "\\u%04x", c);
    }
    out[used] = '\0';
}

static void
format_time(char *out, size_t out_size)
{
    uint64_t wall_ms = clock_wall_ms();
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};
    char day[32] = "";

    gmtime_r(&seconds, &utc);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, out_size, "%s.%03uZ", day, (unsigned)(wall_ms % 1000));
}

void
api_access_log_write(const struct api_request *rq)
{
    char line[LINE_BYTES_MAX], path[PATH_SHOWN_MAX * 6 + 16] = "", when[64], id[2 * 128 + 16];
    uint64_t us = clock_monotonic_us() - rq->started_us;
    const struct api_reply *rp = &rq->reply;
    struct bytes target = bytes_of(rq->target, rq->target == NULL ? 0 : rq->target_size);
    const uint8_t *mark = target.size == 0 ? NULL : memchr(target.data, '?', target.size);

    if (mark != NULL)
        target.size = (size_t)(mark - target.data);
    escape_path(target, path, sizeof path);
    escape_path(bytes_of_text(rq->id), id, sizeof id);
    format_time(when, sizeof when);
    snprintf(line, sizeof line,
             "{\"time\":\"%s\",\"level\":\"info\",\"message\":\"request\",\"method\":\"%s\","
             "\"path\":\"%s\",\"status\":%d,\"bytes\":%" PRIu64 ",\"ms\":%" PRIu64 ".%03u,"
             "\"request_id\":\"%s\"}",
             when, rq->method_known ? api_method_name(rq->method) : "", path, rp->status,
             rq->method == METHOD_HEAD ? 0 : rp->size, us / 1000, (unsigned)(us % 1000), id);
    log_line(line);
}
