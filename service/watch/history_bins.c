#include "service/watch/history_bins.h"

#include "service/tensor/quantile.h"

struct binning {
    struct history_range range;
    uint32_t bins;
    double *counts, *below, *above;
};

static double
edge(const struct binning *b, uint32_t i)
{
    const double part = (double)i / (double)b->bins;

    return i == b->bins ? b->range.high : b->range.low + (b->range.high - b->range.low) * part;
}

/* Of a value in the range. Edges are rounded: the first guess may be beside it. */
static uint32_t
bin_of(const struct binning *b, double value)
{
    const double part = (value - b->range.low) / (b->range.high - b->range.low);
    uint32_t bin = (uint32_t)(part * (double)b->bins);

    bin = bin < b->bins ? bin : b->bins - 1;
    while (bin > 0 && value < edge(b, bin))
        bin--;
    while (bin + 1 < b->bins && value >= edge(b, bin + 1))
        bin++;
    return bin;
}

static void
add_spike(const struct binning *b, double value, double mass)
{
    if (value < b->range.low)
        *b->below += mass;
    else if (value > b->range.high)
        *b->above += mass;
    else
        b->counts[bin_of(b, value)] += mass;
}

/* [from, to), not empty, where a slope from begin to end has its part of the mass. */
static double
part_of(double from, double to, double begin, double end)
{
    const double low = from > begin ? from : begin, high = to < end ? to : end;

    return high > low ? (high - low) / (end - begin) : 0;
}

static void
add_slope(const struct binning *b, double begin, double end, double mass)
{
    const double low = b->range.low, high = b->range.high;

    if (begin < low)
        *b->below += mass * part_of(begin, low, begin, end);
    if (end > high)
        *b->above += mass * part_of(high, end, begin, end);
    if (end <= low || begin >= high)
        return;
    for (uint32_t i = begin > low ? bin_of(b, begin) : 0; i < b->bins && edge(b, i) < end; i++)
        b->counts[i] += mass * part_of(edge(b, i), edge(b, i + 1), begin, end);
}

void
history_bins(const struct snapshot_record *snapshot, const struct history_range *range,
             uint32_t bins, double *counts, double *below, double *above)
{
    const uint64_t finite = kernel_statistics_finite(&snapshot->elements);
    const uint32_t points = snapshot->point_count;
    const struct binning b = {
        .range = *range, .bins = bins, .counts = counts, .below = below, .above = above};

    *below = *above = 0;
    for (uint32_t i = 0; i < bins; i++)
        counts[i] = 0;
    for (uint32_t i = 0; points == finite && i < points; i++)
        add_spike(&b, record_snapshot_point(snapshot, i), 1);
    for (uint32_t i = 1; points != finite && i < points; i++) {
        const double begin = record_snapshot_point(snapshot, i - 1);
        const double end = record_snapshot_point(snapshot, i);
        const double mass = (double)finite / (double)(points - 1);

        if (begin == end)
            add_spike(&b, begin, mass);
        else
            add_slope(&b, begin, end, mass);
    }
}

double
history_quantile(const struct snapshot_record *snapshot, double place)
{
    double points[RECORD_SNAPSHOT_POINTS];

    for (uint32_t i = 0; i < snapshot->point_count; i++)
        points[i] = record_snapshot_point(snapshot, i);
    return kernel_quantile(points, snapshot->point_count, place);
}

/* By a half, or by more where a half would be lost in the digits. */
static void
widen(struct history_range *range)
{
    double half = 0.5;

    while (!(range->low - half < range->high + half))
        half *= 2;
    range->low -= half;
    range->high += half;
}

bool
history_range_of(const struct snapshot_record *const *snapshots, size_t count, bool robust,
                 struct history_range *out)
{
    const double margin = robust ? 0.01 : 0;
    bool found = false;

    for (size_t i = 0; i < count; i++) {
        double low, high;

        if (snapshots[i]->point_count == 0)
            continue;
        low = history_quantile(snapshots[i], margin);
        high = history_quantile(snapshots[i], 1 - margin);
        out->low = found && out->low < low ? out->low : low;
        out->high = found && out->high > high ? out->high : high;
        found = true;
    }
    if (found && !(out->low < out->high))
        widen(out);
    return found;
}
