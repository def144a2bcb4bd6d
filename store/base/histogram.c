#include "store/base/histogram.h"

const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
    100,   250,    500,    1000,   2500,    5000,    10000,
    25000, 100000, 250000, 500000, 1000000, 2500000, 10000000,
};

void
histogram_add(struct histogram *h, uint64_t us)
{
    unsigned i = 0;

    while (i < HISTOGRAM_BOUNDS && us > histogram_bounds_us[i])
        i++;
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

void
histogram_collect(const struct histogram *h, struct histogram_counts *out)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&h->buckets[i], memory_order_relaxed);

        out->buckets[i] += count;
        out->count += count;
    }
    out->sum_us += atomic_load_explicit(&h->sum_us, memory_order_relaxed);
}
