/* Changes that also tell what the elements are now (?stats=true).
 *
 * Of a variable whose newest version is the one that is told; of an older one, of what has no
 * statistics, and of what would be too much for one message it is null: the client asks then. */
#ifndef API_FEED_FEED_STATISTICS_H
#define API_FEED_FEED_STATISTICS_H

#include "service/watch/change.h"
#include "store/base/buf.h"

enum { API_FEED_STATISTICS_BYTES_MAX = 64 << 20 }; /* of values, for one message or list */

struct api_feed_statistics {
    struct service *service; /* borrowed */
    uint64_t left_bytes;
};

/* Whether a change of this kind tells any. */
bool api_feed_tells_statistics(enum change_kind kind);
/* ERR_NO_MEMORY alone, and ERR_PAYLOAD_TOO_LARGE of the buffer. Takes as long as reading the value,
 * which need not be read again for the next listener. */
ERR_MUST_CHECK enum err_code api_feed_put_statistics(struct api_feed_statistics *statistics,
                                                     const struct change *change, struct buf *out,
                                                     struct err *err);

#endif
