#include "api/timing.h"

#include <stdio.h>

#include "store/base/clock.h"

void
api_timing_work(struct api_times *times)
{
    times->worked_us = clock_monotonic_us();
    if (times->queue_us == 0 && times->work_us == 0)
        times->queue_us = times->worked_us - times->queued_us;
}

void
api_timing_rest(struct api_times *times)
{
    times->work_us += clock_monotonic_us() - times->worked_us;
}

static size_t
put(char *out, size_t used, const char *name, uint64_t us)
{
    int length = snprintf(out + used, API_TIMING_BYTES - used, "%s%s;dur=%u.%03u",
                          used > 0 ? ", " : "", name, (unsigned)(us / 1000), (unsigned)(us % 1000));

    return used + (size_t)length;
}

void
api_timing_text(const struct api_times *times, char out[static API_TIMING_BYTES])
{
    size_t used = 0;

    if (times->queued_us != 0) {
        used = put(out, used, "queue", times->queue_us);
        used = put(out, used, "work", times->work_us);
    }
    if (times->commit_us != 0)
        used = put(out, used, "commit", times->commit_us);
    (void)put(out, used, "total", times->replied_us - times->started_us);
}
