/* A snapshot told for any range of values: how many elements lie where.
 *
 * Points that are the elements are counted. Others are quantiles: between two neighbours lies as
 * much of the elements as between any other two, evenly spread; all of it in one place where they
 * are equal, which keeps what is frequent (zeros, above all) where it is. */
#ifndef SERVICE_WATCH_HISTORY_BINS_H
#define SERVICE_WATCH_HISTORY_BINS_H

#include "service/record/record_history.h"

/* Finite, low < high. */
struct history_range {
    double low, high;
};

/* Equal parts of the range. A bin holds what is not below its begin and below its end; the last one
 * its end, too. counts add up to the finite elements with what is below and above. */
void history_bins(const struct snapshot_record *snapshot, const struct history_range *range,
                  uint32_t bins, double *counts, double *below, double *above);
/* The quantile at `place` in [0, 1]; the snapshot has points. */
double history_quantile(const struct snapshot_record *snapshot, double place);
/* Where all of some snapshots lie; `robust`: all but 1 % at either end of each. False where none
 * has a point. A single value gets a half to either side. */
bool history_range_of(const struct snapshot_record *const *snapshots, size_t count, bool robust,
                      struct history_range *out);

#endif
