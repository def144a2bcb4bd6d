/* The time, in whole milliseconds and microseconds. Nothing else in the tree reads a clock. */
#include "store/base/clock.h"

#include <time.h>

#include "store/base/check.h"

static struct timespec
now(clockid_t id)
{
    struct timespec t;

    CHECK(clock_gettime(id, &t) == 0);
    return t;
}

uint64_t
clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

uint64_t
clock_monotonic_us(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);

    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* A clock set before 1970 reads as 1970. */
uint64_t
clock_wall_ms(void)
{
    struct timespec t = now(CLOCK_REALTIME);

    return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
