#include "api/observe/timing.h"

#include <string.h>

#include "api/json/number.h"
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

size_t
api_timing_print_ms(uint64_t us, char out[static API_TIMING_MS_BYTES])
{
    size_t used = api_number_print_u64(us / 1000, out);
    unsigned rest = (unsigned)(us % 1000);

    out[used++] = '.';
    out[used++] = (char)('0' + rest / 100);
    out[used++] = (char)('0' + rest / 10 % 10);
    out[used++] = (char)('0' + rest % 10);
    return used;
}

static size_t
put(char *out, size_t used, const char *name, uint64_t us)
{
    size_t size = strlen(name);

    if (used > 0) {
        memcpy(out + used, ", ", 2);
        used += 2;
    }
    memcpy(out + used, name, size);
    used += size;
    memcpy(out + used, ";dur=", 5);
    used += 5;
    return used + api_timing_print_ms(us, out + used);
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
    used = put(out, used, "total", times->replied_us - times->started_us);
    out[used] = '\0';
}
