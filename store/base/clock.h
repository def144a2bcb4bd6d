/* Two clocks: one for deadlines and durations, one for people. */
#ifndef STORE_BASE_CLOCK_H
#define STORE_BASE_CLOCK_H

#include <stdint.h>

/* Never goes back; for deadlines and durations. */
uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_us(void);
/* Since 1970-01-01 UTC; for people. */
uint64_t clock_wall_ms(void);

#endif
