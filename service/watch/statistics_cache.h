/* Statistics remembered. A value of chunks and the revision of whoever names it say which bytes
 * they are of: a value is changed in place only when one record names it, and that record gets the
 * commit's revision. Bounded; what was used last stays. Any thread. */
#ifndef SERVICE_WATCH_STATISTICS_CACHE_H
#define SERVICE_WATCH_STATISTICS_CACHE_H

#include "service/watch/statistics.h"

struct statistics_cache;

ERR_MUST_CHECK enum err_code statistics_cache_open(struct statistics_cache **out, struct err *err);
void statistics_cache_drop(struct statistics_cache *cache); /* NULL is fine */
bool statistics_cache_find(struct statistics_cache *cache, const struct look_value *value,
                           struct statistics *out);
void statistics_cache_keep(struct statistics_cache *cache, const struct look_value *value,
                           const struct statistics *statistics);

#endif
