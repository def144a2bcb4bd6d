/* Durations, counted by how long they were: cheap to add to from any thread, exact in total. One
 * row of bounds serves every histogram, so that they can be compared. */
#ifndef STORE_BASE_HISTOGRAM_H
#define STORE_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 14, HISTOGRAM_BUCKETS };

/* Upper bounds of the buckets, included, rising; the last bucket has none. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS];

/* Zeroed: empty. */
struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum_us;
};

struct histogram_counts {
    uint64_t buckets[HISTOGRAM_BUCKETS]; /* each for itself */
    uint64_t count, sum_us;
};

/* Any thread. */
void histogram_add(struct histogram *h, uint64_t us);
/* Adds what h has to *out. Any thread; what is being added meanwhile may be seen in part. */
void histogram_collect(const struct histogram *h, struct histogram_counts *out);

#endif
