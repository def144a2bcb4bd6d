/* Where a request's time went. */
#ifndef API_OBSERVE_TIMING_H
#define API_OBSERVE_TIMING_H

#include <stddef.h>
#include <stdint.h>

struct api_times {
    uint64_t started_us, replied_us; /* its line was read; its reply handed over */
    uint64_t queued_us;              /* when it was given to the workers; 0: it was not */
    uint64_t worked_us;              /* when a worker took it up, the last time */
    /* How long it waited for a worker the first time, had one, and waited for commits meanwhile. */
    uint64_t queue_us, work_us, commit_us;
};

enum { API_TIMING_BYTES = 160, API_TIMING_MS_BYTES = 32 };

/* On a worker, around each stretch of work. */
void api_timing_work(struct api_times *times);
void api_timing_rest(struct api_times *times);
/* Milliseconds, with three digits behind the point; not terminated. Returns its size. */
size_t api_timing_print_ms(uint64_t us, char out[static API_TIMING_MS_BYTES]);
/* The value of Server-Timing: "queue;dur=0.020, work;dur=1.310, commit;dur=1.100,
 * total;dur=1.400", in milliseconds; of what there was. */
void api_timing_text(const struct api_times *times, char out[static API_TIMING_BYTES]);

#endif
